// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"errors"
	"log/slog"
	"math"
	"time"
)

// A CompareOutcome is what a comparison of the two sides came to.
type CompareOutcome string

// The outcomes of a comparison.
const (
	CompareEqual            CompareOutcome = "equal"
	CompareDifferent        CompareOutcome = "different"
	CompareMissingVault     CompareOutcome = "missing_in_vault"
	CompareMissingScaiVault CompareOutcome = "missing_in_scaivault"
	CompareUnreadable       CompareOutcome = "unreadable" // a side gave no answer
	CompareDropped          CompareOutcome = "dropped"    // too many comparisons under way
)

// outcomeOf compares a value with what the other side answered.
func outcomeOf(have *Secret, side Side, other asked) (CompareOutcome, []string) {
	switch {
	case errors.Is(other.err, ErrNotFound) && side == SideVault:
		return CompareMissingVault, nil
	case errors.Is(other.err, ErrNotFound):
		return CompareMissingScaiVault, nil
	case other.err != nil:
		return CompareUnreadable, nil
	case have.Equal(other.secret):
		return CompareEqual, nil
	default:
		return CompareDifferent, have.differentFields(other.secret)
	}
}

// sample compares a part of the reads, evenly, in the background. have came
// from the leg from, or is nil.
func (s *Store) sample(r *route, from leg, have *Secret) {
	rate := s.cfg.Compare.sampleRate()
	if have == nil || rate == 0 || !r.comparable() {
		return
	}
	// The n-th read is chosen when ⌈n·rate⌉ moves: the first, then evenly.
	n := float64(s.count.sampled.Add(1))
	if math.Ceil(n*rate) == math.Ceil((n-1)*rate) {
		return
	}
	s.compareWith(r, r.state.current(), from, have)
}

// compareLater compares in the background at canary, if it is time.
func (s *Store) compareLater(r *route, generation uint64, from leg, have *Secret) {
	if r.state.due(time.Now(), s.cfg.Compare.maxAge()) {
		s.compareWith(r, generation, from, have)
	}
}

// compareWith reads the side that have does not come from, on the lane, and
// compares. It never delays the caller.
func (s *Store) compareWith(r *route, generation uint64, from leg, have *Secret) {
	r.state.again()
	started := s.lane.try(func() {
		defer s.release(r.state)
		outcome, fields, err := s.compareSides(r, from, have)
		if !s.lane.closed() {
			s.compared(r, generation, outcome, fields, err)
		}
	})
	if !started {
		s.release(r.state)
		s.compared(r, generation, CompareDropped, nil, nil)
	}
}

func (s *Store) compareSides(r *route, from leg, have *Secret) (outcome CompareOutcome, fields []string, err error) {
	to := r.scaiVault
	if from.side == SideScaiVault {
		to = r.vault
	}
	defer func() {
		if p := recover(); p != nil { // a Source is not ours
			outcome, fields = CompareUnreadable, nil
			err = &Error{Kind: ErrUnavailable, Op: "compare", Source: to.side.String(), Path: to.path, Reason: "the source panicked"}
		}
	}()
	found, err := askSource(s.lane.ctx, to, s.cfg.Compare.timeout(), true)
	outcome, fields = outcomeOf(have, to.side, asked{secret: found, err: err})
	return outcome, fields, err
}

// compared records a comparison and tells of it.
func (s *Store) compared(r *route, generation uint64, outcome CompareOutcome, fields []string, err error) {
	r.state.settle(generation, outcome, time.Now())
	s.count.outcome(outcome)
	s.cfg.Trace.compare(CompareInfo{Path: r.path, Stage: r.stage, Outcome: outcome, Fields: fields, Err: err})
	if outcome == CompareEqual || outcome == CompareDropped {
		return
	}
	attrs := []slog.Attr{slog.String("path", r.path), slog.String("stage", r.stage.String()), slog.String("outcome", string(outcome))}
	if len(fields) > 0 {
		attrs = append(attrs, slog.Any("fields", fields))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("cause", err))
	}
	s.log.LogAttrs(s.lane.ctx, slog.LevelWarn, "Vault and ScaiVault are not the same", attrs...)
}
