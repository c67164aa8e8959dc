// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// Whatever is the same, different or missing: ScaiVault is asked once for a
// hundred secrets, in both directions, and Vault once for each.
func TestDiffReadsScaiVaultByTheHundred(t *testing.T) {
	t.Parallel()
	const each = 120
	vault, scai := newVaultSide(), &batchSide{fakeSide: newScaiVaultSide()}
	for i := range each {
		vault.seed(fmt.Sprintf("kv/data/apps/same%d", i), `{"v":1}`)
		scai.seed(fmt.Sprintf("environments/production/same%d", i), `{"v":1}`)
		vault.seed(fmt.Sprintf("kv/data/apps/differs%d", i), `{"v":1}`)
		scai.seed(fmt.Sprintf("environments/production/differs%d", i), `{"v":2}`)
		vault.seed(fmt.Sprintf("kv/data/apps/vault%d", i), `{"v":1}`)
		scai.seed(fmt.Sprintf("environments/production/scai%d", i), `{"v":1}`)
	}
	want := map[migrate.Outcome]int{migrate.Same: each, migrate.Different: each, migrate.OnlyInVault: each, migrate.OnlyInScaiVault: each}
	for _, back := range []bool{false, true} {
		vault.gets, scai.gets, scai.batches = 0, 0, 0
		var from migrate.From = vault
		var to migrate.To = scai
		if back {
			from, to = scai, vault
		}
		signs := map[string]int{}
		report, err := migrate.Diff(t.Context(), from, to, apps(t), &migrate.DiffOptions{Each: func(i migrate.Item) error {
			signs[i.Sign()+strings.TrimRight(i.From[strings.LastIndexByte(i.From, '/')+1:], "0123456789")]++
			return nil
		}})
		require.NoError(t, err)
		require.Equal(t, want, report.Counts)
		assert.LessOrEqual(t, scai.batches, 4*each/100+2, "one for each hundred, and the last of each of two passes")
		assert.Equal(t, 4*each, scai.gets, "each once, within the batches")
		assert.Equal(t, 4*each, vault.gets)
		missingThere, missingHere := "+vault", "-scai"
		if back {
			missingThere, missingHere = "+scai", "-vault"
		}
		assert.Equal(t, map[string]int{"=same": each, "*differs": each, missingThere: each, missingHere: each}, signs, "as rclone check has it")
	}
}

// A deniedBatch answers some paths of a batch with an error and loses others.
type deniedBatch struct {
	*fakeSide
	lost string
}

func (d *deniedBatch) GetBatch(ctx context.Context, paths []string) (map[string]*scaivault.Secret, error) {
	found, failed := map[string]*scaivault.Secret{}, map[string]error{}
	for _, path := range paths {
		s, err := d.Get(ctx, path)
		switch {
		case path == d.lost:
			failed[path] = d.fail(scaivault.ErrUnavailable, "get", path, "the answer to the batch does not hold this path")
		case err != nil:
			failed[path] = err
		default:
			found[path] = s
		}
	}
	if len(failed) > 0 {
		return found, &scaivault.BatchError{Errors: failed}
	}
	return found, nil
}

func TestDiffAsksAgainForWhatABatchHasLost(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	scatter(vault, scai)
	to := &deniedBatch{fakeSide: scai, lost: "environments/production/same"}
	report, err := migrate.Diff(t.Context(), vault, to, apps(t), nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{
		migrate.Same: 1, migrate.Different: 1, migrate.OnlyInVault: 2, migrate.OnlyInScaiVault: 1, migrate.Unreadable: 1,
	}, report.Counts)
	require.ErrorIs(t, report.Err(), scaivault.ErrPermission)
}

func TestDiffTellsRoundingFromAChange(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	seed := func(name, inVault, inScai string) {
		vault.seed("kv/data/apps/"+name, inVault)
		scai.seed("environments/production/"+name, inScai)
	}
	seed("rounded", `{"n":9007199254740992,"s":"a"}`, `{"n":9007199254740993,"s":"a"}`)
	seed("changed", `{"n":9007199254740992,"s":"a"}`, `{"n":9007199254740993,"s":"b"}`)
	seed("written", `{"n":1.1}`, `{"n":1.10}`)
	items := map[string]migrate.Item{}
	report, err := migrate.Diff(t.Context(), vault, scai, apps(t), &migrate.DiffOptions{Each: func(i migrate.Item) error {
		items[strings.TrimPrefix(i.From, "kv/data/apps/")] = i
		return nil
	}})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Same: 1, migrate.Different: 2}, report.Counts)
	assert.True(t, items["rounded"].Rounded)
	assert.Equal(t, []string{"n"}, items["rounded"].Fields)
	assert.Contains(t, items["rounded"].Reason, "rounding of KV v2")
	assert.False(t, items["changed"].Rounded)
	assert.Equal(t, 1, report.Rounded)
	require.Error(t, report.Err(), "digits are lost: that is not clean")
}

func TestDiffComparesVersionsAndMetadataIfAsked(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.store(webInVault, `{"v":1}`, scaivault.Metadata{Description: "theirs", Owner: "web", Tags: []string{"a", "b"}, Values: map[string]any{"team": "x"}})
	copyAll(t, vault, scai)
	m := apps(t)
	all := &migrate.DiffOptions{Versions: true, Metadata: true}
	report, err := migrate.Diff(t.Context(), vault, scai, m, all)
	require.NoError(t, err)
	require.NoError(t, report.Err(), "as Copy carries it over")

	vault.store(webInVault, `{"v":1}`, scaivault.Metadata{Description: "other", Owner: "ops", Tags: []string{"c"}, Values: map[string]any{"team": "y", "cost": "1"}})
	report, err = migrate.Diff(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err(), "not asked for")
	report, err = migrate.Diff(t.Context(), vault, scai, m, all)
	require.NoError(t, err)
	require.Equal(t, 1, report.Count(migrate.Different))
	assert.Contains(t, report.String(), "other numbers of versions; the destination lacks metadata: cost, description, owner, tags, team")
}

func TestDiffOfMetadataIsRefusedOnTheWayBack(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	_, err := migrate.Diff(t.Context(), scai, vault, apps(t), &migrate.DiffOptions{Metadata: true})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	require.ErrorContains(t, err, "way back")
	_, err = migrate.Diff(t.Context(), scai, nil, apps(t), &migrate.DiffOptions{Metadata: true})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
}

// Copy puts Vault's own key "owner" elsewhere, as ScaiVault has a field of that
// name.
func TestDiffFindsMetadataWhereCopyPutsIt(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.store(webInVault, `{"v":1}`, scaivault.Metadata{Values: map[string]any{"owner": "web"}})
	copyAll(t, vault, scai)
	report, err := migrate.Diff(t.Context(), vault, scai, apps(t), &migrate.DiffOptions{Metadata: true})
	require.NoError(t, err)
	require.NoError(t, report.Err())
}

func TestDiffComparesNoVersionsWhereThereAreNone(t *testing.T) {
	t.Parallel()
	vault, m := unversioned(t)
	scai := newScaiVaultSide()
	_, err := migrate.Copy(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	report, err := migrate.Diff(t.Context(), vault, scai, m, &migrate.DiffOptions{Versions: true})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, 3, report.Count(migrate.Same))
}

func TestDiffOfASubtreeThatIsNotThereIsNotClean(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	copyAll(t, vault, scai)
	report, err := migrate.Diff(t.Context(), vault, scai, apps(t), &migrate.DiffOptions{Prefixes: []string{"kv/data/apps/none"}})
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), scaivault.ErrNotFound)
	report, err = migrate.Diff(t.Context(), vault, scai, apps(t), &migrate.DiffOptions{Prefixes: []string{"kv/data/apps/Not-Allowed"}})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Unreadable: 1}, report.Counts, "a name that is not allowed is not in Vault for that")
}

func TestDiffLeavesOutWhatCopyLeavesOut(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed("kv/data/apps/a", `{"v":1}`)
	vault.seed("kv/data/apps/tmp/b", `{"v":1}`)
	exclude := []string{"kv/data/apps/tmp/**"}
	_, err := migrate.Copy(t.Context(), vault, scai, apps(t), &migrate.CopyOptions{Exclude: exclude})
	require.NoError(t, err)
	scai.seed("environments/production/tmp/theirs", `{"v":1}`)
	report, err := migrate.Diff(t.Context(), vault, scai, apps(t), &migrate.DiffOptions{Exclude: exclude})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Same: 1, migrate.Skipped: 1}, report.Counts)
	_, err = migrate.Diff(t.Context(), vault, scai, apps(t), &migrate.DiffOptions{Include: []string{""}})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
}

// More names than fit into the memory of one sort.
func TestDiffSortsOnDisk(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), &batchSide{fakeSide: newScaiVaultSide()}
	long := strings.Repeat("x", 400)
	const n = 12_000
	for i := range n {
		vault.seed(fmt.Sprintf("kv/data/apps/%s%d", long, i), `{"v":1}`)
		scai.seed(fmt.Sprintf("environments/production/%s%d", long, i), `{"v":1}`)
	}
	scai.seed("environments/production/extra", `{"v":1}`)
	report, err := migrate.Diff(t.Context(), vault, scai, apps(t), &migrate.DiffOptions{TempDir: t.TempDir()})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Same: n, migrate.OnlyInScaiVault: 1}, report.Counts)
	_, err = migrate.Diff(t.Context(), vault, scai, apps(t), &migrate.DiffOptions{TempDir: "/nowhere/at/all"})
	require.ErrorContains(t, err, "sort on disk", "no room for the names")
}
