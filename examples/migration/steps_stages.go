// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

// shadow is the first half of step 6: Vault answers, ScaiVault is compared.
func (m *move) shadow(ctx context.Context) error {
	m.out.step(6, "Turn the feature flag, stage after stage; services read and write all the time")
	m.traffic.startWriters(ctx)
	m.set(scaivault.StageShadow)
	if err := wait(ctx, m.settings.dwell()); err != nil {
		return err
	}
	stats := m.store.Stats()
	m.out.say("shadow: Vault answers; %d reads were compared with ScaiVault in the background, %d equal", stats.Compared, stats.Equal)
	return m.copyForward(ctx, "copy of what was written meanwhile")
}

// canary lets ScaiVault answer what was compared equal, and takes it down.
func (m *move) canary(ctx context.Context) error {
	m.set(scaivault.StageCanary)
	if err := wait(ctx, m.settings.dwell()); err != nil {
		return err
	}
	m.out.say("canary: ScaiVault answers for paths that were compared equal; writes go to Vault and are mirrored")
	if err := m.takeDown(ctx, "ScaiVault", m.scaiVaultServer); err != nil {
		return err
	}
	return wait(ctx, m.settings.dwell()/2)
}

// cutover makes ScaiVault the authority, and takes Vault down.
func (m *move) cutover(ctx context.Context) error {
	if err := m.freezeAndCopy(ctx, true); err != nil {
		return err
	}
	m.set(scaivault.StageCutover)
	m.out.say("cutover: ScaiVault is the authority; Vault stands by")
	if err := wait(ctx, m.settings.dwell()); err != nil {
		return err
	}
	return m.takeDown(ctx, "Vault", m.vaultServer)
}

// wayBack returns the authority to Vault.
func (m *move) wayBack(ctx context.Context) error {
	// Vault missed the writes of its outage. While services go on writing,
	// single secrets can move under the copy's hands; the copy under freeze
	// gets them.
	if err := m.copyBack(ctx, "copy back what Vault missed"); err != nil && ctx.Err() != nil {
		return err
	}
	if err := m.freezeAndCopy(ctx, false); err != nil {
		return err
	}
	m.set(scaivault.StageCanary)
	m.out.say("the way back: Vault is the authority again")
	return wait(ctx, m.settings.dwell())
}

// forthAgain moves the authority to ScaiVault for good.
func (m *move) forthAgain(ctx context.Context) error {
	if err := m.freezeAndCopy(ctx, true); err != nil {
		return err
	}
	m.set(scaivault.StageCutover)
	m.out.say("cutover again")
	if err := wait(ctx, m.settings.dwell()); err != nil {
		return err
	}
	return m.whoReadsScaiVault(ctx)
}

// freezeAndCopy is the only way in which the authority moves: hold the writes,
// wait for those under way, copy, and see a clean diff.
func (m *move) freezeAndCopy(ctx context.Context, forward bool) error {
	m.set(scaivault.StageFreeze)
	m.out.say("freeze: writes wait; reads go on")
	if err := wait(ctx, putDeadline); err != nil {
		return err
	}
	step := m.copyBack
	if forward {
		step = m.copyForward
	}
	if err := step(ctx, "copy under freeze"); err != nil {
		return err
	}
	found, err := m.diff(ctx)
	if err != nil {
		return err
	}
	m.out.say("diff under freeze: %d differences", found)
	return nil
}

// takeDown is an outage of one server.
func (m *move) takeDown(ctx context.Context, title string, s server) error {
	before, reads := m.store.Stats(), m.traffic.reads.Load()
	s.SetDown(true)
	err := wait(ctx, m.settings.outage())
	s.SetDown(false)
	after := m.store.Stats()
	m.out.say("%s was down for %v: %d reads meanwhile, %d by failover, %d failed", title, m.settings.outage(),
		m.traffic.reads.Load()-reads, after.Failovers-before.Failovers, m.traffic.failed.Load())
	return err
}

// whoReadsScaiVault looks into ScaiVault's audit log, which may take a moment
// to show what was done.
func (m *move) whoReadsScaiVault(ctx context.Context) error {
	n := m.estate.names[0]
	query := &scaivault.AuditQuery{IdentityID: m.identity, Actions: []string{"read"}, PathPrefix: n.scaiVault, From: time.Now().Add(-time.Hour)}
	for range 10 {
		for e, err := range m.scaiVault.AuditLogs(ctx, query) {
			if err != nil {
				m.out.say("ScaiVault's audit log cannot be read with this token: %v", err)
				return nil
			}
			if e.Path == n.scaiVault && e.Success {
				m.out.say("ScaiVault's audit log: %s reads %s", e.IdentityID, e.Path)
				return nil
			}
		}
		if err := wait(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	m.out.say("ScaiVault's audit log does not show yet that %s reads %s", m.identity, n.scaiVault)
	return nil
}

// wait lets time pass, unless the run is interrupted.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return errors.New("interrupted")
	}
}
