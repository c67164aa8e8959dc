// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// A mountedVault also has mounts.
type mountedVault struct {
	*fakeSide
	mounts []scaivault.Mount
	err    error
}

func (m *mountedVault) Mounts(context.Context) ([]scaivault.Mount, error) { return m.mounts, m.err }

func newMountedVault() *mountedVault {
	v := &mountedVault{fakeSide: newVaultSide(), mounts: []scaivault.Mount{
		{Path: "transit", Type: "transit"},
		{Path: "kv", Type: "kv", KVVersion: 2},
		{Path: "secret", Type: "kv", KVVersion: 1},
		{Path: "pki", Type: "pki"},
		{Path: "aws", Type: "aws"},
		{Path: "db", Type: "database"},
		{Path: "odd", Type: "exotic"},
	}}
	v.seed("kv/data/apps/a", `{"v":"canary"}`)
	v.seed("kv/data/apps/deep/er/b", `{"v":1}`)
	v.seed("kv/data/Upper", `{"v":1}`)
	v.seed("secret/old", `{"v":1}`)
	return v
}

func TestTakeInventory(t *testing.T) {
	t.Parallel()
	v := newMountedVault()
	inv, err := migrate.TakeInventory(t.Context(), v, nil)
	require.NoError(t, err)
	require.NoError(t, inv.Err())
	require.Len(t, inv.Mounts, 7)
	assert.Equal(t, "aws", inv.Mounts[0].Path, "sorted by path")
	kv := inv.Mounts[2]
	assert.Equal(t, "kv", kv.Path)
	assert.Equal(t, 3, kv.Secrets)
	assert.Equal(t, 4, kv.Depth)
	assert.Equal(t, "kv/data/apps/deep/er/b", kv.Deepest)
	assert.Equal(t, 1, kv.NotAllowed)
	assert.Equal(t, []string{"kv/data/Upper"}, kv.NotAllowedNames)
	assert.Equal(t, 1, inv.Mounts[5].Secrets)
	assert.Equal(t, 4, inv.Secrets())
	assert.Zero(t, v.gets, "no secret is read")
	for i, says := range []string{"drain", "run out", "federate", "look at", "certificates expire", "federate", "KMS"} {
		assert.Contains(t, inv.Mounts[i].Advice, says, inv.Mounts[i].Path)
	}
	text := inv.String()
	assert.Contains(t, text, "kv v2")
	assert.Contains(t, text, "= 3s at least")
	encoded, err := json.Marshal(inv)
	require.NoError(t, err)
	assert.Contains(t, string(encoded), `"kv_version":2`)
}

func TestTakeInventoryWithAMapping(t *testing.T) {
	t.Parallel()
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/Upper", ScaiVault: "upper"}, scaivault.Rule{Vault: "kv/data/apps/deep/**", ScaiVault: "d/**"})
	inv, err := migrate.TakeInventory(t.Context(), newMountedVault(), &migrate.InventoryOptions{Mapping: m, Mounts: []string{"kv/"}})
	require.NoError(t, err)
	require.Len(t, inv.Mounts, 1)
	assert.Zero(t, inv.Mounts[0].NotAllowed, "the mapping gives it a good name")
	assert.Equal(t, 1, inv.Mounts[0].Unmapped)
}

func TestTakeInventoryTellsWhatItCannotSee(t *testing.T) {
	t.Parallel()
	v := newMountedVault()
	v.onList = func(prefix string) error { return v.fail(scaivault.ErrPermission, "list", prefix+"/hidden", "") }
	inv, err := migrate.TakeInventory(t.Context(), v, nil)
	require.NoError(t, err)
	require.ErrorIs(t, inv.Err(), scaivault.ErrPermission)
	assert.Contains(t, inv.String(), "not seen: kv: list kv/data/hidden")
	assert.Equal(t, 3, inv.Mounts[2].Secrets, "the rest is counted")

	_, err = migrate.TakeInventory(t.Context(), v, &migrate.InventoryOptions{Mounts: []string{"kvv"}})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	_, err = migrate.TakeInventory(t.Context(), nil, nil)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	v.err = v.fail(scaivault.ErrPermission, "mounts", "", "")
	_, err = migrate.TakeInventory(t.Context(), v, nil)
	require.ErrorIs(t, err, scaivault.ErrPermission)
}

func TestTakeInventoryStops(t *testing.T) {
	t.Parallel()
	stop := errors.New("enough")
	inv, err := migrate.TakeInventory(t.Context(), newMountedVault(), &migrate.InventoryOptions{Each: func(string) error { return stop }})
	require.ErrorIs(t, err, stop)
	assert.Equal(t, 1, inv.Secrets())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = migrate.TakeInventory(ctx, newMountedVault(), nil)
	require.ErrorIs(t, err, context.Canceled)
}

// Versions makes a mountedVault count versions, as the real one does.
func (m *mountedVault) Versions(_ context.Context, path string) ([]scaivault.VersionInfo, error) {
	if m.onGet != nil {
		if err := m.onGet(path); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.secrets[path]
	if s == nil {
		return nil, m.absent(path, nil)
	}
	return make([]scaivault.VersionInfo, s.version), nil
}

func TestTakeInventoryCountsVersionsAndMeasuresIfAsked(t *testing.T) {
	t.Parallel()
	v := newMountedVault()
	v.seed("kv/data/apps/a", `{"v":"canary"}`)
	v.seed("kv/data/apps/big", `{"v":"`+strings.Repeat("x", 5000)+`"}`)
	v.seed("kv/data/apps/deleted", `{"v":"`+strings.Repeat("x", 9000)+`"}`)
	v.secrets["kv/data/apps/deleted"].deleted = true
	inv, err := migrate.TakeInventory(t.Context(), v, &migrate.InventoryOptions{Versions: true})
	require.NoError(t, err)
	require.NoError(t, inv.Err())
	assert.Zero(t, v.gets, "no value is read")
	assert.Equal(t, 6, inv.Mounts[2].Versions)
	assert.Equal(t, 1, inv.Mounts[5].Versions, "KV v1 has one of each")
	assert.Contains(t, inv.String(), "-", "sizes were not asked for")

	inv, err = migrate.TakeInventory(t.Context(), v, &migrate.InventoryOptions{Versions: true, Sizes: true, Workers: 3})
	require.NoError(t, err)
	require.NoError(t, inv.Err())
	assert.Equal(t, "kv/data/apps/big", inv.Mounts[2].Largest)
	assert.Equal(t, 5008, inv.Mounts[2].LargestBytes)
	assert.Equal(t, 6, v.gets, "each once, in both KV mounts")
	assert.Contains(t, inv.String(), "largest: kv/data/apps/big, 5008 bytes")
	assert.NotContains(t, inv.String(), "canary")

	v.onGet = func(path string) error {
		if path == "kv/data/apps/a" {
			return v.fail(scaivault.ErrPermission, "get", path, "")
		}
		return nil
	}
	inv, err = migrate.TakeInventory(t.Context(), v, &migrate.InventoryOptions{Sizes: true})
	require.NoError(t, err)
	require.ErrorIs(t, inv.Err(), scaivault.ErrPermission, "it may be listed and not read")
	inv, err = migrate.TakeInventory(t.Context(), v, &migrate.InventoryOptions{Versions: true, Sizes: true})
	require.NoError(t, err)
	assert.Len(t, inv.Mounts[2].Errors, 2, "each refusal is told for itself")
	assert.NotContains(t, inv.Err().Error(), "\n")
	assert.Equal(t, 5, inv.Mounts[2].Secrets)

	stop := errors.New("enough")
	_, err = migrate.TakeInventory(t.Context(), v, &migrate.InventoryOptions{Sizes: true, Each: func(string) error { return stop }})
	require.ErrorIs(t, err, stop)
	_, err = migrate.TakeInventory(t.Context(), v, &migrate.InventoryOptions{Workers: -1})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	_, err = migrate.TakeInventory(t.Context(), listOnly{v}, &migrate.InventoryOptions{Sizes: true})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
}

// A listOnly Vault tells names and nothing else.
type listOnly struct{ migrate.VaultReader }
