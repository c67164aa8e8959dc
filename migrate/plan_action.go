// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"

	"github.com/scailabs/scaivault-go/scaivault"
)

// An Action is what a [Plan] says of one secret. The zero Action is none.
type Action uint8

// The actions of a plan. [CopyPlan] writes for the first two alone.
const (
	// ActionCreate is not in the destination, and would be created.
	ActionCreate Action = iota + 1
	// ActionUpdate would be written anew: it is an earlier copy of ours, or
	// an overwrite that was asked for, which the reason says.
	ActionUpdate
	// ActionUnchanged holds the same data already.
	ActionUnchanged
	// ActionConflict is somebody else's work in the destination.
	ActionConflict
	// ActionNotMapped has no name in the destination.
	ActionNotMapped
	// ActionNotAllowed has a name that ScaiVault does not allow; see
	// [Sanitize].
	ActionNotAllowed
	// ActionAbsent was named or listed, and is not there.
	ActionAbsent
	// ActionFailed could not be read or listed, or the destination cannot
	// hold it.
	ActionFailed
)

// actions are all actions, in the order of tables, with the outcome that an
// item has in the report of CopyPlan when nothing is done for it.
var actions = []struct {
	action  Action
	name    string
	sign    string
	bad     bool
	outcome Outcome
}{
	{ActionCreate, "create", "+", false, 0},
	{ActionUpdate, "update", "*", false, 0},
	{ActionUnchanged, "unchanged", "=", false, Unchanged},
	{ActionNotMapped, "not mapped", ".", false, Skipped},
	{ActionAbsent, "absent", ".", false, Skipped},
	{ActionConflict, "conflict", "!", true, Conflict},
	{ActionNotAllowed, "not allowed", "!", true, Failed},
	{ActionFailed, "failed", "!", true, Failed},
}

// String returns the action in words, such as "not mapped".
func (a Action) String() string {
	for _, k := range actions {
		if k.action == a {
			return k.name
		}
	}
	return fmt.Sprintf("action(%d)", uint8(a))
}

// Sign returns the action as one character: "+" create, "*" update, "="
// unchanged, "." nothing to do, "!" for what needs attention.
func (a Action) Sign() string {
	for _, k := range actions {
		if k.action == a {
			return k.sign
		}
	}
	return "?"
}

// Writes tells whether carrying the plan out writes this secret.
func (a Action) Writes() bool { return a == ActionCreate || a == ActionUpdate }

// Bad tells whether the action needs somebody's attention: it keeps
// [Plan.Err] from being nil.
func (a Action) Bad() bool {
	for _, k := range actions {
		if k.action == a {
			return k.bad
		}
	}
	return true
}

// outcome is what CopyPlan reports of an item for which it does nothing.
func (a Action) outcome() Outcome {
	for _, k := range actions {
		if k.action == a {
			return k.outcome
		}
	}
	return Failed
}

// MarshalText writes the action in words. What is none is ErrInvalid.
func (a Action) MarshalText() ([]byte, error) {
	for _, k := range actions {
		if k.action == a {
			return []byte(k.name), nil
		}
	}
	return nil, invalid("encode plan", a.String()+" is not an action")
}

// UnmarshalText reads an action in words. An unknown one is ErrInvalid.
func (a *Action) UnmarshalText(text []byte) error {
	for _, k := range actions {
		if k.name == string(text) {
			*a = k.action
			return nil
		}
	}
	return invalid("read plan", fmt.Sprintf("%.40q is not an action", text))
}

// actionOf says what an item of a dry run means for a plan. m gives names in
// the destination, which toScaiVault says to be ScaiVault.
func actionOf(i Item, unmapped, refused bool) Action {
	switch {
	case unmapped:
		return ActionNotMapped
	case refused && i.Outcome != Skipped:
		return ActionNotAllowed
	}
	switch i.Outcome {
	case Created:
		return ActionCreate
	case Updated:
		return ActionUpdate
	case Unchanged:
		return ActionUnchanged
	case Conflict:
		return ActionConflict
	case Skipped:
		return ActionAbsent
	default:
		return ActionFailed
	}
}

// isRefused tells whether the destination can't have a secret of this name.
func isRefused(name string, side scaivault.Side) bool {
	return side == scaivault.SideScaiVault && scaivault.ValidatePath(name) != nil
}
