// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/integration/realvault"
	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// A move is a real Vault with KV of both versions, and a ScaiVault in memory.
type move struct {
	source *vault.Source
	scai   *scaivaulttest.Server
	client *scaivault.Client
}

func newMove(t *testing.T) *move {
	t.Helper()
	server := realvault.New(t)
	require.NoError(t, server.MountKV(t.Context(), "kv", 2))
	require.NoError(t, server.MountKV(t.Context(), "secret", 1))
	cfg := api.DefaultConfig()
	require.NoError(t, cfg.Error)
	cfg.Address = server.Address()
	apiClient, err := api.NewClient(cfg)
	require.NoError(t, err)
	apiClient.SetToken(server.RootToken())
	m := &move{scai: scaivaulttest.NewServer(t)}
	m.source, err = vault.NewSource(vault.Config{Client: apiClient})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.source.Close()) })
	m.client, err = scaivault.NewClient(scaivault.ClientConfig{
		URLs: []string{"https://scaivault.example"}, Token: scaivault.StaticToken(m.scai.IssueToken("sa:move")),
		HTTPClient: &http.Client{Transport: m.scai.RoundTripper()},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.client.Close()) })
	return m
}

func (m *move) put(t *testing.T, path string, data map[string]any) {
	t.Helper()
	_, err := m.source.Put(t.Context(), path, data, nil)
	require.NoError(t, err)
}

func newMapping(t *testing.T, rules ...scaivault.Rule) *scaivault.Mapping {
	t.Helper()
	m, err := scaivault.NewMapping(rules...)
	require.NoError(t, err)
	return m
}

// KV v2 rounds by itself and KV v1 does not: a Diff tells the one from a change
// and finds the other the same.
func TestDiffTellsTheRoundingOfARealVaultFromAChange(t *testing.T) {
	t.Parallel()
	m := newMove(t)
	exact := map[string]any{"n": json.Number("9007199254740993"), "s": "a"}
	m.put(t, "secret/exact", exact)
	m.put(t, "kv/data/rounded", exact)
	m.put(t, "kv/data/changed", map[string]any{"n": json.Number("9007199254740993"), "s": "b"})
	m.scai.Seed("v1/exact", exact)
	m.scai.Seed("v2/rounded", exact)
	m.scai.Seed("v2/changed", exact)
	items := map[string]migrate.Item{}
	mapping := newMapping(t, scaivault.Rule{Vault: "secret/**", ScaiVault: "v1/**"}, scaivault.Rule{Vault: "kv/data/**", ScaiVault: "v2/**"})
	report, err := migrate.Diff(t.Context(), m.source, m.client, mapping, &migrate.DiffOptions{Each: func(i migrate.Item) error {
		items[i.To] = i
		return nil
	}})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Same: 1, migrate.Different: 2}, report.Counts)
	assert.Equal(t, migrate.Same, items["v1/exact"].Outcome)
	assert.True(t, items["v2/rounded"].Rounded)
	assert.Equal(t, []string{"n"}, items["v2/rounded"].Fields)
	assert.False(t, items["v2/changed"].Rounded)
}

// From the inventory to a clean Diff, by names that ScaiVault does not allow.
func TestARealVaultWithStrangeNamesIsPlannedAndMoved(t *testing.T) {
	t.Parallel()
	m := newMove(t)
	for _, name := range []string{"Team A/Db.Key", "team-a/plain", "ünïcode/日本", "deep/1/2/3/4/5/6/7/8/9/10/11"} {
		m.put(t, "kv/data/apps/"+name, map[string]any{"v": name})
	}
	m.put(t, "kv/data/apps/team-a/plain", map[string]any{"v": "second"})
	inv, err := migrate.TakeInventory(t.Context(), m.source, &migrate.InventoryOptions{Mounts: []string{"kv"}, Versions: true, Sizes: true})
	require.NoError(t, err)
	require.NoError(t, inv.Err())
	assert.Equal(t, 4, inv.Mounts[0].Secrets)
	assert.Equal(t, 5, inv.Mounts[0].Versions)
	assert.Equal(t, "kv/data/apps/deep/1/2/3/4/5/6/7/8/9/10/11", inv.Mounts[0].Deepest)
	assert.Positive(t, inv.Mounts[0].LargestBytes)

	proposal, err := migrate.ProposeMapping(t.Context(), m.source, newMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "production/**"}), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, proposal.Close()) }()
	var file bytes.Buffer
	_, err = proposal.WriteTo(&file)
	require.NoError(t, err)
	mapping, err := scaivault.ParseMapping(&file)
	require.NoError(t, err)

	plan, err := migrate.NewPlan(t.Context(), m.source, m.client, mapping, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, plan.Close()) }()
	require.NoError(t, plan.Err())
	assert.Equal(t, 4, plan.Count(migrate.ActionCreate))
	m.put(t, "kv/data/apps/team-a/plain", map[string]any{"v": "after the plan"})
	report, err := migrate.CopyPlan(t.Context(), m.source, m.client, plan, nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 3, migrate.SourceChanged: 1}, report.Counts, report.String())
	report, err = migrate.Copy(t.Context(), m.source, m.client, mapping, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	report, err = migrate.Diff(t.Context(), m.source, m.client, mapping, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, 4, report.Count(migrate.Same))
}
