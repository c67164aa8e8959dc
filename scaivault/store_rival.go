// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"sync"
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
	alarm  *alarm
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
		f.rival.alarm = f.store.alarms.set(f, after)
	}
}

// An alarm has a rival asked when its time has come. Nearly all are put off
// before that, and serve another flight.
type alarm struct {
	timer  *time.Timer
	flight *flight
	moved  bool // it may have rung for this flight
}

func (a *alarm) ring() { a.flight.race() }

// alarms are those that are free.
type alarms struct{ free sync.Pool }

func (p *alarms) set(f *flight, after time.Duration) *alarm {
	a, _ := p.free.Get().(*alarm)
	if a != nil {
		a.flight = f
		a.timer.Reset(after)
		return a
	}
	a = &alarm{flight: f}
	a.timer = time.AfterFunc(after, a.ring)
	return a
}

// putOff sees to it that the rival's alarm does not ring. One that may have rung
// is not used again: its goroutine may not have looked yet for whom.
func (f *flight) putOff() {
	a := f.rival.alarm
	if a == nil || !a.timer.Stop() || a.moved {
		return
	}
	f.rival.alarm, a.flight = nil, nil
	f.store.alarms.free.Put(a)
}

// hurry has the rival asked now.
func (f *flight) hurry() {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r := &f.rival; {
	case r.began || r.over:
	case r.alarm != nil:
		r.alarm.moved = true
		r.alarm.timer.Reset(0)
	case r.ready:
		r.alarm = f.store.alarms.set(f, 0)
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
	makeRoom()
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
			f.soil() // the first source is trusted no more
		}
		f.land(f.rescued(r.leg, a))
		f.cancel()
		return
	}
	if a.err == nil && (!f.spare.known() || f.spare.failover) { // else the authority has answered
		f.lay(result{secret: f.label(a.secret, true), side: r.leg.side, failover: true, attempts: f.attempts})
	}
	f.mu.Unlock()
}

// dismiss cancels the rival, or sees to it that it is never asked. Callers hold
// mu.
func (f *flight) dismiss() {
	f.rival.over = true
	f.putOff()
	if f.rival.cancel != nil {
		f.rival.cancel()
	}
}

// rivalAnswer waits for a rival that was asked, or asks it now.
func (f *flight) rivalAnswer(l leg) asked {
	f.mu.Lock()
	began, ended := f.rival.began, f.rival.ended
	if !began {
		f.rival.over = true // from here on it is asked here
		f.putOff()
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
