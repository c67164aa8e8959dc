// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"

	"github.com/scailabs/scaivault-go/scaivault"
)

// An Outcome says what became of one secret. The zero Outcome is none.
type Outcome uint8

// The outcomes of [Copy], with DryRun what they would be.
const (
	// Created was not in the destination and is there now.
	Created Outcome = iota + 1
	// Updated was an earlier copy of ours, or an overwrite that was asked for.
	Updated
	// Unchanged held the same data already; nothing was written.
	Unchanged
	// Skipped is none of our business; [Item.Reason] says why.
	Skipped
	// Conflict is somebody else's work in the destination; it was not touched.
	Conflict
	// Failed could not be done; [Item.Err] or [Item.Reason] says why.
	Failed
	// DeletedInSource was copied once and has been deleted in the source
	// since. The copy was neither removed nor changed: whether it is still
	// wanted is for somebody to decide.
	DeletedInSource
	// NotRepresentable is a version of the history that the destination can't
	// hold: one that was deleted in the source.
	NotRepresentable
)

// The outcomes of [Diff], with the signs of rclone check.
const (
	// Same holds the same data on both sides.
	Same Outcome = iota + 16
	// Different holds different data; [Item.Fields] says where.
	Different
	// OnlyInVault is not in ScaiVault.
	OnlyInVault
	// OnlyInScaiVault is not in Vault.
	OnlyInScaiVault
	// Unreadable could not be compared; [Item.Err] says why.
	Unreadable
)

// The outcomes of [Retire].
const (
	// Deleted was equal in ScaiVault and is no longer in Vault.
	Deleted Outcome = iota + 32
	// Kept may not be deleted yet; [Item.Reason] says why.
	Kept
)

// The further outcomes of [CopyPlan], of secrets that are not as the plan saw
// them and were not touched.
const (
	// SourceChanged has another version in the source.
	SourceChanged Outcome = iota + 48
	// DestinationChanged has another version in the destination.
	DestinationChanged
	// SourceGone is no longer in the source.
	SourceGone
)

// A known is one outcome with its name, its sign, and whether it needs
// somebody's attention.
type known struct {
	outcome Outcome
	name    string
	sign    string
	bad     bool
}

// outcomes are all outcomes, in the order of tables.
var outcomes = []known{
	{Created, "created", "+", false},
	{Updated, "updated", "*", false},
	{Unchanged, "unchanged", "=", false},
	{Same, "same", "=", false},
	{Different, "different", "*", true},
	{OnlyInVault, "only in vault", "+", true},
	{OnlyInScaiVault, "only in scaivault", "-", true},
	{Unreadable, "unreadable", "!", true},
	{Deleted, "deleted", "-", false},
	{DeletedInSource, "deleted in source", "-", true},
	{NotRepresentable, "not representable", ".", false},
	{Skipped, "skipped", ".", false},
	{Kept, "kept", "=", true},
	{Conflict, "conflict", "!", true},
	{SourceChanged, "source changed", "!", true},
	{DestinationChanged, "destination changed", "!", true},
	{SourceGone, "source gone", "!", true},
	{Failed, "failed", "!", true},
}

func (o Outcome) known() (known, bool) {
	for _, k := range outcomes {
		if k.outcome == o {
			return k, true
		}
	}
	return known{outcome: o, name: fmt.Sprintf("outcome(%d)", uint8(o)), sign: "?", bad: true}, false
}

// String returns the outcome in words, such as "only in vault".
func (o Outcome) String() string {
	k, _ := o.known()
	return k.name
}

// Sign returns the outcome as one character: "=" same or unchanged, "*"
// different or updated, "+" only in Vault or created, "-" only in ScaiVault or
// deleted, "!" for what went wrong, "." for what was skipped. These are the
// signs of rclone check on the way from Vault to ScaiVault; [Item.Sign] knows
// the way back, too.
func (o Outcome) Sign() string {
	k, _ := o.known()
	return k.sign
}

// Bad tells whether the outcome needs somebody's attention: it keeps
// [Report.Err] from being nil.
func (o Outcome) Bad() bool {
	k, _ := o.known()
	return k.bad
}

// category is the error of an item that has no other; nil where the outcome is
// no error.
func (o Outcome) category() error {
	switch o {
	case Conflict, SourceChanged, DestinationChanged, SourceGone:
		return scaivault.ErrConflict
	default:
		return nil
	}
}

// MarshalText writes the outcome in words. What is none is ErrInvalid.
func (o Outcome) MarshalText() ([]byte, error) {
	k, ok := o.known()
	if !ok {
		return nil, invalid("encode outcome", k.name+" is not an outcome")
	}
	return []byte(k.name), nil
}

// UnmarshalText reads an outcome in words. An unknown one is ErrInvalid.
func (o *Outcome) UnmarshalText(text []byte) error {
	for _, k := range outcomes {
		if k.name == string(text) {
			*o = k.outcome
			return nil
		}
	}
	return invalid("decode outcome", fmt.Sprintf("%.40q is not an outcome", text))
}

// onlyIn is the outcome of a secret that is on one side alone.
func onlyIn(side scaivault.Side) Outcome {
	if side == scaivault.SideVault {
		return OnlyInVault
	}
	return OnlyInScaiVault
}
