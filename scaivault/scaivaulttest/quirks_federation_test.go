// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"testing"
	"testing/synctest"
	"time"

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

func TestQuirkListFederated(t *testing.T) {
	t.Parallel()
	const stripe, local = "external/hashicorp/apps/billing/stripe", "infra/hashicorp/approle"
	for setting, want := range map[scaivaulttest.ListFederated]struct{ proxied, synced []string }{
		scaivaulttest.ListFederatedCopies:  {[]string{local}, []string{billingDB, stripe, local}},
		scaivaulttest.ListFederatedLeftOut: {[]string{local}, []string{local}},
		scaivaulttest.ListFederatedShown:   {[]string{billingDB, stripe, local}, []string{billingDB, stripe, local}},
	} {
		c, _, backend := federatedQuirky(t, scaivaulttest.Quirks{ListFederated: setting}, `"mode":"proxy"`)
		assert.Equal(t, want.proxied, walk(t, c, "secrets", "limit=1"))
		require.Equal(t, 200, c.do("PATCH", backend, `{"mode":"sync","sync_interval":"1h"}`).status)
		assert.Equal(t, want.synced, walk(t, c, "secrets", "limit=1"))
		require.Equal(t, 204, c.do("DELETE", backend, "").status)
		assert.Equal(t, []string{billingDB, stripe, local}, walk(t, c, "secrets", ""), "the copies are the tenant's now")
	}
}

func TestListingWithWhatIsProxied(t *testing.T) {
	t.Parallel()
	for order, want := range map[scaivaulttest.ListOrder][]string{
		scaivaulttest.ListByPath:           {"a", "external/hashicorp/", "external/local", "infra/"},
		scaivaulttest.ListByPathDescending: {"infra/", "external/local", "external/hashicorp/", "a"},
		scaivaulttest.ListByAge:            {"infra/", "external/local", "a", "external/hashicorp/"},
	} {
		quirks := scaivaulttest.Quirks{ListFederated: scaivaulttest.ListFederatedShown, ListOrder: order}
		srv, c, vault, _ := federated(t, &scaivaulttest.ServerOptions{NoLimits: true, Quirks: quirks}, `"mode":"proxy"`)
		seedAll(srv, "external/local", "a")
		assert.ElementsMatch(t, []string{billingDB, "external/hashicorp/apps/billing/stripe"}, walk(t, c, "secrets", "limit=1&prefix=external/hashicorp/apps/"))
		assert.Len(t, walk(t, c, "secrets", "limit=1"), 5)
		o := c.get("/v1/secrets?prefix=" + billingDB).object(t)
		item := o["secrets"].([]any)[0].(map[string]any)
		assert.Equal(t, billingDB, item["path"])
		assert.NotEmpty(t, item["backend_id"])
		assert.NotContains(t, item, "version")
		srv.Deny("*", billingDB)
		assert.NotContains(t, walk(t, c, "secrets", ""), billingDB)

		vault.set(func() { vault.status = 503 })
		c.get("/v1/secrets").refused(t, 503, "service_unavailable")
		assert.Equal(t, []string{"a"}, walk(t, c, "secrets", "prefix=a"), "no backend is asked")

		quirks.ListDepth = scaivaulttest.ListDepthOne
		srv, c, _, _ = federated(t, &scaivaulttest.ServerOptions{NoLimits: true, Quirks: quirks}, `"mode":"proxy"`)
		seedAll(srv, "external/local", "a")
		top := append(walk(t, c, "secrets", "limit=1"), walk(t, c, "secrets", "prefix=external/&limit=1")...)
		assert.ElementsMatch(t, append(want, "external/"), top)
	}
}

func TestListingWithOneProxiedSecret(t *testing.T) {
	t.Parallel()
	vault := newTinyVault(t)
	srv, c := inMemory(t, &scaivaulttest.ServerOptions{NoLimits: true, Quirks: scaivaulttest.Quirks{ListFederated: scaivaulttest.ListFederatedShown}})
	vault.seedCredentials(srv)
	createBackend(t, c, vault, `"mode":"proxy","path_mapping":{"one/db":"kv/data/apps/billing/db","one/none":"kv/data/none"}`)
	assert.Equal(t, []string{"one/db"}, walk(t, c, "secrets", "prefix=one/"))
}

func TestQuirkBackendWords(t *testing.T) {
	t.Parallel()
	for setting, want := range map[scaivaulttest.BackendWords][4]any{
		scaivaulttest.BackendWordsHealthy:   {"healthy", "connected", "unhealthy", "disconnected"},
		scaivaulttest.BackendWordsActive:    {"active", "connected", "error", "failed"},
		scaivaulttest.BackendWordsOK:        {"ok", "ok", "down", "down"},
		scaivaulttest.BackendWordsUp:        {"UP", nil, "DOWN", nil},
		scaivaulttest.BackendWordsConnected: {"connected", "connected", "disconnected", "disconnected"},
	} {
		c, vault, backend := federatedQuirky(t, scaivaulttest.Quirks{BackendWords: setting}, `"mode":"proxy"`)
		words := func() (of [2]any) {
			o := c.get(backend + "/status").object(t)
			assert.Equal(t, o["status"], c.get(backend).object(t)["status"])
			return [2]any{o["status"], o["connection"].(map[string]any)["status"]}
		}
		assert.Equal(t, [2]any(want[:2]), words())
		vault.set(func() { vault.status = 503 })
		assert.Equal(t, [2]any(want[2:]), words())
	}
}

// TestQuirkSyncAgain asks for a sync while one runs, which waits for its Vault.
func TestQuirkSyncAgain(t *testing.T) {
	t.Parallel()
	for _, form := range []scaivaulttest.SyncForm{scaivaulttest.SyncCompleted, scaivaulttest.SyncAccepted} {
		for again, syncs := range map[scaivaulttest.SyncAgain]int{
			scaivaulttest.SyncAgainRefused: 1, scaivaulttest.SyncAgainJoined: 1, scaivaulttest.SyncAgainQueued: 2,
		} {
			synctest.Test(t, func(t *testing.T) {
				vault := scaivaulttest.NewVault(t)
				vault.Mount("kv", 2)
				vault.Seed("kv/data/a", map[string]any{"k": "v"})
				srv, c := inMemory(t, &scaivaulttest.ServerOptions{
					NoLimits: true, BackendTransport: vault.RoundTripper(), Quirks: scaivaulttest.Quirks{Sync: form, SyncAgain: again},
				})
				srv.Seed("infra/token", map[string]any{"token": vault.RootToken()})
				r := c.do("POST", "/v1/federation/backends", `{"name":"n","type":"hashicorp-vault","config":{"endpoint":"https://vault.internal:8200",
					"auth_method":"token","auth_config_path":"infra/token"},"path_mapping":{"external/**":"kv/data/**"},"mode":"sync","sync_interval":"1h"}`)
				require.Equal(t, 201, r.status, r.body)
				before := len(c.audit("action=federation_sync&success=true").Logs)
				url := "/v1/federation/backends/" + r.object(t)["id"].(string) + "/sync"
				vault.Inject(scaivaulttest.Fault{Count: 1, Delay: 5 * time.Second})
				first, second := make(chan reply, 1), make(chan reply, 1)
				go func() { first <- c.do("POST", url, "") }()
				synctest.Wait()
				go func() { second <- c.do("POST", url, "") }()
				one, two := <-first, <-second
				wanted := map[scaivaulttest.SyncForm]int{scaivaulttest.SyncCompleted: 200, scaivaulttest.SyncAccepted: 202}[form]
				require.Equal(t, wanted, one.status, one.body)
				if again == scaivaulttest.SyncAgainRefused {
					two.refused(t, 409, "sync_in_progress")
				} else {
					require.Equal(t, wanted, two.status, two.body)
					assert.Equal(t, again == scaivaulttest.SyncAgainJoined, one.object(t)["sync_id"] == two.object(t)["sync_id"])
				}
				time.Sleep(time.Minute)
				assert.Len(t, c.audit("action=federation_sync&success=true").Logs, before+syncs)
				assert.Equal(t, wanted, c.do("POST", url, "").status, "none runs any more")
			})
		}
	}
}
