// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// quiet is how long nobody must have read a path in Vault. In life it is a week.
const quiet = 500 * time.Millisecond

// findReaders is step 7: who still reads the Vault path, by Vault's audit log.
func (m *move) findReaders(ctx context.Context) error {
	m.out.step(7, "Find and repoint the remaining readers")
	m.audit = m.openAudit(ctx)
	if m.audit == nil {
		return nil
	}
	var err error
	if m.legacy, err = m.startLegacy(ctx); err != nil {
		return err
	}
	if err := wait(ctx, m.settings.dwell()/2); err != nil {
		return err
	}
	found, err := m.readers(ctx, m.audit.since)
	if err != nil {
		return err
	}
	path := m.estate.names[0].vault
	var names []string
	for _, r := range found.Of(path) {
		names = append(names, r.Name)
	}
	if len(names) != 1 || names[0] != m.legacy.name {
		return fmt.Errorf("the audit log of Vault should name %s as the reader of %s and names %q", m.legacy.name, path, names)
	}
	m.out.say("Vault's audit log: %s still reads %s", strings.Join(names, ", "), path)
	m.legacy.stop()
	m.out.say("%s is repointed", m.legacy.name)
	return nil
}

// readers asks Vault's audit log, leaving out ourselves and ScaiVault.
func (m *move) readers(ctx context.Context, since time.Time) (*migrate.Readers, error) {
	log, err := m.audit.open()
	if err != nil {
		return nil, err
	}
	defer log.Close()
	return migrate.FindReaders(ctx, log, &migrate.ReadersOptions{
		Mapping: m.estate.mapping, Since: since, Exclude: []string{m.audit.self, m.roleName},
	})
}

// finish is the last stage: ScaiVault alone.
func (m *move) finish(ctx context.Context) error {
	m.traffic.endWriters()
	if err := m.copyBack(ctx, "last copy to Vault, for the proof"); err != nil {
		return err
	}
	m.set(scaivault.StageScaiVault)
	if err := wait(ctx, m.settings.dwell()/2); err != nil {
		return err
	}
	lost, err := m.traffic.lost(ctx, m.scaiVault.Get)
	if err != nil {
		return err
	}
	m.res.LostWrites = lost
	m.out.say("scaivault: ScaiVault alone; %d writes were acknowledged, %d lost", m.traffic.writes.Load(), lost)
	return nil
}

// flipAuthority is the first half of step 8: Vault becomes ScaiVault's backup.
func (m *move) flipAuthority(ctx context.Context) error {
	m.out.step(8, "Flip the authority and retire the Vault path")
	backend, err := m.federation.Promote(ctx, m.backendID, &federation.PromoteOptions{SyncInterval: time.Hour})
	if err != nil {
		return withMessage(err)
	}
	m.out.say("backend %s: mode %s, every %v, %s", backend.ID, backend.Mode, backend.SyncInterval, backend.ConflictResolution)
	return nil
}

// retire is the second half: delete from Vault what is proved to be elsewhere.
func (m *move) retire(ctx context.Context) error {
	if err := wait(ctx, quiet+200*time.Millisecond); err != nil {
		return err
	}
	found, err := m.diff(ctx)
	if err != nil {
		return err
	}
	m.out.say("diff: %d differences", found)
	evidence := migrate.Evidence{Flag: scaivault.StageScaiVault}
	opts := &migrate.RetireOptions{QuietFor: quiet, PerSecond: m.settings.looksPerSecond()}
	if m.audit != nil {
		if evidence.Readers, err = m.readers(ctx, time.Time{}); err != nil {
			return err
		}
	} else {
		opts.WaiveReaders = true // said aloud in step 7
	}
	report, err := migrate.Retire(ctx, m.vault, m.scaiVault, m.estate.mapping, evidence, opts)
	if err != nil {
		return err
	}
	m.out.say("retired: %d secrets deleted in Vault, %d kept", report.Count(migrate.Deleted), report.Count(migrate.Kept))
	if err := report.Err(); err != nil {
		return err
	}
	return wait(ctx, m.settings.dwell()/2) // the services read on
}
