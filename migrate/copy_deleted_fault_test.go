// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// orphans are two copies whose sources are gone, beside one whose source is
// there.
func orphans(t *testing.T) (vault, scai *fakeSide) {
	t.Helper()
	vault, scai = newVaultSide(), newScaiVaultSide()
	for _, name := range []string{"kept", "gone", "tmp/gone"} {
		vault.seed("kv/data/apps/"+name, `{"v":1}`)
	}
	report, err := migrate.Copy(t.Context(), vault, scai, apps(t), nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	delete(vault.secrets, "kv/data/apps/gone")
	delete(vault.secrets, "kv/data/apps/tmp/gone")
	return vault, scai
}

func TestCopyThatCannotSeekTheDeletedIsNoSuccess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breaks func(vault, scai *fakeSide)
		at     func(i migrate.Item) string
		want   string
	}{
		"a folder of the destination is denied": {func(_, scai *fakeSide) {
			scai.onList = func(prefix string) error { return scai.fail(scaivault.ErrPermission, "list", prefix, "") }
		}, func(i migrate.Item) string { return i.To }, "environments/production"},
		"a copy may not be read": {func(_, scai *fakeSide) {
			scai.onGet = func(path string) error {
				if path == "environments/production/gone" {
					return scai.fail(scaivault.ErrPermission, "get", path, "")
				}
				return nil
			}
		}, func(i migrate.Item) string { return i.To }, "environments/production/gone"},
		"a source may not be looked for": {func(vault, _ *fakeSide) {
			vault.onGet = func(path string) error {
				if path == "kv/data/apps/gone" {
					return vault.fail(scaivault.ErrPermission, "get", path, "")
				}
				return nil
			}
		}, func(i migrate.Item) string { return i.From }, "kv/data/apps/gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vault, scai := orphans(t)
			c.breaks(vault, scai)
			report, err := migrate.Copy(t.Context(), vault, scai, apps(t), &migrate.CopyOptions{FindDeleted: true})
			require.NoError(t, err)
			require.ErrorIs(t, report.Err(), scaivault.ErrPermission)
			require.Equal(t, 1, report.Count(migrate.Failed))
			for _, item := range report.Problems {
				if item.Outcome == migrate.Failed {
					assert.Equal(t, c.want, c.at(item))
				}
			}
			assert.Positive(t, report.Count(migrate.DeletedInSource), "the others are found")
		})
	}
}

func TestCopySeeksTheDeletedOfItsOwnPart(t *testing.T) {
	t.Parallel()
	vault, scai := orphans(t)
	found := map[string]int{}
	for index := range 3 {
		report, err := migrate.Copy(t.Context(), vault, scai, apps(t), &migrate.CopyOptions{FindDeleted: true, Shard: migrate.Shard{Index: index, Count: 3}})
		require.NoError(t, err)
		for _, item := range report.Problems {
			found[item.From]++
		}
	}
	assert.Equal(t, map[string]int{"kv/data/apps/gone": 1, "kv/data/apps/tmp/gone": 1}, found, "each by one shard")

	report, err := migrate.Copy(t.Context(), vault, scai, apps(t), &migrate.CopyOptions{FindDeleted: true, Exclude: []string{"kv/data/apps/tmp/**"}})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Unchanged: 1, migrate.DeletedInSource: 1}, report.Counts)
}
