// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

func TestCopyIncludesAndExcludesByPattern(t *testing.T) {
	t.Parallel()
	names := []string{"kv/data/apps/a/db", "kv/data/apps/a/web", "kv/data/apps/b/db", "kv/data/apps/b/c/db", "kv/data/apps/db.x"}
	for _, tc := range []struct {
		name             string
		include, exclude []string
		want             []string
	}{
		{"one level", []string{"kv/data/apps/*/db"}, nil, []string{names[0], names[2]}},
		{"any levels", []string{"kv/data/**/db"}, nil, []string{names[0], names[2], names[3]}},
		{"a subtree left out", nil, []string{"kv/data/apps/b/**"}, []string{names[0], names[1], names[4]}},
		{"both", []string{"**/db"}, []string{"**/c/**"}, []string{names[0], names[2]}},
		{"by its name", []string{"kv/data/apps/db.x"}, nil, []string{names[4]}},
		{"a dot is a dot", []string{"kv/data/apps/d..x"}, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			vault, scai := newVaultSide(), newScaiVaultSide()
			for _, name := range names {
				vault.seed(name, `{"v":1}`)
			}
			var got []string
			m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "x/**"})
			report, err := migrate.Copy(t.Context(), vault, scai, m, &migrate.CopyOptions{
				DryRun: true, Include: tc.include, Exclude: tc.exclude,
				Each: func(i migrate.Item) error {
					if i.Outcome != migrate.Skipped {
						got = append(got, i.From)
					} else {
						assert.Contains(t, i.Reason, "left out")
					}
					return nil
				},
			})
			require.NoError(t, err)
			assert.ElementsMatch(t, tc.want, got)
			assert.Equal(t, len(names), report.Total(), "what is left out is counted")
		})
	}
}

func TestShardsShareAnEstate(t *testing.T) {
	t.Parallel()
	const n, shards = 500, 4
	vault, scai := newVaultSide(), newScaiVaultSide()
	for i := range n {
		vault.seed(fmt.Sprintf("kv/data/apps/s%03d", i), `{"v":1}`)
	}
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	seen := map[string]int{}
	for i := range shards {
		report, err := migrate.Copy(t.Context(), vault, scai, m, &migrate.CopyOptions{
			Shard: migrate.Shard{Index: i, Count: shards},
			Each:  func(i migrate.Item) error { seen[i.From]++; return nil },
		})
		require.NoError(t, err)
		require.NoError(t, report.Err())
		assert.Equal(t, n, report.Total()+report.Elsewhere)
		assert.Contains(t, report.String(), fmt.Sprintf("; %d belong to other shards\n", report.Elsewhere))
		assert.InDelta(t, n/shards, report.Count(migrate.Created), n/10, "shards are about equally large")
	}
	assert.Len(t, seen, n)
	for name, times := range seen {
		assert.Equal(t, 1, times, name)
	}
}

func TestShardOfANameNeverChanges(t *testing.T) {
	t.Parallel()
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	for name, want := range map[string]int{"kv/data/apps/billing/db": 5, "kv/data/apps/web": 5, "kv/data/apps/Größe": 3} {
		vault := newVaultSide()
		vault.seed(name, `{"v":1}`)
		for index := range 7 {
			report, err := migrate.Copy(t.Context(), vault, newScaiVaultSide(), m, &migrate.CopyOptions{Shard: migrate.Shard{Index: index, Count: 7}, DryRun: true})
			require.NoError(t, err)
			if report.Elsewhere == 0 {
				assert.Equal(t, want, index, "the shard of %s", name)
			}
		}
	}
}

func TestCopyRefusesASelectionThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		opts migrate.CopyOptions
		says string
	}{
		{migrate.CopyOptions{Shard: migrate.Shard{Index: 4, Count: 4}}, "Shard.Index is 4, out of range; with Shard.Count 4 it is 0 to 3"},
		{migrate.CopyOptions{Shard: migrate.Shard{Index: -1, Count: 4}}, "Shard.Index is -1"},
		{migrate.CopyOptions{Shard: migrate.Shard{Index: 1}}, "Shard.Index is 1"},
		{migrate.CopyOptions{Shard: migrate.Shard{Count: -1}}, "Shard.Count is -1"},
		{migrate.CopyOptions{Include: []string{""}}, "Include"},
		{migrate.CopyOptions{Exclude: []string{"/kv/data/x"}}, "Exclude"},
	} {
		vault := newVaultSide()
		_, err := migrate.Copy(t.Context(), vault, newScaiVaultSide(), billing(t), &tc.opts)
		require.ErrorIs(t, err, scaivault.ErrInvalid)
		assert.Contains(t, err.Error(), tc.says)
		assert.Zero(t, vault.gets, "before any I/O")
	}
}
