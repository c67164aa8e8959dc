// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// A Gate is a [Flag] that lets a path go to its next stage only when
// [Store.Verdict] allows it. It goes around the whole flag of a Store:
//
//	Flag: scaivault.Gate{Flag: rollout, Patterns: []string{"environments/production/billing/**"}}
//
// A path that is held back stays at the last stage that was allowed; the log says
// so once and why, [Stats].Held counts, and [Store.Verdict] tells what is missing.
// Where that is StageVault, it is held at StageShadow, so that there is something
// to see. A path that is held back from StageCutover is frozen: reads go on as at
// StageCanary, and Put waits, as another instance may have moved the authority
// already. So see to it that the verdict is good before you turn the flag.
//
// A Gate never holds back StageShadow, StageFreeze, the way back, or a path that
// a process asks for the first time: a service that is started in the middle of a
// move takes the stage that the flag says. Outside of a Store it holds nothing.
type Gate struct {
	// Flag is what the Gate is around. Required.
	Flag Flag
	// Patterns part the estate: each path is judged with all others that match
	// the first pattern that it matches, and by its own last comparison. If
	// empty, "**": all paths together. A path that matches none is judged alone.
	Patterns []string
}

// Stage returns what the flag says. Only a Store holds back.
func (g Gate) Stage(ctx context.Context, path string) Stage {
	if g.Flag == nil {
		return StageUnknown
	}
	return g.Flag.Stage(ctx, path)
}

func (g Gate) patternOf(path string) string {
	if len(g.Patterns) == 0 {
		return "**"
	}
	for _, pattern := range g.Patterns {
		if prefix, tail := splitPattern(pattern); matches(prefix, tail, path) {
			return pattern
		}
	}
	return path
}

// gateOf takes the Gate off the flag of a Store.
func gateOf(f Flag) (*Gate, Flag) {
	switch g := f.(type) {
	case Gate:
		return &g, g.Flag
	case *Gate:
		if g != nil {
			return g, g.Flag
		}
	}
	return nil, f
}

// A gatekeeper asks for verdicts on behalf of a Gate, not more often than the
// evidence changes.
type gatekeeper struct {
	gate *Gate // nil: everything passes
	held atomic.Uint64

	mu       sync.Mutex // guards verdicts
	verdicts map[gateKey]judgement
}

type gateKey struct {
	pattern string
	stage   Stage
}

// A judgement is a verdict, for as long as it is not asked for again.
type judgement struct {
	allowed bool
	until   time.Time
	told    bool // the log has it
}

// judgementLife is how old a verdict of a whole pattern may be.
const judgementLife = time.Second

// heldEpoch is an epoch that no flag has: what was read while a path was held
// back is not answered without asking again.
const heldEpoch = ^uint64(0)

// admit returns the stage that a path may go to, of which the flag says wanted.
// It reports whether the path is held back.
func (s *Store) admit(ctx context.Context, st *pathState, wanted Stage) (Stage, bool) {
	if s.gates.gate == nil {
		return wanted, false
	}
	at := st.lastStage()
	if at == StageUnknown || wanted <= at {
		return wanted, false
	}
	for _, step := range []struct{ to, otherwise Stage }{
		{StageCanary, StageShadow}, {StageCutover, StageFreeze}, {StageScaiVault, StageCutover},
	} {
		if at >= step.to || wanted < step.to || step.to == StageCanary && wanted != StageCanary {
			continue // not on the way, or frozen from here on
		}
		if !s.allows(ctx, st.path, step.to) {
			s.gates.held.Add(1)
			return max(at, step.otherwise), true
		}
	}
	return wanted, false
}

// allows asks for the verdict of a path's pattern, and looks at the path's own
// last comparison.
func (s *Store) allows(ctx context.Context, path string, to Stage) bool {
	pattern := s.gates.gate.patternOf(path)
	if ground, _ := evidenceFor(to); pattern != path && s.evidence.sum(path, ground, time.Now()).differing > 0 {
		return false
	}
	key, now := gateKey{pattern, to}, time.Now()
	s.gates.mu.Lock()
	last, known := s.gates.verdicts[key]
	s.gates.mu.Unlock()
	if known && now.Before(last.until) {
		return last.allowed
	}
	v := s.Verdict(pattern, to)
	next := judgement{allowed: v.Allowed, until: now.Add(judgementLife), told: !v.Allowed}
	s.gates.mu.Lock()
	last = s.gates.verdicts[key]
	if pattern != path || len(s.gates.verdicts) < s.ring.limit {
		s.gates.verdicts[key] = next
	}
	s.gates.mu.Unlock()
	switch {
	case !v.Allowed && !last.told:
		s.log.LogAttrs(ctx, slog.LevelWarn, "paths are held back from their next stage",
			slog.String("pattern", pattern), slog.String("stage", to.String()), slog.String("verdict", v.String()))
	case v.Allowed && last.told:
		s.log.LogAttrs(ctx, slog.LevelInfo, "paths may go to their next stage now", slog.String("pattern", pattern), slog.String("stage", to.String()))
	}
	return v.Allowed
}

// check finds what makes no sense in a Gate.
func (g *Gate) check(problem func(string, ...any)) {
	if g.Flag == nil {
		problem("Gate.Flag: is nil; a Gate goes around a flag")
	}
	for i, pattern := range g.Patterns {
		if reason := brokenPattern(pattern); reason != "" {
			problem("Gate.Patterns: pattern %d (%s) can match no path: %s; write a path, a path and /**, or **", i+1, wire.Printable(pattern), reason)
		}
	}
}

// holdsGate tells whether a flag, or one inside of it, is a Gate.
func holdsGate(f Flag) bool {
	found := false
	eachFlag(f, func(f Flag) {
		switch f.(type) {
		case Gate, *Gate:
			found = true
		}
	})
	return found
}
