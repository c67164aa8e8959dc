// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// A leg is one source and the secret's name there. A leg without a source is
// not there.
type leg struct {
	side    Side
	source  Source
	path    string
	breaker *breaker
}

// A route is all that is decided about one call before a source is asked.
type route struct {
	op        string
	path      string // the ScaiVault path
	stage     Stage
	epoch     uint64 // of the flag, from before it was asked
	scaiVault leg
	vault     leg // without a source for a path that is not mapped
	proxied   bool
	state     *pathState // held by who has the route
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

// allows tells whether reads of a stage may be answered by a side.
func (s Stage) allows(side Side) bool {
	switch s {
	case StageVault, StageShadow:
		return side == SideVault
	case StageScaiVault:
		return side == SideScaiVault
	default:
		return true
	}
}

// route finds the stage and the sources of a path. It does no I/O. The route's
// state is held until it is released.
func (s *Store) route(ctx context.Context, op, path string) (route, error) {
	fail := func(kind error, reason string) (route, error) {
		return route{}, &Error{Kind: kind, Op: op, Path: wire.Printable(path), Reason: reason}
	}
	if s.lane.closed() {
		return fail(ErrClosed, "the Store was closed")
	}
	if rule := brokenPathRule(path); rule != "" {
		return fail(ErrInvalid, rule)
	}
	state := s.hold(path)
	stage, epoch := s.stage(ctx, path, state)
	r := route{
		op: op, path: state.path, stage: stage, epoch: epoch, state: state,
		scaiVault: leg{side: SideScaiVault, source: s.cfg.ScaiVault, path: path, breaker: s.breakers.scaiVault},
		vault:     leg{side: SideVault},
	}
	rule, vaultPath, mapped := s.cfg.Mapping.lookup(path)
	if mapped {
		r.vault = leg{side: SideVault, source: s.cfg.vaultOf(rule.Cluster), path: vaultPath, breaker: s.breakers.vaultOf(rule.Cluster)}
		r.proxied = rule.Proxied
	}
	var reason string
	switch {
	case stage == StageUnknown:
		reason = "the flag says no stage for this path and never did; set StoreConfig.InitialStage"
	case !mapped && stage.vaultRules():
		reason = "no rule of the mapping leads to a Vault path, and at stage " + stage.String() + " Vault is the authority; add a rule"
	case r.authority().source == nil:
		reason = "stage " + stage.String() + " needs a source that StoreConfig does not have"
	default:
		return r, nil
	}
	s.release(state)
	return fail(ErrInvalid, reason)
}
