// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// An entry is what the cache holds of a path. Times are those of the Store's
// clock. But for the two atomic fields it never changes.
type entry struct {
	secret *Secret // nil for "there is no such secret"
	// epoch is one of the flag at which it said this stage for the path.
	epoch atomic.Uint64
	// renewAt is when a Get should see to it that it is read again.
	renewAt atomic.Int64
	kind    hitKind
	stage   Stage  // at which it was read
	side    Side   // who said it
	seq     uint32 // of the read that it came from
	no      *error // that there is no such secret; nil where there is one
	due     int64  // the end of its TTL
	expires int64  // the same, but for a service that wants to be asked later
	end     int64  // until when it may be served while nobody answers
}

// answer is what Get returns of it.
func (e *entry) answer() (*Secret, error) {
	if e.no != nil {
		return nil, *e.no
	}
	return e.secret, nil
}

// A hitKind is what a Get from the cache counts as.
type hitKind uint8

const (
	hitValue hitKind = iota
	hitFailover
	hitStale
	hitNo
	hitKinds // how many kinds there are
)

// resolution is how late the clock of a cache may be: a hundredth of the
// shortest time that it keeps anything, within reason.
func (c CacheConfig) resolution() time.Duration {
	shortest := c.TTL
	for _, d := range []time.Duration{c.failoverTTL(), c.negativeTTL()} {
		if d > 0 {
			shortest = min(shortest, d)
		}
	}
	return min(max(shortest/100, time.Millisecond), 50*time.Millisecond)
}

// hit returns what Get may answer at once, or nil. It takes no lock, reads no
// clock and allocates nothing.
func (s *Store) hit(ctx context.Context, path string) *entry {
	st := s.paths.Load(path)
	if st == nil {
		return nil
	}
	e := st.value.Load()
	if e == nil || s.clock.Now() >= e.renewAt.Load() || s.lane.closed() {
		return nil
	}
	if s.epoch != nil {
		if s.epoch() != e.epoch.Load() {
			return nil
		}
	} else if stage, _ := s.askFlag(ctx, path); stage != e.stage {
		return nil // a panic is told by who asks again
	}
	if !st.used.Load() {
		st.used.Store(true)
	}
	s.hits.Add(int(e.kind))
	return e
}

// cached is hit for a route: it may find that the flag says the same as before,
// or that it is time to read the secret again in the background.
func (s *Store) cached(r *route) *entry {
	st := r.state
	now := s.clock.Exact()
	st.mu.Lock()
	e := st.value.Load()
	if e != nil && e == st.kept && now >= e.expires && st.spare != nil {
		// The other source's answer came in place of a later one of the first's.
		e = st.spare
		st.value.Store(e)
	}
	if e == nil || e.stage != r.stage || now >= e.expires {
		st.mu.Unlock()
		return nil
	}
	e.epoch.Store(r.epoch)
	renew := now >= e.renewAt.Load()
	if renew {
		pause := min(max((e.expires-now)/4, int64(renewPause)), e.expires-now)
		e.renewAt.Store(now + pause)
	}
	st.used.Store(true)
	st.mu.Unlock()
	s.hits.Add(int(e.kind))
	if renew && e.secret != nil {
		s.renew(r)
	}
	return e
}

func (s *Store) cachedUnless(fresh bool, r *route) *entry {
	if fresh {
		return nil
	}
	return s.cached(r)
}

// renewPause is the least time between two tries to read a secret again before
// its TTL ends.
const renewPause = 100 * time.Millisecond

// newEntry makes an entry that may be served for ttl. f is the read that it
// comes from.
func (s *Store) newEntry(f *flight, res result, ttl time.Duration) *entry {
	c := s.cfg.Cache
	life := ttl
	if j := c.jitter(); j > 0 && res.err == nil {
		life -= time.Duration(rand.Float64() * j * float64(life)) //nolint:gosec // spreads load
	}
	now := s.clock.Exact()
	e := &entry{
		secret: res.secret, stage: f.route.stage, side: res.side, seq: f.seq,
		due: now + int64(life), expires: now + int64(life), end: now + int64(life) + int64(c.StaleFor),
	}
	switch {
	case res.err != nil:
		e.kind, e.end, e.no = hitNo, e.expires, new(error)
		*e.no = res.err
	case res.failover:
		e.kind = hitFailover
	}
	if res.secret != nil && !res.secret.info.ExpiresAt.IsZero() {
		left := now + int64(time.Until(res.secret.info.ExpiresAt))
		e.due, e.expires, e.end = min(e.due, left), min(e.expires, left), min(e.end, left)
	}
	e.epoch.Store(f.route.epoch)
	e.renewAt.Store(s.renewal(e, now, life))
	return e
}

// writtenEntry is what a write leaves behind: no Get is answered from it, but
// where nobody answers.
func (s *Store) writtenEntry(r *route, secret *Secret) *entry {
	now := s.clock.Exact()
	e := &entry{
		secret: secret, stage: r.stage, side: r.authority().side, due: now, expires: now,
		end: now + int64(s.cfg.Cache.StaleFor),
	}
	if at := secret.info.ExpiresAt; !at.IsZero() {
		e.end = min(e.end, now+int64(time.Until(at)))
	}
	return e
}

// renewal is when an entry should be read again: early enough for a read whose
// first source takes all of its time, if the TTL is long enough for that.
func (s *Store) renewal(e *entry, now int64, life time.Duration) int64 {
	if e.kind == hitNo {
		return e.expires - int64(s.cfg.Cache.resolution())
	}
	lead := min(max(life/5, 3*s.cfg.Failover.attemptTimeout()/2), life/2)
	return max(now, e.expires-int64(lead))
}

// land ends a read: it keeps what the cache may keep, and finds a stale value
// where nobody answered.
func (s *Store) land(f *flight, res result) result {
	st := f.route.state
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.flight == f {
		st.flight = nil
	}
	current := f.edition == st.edition && s.cfg.Cache.TTL > 0
	switch {
	case res.err == nil && current:
		s.keep(st, f, res)
	case res.err == nil:
	case isNo(res.err):
		s.keepNo(st, f, res, current)
	case errors.Is(res.err, ErrRateLimited):
		if e := s.stretch(st, f, res.err); e != nil {
			return result{secret: e.secret, attempts: res.attempts, side: e.side, kind: e.kind}
		}
		fallthrough
	default:
		if secret, side := s.stale(st, f.route.stage); secret != nil {
			return result{secret: secret, attempts: res.attempts, side: side, kind: hitStale}
		}
	}
	return res
}

// keep keeps a value: the first source's in place of all else, the other's
// beside it. Callers hold mu.
func (s *Store) keep(st *pathState, f *flight, res result) {
	if !res.failover || res.side == f.route.authority().side {
		if st.kept != nil && st.kept.seq > f.seq {
			return // a read that began later has landed
		}
		res.failover = false
		st.kept, st.spare = s.newEntry(f, res, s.cfg.Cache.TTL), nil
		if res.secret.failover {
			st.kept.kind = hitFailover
		}
		st.value.Store(st.kept)
		return
	}
	st.spare = s.newEntry(f, res, s.cfg.Cache.failoverTTL())
	if e := st.value.Load(); e == nil || e != st.kept || s.clock.Exact() >= e.expires {
		st.value.Store(st.spare)
	}
}

// keepNo ends what is kept: the authority has said no. That counts also where
// the no itself is not kept, unless there was a write or a later answer since.
// Reads that began before are not kept, either: one of them may fail over to an
// old copy of what has been deleted. Callers hold mu.
func (s *Store) keepNo(st *pathState, f *flight, res result, current bool) {
	if st.kept != nil && st.kept.seq > f.seq || f.route.stage.vaultRules() != st.last.vaultRules() {
		return
	}
	st.kept, st.spare = nil, nil
	if !current {
		return
	}
	st.edition++
	st.value.Store(nil)
	if ttl := s.cfg.Cache.negativeTTL(); ttl > 0 && errors.Is(res.err, ErrNotFound) {
		st.value.Store(s.newEntry(f, res, ttl))
	}
}

// stale finds the last value that may be served because nobody answered, of a
// source that the stage allows: the authority's rather than the other's.
// Callers hold mu.
func (s *Store) stale(st *pathState, stage Stage) (*Secret, Side) {
	now := s.clock.Exact()
	for _, e := range []*entry{st.kept, st.spare} {
		if e == nil || now >= e.end || !stage.allows(e.side) {
			continue
		}
		return e.secret.aged(time.Duration(now - e.due)), e.side
	}
	return nil, 0
}

// landSpare keeps what a waiter took before the end of a flight.
func (s *Store) landSpare(f *flight, res result) {
	st := f.route.state
	st.mu.Lock()
	defer st.mu.Unlock()
	if f.edition == st.edition && s.cfg.Cache.TTL > 0 {
		s.keep(st, f, res)
	}
}

// canStale tells whether stale would find something.
func (s *Store) canStale(st *pathState, stage Stage) bool {
	if s.cfg.Cache.StaleFor == 0 {
		return false
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	secret, _ := s.stale(st, stage)
	return secret != nil
}

// How long a service that wants to be asked later is left alone, where it does
// not say.
const defaultStretch = time.Second

// stretch serves the last value for longer, as the authority wants to be asked
// later: for as long as it says, up to one more TTL or StaleFor. Callers hold mu.
func (s *Store) stretch(st *pathState, f *flight, err error) *entry {
	e := st.kept
	if !s.canStretch(st, f.route.stage) {
		return nil
	}
	now := s.clock.Exact()
	wait := defaultStretch
	var limited *Error
	if errors.As(err, &limited) && limited.RetryAfter > 0 {
		wait = limited.RetryAfter
	}
	again := now + int64(wait)
	// Time for a read in the background, so that nobody waits for it.
	lead := int64(min(s.cfg.Failover.attemptTimeout(), s.cfg.Cache.TTL/2))
	longer := &entry{
		secret: e.secret, stage: f.route.stage, side: e.side, seq: e.seq, kind: e.kind,
		due: e.due, expires: min(max(e.expires, again+lead), s.stretchEnd(e)), end: e.end,
	}
	if now > e.due {
		longer.secret, longer.kind = e.secret.aged(time.Duration(now-e.due)), hitStale
	}
	longer.epoch.Store(f.route.epoch)
	longer.renewAt.Store(min(again, longer.expires-int64(s.cfg.Cache.resolution())))
	st.kept = longer
	if f.edition == st.edition {
		st.value.Store(longer)
	}
	s.count.stretched.Add(1)
	return longer
}

// stretches tells whether the authority's wish to be asked later is met by what
// it said before. What the other source said is no reason not to ask that one.
func (s *Store) stretches(f *flight) bool {
	st := f.route.state
	st.mu.Lock()
	defer st.mu.Unlock()
	return s.canStretch(st, f.route.stage) && st.kept.side == f.route.authority().side
}

// canStretch tells whether stretch would. Callers hold mu.
func (s *Store) canStretch(st *pathState, stage Stage) bool {
	e := st.kept
	return e != nil && e.secret != nil && stage.allows(e.side) && s.clock.Exact() < s.stretchEnd(e)
}

func (s *Store) stretchEnd(e *entry) int64 {
	limit := max(e.end, e.due+int64(s.cfg.Cache.TTL))
	if at := e.secret.info.ExpiresAt; !at.IsZero() {
		limit = min(limit, s.clock.Exact()+int64(time.Until(at)))
	}
	return limit
}

// aged returns a copy of s that says how long past its TTL it is.
func (s *Secret) aged(by time.Duration) *Secret {
	c := *s
	c.stale = max(by, 1)
	return &c
}
