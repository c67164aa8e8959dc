// SPDX-License-Identifier: Apache-2.0

package integration

import (
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

// TestRollbackOfACutover: an estate is copied to ScaiVault, services write there,
// and everything is copied back to the real Vault, where one secret was changed by
// somebody else and another can't be held.
func TestRollbackOfACutover(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	v := realvault.New(t)
	require.NoError(t, v.MountKV(ctx, "kv", 2))
	cfg := api.DefaultConfig()
	require.NoError(t, cfg.Error)
	cfg.Address = v.Address()
	admin, err := api.NewClient(cfg)
	require.NoError(t, err)
	admin.SetToken(v.RootToken())
	t.Cleanup(cfg.HttpClient.CloseIdleConnections)
	source, err := vault.NewSource(vault.Config{Client: admin})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, source.Close()) })
	s := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{NoLimits: true})
	client, err := scaivault.NewClient(scaivault.ClientConfig{URLs: []string{"https://scaivault.example"},
		Token: scaivault.StaticToken(s.IssueToken("sa:copy")), HTTPClient: &http.Client{Transport: s.RoundTripper()}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	m, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "production/**"})
	require.NoError(t, err)

	kv := admin.KVv2("kv")
	for _, name := range []string{"kept", "written", "rival", "rounded", "deleted"} {
		_, err := kv.Put(ctx, "apps/"+name, map[string]any{"v": "before"})
		require.NoError(t, err)
	}
	require.NoError(t, kv.PutMetadata(ctx, "apps/written", api.KVMetadataPutInput{CustomMetadata: map[string]any{"team": "billing"}}))
	report, err := migrate.Copy(ctx, source, client, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())

	// After the cutover.
	for name, data := range map[string]string{"written": `"after"`, "rival": `"after"`, "rounded": `9007199254740993`, "new": `"after"`} {
		_, err := client.Put(ctx, "production/"+name, map[string]any{"v": json.RawMessage(data)}, nil)
		require.NoError(t, err)
	}
	_, err = kv.Put(ctx, "apps/rival", map[string]any{"v": "theirs"})
	require.NoError(t, err)
	require.NoError(t, kv.Delete(ctx, "apps/deleted"))

	report, err = migrate.Copy(ctx, client, source, m, nil)
	require.NoError(t, err)
	require.Error(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Unchanged: 1, migrate.Updated: 1, migrate.Created: 2, migrate.Conflict: 1, migrate.Failed: 1}, report.Counts, report.String())
	assert.Contains(t, report.String(), "KV v2 would round a number in field v")
	for name, want := range map[string]struct {
		value   any
		version int
	}{
		"kept": {"before", 1}, "written": {"after", 2}, "rival": {"theirs", 2}, "rounded": {"before", 1}, "new": {"after", 1}, "deleted": {"before", 2},
	} {
		got, err := kv.Get(ctx, "apps/"+name)
		require.NoError(t, err, name)
		assert.Equal(t, want.value, got.Data["v"], name)
		assert.Equal(t, want.version, got.VersionMetadata.Version, name)
	}
	written, err := kv.Get(ctx, "apps/written")
	require.NoError(t, err)
	assert.Equal(t, "billing", written.CustomMetadata["team"], "Vault's custom metadata stays")
	assert.Equal(t, "production/written", written.CustomMetadata["migration_source"])
	assert.Equal(t, "2", written.CustomMetadata["migration_version"])

	// Once more: what is back is not written again.
	report, err = migrate.Copy(ctx, client, source, m, nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Unchanged: 4, migrate.Conflict: 1, migrate.Failed: 1}, report.Counts, report.String())
}
