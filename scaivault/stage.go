// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"fmt"
	"strings"
)

// A Stage says how far the move of one path from Vault to ScaiVault has come.
// It decides which side is the authority, which side is asked, and where
// writes go; the package documentation has the table. A Stage is also a
// constant [Flag].
type Stage uint8

// The stages, in the order of a move. The authority changes hands only between
// StageFreeze and StageCutover.
const (
	// StageUnknown is what a flag answers that cannot say: the last known
	// stage stays.
	StageUnknown Stage = iota
	// StageVault reads and writes Vault alone.
	StageVault
	// StageShadow reads and writes Vault, and compares a sample of the reads
	// with ScaiVault in the background.
	StageShadow
	// StageCanary reads ScaiVault for paths that were compared equal, and
	// Vault for all others. Vault is the authority and takes the writes,
	// which are mirrored to ScaiVault.
	StageCanary
	// StageFreeze reads as StageCanary does and holds all writes.
	StageFreeze
	// StageCutover reads ScaiVault, now the authority, and Vault only while
	// ScaiVault is unavailable. Writes go to ScaiVault and are mirrored to
	// Vault.
	StageCutover
	// StageScaiVault reads and writes ScaiVault alone.
	StageScaiVault
)

var stageNames = [...]string{"unknown", "vault", "shadow", "canary", "freeze", "cutover", "scaivault"}

// ParseStage reads a stage's name: vault, shadow, canary, freeze, cutover or
// scaivault. Anything else, "unknown" included, is [ErrInvalid].
func ParseStage(name string) (Stage, error) {
	for i, n := range stageNames[1:] {
		if n == name {
			return Stage(i + 1), nil
		}
	}
	return StageUnknown, &Error{
		Kind: ErrInvalid, Op: "parse stage",
		Reason: fmt.Sprintf("%q is not a stage; the stages are %s", cut(name, 64), strings.Join(stageNames[1:], ", ")),
	}
}

// String returns the stage's name, such as "canary".
func (s Stage) String() string {
	if !s.known() && s != StageUnknown {
		return fmt.Sprintf("stage(%d)", uint8(s))
	}
	return stageNames[s]
}

// MarshalText writes the stage's name. A value that is no stage is [ErrInvalid].
func (s Stage) MarshalText() ([]byte, error) {
	if !s.known() && s != StageUnknown {
		return nil, &Error{Kind: ErrInvalid, Op: "encode stage", Reason: s.String() + " is not a stage"}
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads a stage's name as [ParseStage] does, and "unknown".
func (s *Stage) UnmarshalText(text []byte) error {
	if string(text) == stageNames[StageUnknown] {
		*s = StageUnknown
		return nil
	}
	parsed, err := ParseStage(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// Stage returns s, whatever the path: a Stage is a constant [Flag].
func (s Stage) Stage(context.Context, string) Stage { return s }

func (s Stage) known() bool { return s >= StageVault && s <= StageScaiVault }

// vaultRules tells whether Vault is the authority.
func (s Stage) vaultRules() bool { return s < StageCutover }

func (s Stage) authority() Side {
	if s.vaultRules() {
		return SideVault
	}
	return SideScaiVault
}

// needs says which sources a Store must have to live at this stage.
func (s Stage) needs() (scaiVault, vault bool) {
	switch s {
	case StageVault:
		return false, true
	case StageScaiVault:
		return true, false
	default:
		return true, true
	}
}

// cut shortens text from outside for an error.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
