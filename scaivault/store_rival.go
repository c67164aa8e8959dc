// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"time"
)

// A rival is the second source of a flight, asked while the first one has not
// answered yet. The flight's mu guards it.
type rival struct {
	leg    leg
	ready  bool // leg may be asked
	eager  bool // its answer ends the flight, as it is the authority
	began  bool
	over   bool // it is not wanted any more
	timer  *time.Timer
	cancel context.CancelFunc
	ended  chan struct{} // closed when it has answered; made when it is certain to be asked
	answer asked
}

// prepareRival has the rival asked after a while, or at once for who hurries.
// A negative while leaves it to those.
func (f *flight) prepareRival(l leg, after time.Duration, eager bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rival.leg, f.rival.eager, f.rival.ready = l, eager, true
	if f.hurried {
		after = 0
	}
	if after == 0 {
		f.rival.ended = make(chan struct{})
	}
	if after >= 0 {
		f.rival.timer = time.AfterFunc(after, f.race)
	}
}

// hurry has the rival asked now.
func (f *flight) hurry() {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r := &f.rival; {
	case r.began || r.over:
	case r.timer != nil:
		r.timer.Reset(0)
	case r.ready:
		r.timer = time.AfterFunc(0, f.race)
	default:
		f.hurried = true
	}
}

// race asks the rival, in a goroutine of its own.
func (f *flight) race() {
	if !f.beginRace() {
		return
	}
	defer f.store.lane.leave()
	ctx, cancel := f.attempt()
	defer cancel()
	a := asked{err: panicError(f.route.op, f.rival.leg)}
	defer func() {
		_ = recover() // is told by the error above: there is another source
		f.endRace(a)
	}()
	a = f.consult(ctx, f.rival.leg, true)
}

func (f *flight) beginRace() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &f.rival
	if r.began || r.over || !f.store.lane.enter() {
		return false
	}
	r.began = true
	if r.ended == nil {
		r.ended = make(chan struct{})
	}
	return true
}

// endRace tells what the rival has answered. The authority's answer ends the
// flight, the other's value is laid ready.
func (f *flight) endRace(a asked) {
	f.mu.Lock()
	r := &f.rival
	r.answer = a
	close(r.ended)
	if r.over {
		f.mu.Unlock()
		return
	}
	answered := a.err == nil || isNo(a.err)
	if r.eager && answered {
		f.slow = true
		f.mu.Unlock()
		if a.err != nil {
			f.route.state.soil() // the first source is trusted no more
		}
		f.land(f.rescued(r.leg, a))
		f.cancel()
		return
	}
	if a.err == nil && (!f.spare.known() || f.spare.failover) { // else the authority has answered
		f.spare = result{secret: f.label(a.secret, true), side: r.leg.side, failover: true, attempts: f.attempts}
		f.tell()
	}
	f.mu.Unlock()
}

// dismiss cancels the rival, or sees to it that it is never asked.
func (r *rival) dismiss() {
	r.over = true
	if r.timer != nil {
		r.timer.Stop()
	}
	if r.cancel != nil {
		r.cancel()
	}
}

// rivalAnswer waits for a rival that was asked, or asks it now.
func (f *flight) rivalAnswer(l leg) asked {
	f.mu.Lock()
	began, ended := f.rival.began, f.rival.ended
	if !began {
		f.rival.over = true // from here on it is asked here
		if f.rival.timer != nil {
			f.rival.timer.Stop()
		}
	}
	f.mu.Unlock()
	if began {
		<-ended
		return f.rival.answer
	}
	return f.second(l)
}

// second asks a source after the first one has failed.
func (f *flight) second(l leg) asked {
	ctx, cancel := f.attempt()
	defer cancel()
	return f.consult(ctx, l, true)
}

// awaitRival waits for the rival for a limited time.
func (f *flight) awaitRival(limit time.Duration) asked {
	none := asked{err: &Error{
		Kind: ErrUnavailable, Op: f.route.op, Source: f.rival.leg.source.Name(), Path: f.rival.leg.path,
		Reason: "no answer within " + limit.String(),
	}}
	f.mu.Lock()
	ended := f.rival.ended
	f.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ended:
		return f.rival.answer
	default:
	}
	select {
	case <-ended:
		return f.rival.answer
	case <-timer.C:
	case <-f.store.lane.ctx.Done():
	}
	return none
}

func panicError(op string, l leg) error {
	return &Error{Kind: ErrUnavailable, Op: op, Source: l.source.Name(), Path: l.path, Reason: "the source panicked"}
}
