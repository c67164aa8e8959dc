// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// misspelt maps one subtree that is there and one that is not.
func misspelt(t *testing.T) (vault, scai *fakeSide, m *scaivault.Mapping) {
	t.Helper()
	vault, scai = newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	return vault, scai, mustMapping(t,
		scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"},
		scaivault.Rule{Vault: "kv/data/aqps/**", ScaiVault: "environments/staging/**"})
}

func TestARuleWithNothingBelowItIsTold(t *testing.T) {
	t.Parallel()
	vault, scai, m := misspelt(t)
	told := func(problems []migrate.Item, where string) {
		t.Helper()
		require.Len(t, problems, 1)
		assert.Equal(t, "kv/data/aqps", problems[0].From)
		assert.Equal(t, migrate.Skipped, problems[0].Outcome)
		assert.Contains(t, problems[0].Reason, "nothing is below it in "+where)
	}
	p := newPlan(t, vault, scai, m, nil)
	require.NoError(t, p.Err())
	assert.Equal(t, map[migrate.Action]int{migrate.ActionCreate: 1, migrate.ActionAbsent: 1}, p.Header.Counts)
	again := through(t, p, m)
	report, err := migrate.CopyPlan(t.Context(), vault, scai, again, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	told(report.Problems, "vault")

	report, err = migrate.Copy(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err(), "a rule may well be about what comes later")
	told(report.Problems, "vault")

	scai.seed("environments/staging/x", `{"v":1}`)
	report, err = migrate.Diff(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Same: 1, migrate.OnlyInScaiVault: 1, migrate.Skipped: 1}, report.Counts)
	told(report.Problems[1:], "vault")
}

func TestARuleWithNothingBelowItIsToldByOneShard(t *testing.T) {
	t.Parallel()
	vault, scai, m := misspelt(t)
	told, elsewhere := 0, 0
	for i := range 5 {
		file := filepath.Join(t.TempDir(), "listing")
		opts := &migrate.CopyOptions{DryRun: true, Checkpoint: file, Shard: migrate.Shard{Index: i, Count: 5}}
		for range 2 { // the second time from the file
			report, err := migrate.Copy(t.Context(), vault, scai, m, opts)
			require.NoError(t, err)
			told += report.Count(migrate.Skipped)
			elsewhere += report.Elsewhere
		}
	}
	assert.Equal(t, 2, told)
	assert.Equal(t, 2*4, elsewhere, "it is no secret of another shard")
}

func TestNothingButWhatIsSkippedIsNoSuccess(t *testing.T) {
	t.Parallel()
	exact := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/wep", ScaiVault: "environments/production/web"})
	tree := mustMapping(t, scaivault.Rule{Vault: "kv/data/aqps/**", ScaiVault: "environments/production/**"})
	for name, c := range map[string]struct {
		m       *scaivault.Mapping
		include []string
		says    string
	}{
		"an exact rule that is misspelt": {exact, nil, "kv/data/apps/wep"},
		"a subtree that is misspelt":     {tree, nil, "kv/data/aqps"},
		"a pattern that matches nothing": {apps(t), []string{"kv/data/apps/wep*"}, "check the mapping, the patterns"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vault, scai := newVaultSide(), newScaiVaultSide()
			vault.seed(webInVault, `{"v":1}`)
			report, err := migrate.Copy(t.Context(), vault, scai, c.m, &migrate.CopyOptions{Include: c.include})
			require.NoError(t, err)
			require.ErrorIs(t, report.Err(), scaivault.ErrNotFound)
			assert.Contains(t, report.Err().Error(), c.says)
			report, err = migrate.Diff(t.Context(), vault, scai, c.m, &migrate.DiffOptions{Include: c.include})
			require.NoError(t, err)
			require.ErrorIs(t, report.Err(), scaivault.ErrNotFound, "nothing was compared")
			p := newPlan(t, vault, scai, c.m, &migrate.PlanOptions{Include: c.include})
			require.ErrorIs(t, p.Err(), scaivault.ErrNotFound)
			again := through(t, p, c.m)
			require.ErrorIs(t, again.Err(), scaivault.ErrNotFound, "it is known from the file, too")
			report, err = migrate.CopyPlan(t.Context(), vault, scai, again, nil)
			require.NoError(t, err)
			require.ErrorIs(t, report.Err(), scaivault.ErrNotFound)
		})
	}
}

// A stutterer lists the last secret of each page again on the next one, as a
// listing does that moves while it is read.
type stutterer struct{ *fakeSide }

func (s stutterer) List(ctx context.Context, prefix string, opts *scaivault.ListOptions) iter.Seq2[scaivault.Entry, error] {
	return func(yield func(scaivault.Entry, error) bool) {
		for entry, err := range s.fakeSide.List(ctx, prefix, opts) {
			for range 2 {
				if !yield(entry, err) {
					return
				}
			}
		}
	}
}

func TestCopyWritesOnceWhatIsListedTwice(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	for i := range 10 {
		scai.seed(fmt.Sprintf("environments/production/s%d", i), `{"v":1}`)
	}
	report, err := migrate.Copy(t.Context(), stutterer{scai}, vault, apps(t), nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 10}, report.Counts)
	assert.Equal(t, 10, vault.writes())
}

func TestReportErrMatchesWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	p := newPlan(t, vault, scai, apps(t), nil)
	vault.seed(webInVault, `{"v":2}`)
	var seen migrate.Item
	each := func(i migrate.Item) error { seen = i; return nil }
	report, err := migrate.CopyPlan(t.Context(), vault, scai, p, &migrate.CopyOptions{Each: each})
	require.NoError(t, err)
	assert.Equal(t, migrate.SourceChanged, seen.Outcome)
	require.ErrorIs(t, seen.Err, scaivault.ErrConflict)
	require.ErrorIs(t, report.Err(), scaivault.ErrConflict)

	vault.secrets[webInVault].version = 1
	scai.seed(webInScai, `{"v":"theirs"}`)
	report, err = migrate.CopyPlan(t.Context(), vault, scai, p, nil)
	require.NoError(t, err)
	assert.Equal(t, 1, report.Count(migrate.DestinationChanged))
	require.ErrorIs(t, report.Err(), scaivault.ErrConflict)
	delete(scai.secrets, webInScai)

	vault.secrets[webInVault].deleted = true
	report, err = migrate.CopyPlan(t.Context(), vault, scai, p, nil)
	require.NoError(t, err)
	assert.Equal(t, 1, report.Count(migrate.SourceGone))
	require.ErrorIs(t, report.Err(), scaivault.ErrConflict)

	vault.seed(webInVault, `{"v":3}`)
	scai.seed(webInScai, `{"v":"theirs"}`)
	report, err = migrate.Copy(t.Context(), vault, scai, apps(t), &migrate.CopyOptions{Each: each})
	require.NoError(t, err)
	assert.Equal(t, migrate.Conflict, seen.Outcome)
	require.ErrorIs(t, seen.Err, scaivault.ErrConflict)
	require.ErrorIs(t, report.Err(), scaivault.ErrConflict)
	assert.NotContains(t, seen.String(), ": conflict: conflict", "the reason says it better")
	p = newPlan(t, vault, scai, apps(t), nil)
	report, err = migrate.CopyPlan(t.Context(), vault, scai, p, nil)
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), scaivault.ErrConflict, "by the plan")

	refused := newVaultSide()
	refused.seed("kv/data/apps/Upper", `{"v":1}`)
	report, err = migrate.CopyPlan(t.Context(), refused, scai, newPlan(t, refused, scai, apps(t), nil), nil)
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), scaivault.ErrInvalid, "its name is not allowed")

	report, err = migrate.Diff(t.Context(), vault, scai, apps(t), nil)
	require.NoError(t, err)
	require.Error(t, report.Err())
	var problems *migrate.ProblemsError
	require.ErrorAs(t, report.Err(), &problems)
	assert.Empty(t, errorsOf(problems), "a difference is no error of either side")
}

func errorsOf(e *migrate.ProblemsError) []error {
	var all []error
	for _, kind := range []error{scaivault.ErrConflict, scaivault.ErrInvalid, scaivault.ErrNotFound, scaivault.ErrUnavailable} {
		if errors.Is(e, kind) {
			all = append(all, kind)
		}
	}
	return all
}
