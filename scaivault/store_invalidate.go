// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"iter"
)

// Invalidate makes the next Get of a path ask a source: what the cache holds of
// it, that there is no such secret included, may have changed. While nobody
// answers, the old value may still be served as stale. At StageCanary the sides
// are compared anew. A path that was never asked for is nothing to do. It does
// not block.
func (s *Store) Invalidate(path string) {
	st := s.paths.Load(path)
	if st == nil {
		return
	}
	now := s.clock.Exact()
	st.mu.Lock()
	defer st.mu.Unlock()
	st.turn()
	st.trial.soil()
	if st.trial != nil {
		st.trial.compared = false
	}
	st.kept, st.spare = s.outdated(st.kept, now), s.outdated(st.spare, now)
	s.count.invalidations.Add(1)
}

// outdated is an entry whose TTL ends now, if it has not ended before.
func (s *Store) outdated(e *entry, now int64) *entry {
	if e == nil || now >= e.due {
		return e
	}
	return &entry{
		secret: e.secret, stage: e.stage, side: e.side, kind: e.kind, seq: e.seq,
		due: now, expires: now, end: min(e.end, now+int64(s.cfg.Cache.StaleFor)),
	}
}

// Follow calls [Store.Invalidate] for what events tell of, so that a rotation is
// seen at once and not when its TTL ends:
//
//	go store.Follow(ctx, client.Watch(ctx, "environments/production/**"))
//
// It blocks until the events end, and returns the error of the last pair. After
// Close it returns [ErrClosed] with the next event; end ctx so that it need not
// wait for one. Events that a failing connection loses are what the
// TTL is for.
func (s *Store) Follow(ctx context.Context, events iter.Seq2[Event, error]) error {
	var last error
	for event, err := range events {
		if s.lane.closed() {
			return &Error{Kind: ErrClosed, Op: "follow", Reason: "the Store was closed"}
		}
		last = err
		if err == nil && event.Path != "" && event.Type.changes() {
			s.Invalidate(event.Path)
		}
	}
	if last == nil {
		last = ctx.Err()
	}
	return last
}

// changes tells whether what a secret holds may be different after an event.
func (t EventType) changes() bool { return t != EventSecretAccessed }
