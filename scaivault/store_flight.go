// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// A flight is one read of a path, and all callers that wait for it. It lives on
// when the first of them leaves, and dies with the last.
type flight struct {
	store   *Store
	route   route
	key     string // of the group: no other flight has it, so that none inherits a cancelled one
	edition uint32 // of the path, when it began; guarded by route.state.mu
	seq     uint32 // which read of the path it is
	began   time.Time
	base    detached
	ctx     context.Context    //nolint:containedctx // of the first source's attempt
	cancel  context.CancelFunc // ends that
	waiters int                // guarded by route.state.mu
	begun   atomic.Bool
	// news is closed when there is something to have before the flight ends.
	news chan struct{}

	mu           sync.Mutex // guards all below
	attempts     []Attempt
	authorityErr error
	rival        rival
	told         bool // news is closed
	// landed is closed at the end; made when there is something to have before.
	landed   chan struct{}
	spare    result // what may be taken by who cannot wait for the first source
	hurried  bool   // somebody cannot wait for the first source
	slow     bool   // somebody took the spare, or the rival was first
	aborted  bool   // nobody waits any more
	final    result // how it ended
	panicked any    // what a source panicked with
}

// noEdition is the edition of a flight that nobody else joins, and whose result
// nobody keeps.
const noEdition = ^uint32(0)

// read asks the sources, or joins a read that is under way, and waits for it as
// long as ctx allows. fresh begins a new one.
func (s *Store) read(ctx context.Context, r *route, fresh bool) result {
	if ctx.Err() != nil {
		return s.gaveUp(ctx, r, nil)
	}
	f, landed := s.board(ctx, r, fresh)
	if f == nil {
		return closedResult(r)
	}
	return s.await(ctx, f, landed)
}

func closedResult(r *route) result {
	return result{err: &Error{Kind: ErrClosed, Op: r.op, Path: r.path, Reason: "the Store was closed"}}
}

// board joins the flight under way, if nothing has happened to the path since
// it began, or starts one. It returns nil after Close. Who joins is told of the
// end by the channel too; who starts one learns it from the flight.
func (s *Store) board(ctx context.Context, r *route, fresh bool) (*flight, <-chan singleflight.Result) {
	st := r.state
	st.mu.Lock()
	defer st.mu.Unlock()
	f := st.flight
	// A caller whose stage is not the path's any more flies alone.
	alone := st.last != r.stage && st.last != StageUnknown
	if fresh || alone || f == nil || f.route.stage != r.stage || time.Since(f.began) > s.tooLong() {
		if !s.lane.enter() {
			return nil, nil
		}
		st.flights++
		st.holders++
		f = s.newFlight(ctx, r)
		if alone {
			f.edition = noEdition
		} else {
			st.flight = f
		}
		f.waiters++
		s.crew.send(f)
		return f, nil
	}
	s.count.joined.Add(1)
	f.waiters++
	return f, s.group.DoChan(f.key, f.fly)
}

// tooLong is an age at which a flight has a source that does not obey its
// context. Nobody joins it any more.
func (s *Store) tooLong() time.Duration { return 3 * s.cfg.Failover.attemptTimeout() }

// newFlight makes a flight. Callers hold the state's mu.
func (s *Store) newFlight(ctx context.Context, r *route) *flight {
	f := &flight{
		store: s, route: *r, key: r.path + "\x00" + strconv.FormatUint(uint64(r.state.flights), 10), edition: r.state.edition, seq: r.state.flights,
		began: time.Now(), base: detached{ctx}, news: make(chan struct{}),
	}
	f.ctx, f.cancel = context.WithTimeout(&f.base, s.cfg.Failover.attemptTimeout())
	return f
}

// fly is the body of a flight. A panic of a source ends neither the process nor
// only the call that started the flight: it is raised in each waiter. It is
// flown once: who joins may be quicker than the crew, which then comes too late.
func (f *flight) fly() (any, error) {
	if f.begun.Swap(true) {
		return nil, nil //nolint:nilnil // as below
	}
	s := f.store
	returned := false
	defer func() {
		if !returned {
			f.crashed(recover())
		}
		f.abort()
		s.release(f.route.state)
		s.lane.leave()
	}()
	f.land(s.ask(f))
	returned = true
	return nil, nil //nolint:nilnil // what it came to is in the flight
}

// detached is a ctx of which the values are left: a flight is not bound to the
// caller who started it.
type detached struct {
	values context.Context //nolint:containedctx // lives as long as the flight
}

// Deadline reports that there is none.
func (*detached) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done returns nil: it never ends.
func (*detached) Done() <-chan struct{} { return nil }

// Err returns nil.
func (*detached) Err() error { return nil }

// Value returns what the caller's ctx has.
func (d *detached) Value(key any) any { return d.values.Value(key) }

// land ends a flight: the cache learns of it, and the waiters. Only the first
// end counts.
func (f *flight) land(res result) {
	f.mu.Lock()
	if f.final.known() {
		f.mu.Unlock()
		return
	}
	res = f.store.land(f, res)
	f.final = res
	f.tell()
	if f.landed != nil {
		close(f.landed)
	}
	f.mu.Unlock()
	if res.err == nil && res.failover {
		f.store.logFailover(f, res)
	}
}

// tell closes news. Callers hold mu.
func (f *flight) tell() {
	if !f.told {
		f.told = true
		close(f.news)
	}
}

// lay lays ready what may be taken before the end. Callers hold mu.
func (f *flight) lay(res result) {
	f.spare = res
	if f.landed == nil && !f.final.known() {
		f.landed = make(chan struct{})
	}
	f.tell()
}

// atEnd is closed when a flight has landed that had news before.
func (f *flight) atEnd() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.landed
}

// crashed ends a flight whose source panicked, or ended its goroutine.
func (f *flight) crashed(p any) {
	f.store.count.panics.Add(1)
	f.store.log.LogAttrs(&f.base, slog.LevelError, "a source panicked", slog.String("path", f.route.path), slog.String("stack", string(debug.Stack())))
	f.mu.Lock()
	if !f.final.known() { // else the rival has answered before
		f.panicked = p
	}
	f.mu.Unlock()
	f.land(result{err: &Error{Kind: ErrUnavailable, Op: f.route.op, Path: f.route.path, Reason: "the source panicked"}})
}

// soil makes the path dirty: Vault first until the sides are equal again. What
// other reads find that are under way is not kept, as they may ask ScaiVault.
func (f *flight) soil() {
	st := f.route.state
	st.mu.Lock()
	defer st.mu.Unlock()
	st.trial.soil()
	current := f.edition == st.edition
	st.turn()
	if current {
		f.edition = st.edition
	}
}

// abort cancels what the flight still asks.
func (f *flight) abort() {
	f.cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.aborted = true
	f.dismiss()
}

// attempt is a context for one attempt that is not the first source's.
func (f *flight) attempt() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(&f.base, f.store.cfg.Failover.attemptTimeout())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rival.cancel = cancel
	if f.aborted {
		cancel()
	}
	return ctx, cancel
}

// await waits for a flight, no longer than ctx. What the other source answered
// is taken before the end by who has used half of its time, or when the first
// source's time is over.
func (s *Store) await(ctx context.Context, f *flight, landed <-chan singleflight.Result) result {
	defer s.leave(f)
	half := f.half(ctx)
	news := f.news
	first := f.ctx.Done()
	var end <-chan struct{}
	var over, overdue <-chan time.Time
	hurry := false
	for {
		select {
		case <-landed:
			return f.taken(true)
		case <-end:
			return f.taken(true)
		case <-news:
			if res := f.taken(hurry); res.known() {
				return res
			}
			news, end, over = nil, f.atEnd(), time.After(time.Until(f.began.Add(s.cfg.Failover.attemptTimeout())))
		case <-half:
			f.hurry()
			half, hurry = nil, true
			if res := f.taken(true); res.known() {
				return res
			}
		case <-over:
			hurry = true
			if res := f.taken(true); res.known() {
				return res
			}
		case <-first:
			// Two more attempts may follow, each with the same limit.
			first, overdue = nil, time.After(5*s.cfg.Failover.attemptTimeout()/2)
		case <-overdue:
			f.overdue()
			return f.taken(true)
		case <-ctx.Done():
			return s.gaveUp(ctx, &f.route, f)
		case <-s.lane.ctx.Done():
			return closedResult(&f.route)
		}
	}
}

// overdue ends a flight of which a source does not return, though its context
// has ended long ago.
func (f *flight) overdue() {
	a := f.route.authority()
	f.mu.Lock()
	told := f.authorityErr != nil
	f.mu.Unlock()
	if !told {
		f.failed(a, asked{took: time.Since(f.began), err: &Error{
			Kind: ErrUnavailable, Op: f.route.op, Source: a.source.Name(), Path: a.path, Reason: "a source does not return, though its context has ended",
		}})
		a.breaker.record(errOverdue)
	}
	f.land(f.failure())
}

// half fires when half of the caller's time is over, where there is another
// source to ask and the first one is given more.
func (f *flight) half(ctx context.Context) <-chan time.Time {
	deadline, ok := ctx.Deadline()
	if !ok || !f.route.hasOther() {
		return nil
	}
	half := time.Until(deadline) / 2
	if half >= f.store.cfg.Failover.attemptTimeout() {
		return nil
	}
	return time.After(half)
}

// taken is what a waiter may have now: the end of the flight, or what lies
// ready for who is in a hurry. It raises what a source panicked with.
func (f *flight) taken(hurry bool) result {
	f.mu.Lock()
	if p := f.panicked; p != nil {
		f.mu.Unlock()
		panic(p)
	}
	defer f.mu.Unlock()
	switch {
	case f.final.known():
		return f.final
	case f.spare.known() && hurry:
		f.slow = true
		f.store.landSpare(f, f.spare)
		return f.spare
	default:
		return result{}
	}
}

// leave takes a waiter off a flight. With the last one the flight ends.
func (s *Store) leave(f *flight) {
	st := f.route.state
	st.mu.Lock()
	f.waiters--
	last := f.waiters == 0
	if last && st.flight == f {
		st.flight = nil
		s.group.Forget(f.key)
	}
	st.mu.Unlock()
	if last {
		f.abort()
	}
}

// gaveUp is the end for a caller whose ctx ended: a stale value if its time was
// over and there is one, else an error that names what was tried.
func (s *Store) gaveUp(ctx context.Context, r *route, f *flight) result {
	cause := ctx.Err()
	if errors.Is(cause, context.Canceled) {
		return result{err: &Error{Op: r.op, Path: r.path, Err: cause}}
	}
	r.state.mu.Lock()
	secret, side := s.stale(r.state, r.stage)
	r.state.mu.Unlock()
	if secret != nil {
		return result{secret: secret, side: side, kind: hitStale}
	}
	own := *r // the caller's own stays where it is, which costs nothing
	q := question{route: &own}
	if f != nil {
		f.mu.Lock()
		q.attempts = append(q.attempts, f.attempts...)
		q.authorityErr = f.authorityErr
		f.mu.Unlock()
	}
	if q.authorityErr == nil {
		q.add(r.authority(), asked{err: &Error{
			Kind: ErrUnavailable, Op: r.op, Source: r.authority().source.Name(), Path: r.authority().path,
			Reason: "no answer before the caller's time was over", Err: cause,
		}})
	}
	return q.failed()
}
