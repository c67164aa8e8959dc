// SPDX-License-Identifier: Apache-2.0

package scaivault

import "time"

// askCanary asks ScaiVault first for a clean path, Vault first for another, and
// both for a path that was never compared.
func (s *Store) askCanary(f *flight) result {
	r := &f.route
	if r.stage == StageFreeze && r.state.isBehind() == SideVault {
		return s.askAhead(f)
	}
	now := r.state.stand(time.Now(), s.cfg.Compare.maxAge())
	switch closed := r.scaiVault.breaker.closed(); {
	case now.first && closed && r.vault.breaker.closed():
		return s.askComparing(f, now)
	case now.first:
		r.state.settle(now.generation, CompareUnreadable, time.Now())
		return s.askAuthority(f)
	case now.clean && closed:
		return s.askClean(f, now)
	case now.clean:
		s.probe(r.scaiVault)
		res := s.askAuthority(f)
		if res.secret != nil {
			res.secret, res.failover = f.label(res.secret, true), true
		}
		return res
	default:
		res := s.askAuthority(f)
		if res.secret != nil && res.side == SideVault {
			s.compareLater(r, now.generation, r.vault, res.secret)
		}
		return res
	}
}

// askAhead is for a path that is frozen on its way back and of which Vault is
// known to miss the last write: ScaiVault answers until Vault has it, as nobody
// writes now.
func (s *Store) askAhead(f *flight) result {
	r := &f.route
	f.prepareRival(r.vault, s.cfg.Failover.after(), false)
	got := f.consult(f.ctx, r.scaiVault, true)
	if got.err == nil {
		return f.answer(r.scaiVault, got, false)
	}
	f.failed(r.scaiVault, got)
	if s.canStale(r.state, r.stage) {
		return f.failure()
	}
	return f.rescued(r.vault, f.atLast(r.vault, f.rivalAnswer(r.vault)))
}

// askClean is for a path whose two sides were equal a moment ago. Whatever
// ScaiVault says that is not a value, Vault is asked; and when ScaiVault has not
// answered for a while, the first answer that counts is taken.
func (s *Store) askClean(f *flight, now standing) result {
	r := &f.route
	f.prepareRival(r.vault, s.cfg.Failover.after(), true)
	got := f.consult(f.ctx, r.scaiVault, true)
	if res := f.taken(false); res.known() {
		return res // Vault was first
	}
	if got.err == nil {
		s.compareLater(r, now.generation, r.scaiVault, got.secret)
		return f.answer(r.scaiVault, got, false)
	}
	f.failed(r.scaiVault, got)
	vault := f.atLast(r.vault, f.rivalAnswer(r.vault))
	if vault.err == nil && isNo(got.err) || isNo(vault.err) {
		f.soil() // one side has it and the other says no
	}
	return f.rescued(r.vault, vault)
}

// askComparing is the first read of a path at canary: it asks both sides at
// once and compares before it answers. Vault's value is waited for as ever,
// ScaiVault's no longer than the other source is waited for elsewhere.
func (s *Store) askComparing(f *flight, now standing) result {
	r := &f.route
	f.prepareRival(r.scaiVault, 0, false)
	vault := f.consult(f.ctx, r.vault, true)
	if vault.err != nil {
		r.state.settle(now.generation, CompareUnreadable, time.Now())
		f.failed(r.vault, vault)
		if isNo(vault.err) {
			return f.failure()
		}
		return f.rescued(r.scaiVault, f.atLast(r.scaiVault, f.rivalAnswer(r.scaiVault)))
	}
	f.layReady(result{secret: f.label(vault.secret, false), side: SideVault})
	limit := s.cfg.Compare.timeout()
	if after := s.cfg.Failover.after(); after > 0 {
		limit = min(limit, after)
	}
	scaiVault := f.awaitRival(limit)
	outcome, fields := outcomeOf(vault.secret, SideScaiVault, scaiVault)
	s.compared(r, now.generation, outcome, fields, scaiVault.err)
	if outcome == CompareEqual {
		return f.answer(r.scaiVault, scaiVault, false)
	}
	return f.answer(r.vault, vault, false)
}

// layReady lays a value ready for who cannot wait for the comparison.
func (f *flight) layReady(res result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lay(res)
}
