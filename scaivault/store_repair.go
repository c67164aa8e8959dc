// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

// A repair is a path whose last write did not reach the mirror. It copies what
// the authority has when its turn comes, so never an older value over a newer.
type repair struct {
	route *route      // of the write; holds the path's state
	opts  *PutOptions // of the write
	since time.Time
	tries int
	due   time.Time
	place int // in the line; -1 when it is not in it
}

// The first and the largest pause between two tries, of one path and of one
// mirror that gives no answers.
const (
	minRepairPause = 500 * time.Millisecond
	maxRepairPause = 30 * time.Second
)

func (r *repair) pause() time.Duration {
	return spread(min(minRepairPause<<min(r.tries, 16), maxRepairPause))
}

// spread shortens a pause by a random part of up to a half.
func spread(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/2+1)) //nolint:gosec // spreads load
}

// mirrorFailed queues a path for repair. The path's state is held once more until
// the repair is over.
func (s *Store) mirrorFailed(r *route, opts *PutOptions, cause error) {
	r.state.setBehind(r.other().side)
	limit := s.cfg.Mirror.maxRepairs()
	s.repairs.mu.Lock()
	line := s.repairs.line(r.other().breaker)
	if old := line.byPath[r.path]; old != nil {
		if old.place >= 0 { // not being tried at this moment
			heap.Remove(line, old.place)
		}
		s.repairs.forget(s, line, old)
	}
	if s.cfg.Mirror.repairFor() <= 0 || s.repairs.waiting >= limit {
		s.repairs.mu.Unlock()
		reason := "repairs are switched off"
		if limit > 0 && s.cfg.Mirror.repairFor() > 0 {
			reason = "too many are waiting"
		}
		s.gaveUpRepair(r, 1, reason, cause)
		return
	}
	r.state.again()
	now := time.Now()
	rep := &repair{route: r, opts: opts, since: now, due: now.Add(minRepairPause), tries: 1}
	line.byPath[r.path] = rep
	s.repairs.waiting++
	heap.Push(line, rep)
	line.nudge()
	if !line.working {
		line.working = s.lane.run(func() { s.mend(line) })
	}
	s.repairs.mu.Unlock()
	s.cfg.Trace.mirror(MirrorInfo{Path: r.path, Stage: r.stage, Mirror: r.other().source.Name(), Outcome: MirrorWaiting, Tries: 1, Err: cause})
}

// mirrorDone takes a path out of the line that a later write has mirrored.
func (s *Store) mirrorDone(r *route) {
	r.state.mu.Lock()
	r.state.caughtUp()
	r.state.mu.Unlock()
	s.repairs.mu.Lock()
	line := s.repairs.line(r.other().breaker)
	if old := line.byPath[r.path]; old != nil && old.place >= 0 {
		heap.Remove(line, old.place)
		s.repairs.forget(s, line, old)
		s.count.repaired.Add(1)
	}
	s.repairs.mu.Unlock()
	s.cfg.Trace.mirror(MirrorInfo{Path: r.path, Stage: r.stage, Mirror: r.other().source.Name(), Outcome: MirrorDone, Tries: 1})
}

// mend tries what waits in a line until nothing does, or the Store is closed.
func (s *Store) mend(line *repairLine) {
	var pause time.Duration // of the whole line, while the mirror gives no answer
	notBefore := time.Now()
	for {
		rep, at := s.nextRepair(line)
		if rep == nil {
			return
		}
		if wait := time.Until(later(at, notBefore)); wait > 0 {
			if !s.waitToMend(line, wait) {
				return
			}
			continue
		}
		if !s.takeRepair(line, rep) {
			continue
		}
		err := s.tryRepair(line, rep)
		if err == nil || !unavailable(err) {
			pause = 0
			continue
		}
		pause = min(max(2*pause, minRepairPause), maxRepairPause)
		wait := spread(pause)
		var limited *Error
		if errors.As(err, &limited) {
			wait = max(wait, min(limited.RetryAfter, maxRepairPause))
		}
		notBefore = time.Now().Add(wait)
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func unavailable(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRateLimited) || errors.Is(err, ErrUnauthenticated) || errors.Is(err, ErrUncertain)
}

// nextRepair is the head of the line; nil, and nobody works on the line any
// more, if there is none or the Store is closed.
func (s *Store) nextRepair(line *repairLine) (*repair, time.Time) {
	s.repairs.mu.Lock()
	defer s.repairs.mu.Unlock()
	if len(line.due) == 0 || s.lane.closed() {
		line.working = false
		return nil, time.Time{}
	}
	return line.due[0], line.due[0].due
}

// waitToMend waits until something may be due. It reports false when the Store
// is closed.
func (s *Store) waitToMend(line *repairLine, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-line.wake:
	case <-s.lane.ctx.Done():
		s.repairs.mu.Lock()
		line.working = false
		s.repairs.mu.Unlock()
		return false
	}
	return true
}

// takeRepair takes a repair out of the heap, if it is still there.
func (s *Store) takeRepair(line *repairLine, rep *repair) bool {
	s.repairs.mu.Lock()
	defer s.repairs.mu.Unlock()
	if rep.place < 0 {
		return false
	}
	heap.Remove(line, rep.place)
	return true
}

// tryRepair copies the authority's value to the mirror once more, unless the
// stage does not mirror that way any more.
func (s *Store) tryRepair(line *repairLine, rep *repair) error {
	r := rep.route
	// Not cancelled by Close, which waits for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.lane.ctx), s.cfg.Mirror.timeout())
	defer cancel()
	stage, _ := s.stage(ctx, r.path, r.state)
	if !r.mirrorable(stage) || stage != StageFreeze && !s.mirrorsAt(stage) {
		s.endRepair(line, rep)
		s.count.repairsDropped.Add(1)
		s.log.LogAttrs(ctx, slog.LevelInfo, "a write is not mirrored any more, as its path has another stage now",
			slog.String("path", r.path), slog.String("stage", stage.String()))
		s.cfg.Trace.mirror(MirrorInfo{Path: r.path, Stage: stage, Mirror: r.other().source.Name(), Outcome: MirrorDropped, Tries: rep.tries})
		return nil
	}
	err := s.copyToMirror(ctx, r, rep.opts)
	rep.tries++
	switch {
	case err == nil:
		s.endRepair(line, rep)
		r.state.repaired()
		s.count.repaired.Add(1)
		s.log.LogAttrs(ctx, slog.LevelInfo, "a write that could not be mirrored is on both sides now",
			slog.String("path", r.path), slog.String("mirror", r.other().source.Name()), slog.Int("tries", rep.tries))
		s.cfg.Trace.mirror(MirrorInfo{Path: r.path, Stage: stage, Mirror: r.other().source.Name(), Outcome: MirrorDone, Tries: rep.tries})
	case errors.Is(err, ErrNotFound) && fromSource(err, r.authority()):
		s.endRepair(line, rep)
		s.gaveUpRepair(r, rep.tries, "the authority has no such secret any more", err)
	case time.Since(rep.since) >= s.cfg.Mirror.repairFor():
		s.endRepair(line, rep)
		s.gaveUpRepair(r, rep.tries, "it was tried for too long", err)
	default:
		s.requeue(line, rep)
		s.cfg.Trace.mirror(MirrorInfo{Path: r.path, Stage: stage, Mirror: r.other().source.Name(), Outcome: MirrorWaiting, Tries: rep.tries, Err: err})
	}
	return err
}

// fromSource tells whether an error is the answer of a source.
func fromSource(err error, l leg) bool {
	var e *Error
	return errors.As(err, &e) && e.Source == l.source.Name()
}

func (s *Store) requeue(line *repairLine, rep *repair) {
	s.repairs.mu.Lock()
	defer s.repairs.mu.Unlock()
	if line.byPath[rep.route.path] != rep {
		return // a later write has taken its place
	}
	rep.due = time.Now().Add(rep.pause())
	heap.Push(line, rep)
}

func (s *Store) endRepair(line *repairLine, rep *repair) {
	s.repairs.mu.Lock()
	defer s.repairs.mu.Unlock()
	s.repairs.forget(s, line, rep)
}

// gaveUpRepair says that the mirror stays behind.
func (s *Store) gaveUpRepair(r *route, tries int, reason string, cause error) {
	s.count.repairsGivenUp.Add(1)
	mirror := r.other().source.Name()
	s.log.LogAttrs(s.lane.ctx, slog.LevelError, "a write will not be mirrored; copy the path before its authority moves",
		slog.String("path", r.path), slog.String("mirror", mirror), slog.Int("tries", tries), slog.String("reason", reason), slog.Any("cause", cause))
	s.cfg.Trace.mirror(MirrorInfo{Path: r.path, Stage: r.stage, Mirror: mirror, Outcome: MirrorGivenUp, Tries: tries, Err: cause})
}

// flushRepairs tries everything that waits once more, for Close. A mirror that
// gives no answer is not waited for again, and one that does not return is left
// behind.
func (s *Store) flushRepairs() {
	s.repairs.mu.Lock()
	lines := make([]*repairLine, 0, len(s.repairs.lines))
	for _, line := range s.repairs.lines {
		lines = append(lines, line)
	}
	s.repairs.mu.Unlock()
	limit := s.cfg.Mirror.timeout()
	deadline, flushed := time.Now().Add(limit), make(chan struct{}, len(lines))
	for _, line := range lines {
		go func() {
			s.flushLine(line, deadline)
			flushed <- struct{}{}
		}()
	}
	over := time.NewTimer(limit + s.cfg.Failover.attemptTimeout())
	defer over.Stop()
	for range lines {
		select {
		case <-flushed:
		case <-over.C:
			return
		}
	}
}

func (s *Store) flushLine(line *repairLine, deadline time.Time) {
	var failed error
	for {
		s.repairs.mu.Lock()
		if len(line.due) == 0 {
			s.repairs.mu.Unlock()
			return
		}
		rep, _ := heap.Pop(line).(*repair)
		s.repairs.mu.Unlock()
		if failed == nil && time.Now().Before(deadline) {
			rep.since = time.Time{} // the last try
			if err := s.tryRepair(line, rep); err != nil && unavailable(err) {
				failed = err
			}
			continue
		}
		s.endRepair(line, rep)
		s.gaveUpRepair(rep.route, rep.tries, "the Store was closed", failed)
	}
}

func (st *pathState) setBehind(side Side) {
	st.mu.Lock()
	st.behind = side
	st.mu.Unlock()
}

func (st *pathState) isBehind() Side {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.behind
}

// caughtUp says that the mirror holds what the authority had. A write that is
// under way tells by itself whether it does afterwards. Callers hold mu.
func (st *pathState) caughtUp() {
	if st.writing == 0 {
		st.behind = 0
	}
}

// repaired ends what was read of the mirror, and lets the next read at canary
// compare at once.
func (st *pathState) repaired() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.caughtUp()
	st.turn()
	if t := st.trial; t != nil && !t.clean {
		t.notBefore, t.patience = time.Time{}, 0
	}
}
