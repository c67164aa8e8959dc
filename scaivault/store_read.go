// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sony/gobreaker/v2"
)

// A result is what a read came to: a secret, or the error that the caller gets.
type result struct {
	secret   *Secret
	err      error
	side     Side // who said it
	failover bool // the other source answered in place of the first
	kind     hitKind
	attempts []Attempt // the sources that had no value, in the order they were asked
}

func (r result) known() bool { return r.secret != nil || r.err != nil }

// cause is why the first source did not answer, for the log.
func (r result) cause() error {
	if len(r.attempts) == 0 {
		return nil
	}
	return r.attempts[0].Err
}

// ask asks the sources by the table of stages. One principle gives the whole
// table: the authority's answer is final, including its no; the other source's
// answer counts only when it is a value.
func (s *Store) ask(f *flight) result {
	r := &f.route
	if r.stage.comparesFirst() && r.comparable() {
		return s.askCanary(f)
	}
	res := s.askAuthority(f)
	if r.stage == StageShadow || r.stage == StageCutover {
		// Only the authority's "not found" shows through.
		if res.secret != nil && res.side == r.authority().side || errors.Is(res.err, ErrNotFound) {
			s.sample(r, r.authority(), res.secret)
		}
	}
	return res
}

// hasOther tells whether a read may ask another source than the authority.
func (r *route) hasOther() bool {
	return r.other().source != nil && r.stage.allows(r.other().side)
}

// trusts tells whether the other source may stand in for the authority. Where
// it is known to hold an older value, the authority's last one comes first.
func (s *Store) trusts(r *route) bool {
	if !r.hasOther() {
		return false
	}
	return r.state.isBehind() != r.other().side || !s.canStale(r.state, r.stage)
}

// askAuthority asks the authority, and the other source, where the stage allows
// it, in case that the authority is unavailable.
func (s *Store) askAuthority(f *flight) result {
	a, b := f.route.authority(), f.route.other()
	if !s.trusts(&f.route) {
		return s.askAlone(f, a)
	}
	if !a.breaker.closed() {
		return s.askWithout(f, a, b)
	}
	f.prepareRival(b, s.cfg.Failover.after(), false)
	got := f.consult(f.ctx, a, true)
	if got.err == nil || isNo(got.err) {
		return f.answer(a, got, false)
	}
	f.failed(a, got)
	if errors.Is(got.err, ErrRateLimited) && s.stretches(f) {
		return f.failure()
	}
	return f.rescued(b, f.atLast(b, f.rivalAnswer(b)))
}

// atLast asks a source that was left alone all the same, if there is no stale
// value either: it may have come back.
func (f *flight) atLast(l leg, a asked) asked {
	if a.skipped && !f.store.canStale(f.route.state, f.route.stage) {
		return f.consultAnyhow(l)
	}
	return a
}

// askAlone asks the only source of a stage.
func (s *Store) askAlone(f *flight, l leg) result {
	if !l.breaker.closed() && s.canStale(f.route.state, f.route.stage) {
		s.probe(l)
		f.failed(l, leftAlone(f.route.op, l))
		return f.failure()
	}
	return f.answer(l, f.consultAnyhow(l), false)
}

// askWithout asks the other source, as the authority's breaker is open. Where
// nobody else has an answer, the authority is asked all the same.
func (s *Store) askWithout(f *flight, a, b leg) result {
	s.probe(a)
	f.failed(a, leftAlone(f.route.op, a))
	other := f.second(b)
	if other.err == nil || s.canStale(f.route.state, f.route.stage) {
		return f.rescued(b, other)
	}
	got := f.consultAnyhow(a)
	f.forgetAttempts()
	if got.err == nil || isNo(got.err) {
		return f.answer(a, got, false)
	}
	f.failed(a, got)
	return f.rescued(b, f.atLast(b, other))
}

// probe tries a source again that was left alone for long enough. Nobody waits
// for it.
func (s *Store) probe(l leg) {
	if l.breaker.state() != gobreaker.StateHalfOpen {
		return
	}
	done := l.breaker.allow()
	if done == nil {
		return
	}
	started := s.lane.run(func() {
		err := panicError("probe", l)
		defer func() {
			_ = recover() // is told by the error above
			done(trialVerdict(err))
		}()
		_, err = askSource(s.lane.ctx, l, s.cfg.Failover.attemptTimeout(), true)
	})
	if !started {
		done(errNeutral)
	}
}

// consult asks a source through its breaker.
func (f *flight) consult(ctx context.Context, l leg, once bool) asked {
	if !l.breaker.closed() {
		f.store.probe(l)
		return leftAlone(f.route.op, l)
	}
	start := time.Now()
	returned := false
	defer func() {
		if !returned {
			l.breaker.record(errPanicked)
		}
	}()
	secret, err := askWithin(ctx, l, f.store.cfg.Failover.attemptTimeout(), once)
	returned = true
	verdict := verdictOf(err, f.tooSlow())
	if verdict != nil && errors.Is(ctx.Err(), context.Canceled) && !f.tooSlow() {
		verdict = errNeutral // whatever the source made of it
	}
	l.breaker.record(verdict)
	return asked{secret: secret, err: err, took: time.Since(start)}
}

// consultAnyhow asks a source whatever its breaker says, as there is nobody
// else to ask. If it is time to try the source again, this is the try.
func (f *flight) consultAnyhow(l leg) asked {
	if l.breaker.closed() && f.ctx.Err() == nil {
		return f.consult(f.ctx, l, false)
	}
	ctx, cancel := f.attempt()
	defer cancel()
	verdict := errPanicked
	if l.breaker.state() == gobreaker.StateHalfOpen {
		if done := l.breaker.allow(); done != nil {
			defer func() { done(verdict) }()
		}
	}
	start := time.Now()
	secret, err := askWithin(ctx, l, f.store.cfg.Failover.attemptTimeout(), false)
	verdict = trialVerdict(err)
	if errors.Is(ctx.Err(), context.Canceled) && verdict != nil {
		verdict = errNeutral
	}
	return asked{secret: secret, err: err, took: time.Since(start)}
}

// leftAlone is the answer of a source whose breaker is open.
func leftAlone(op string, l leg) asked {
	return asked{skipped: true, err: &Error{
		Kind: ErrUnavailable, Op: op, Source: l.source.Name(), Path: l.path,
		Reason: "not asked, as it gave no answer several times in a row",
	}}
}

// tooSlow tells whether somebody took another answer than the first source's.
func (f *flight) tooSlow() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.slow
}

// failed remembers why a source has no value.
func (f *flight) failed(l leg, a asked) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := question{route: &f.route, attempts: f.attempts, authorityErr: f.authorityErr}
	q.add(l, a)
	f.attempts, f.authorityErr = q.attempts, q.authorityErr
}

func (f *flight) forgetAttempts() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attempts, f.authorityErr = nil, nil
}

// answer is the end of a flight with a source's own answer, or with none.
func (f *flight) answer(l leg, a asked, failover bool) result {
	if a.err != nil {
		f.failed(l, a)
		return f.failure()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return result{secret: f.label(a.secret, failover), side: l.side, failover: failover, attempts: f.attempts}
}

// rescued is the end of a flight with the answer of the source that was asked
// in place of the first.
func (f *flight) rescued(l leg, a asked) result { return f.answer(l, a, true) }

// label gives a secret the name by which it was asked of the Store.
func (f *flight) label(secret *Secret, failover bool) *Secret {
	if !failover && !secret.failover && secret.info.Path == f.route.path {
		return secret
	}
	return secret.answered(f.route.path, secret.Source(), failover)
}

// failure is the end of a read that no source could answer.
func (f *flight) failure() result {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := question{route: &f.route, attempts: f.attempts, authorityErr: f.authorityErr}
	return q.failed()
}

// A question collects the attempts of one read.
type question struct {
	route        *route
	attempts     []Attempt
	authorityErr error
}

func (q *question) add(l leg, a asked) {
	q.attempts = append(q.attempts, Attempt{Source: l.source.Name(), Err: a.err, Took: a.took})
	if l.side == q.route.authority().side {
		q.authorityErr = a.err
	}
}

func (q *question) failed() result {
	if len(q.attempts) == 1 {
		return result{err: q.attempts[0].Err, attempts: q.attempts}
	}
	return result{attempts: q.attempts, err: &FailoverError{
		Op: q.route.op, Path: q.route.path, Stage: q.route.stage,
		Attempts: q.attempts, authority: q.authorityErr,
	}}
}

func (s *Store) logFailover(f *flight, res result) {
	s.log.LogAttrs(&f.base, slog.LevelWarn, "secret read by failover", slog.String("path", f.route.path),
		slog.String("stage", f.route.stage.String()), slog.String("source", res.secret.Source()), slog.Any("cause", res.cause()))
}
