// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
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
	CompareDropped          CompareOutcome = "dropped"    // too many were under way, or the path was written meanwhile
)

// outcomeOf compares a value, or nil for none, with what the other side
// answered. That both have none is no outcome.
func outcomeOf(have *Secret, side Side, other asked) (CompareOutcome, []string) {
	switch {
	case have == nil && other.err == nil && side == SideVault:
		return CompareMissingScaiVault, nil
	case have == nil && other.err == nil:
		return CompareMissingVault, nil
	case have == nil && errors.Is(other.err, ErrNotFound):
		return "", nil
	case errors.Is(other.err, ErrNotFound) && side == SideVault:
		return CompareMissingVault, nil
	case errors.Is(other.err, ErrNotFound):
		return CompareMissingScaiVault, nil
	case other.err != nil:
		return CompareUnreadable, nil
	case have.Equal(other.secret):
		return CompareEqual, nil
	default:
		return CompareDifferent, shownFields(have.differentFields(other.secret))
	}
}

// How many field names a comparison tells of, and how long each may be: the
// other side may answer anything.
const (
	maxShownFields = 100
	maxFieldName   = 256
)

func shownFields(names []string) []string {
	shown := slices.Clone(names[:min(len(names), maxShownFields)])
	for i, name := range shown {
		if len(name) > maxFieldName {
			shown[i] = strings.ToValidUTF8(name[:maxFieldName], "") + "…"
		}
	}
	return shown
}

// largeValue is the size in bytes above which values are compared one at a time.
const largeValue = 1 << 20

// outcomeWithin is outcomeOf with bounded memory. To compare takes several times
// the memory of the values, so while a large one is compared, the next one is
// dropped at once and does not wait in memory. done ends it.
func (s *Store) outcomeWithin(have *Secret, to Side, other asked) (outcome CompareOutcome, fields []string, done func()) {
	done = func() {}
	if have != nil && other.err == nil && max(len(have.raw()), len(other.secret.raw())) > largeValue {
		select {
		case s.weighing <- struct{}{}:
			done = func() { <-s.weighing }
		default:
			return CompareDropped, nil, done
		}
	}
	outcome, fields = outcomeOf(have, to, other)
	return outcome, fields, done
}

// sample compares a part of the reads, evenly, in the background. have came
// from the leg from, or is nil if that says that there is none.
func (s *Store) sample(r *route, from leg, have *Secret) {
	rate := s.cfg.Compare.sampleRate()
	if rate == 0 || !r.comparable() {
		return
	}
	if chosen(s.count.sampled.Add(1), rate) {
		s.compareWith(r, r.state.current(), from, have)
	}
}

// chosen tells whether the n-th read is a sample: when ⌈n·rate⌉ moves, which is
// at the first, and then evenly.
func chosen(n uint64, rate float64) bool {
	rate *= 1 - 1e-12 // a hair less, so that 0.07 of 100 does not round up to 8
	return math.Ceil(float64(n)*rate) > math.Ceil(float64(n-1)*rate)
}

// compareLater compares in the background at canary, if it is time.
func (s *Store) compareLater(r *route, generation uint64, from leg, have *Secret) {
	if r.state.due(time.Now(), s.cfg.Compare.maxAge()) {
		s.compareWith(r, generation, from, have)
	}
}

// compareWith reads the side that have does not come from, on the lane, and
// compares. It never delays the caller, and a source that panics there hurts
// nobody.
func (s *Store) compareWith(r *route, generation uint64, from leg, have *Secret) {
	to := r.scaiVault
	if from.side == SideScaiVault {
		to = r.vault
	}
	r.state.again()
	edition := r.state.editionNow()
	started := s.lane.try(func() {
		defer s.release(r.state)
		other := asked{err: panicError("compare", to)}
		defer func() {
			_ = recover() // is told by the error above
			if s.lane.closed() {
				return
			}
			outcome, fields, done := s.outcomeWithin(have, to.side, other)
			defer done()
			if outcome != CompareEqual && r.state.editionNow() != edition {
				outcome, fields, other.err = CompareDropped, nil, nil // have is not what the path holds now
			}
			s.compared(r, generation, outcome, fields, other.err)
		}()
		secret, err := askSource(s.lane.ctx, to, s.cfg.Compare.timeout(), true)
		other = asked{secret: secret, err: err}
	})
	if !started {
		s.release(r.state)
		s.compared(r, generation, CompareDropped, nil, nil)
	}
}

// compared records a comparison and tells of it.
func (s *Store) compared(r *route, generation uint64, outcome CompareOutcome, fields []string, err error) {
	if outcome == "" {
		return
	}
	r.state.settle(generation, outcome, time.Now())
	s.count.outcome(outcome)
	s.evidence.add(r.path, r.stage, outcome, time.Now())
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
