// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/scailabs/scaivault-go/internal/coarse"
	"github.com/scailabs/scaivault-go/internal/pathmap"
	"github.com/scailabs/scaivault-go/internal/stripe"
	"github.com/scailabs/scaivault-go/internal/wire"
)

// A Store is what applications use: it reads and writes secrets by their
// ScaiVault paths, wherever they live at this moment. The package
// documentation says which source answers at which stage.
//
// A Store is safe for concurrent use; make one and share it.
type Store struct {
	cfg      StoreConfig
	log      *slog.Logger
	flag     Flag
	epoch    func() uint64 // nil for a flag that must be asked at each call
	paths    pathmap.Map[pathState, *pathState]
	ring     ring
	clock    *coarse.Clock
	hits     stripe.Set
	group    singleflight.Group
	crew     crew
	alarms   alarms
	breakers breakers
	lane     *lane
	weighing chan struct{} // a slot for the comparison of large values
	renewing chan struct{} // a slot for each renewal in the background
	repairs  repairs
	evidence ledger
	gates    gatekeeper
	closing  sync.Mutex // one Close at a time
	count    counters
	watched  []*WatchedFlag // the files of the flag
}

// NewStore checks the configuration and does no I/O. Its error matches
// [ErrInvalid] and names all mistakes.
func NewStore(cfg StoreConfig) (*Store, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, log: cfg.Logger, flag: cfg.Flag, lane: newLane(cfg.Compare.maxParallel()),
		ring: newRing(cfg.Cache.maxEntries()), breakers: newBreakers(&cfg), renewing: make(chan struct{}, maxRenewals),
		weighing: make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.lane.caught = s.caught
	if s.flag == nil {
		s.flag = StageVault
		if cfg.ScaiVault != nil {
			s.flag = StageScaiVault
		}
	}
	s.gates.gate, s.flag = gateOf(s.flag)
	s.gates.verdicts = map[gateKey]judgement{}
	s.evidence = newLedger(cfg.Cache.maxEntries(), cfg.Verdict.window())
	s.watchFlag()
	s.clock = coarse.New(cfg.Cache.resolution())
	return s, nil
}

// Get reads the secret that applications call path, from the source that the
// path's stage says; see the package documentation. It answers for as long as
// one of the sources that the stage allows can.
//
// Absence and denial, as the authority tells them, are [ErrNotFound] and
// [ErrPermission]. A path that breaks a rule, or that the mapping does not hold
// while Vault is the authority, is [ErrInvalid], before any I/O. When nobody
// answers, the error matches the authority's error; if more than one source was
// asked, it is a [*FailoverError] that names every attempt. It blocks until it
// has an answer or ctx ends.
func (s *Store) Get(ctx context.Context, path string) (*Secret, error) {
	if s.cfg.Trace != nil {
		return s.get(ctx, path, false)
	}
	if e := s.hit(ctx, path); e != nil {
		return e.answer()
	}
	return s.get(ctx, path, false)
}

// Refresh is Get past any cached value. It begins a read of its own, whatever
// is under way, and Get answers with what it found.
func (s *Store) Refresh(ctx context.Context, path string) (*Secret, error) {
	return s.get(ctx, path, true)
}

func (s *Store) get(ctx context.Context, path string, fresh bool) (*Secret, error) {
	start := time.Now()
	r, err := s.route(ctx, "get", path)
	if err != nil {
		s.count.reads.Add(1)
		s.count.readErrors.Add(1)
		s.cfg.Trace.get(GetInfo{Path: wire.Printable(path), Took: time.Since(start), Err: err})
		return nil, err
	}
	defer s.release(r.state)
	info := GetInfo{Path: path, Stage: r.stage, Proxied: r.proxied}
	if r.proxied {
		s.count.proxied.Add(1)
	}
	var res result
	if e := s.cachedUnless(fresh, &r); e != nil {
		res.secret, res.err = e.answer()
		info.Cached = true
	} else {
		res = s.read(ctx, &r, fresh)
		s.count.read(res)
	}
	if s.cfg.Trace != nil {
		info.Took, info.Attempts, info.Err = time.Since(start), res.attempts, res.err
		if res.secret != nil {
			info.Source, info.Failover, info.Stale = res.secret.Source(), res.secret.Failover(), res.secret.Stale()
		}
		s.cfg.Trace.get(info)
	}
	return res.secret, res.err
}

// caught counts a panic of what is not ours, a Trace or a Logger, in work that no
// caller waits for. It is not shown, as it may hold a value.
func (s *Store) caught(any) { s.count.panics.Add(1) }

// maxRenewals bounds the reads in the background that renew what is cached.
const maxRenewals = 64

// renew reads a secret again while its cached value is still good. Nobody waits
// for it.
func (s *Store) renew(r *route) {
	select {
	case s.renewing <- struct{}{}:
	default:
		return // another Get will try
	}
	again := *r // outlives the call
	again.state.again()
	done := func() {
		s.release(again.state)
		<-s.renewing
	}
	started := s.lane.run(func() {
		defer done()
		defer func() { _ = recover() }() // the flight has logged it
		s.count.renewals.Add(1)
		if s.read(s.lane.ctx, &again, false).err != nil {
			s.count.renewalErrors.Add(1)
		}
	})
	if !started {
		done()
	}
}

// Close cancels reads and comparisons that are under way, waits for writes that
// are still being mirrored, tries those once more that wait to be, for no longer
// than [MirrorConfig].Timeout, and makes every later call, every Get that waits,
// and every Put that waits at [StageFreeze], end with [ErrClosed]. It does not
// close the Sources. It is idempotent and may be called by several at once. What
// could not be mirrored is in the log, the Trace and Stats.
//
// It returns nil when nothing of the Store runs any more. For a Source that does
// not return although its context has ended it waits no longer than
// MirrorConfig.Timeout and FailoverConfig.AttemptTimeout together; then it
// leaves that call behind, and the error matches [ErrUnavailable].
func (s *Store) Close() error {
	s.closing.Lock()
	defer s.closing.Unlock()
	s.lane.stop()
	s.crew.end()
	_ = s.clock.Close() // has no error
	s.unwatchFlag()
	limit := s.cfg.Mirror.timeout() + s.cfg.Failover.attemptTimeout()
	if !s.lane.closeWithin(limit) {
		return &Error{
			Kind: ErrUnavailable, Op: "close",
			Reason: "a source does not return, though its context ended " + limit.String() + " ago; its call was left behind",
		}
	}
	s.flushRepairs()
	return nil
}
