// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// cutShort begins a copy with a checkpoint and ends it after some secrets.
func cutShort(t *testing.T, e *estate, m *scaivault.Mapping, opts migrate.CopyOptions) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	opts.Each = func(migrate.Item) error { cancel(); return nil }
	_, err := migrate.Copy(ctx, e.source, e.client, m, &opts)
	require.ErrorIs(t, err, context.Canceled)
}

func checkpointed(t *testing.T) (*estate, *scaivault.Mapping, string) {
	t.Helper()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	for i := range 300 {
		e.vault.Seed(fmt.Sprintf("kv/data/apps/f%d/s%03d", i%3, i), map[string]any{"password": canary})
	}
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	return e, m, filepath.Join(t.TempDir(), "listing")
}

func TestCheckpointSavesTheListing(t *testing.T) {
	t.Parallel()
	e, m, file := checkpointed(t)
	opts := migrate.CopyOptions{Checkpoint: file}
	cutShort(t, e, m, opts)

	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(text), "kv/data/apps/f0/s000")
	for i, form := range forms() {
		assert.False(t, strings.Contains(string(text), form), "it holds names only; form %d", i)
	}

	var progress migrate.Progress
	opts.Progress = func(p migrate.Progress) {
		if progress.Done == 0 {
			progress = p
		}
	}
	got := e.counted(func() {
		report, err := migrate.Copy(t.Context(), e.source, e.client, m, &opts)
		require.NoError(t, err)
		require.NoError(t, report.Err())
		assert.Equal(t, 300, report.Total())
	})
	assert.Zero(t, got["listing"])
	assert.Equal(t, 300, progress.Total, "how many there are is known from the first")
	assert.Equal(t, 300, e.scaiWrites())
	_, err = os.Stat(file)
	require.ErrorIs(t, err, fs.ErrNotExist, "a listing that is used up would hide what is new")
}

func TestCheckpointOfAnotherEstateIsRefused(t *testing.T) {
	t.Parallel()
	e, m, file := checkpointed(t)
	cutShort(t, e, m, migrate.CopyOptions{Checkpoint: file})
	before := len(e.vault.Requests())
	for _, tc := range []struct {
		name string
		m    *scaivault.Mapping
		opts migrate.CopyOptions
		from migrate.From
		says string
	}{
		{"another mapping", mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "other/**"}), migrate.CopyOptions{}, e.source, "mapping"},
		{"other prefixes", m, migrate.CopyOptions{Prefixes: []string{"kv/data/apps/f0"}}, e.source, "prefixes"},
		{"another shard", m, migrate.CopyOptions{Shard: migrate.Shard{Index: 1, Count: 2}}, e.source, "shard"},
		{"other patterns", m, migrate.CopyOptions{Exclude: []string{"**/s001"}}, e.source, "patterns"},
		{"another Vault", m, migrate.CopyOptions{}, newVaultSide(), "its source is vault at https://vault.example, and here it is vault"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.opts.Checkpoint = file
			report, err := migrate.Copy(t.Context(), tc.from, e.client, tc.m, &tc.opts)
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			assert.Contains(t, err.Error(), tc.says)
			assert.Contains(t, err.Error(), file)
			assert.True(t, report.Incomplete)
		})
	}
	assert.Len(t, e.vault.Requests(), before, "nothing is asked for")
}

func TestCheckpointThatWasDamagedIsRefused(t *testing.T) {
	t.Parallel()
	e, m, file := checkpointed(t)
	cutShort(t, e, m, migrate.CopyOptions{Checkpoint: file})
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.SplitAfter(string(whole), "\n")
	for name, text := range map[string]string{
		"empty":          "",
		"something else": "hello\n",
		"cut off":        string(whole[:len(whole)/2]),
		"no end":         strings.Join(lines[:len(lines)-2], ""),
		"a name less":    strings.Join(append(lines[:1:1], lines[2:]...), ""),
		"edited":         strings.Replace(string(whole), `{"name":`, `{"nome":`, 1),
		"no finding":     strings.Replace(string(whole), `{"name":`, `{"found":9,"name":`, 1),
		"more behind":    string(whole) + lines[1],
		"binary":         "\x00\xff" + string(whole),
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := migrate.Copy(t.Context(), e.source, e.client, m, &migrate.CopyOptions{Checkpoint: file})
		require.ErrorIs(t, err, scaivault.ErrInvalid, name)
		assert.Contains(t, err.Error(), file, name)
		kept, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, text, string(kept), "it is not ours to remove: %s", name)
	}
}

func TestCheckpointThatCannotBeWrittenStopsBeforeAnythingIsCopied(t *testing.T) {
	t.Parallel()
	e, m, file := checkpointed(t)
	_, err := migrate.Copy(t.Context(), e.source, e.client, m, &migrate.CopyOptions{Checkpoint: filepath.Join(file, "missing", "listing")})
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.Contains(t, err.Error(), "checkpoint")
	assert.Zero(t, e.scaiWrites())
}

func TestCheckpointIsNotTakenForWholeWhereAFolderWasDenied(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	for i := range 50 {
		vault.seed(fmt.Sprintf("kv/data/apps/s%03d", i), `{"v":1}`)
	}
	denied := true
	vault.onList = func(string) error {
		if denied {
			return vault.fail(scaivault.ErrPermission, "list", "kv/data/apps/secret", "")
		}
		return nil
	}
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	file := filepath.Join(t.TempDir(), "listing")
	stop := errors.New("enough")
	_, err := migrate.Copy(t.Context(), vault, scai, m, &migrate.CopyOptions{Checkpoint: file, Each: func(migrate.Item) error { return stop }})
	require.ErrorIs(t, err, stop)
	require.FileExists(t, file)

	denied = false
	vault.seed("kv/data/apps/secret/x", `{"v":1}`)
	report, err := migrate.Copy(t.Context(), vault, scai, m, &migrate.CopyOptions{Checkpoint: file})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, 51, report.Total())
}
