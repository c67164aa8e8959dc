// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

func TestCopyVisitsNoSecretTwice(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	for _, p := range []string{"kv/data/apps/billing/db", "kv/data/apps/billing/a", "kv/data/apps/b", "kv/data/c"} {
		vault.seed(p, `{"v":1}`)
	}
	m := mustMapping(t,
		scaivault.Rule{Vault: "kv/data/apps/billing/db", ScaiVault: "db"},
		scaivault.Rule{Vault: "kv/data/apps/billing/**", ScaiVault: "x/apps/billing/**"},
		scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "x/apps/**"},
		scaivault.Rule{Vault: "kv/data/**", ScaiVault: "x/**"})
	for _, tc := range []struct {
		name     string
		prefixes []string
		want     int
	}{
		{"all rules", nil, 4},
		{"overlapping prefixes", []string{"kv/data/apps", "kv/data/apps/billing/**", "kv/data/apps/billing/db", "kv/data/apps/"}, 3},
		{"one secret by its name", []string{"kv/data/apps/b"}, 1},
		{"one secret that a rule names", []string{"kv/data/apps/billing/db"}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			seen := map[string]int{}
			report, err := migrate.Copy(t.Context(), vault, scai, m, &migrate.CopyOptions{Prefixes: tc.prefixes, DryRun: true, Each: func(i migrate.Item) error {
				seen[i.From]++
				return nil
			}})
			require.NoError(t, err)
			require.NoError(t, report.Err())
			assert.Len(t, seen, tc.want)
			assert.Equal(t, tc.want, report.Total())
			for path, n := range seen {
				assert.Equal(t, 1, n, path)
			}
		})
	}
}

func TestCopyNamesWhatCannotBeMoved(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed("kv/data/apps/Upper", `{"v":1}`)
	vault.seed("kv/data/apps/gone", `{"v":1}`)
	require.NoError(t, vault.Delete(t.Context(), "kv/data/apps/gone"))
	vault.seed("kv/data/apps/ok", `{"v":1}`)
	vault.seed("kv/data/other/x", `{"v":1}`)

	report, err := migrate.Copy(t.Context(), vault, scai, billing(t), &migrate.CopyOptions{Prefixes: []string{"kv/data"}})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 1, migrate.Failed: 1, migrate.Skipped: 3}, report.Counts)
	assert.Equal(t, 1, report.Unmapped)
	require.ErrorIs(t, report.Err(), scaivault.ErrInvalid)
	require.Len(t, report.Problems, 4)
	assert.Equal(t, "kv/data/apps/Upper", report.Problems[0].From, "what needs attention comes first")
	assert.Contains(t, report.Problems[0].Reason, "name not allowed: upper-case letter")
	assert.Contains(t, report.Problems[1].Reason, "a rule names it")
	assert.Contains(t, report.Problems[2].Reason, "deleted meanwhile")
	assert.Contains(t, report.Problems[3].Reason, "not mapped")
}

func TestCopyIsLoudAboutNothing(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed("kv/data/other/x", `{"v":1}`)
	for _, prefix := range []string{"kv/data/other", "kv/data/apps/empty"} {
		report, err := migrate.Copy(t.Context(), vault, scai, billing(t), &migrate.CopyOptions{Prefixes: []string{prefix}})
		require.NoError(t, err)
		require.ErrorIs(t, report.Err(), scaivault.ErrNotFound, prefix)
	}
}

func TestCopyGoesOnAfterADeniedFolder(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed("kv/data/a/x", `{"v":1}`)
	vault.seed("kv/data/b/x", `{"v":1}`)
	vault.onList = func(prefix string) error {
		if prefix == "kv/data/a" {
			return vault.fail(scaivault.ErrPermission, "list", "kv/data/a/secret", "")
		}
		return nil
	}
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/a/**", ScaiVault: "a/**"}, scaivault.Rule{Vault: "kv/data/b/**", ScaiVault: "b/**"})
	report, err := migrate.Copy(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 2, migrate.Failed: 1}, report.Counts)
	require.ErrorIs(t, report.Err(), scaivault.ErrPermission)
	assert.Equal(t, "kv/data/a", report.Problems[0].From)
	assert.Contains(t, report.Err().Error(), "kv/data/a/secret")
	assert.NotContains(t, report.Err().Error(), "\n")
}

func TestCopyTellsClustersApart(t *testing.T) {
	t.Parallel()
	m := mustMapping(t,
		scaivault.Rule{Vault: "kv/data/x", ScaiVault: "env/a/x", Cluster: "b"},
		scaivault.Rule{Vault: "kv/data/**", ScaiVault: "env/a/**", Cluster: "a"},
		scaivault.Rule{Vault: "kv/data/p/**", ScaiVault: "external/**", Cluster: "a", Proxied: true})
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed("kv/data/x", `{"v":"of a"}`)
	vault.seed("kv/data/y", `{"v":"of a"}`)
	report, err := migrate.Copy(t.Context(), vault, scai, m, &migrate.CopyOptions{Cluster: "a"})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 1, migrate.Skipped: 1}, report.Counts)
	assert.Empty(t, scai.data("env/a/x"), "this name belongs to the other cluster's secret")
	assert.NotEmpty(t, scai.data("env/a/y"))

	scai.seed("env/a/x", `{"v":"of b"}`)
	vault.seed("kv/data/y", `{"v":"of a"}`)
	back, err := migrate.Copy(t.Context(), scai, vault, m, &migrate.CopyOptions{Cluster: "a"})
	require.NoError(t, err)
	require.NoError(t, back.Err())
	assert.JSONEq(t, `{"v":"of a"}`, vault.data("kv/data/x"), "the other cluster's secret does not come here")
}

// endless is a source with many secrets that holds none of them in memory.
type endless struct {
	*fakeSide
	n      int
	listed atomic.Int64
}

func (e *endless) List(context.Context, string, *scaivault.ListOptions) iter.Seq2[scaivault.Entry, error] {
	return func(yield func(scaivault.Entry, error) bool) {
		for i := range e.n {
			e.listed.Add(1)
			if !yield(scaivault.Entry{Path: fmt.Sprintf("kv/data/apps/s%05d", i)}, nil) {
				return
			}
		}
	}
}

func (e *endless) Get(_ context.Context, path string) (*scaivault.Secret, error) {
	return scaivault.NewSecret(scaivault.SecretInfo{Path: path, Version: 1}, []byte(`{"v":"`+path+`"}`))
}

func TestCopyStreams(t *testing.T) {
	t.Parallel()
	const n = 10_000
	from := &endless{fakeSide: newVaultSide(), n: n}
	to := &batchSide{fakeSide: newScaiVaultSide()}
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	var done, most int64
	var last migrate.Progress
	report, err := migrate.Copy(t.Context(), from, to, m, &migrate.CopyOptions{
		Each: func(migrate.Item) error {
			done++
			most = max(most, from.listed.Load()-done)
			return nil
		},
		Progress: func(p migrate.Progress) { last = p },
	})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, n, report.Count(migrate.Created))
	assert.Empty(t, report.Problems)
	assert.LessOrEqual(t, most, int64(500), "the listing runs no further ahead than a few batches")
	assert.Equal(t, n, last.Done)
	assert.Equal(t, n, last.Total)
	assert.Positive(t, last.Rate)
	assert.Zero(t, last.TimeLeft)
	assert.Equal(t, 2*n/100, to.batches, "one before and one after each hundred writes")
}

func TestReportKeepsTheFirstThousandProblems(t *testing.T) {
	t.Parallel()
	from := &endless{fakeSide: newVaultSide(), n: 3000}
	scai := newScaiVaultSide()
	scai.onPut = func(path string, _ int) error { return scai.fail(scaivault.ErrPermission, "put", path, "") }
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	report, err := migrate.Copy(t.Context(), from, scai, m, nil)
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), scaivault.ErrPermission)
	assert.Len(t, report.Problems, 1000)
	assert.Equal(t, 2000, report.Omitted)
	assert.IsIncreasing(t, froms(report.Problems))
	assert.Equal(t, 1, strings.Count(report.String(), "and 2000 more"))
}

func froms(items []migrate.Item) []string {
	names := make([]string, len(items))
	for i, item := range items {
		names[i] = item.From
	}
	return names
}
