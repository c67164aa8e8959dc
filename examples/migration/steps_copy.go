// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/scailabs/scaivault-go/migrate"
)

// copySubtree is the first half of step 5: the secrets under their new names.
func (m *move) copySubtree(ctx context.Context) error {
	m.out.step(5, "Migrate one subtree: "+m.estate.vaultPath("apps/")+" to "+m.estate.newPath("environments/production/"))
	m.onCleanUp("the copies in ScaiVault", m.deleteCopies)
	opts := m.copyOptions()
	opts.PerSecond = m.settings.copiesPerSecond() // this one writes everything
	opts.Progress = m.progress()
	report, err := migrate.Copy(ctx, m.vault, m.scaiVault, m.estate.mapping, opts)
	if err := m.copied("copy", report, err); err != nil {
		return err
	}
	found, err := m.diff(ctx)
	if err != nil {
		return err
	}
	m.res.Secrets = len(m.estate.names)
	m.out.say("diff: %d differences; clean", found)
	return nil
}

// findAndHealDifference is the second half: a diff that finds what changed, and
// a second copy that writes nothing else.
func (m *move) findAndHealDifference(ctx context.Context) error {
	const changed = 1
	err := m.traffic.change(changed, func(n name, value map[string]any) error {
		_, err := m.vault.Put(ctx, n.vault, value, nil)
		return err
	})
	if err != nil {
		return err
	}
	m.out.say("somebody changes %s in Vault", m.estate.names[changed].vault)
	opts := m.diffOptions()
	opts.Each = func(i migrate.Item) error {
		if i.Outcome != migrate.Same {
			m.out.say("%s", i)
		}
		return nil
	}
	report, err := migrate.Diff(ctx, m.vault, m.scaiVault, m.estate.mapping, opts)
	if err != nil {
		return err
	}
	m.res.DifferencesFound = report.Total() - report.Count(migrate.Same, migrate.Skipped)
	if m.res.DifferencesFound != 1 || report.Err() == nil {
		return fmt.Errorf("the diff should have found 1 difference and found %d", m.res.DifferencesFound)
	}
	m.out.say("diff: %v", report.Err())
	if err := m.copyForward(ctx, "second copy"); err != nil {
		return err
	}
	found, err := m.diff(ctx)
	m.out.say("diff: %d differences; clean again", found)
	return err
}

func (m *move) copyOptions() *migrate.CopyOptions {
	return &migrate.CopyOptions{PerSecond: m.settings.looksPerSecond()}
}

func (m *move) diffOptions() *migrate.DiffOptions {
	return &migrate.DiffOptions{PerSecond: m.settings.looksPerSecond()}
}

// copyForward copies from Vault to ScaiVault.
func (m *move) copyForward(ctx context.Context, title string) error {
	report, err := migrate.Copy(ctx, m.vault, m.scaiVault, m.estate.mapping, m.copyOptions())
	return m.copied(title, report, err)
}

// copyBack copies from ScaiVault to Vault.
func (m *move) copyBack(ctx context.Context, title string) error {
	report, err := migrate.Copy(ctx, m.scaiVault, m.vault, m.estate.mapping, m.copyOptions())
	return m.copied(title, report, err)
}

func (m *move) copied(title string, report *migrate.Report, err error) error {
	if err != nil {
		return err
	}
	m.out.say("%s: %d created, %d updated, %d unchanged, %d conflicts, %d failed", title,
		report.Count(migrate.Created), report.Count(migrate.Updated), report.Count(migrate.Unchanged),
		report.Count(migrate.Conflict), report.Count(migrate.Failed))
	return report.Err()
}

// diff compares both sides, which must be the same.
func (m *move) diff(ctx context.Context) (int, error) {
	report, err := migrate.Diff(ctx, m.vault, m.scaiVault, m.estate.mapping, m.diffOptions())
	if err != nil {
		return 0, err
	}
	found := report.Total() - report.Count(migrate.Same, migrate.Skipped)
	m.res.DifferencesLeft = found
	return found, report.Err()
}

// progress prints a line now and then.
func (m *move) progress() func(migrate.Progress) {
	next := time.Now().Add(200 * time.Millisecond)
	return func(p migrate.Progress) {
		if p.Total > 0 && time.Now().After(next) {
			m.out.say("… %d of %d", p.Done, p.Total)
			next = next.Add(2 * time.Second)
		}
	}
}

// deleteCopies removes from a ScaiVault that is not ours what the run wrote.
func (m *move) deleteCopies(ctx context.Context) error {
	if m.settings.ownScaiVault() {
		return nil // it goes as a whole
	}
	pace := rate.NewLimiter(rate.Inf, 1)
	if m.settings.paced() {
		pace.SetLimit(rate.Limit(m.settings.copiesPerSecond()))
	}
	for e, err := range m.scaiVault.List(ctx, m.run, nil) {
		if err != nil {
			return err
		}
		if err := pace.Wait(ctx); err != nil {
			return err
		}
		if err := m.deleteInScaiVault(e.Path)(ctx); err != nil {
			return err
		}
	}
	return nil
}
