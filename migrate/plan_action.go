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
	// ActionLeftOut is left out by Include or Exclude.
	ActionLeftOut
	// ActionDeletedInSource was copied once and has been deleted in the
	// source since; the copy stays as it is.
	ActionDeletedInSource
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
	{ActionLeftOut, "left out", ".", false, Skipped},
	{ActionDeletedInSource, "deleted in source", "-", true, DeletedInSource},
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
// unchanged, "-" deleted in the source, "." nothing to do, "!" for what needs
// attention.
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

// actionOfOutcome says what the outcome of a dry run means for a plan.
var actionOfOutcome = map[Outcome]Action{
	Created: ActionCreate, Updated: ActionUpdate, Unchanged: ActionUnchanged, Conflict: ActionConflict,
	Skipped: ActionAbsent, DeletedInSource: ActionDeletedInSource,
}

// actionOf says what an item of the dry run means.
func (p *planner) actionOf(i Item) Action {
	_, mapped := p.route.there(i.From)
	switch {
	case i.Outcome == Skipped && p.selection.leftOut(i.From) != "":
		return ActionLeftOut
	case i.Outcome == Skipped && !mapped && !i.subtree:
		return ActionNotMapped
	case i.Outcome != Skipped && i.To != "" && isRefused(i.To, p.toSide):
		return ActionNotAllowed
	}
	if action, ok := actionOfOutcome[i.Outcome]; ok {
		return action
	}
	return ActionFailed
}

// isRefused tells whether the destination can't have a secret of this name.
func isRefused(name string, side scaivault.Side) bool {
	return side == scaivault.SideScaiVault && scaivault.ValidatePath(name) != nil
}
