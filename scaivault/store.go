// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// A Store is what applications use: it reads and writes secrets by their
// ScaiVault paths, wherever they live at this moment. The package
// documentation says which source answers at which stage.
//
// A Store is safe for concurrent use; make one and share it.
type Store struct {
	cfg   StoreConfig
	log   *slog.Logger
	flag  Flag
	paths sync.Map // ScaiVault path → *pathState
	lane  *lane
	count counters
}

// NewStore checks the configuration and does no I/O. Its error matches
// [ErrInvalid] and names all mistakes.
func NewStore(cfg StoreConfig) (*Store, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, log: cfg.Logger, flag: cfg.Flag, lane: newLane(cfg.Compare.maxParallel())}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.flag == nil {
		s.flag = StageVault
		if cfg.ScaiVault != nil {
			s.flag = StageScaiVault
		}
	}
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
	start := time.Now()
	s.count.reads.Add(1)
	r, err := s.route(ctx, "get", path)
	if err != nil {
		s.count.readErrors.Add(1)
		s.cfg.Trace.get(GetInfo{Path: wire.Printable(path), Took: time.Since(start), Err: err})
		return nil, err
	}
	res := s.read(ctx, r)
	info := GetInfo{Path: path, Stage: r.stage, Took: time.Since(start), Attempts: res.attempts, Err: res.err}
	if res.err != nil {
		s.count.readErrors.Add(1)
	} else {
		info.Source, info.Failover = res.secret.Source(), res.secret.Failover()
	}
	if info.Failover {
		s.count.failovers.Add(1)
		s.log.LogAttrs(ctx, slog.LevelWarn, "secret read by failover", slog.String("path", path),
			slog.String("stage", r.stage.String()), slog.String("source", info.Source), slog.Any("cause", res.cause()))
	}
	s.cfg.Trace.get(info)
	return res.secret, res.err
}

// Refresh is Get past any cached value.
func (s *Store) Refresh(ctx context.Context, path string) (*Secret, error) {
	return s.Get(ctx, path)
}

// Close stops the comparisons in the background, waits for writes that are
// still being mirrored, and makes every later call, and every Put that waits
// at [StageFreeze], end with [ErrClosed]. It does not close the Sources. It is
// idempotent and returns nil.
func (s *Store) Close() error {
	s.lane.close()
	return nil
}

// A leg is one source and the secret's name there. A leg without a source is
// not there.
type leg struct {
	side   Side
	source Source
	path   string
}

// A route is all that is decided about one call before a source is asked.
type route struct {
	op        string
	path      string // the ScaiVault path
	stage     Stage
	scaiVault leg
	vault     leg // without a source for a path that is not mapped
	proxied   bool
	state     *pathState
}

// authority is the side whose answer is the truth, and other the other side.
func (r *route) authority() leg {
	if r.stage.vaultRules() {
		return r.vault
	}
	return r.scaiVault
}

func (r *route) other() leg {
	if r.stage.vaultRules() {
		return r.scaiVault
	}
	return r.vault
}

// comparable tells whether the two sides of a path are independent sources.
func (r *route) comparable() bool {
	return !r.proxied && r.scaiVault.source != nil && r.vault.source != nil
}

// route finds the stage and the sources of a path. It does no I/O.
func (s *Store) route(ctx context.Context, op, path string) (*route, error) {
	fail := func(kind error, reason string) (*route, error) {
		return nil, &Error{Kind: kind, Op: op, Path: wire.Printable(path), Reason: reason}
	}
	if s.lane.closed() {
		return fail(ErrClosed, "the Store was closed")
	}
	if rule := brokenPathRule(path); rule != "" {
		return fail(ErrInvalid, rule)
	}
	state := s.state(path)
	stage := s.stage(ctx, path, state)
	if stage == StageUnknown {
		return fail(ErrInvalid, "the flag says no stage for this path and never did; set StoreConfig.InitialStage")
	}
	r := &route{op: op, path: path, stage: stage, scaiVault: leg{SideScaiVault, s.cfg.ScaiVault, path}, vault: leg{side: SideVault}, state: state}
	rule, vaultPath, mapped := s.cfg.Mapping.lookup(path)
	if mapped {
		r.vault = leg{SideVault, s.cfg.vaultOf(rule.Cluster), vaultPath}
		r.proxied = rule.Proxied
	}
	switch {
	case !mapped && stage.vaultRules():
		return fail(ErrInvalid, "no rule of the mapping leads to a Vault path, and at stage "+stage.String()+" Vault is the authority; add a rule")
	case r.authority().source == nil:
		return fail(ErrInvalid, "stage "+stage.String()+" needs a source that StoreConfig does not have")
	}
	return r, nil
}
