// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// federatedQuirky is federated with these answers to the open questions.
func federatedQuirky(t *testing.T, quirks scaivaulttest.Quirks, more string) (*caller, *tinyVault, string) {
	t.Helper()
	_, c, vault, id := federated(t, &scaivaulttest.ServerOptions{NoLimits: true, Quirks: quirks}, more)
	return c, vault, "/v1/federation/backends/" + id
}

func TestQuirkFederatedWrite(t *testing.T) {
	t.Parallel()
	for setting, want := range map[scaivaulttest.FederatedWrite]struct {
		status int
		code   string
	}{
		scaivaulttest.FederatedWrite403: {403, "forbidden"},
		scaivaulttest.FederatedWrite400: {400, "invalid_request"},
		scaivaulttest.FederatedWrite405: {405, "method_not_allowed"},
		scaivaulttest.FederatedWrite409: {409, "federation_read_only"},
	} {
		c, _, _ := federatedQuirky(t, scaivaulttest.Quirks{FederatedWrite: setting}, `"mode":"proxy"`)
		c.put(billingDB, `{"data":{}}`).refused(t, want.status, want.code)
	}
}

func TestQuirkBackendFailure(t *testing.T) {
	t.Parallel()
	for setting, want := range map[scaivaulttest.BackendFailure]struct {
		status int
		code   string
	}{
		scaivaulttest.BackendFailure503: {503, "service_unavailable"},
		scaivaulttest.BackendFailure502: {502, "backend_unavailable"},
		scaivaulttest.BackendFailure504: {504, "backend_timeout"},
		scaivaulttest.BackendFailure424: {424, "backend_unavailable"},
	} {
		c, vault, backend := federatedQuirky(t, scaivaulttest.Quirks{BackendFailure: setting}, `"mode":"proxy"`)
		vault.set(func() { vault.status = 503 })
		c.get("/v1/secrets/"+billingDB).refused(t, want.status, want.code)
		assert.Equal(t, "unhealthy", c.get(backend).object(t)["status"])
		c.get("/v1/secrets/not/federated").refused(t, 404, "secret_not_found")
	}
}

func TestQuirkProxiedData(t *testing.T) {
	t.Parallel()
	c, vault, _ := federatedQuirky(t, scaivaulttest.Quirks{ProxiedData: scaivaulttest.ProxiedDataWrapped}, `"mode":"proxy"`)
	vault.setV2("kv/data/apps/billing/db", 7, `{"password":"an example"}`)
	o := c.get("/v1/secrets/" + billingDB).object(t)
	assert.EqualValues(t, 1, o["version"])
	data, _ := o["data"].(map[string]any)
	assert.Equal(t, map[string]any{"password": "an example"}, data["data"])
	assert.Contains(t, data, "metadata")
}

func TestQuirksOfBackendListings(t *testing.T) {
	t.Parallel()
	c, _, backend := federatedQuirky(t, scaivaulttest.Quirks{
		BackendsKey: scaivaulttest.BackendsKeyData, ConflictsKey: scaivaulttest.ConflictsKeyData,
	}, `"mode":"proxy"`)
	assert.Len(t, c.get("/v1/federation/backends").object(t)["data"], 1)
	assert.Equal(t, []any{}, c.get(backend + "/conflicts").object(t)["data"])
}

func TestQuirkSyncedDeletions(t *testing.T) {
	t.Parallel()
	for setting, status := range map[scaivaulttest.SyncedDeletions]int{
		scaivaulttest.SyncedDeletionsIgnored: 200, scaivaulttest.SyncedDeletionsFollow: 404,
	} {
		c, vault, backend := federatedQuirky(t, scaivaulttest.Quirks{SyncedDeletions: setting}, `"mode":"sync","sync_interval":"1h"`)
		require.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status)
		vault.set(func() { vault.denied = "kv/data/apps/billing/db" })
		require.Equal(t, 200, c.do("POST", backend+"/sync", "").status)
		require.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status, "denied is not gone")
		vault.set(func() { vault.denied = ""; delete(vault.values, "kv/data/apps/billing/db") })
		require.Equal(t, 200, c.do("POST", backend+"/sync", "").status)
		assert.Equal(t, status, c.get("/v1/secrets/"+billingDB).status)
		assert.Equal(t, 200, c.get("/v1/secrets/infra/hashicorp/approle").status, "no copy")
	}
}

func TestQuirkBackendDelete(t *testing.T) {
	t.Parallel()
	for setting, status := range map[scaivaulttest.BackendDelete]int{
		scaivaulttest.BackendDeleteKeepsCopies: 200, scaivaulttest.BackendDeleteRemovesCopies: 404,
	} {
		c, _, backend := federatedQuirky(t, scaivaulttest.Quirks{BackendDelete: setting}, `"mode":"sync","sync_interval":"1h"`)
		require.Equal(t, 204, c.do("DELETE", backend, "").status)
		assert.Equal(t, status, c.get("/v1/secrets/"+billingDB).status)
		assert.Equal(t, 200, c.get("/v1/secrets/infra/hashicorp/approle").status, "no copy")
	}
}
