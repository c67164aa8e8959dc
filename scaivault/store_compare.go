// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"fmt"
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

// readComparing is the first read of a path at canary: it asks both sides at
// once and compares before it answers. Only Vault's value is waited for without
// a limit of the comparison's own.
func (s *Store) readComparing(ctx context.Context, r *route, now standing) result {
	q := s.newQuestion(ctx, r)
	other, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan asked, 1)
	started := s.lane.run(func() {
		// A source that panics must not end the process from a goroutine of ours.
		a := asked{err: &Error{Kind: ErrUnavailable, Op: r.op, Source: r.scaiVault.source.Name(), Path: r.path, Reason: "the source panicked"}}
		defer func() {
			_ = recover() // becomes the error above
			answers <- a
		}()
		start := time.Now()
		a.secret, a.err = askSource(other, r.scaiVault, s.cfg.Failover.attemptTimeout(), true)
		a.took = time.Since(start)
	})
	if !started {
		r.state.settle(now.generation, CompareDropped, time.Now())
		return s.readVaultFirst(ctx, r, nil)
	}
	vault := q.ask(r.vault, true)
	if vault == nil {
		r.state.settle(now.generation, CompareUnreadable, time.Now())
		return s.readWithoutVault(q, answers)
	}
	scaiVault := await(ctx, answers, s.cfg.Compare.timeout())
	outcome, fields := outcomeOf(vault, SideScaiVault, scaiVault)
	s.compared(r, now.generation, outcome, fields, scaiVault.err)
	if outcome == CompareEqual {
		return q.value(scaiVault.secret, false)
	}
	return q.value(vault, false)
}

// readWithoutVault ends a first read for which Vault had no value.
func (s *Store) readWithoutVault(q *question, answers <-chan asked) result {
	if isNo(q.authorityErr) {
		return q.failed()
	}
	a := await(q.ctx, answers, s.cfg.Failover.attemptTimeout())
	if a.err == nil {
		return q.value(a.secret, true)
	}
	q.failure(q.route.scaiVault, a.err, a.took)
	return q.failed()
}

// asked is the answer of a source that was asked aside.
type asked struct {
	secret *Secret
	err    error
	took   time.Duration
}

func await(ctx context.Context, answers <-chan asked, limit time.Duration) asked {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a
	default:
	}
	select {
	case a := <-answers:
		return a
	case <-timer.C:
		return asked{err: &Error{Kind: ErrUnavailable, Op: "get", Source: sourceScaiVault, Reason: fmt.Sprintf("no answer within %v", limit)}}
	case <-ctx.Done():
		return asked{err: &Error{Kind: ErrUnavailable, Op: "get", Source: sourceScaiVault, Err: ctx.Err()}}
	}
}

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
	started := s.lane.try(func() {
		outcome, fields, err := s.compareSides(r, from, have)
		if !s.lane.closed() {
			s.compared(r, generation, outcome, fields, err)
		}
	})
	if !started {
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
