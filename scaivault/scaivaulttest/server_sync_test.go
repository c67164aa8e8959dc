// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestSync(t *testing.T) {
	t.Parallel()
	srv, c, vault, id := federated(t, nil, `"mode":"sync","sync_interval":"1h"`)
	assert.Equal(t, 1, srv.SecretVersion(billingDB), "pulled at once")
	data, _ := srv.Value(billingDB)
	assert.Equal(t, `{"password":"not-a-real-one","big":12345678901234567890}`, string(data))
	assert.Contains(t, c.get("/v1/secrets").paths(t, "secrets"), billingDB)
	assert.EqualValues(t, 2, c.get("/v1/federation/backends/" + id + "/status").object(t)["secrets_synced"])

	vault.setV2("kv/data/apps/billing/db", 8, `{"password":"rotated"}`)
	o := c.do("POST", "/v1/federation/backends/"+id+"/sync", "").object(t)
	assert.Equal(t, "completed", o["status"])
	assert.EqualValues(t, 2, o["secrets_synced"])
	assert.Equal(t, 2, srv.SecretVersion(billingDB))
	c.do("POST", "/v1/federation/backends/"+id+"/sync", "")
	assert.Equal(t, 2, srv.SecretVersion(billingDB), "nothing new, no version")

	vault.server.Close()
	c.do("POST", "/v1/federation/backends/"+id+"/sync", "").refused(t, 503, "service_unavailable")
	assert.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status, "independent of the backend")
	status := c.get("/v1/federation/backends/" + id + "/status").object(t)
	assert.Equal(t, "unhealthy", status["status"])
	assert.NotEmpty(t, status["last_error"])
	assert.NotEmpty(t, status["last_sync"])
	assert.Len(t, c.audit("action=federation_sync").Logs, 4)
	assert.Len(t, c.audit("action=federation_sync&success=false").Logs, 1)

	assert.Equal(t, 204, c.do("DELETE", "/v1/federation/backends/"+id, "").status)
	assert.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status, "the copies stay")
}

func TestSyncConflicts(t *testing.T) {
	t.Parallel()
	for resolution, want := range map[string]struct {
		conflicts int
		value     string
	}{
		``:                                      {1, "local"},
		`,"conflict_resolution":"manual"`:       {1, "local"},
		`,"conflict_resolution":"local_wins"`:   {0, "local"},
		`,"conflict_resolution":"backend_wins"`: {0, "not-a-real-one"},
	} {
		t.Run(resolution, func(t *testing.T) {
			t.Parallel()
			vault := newTinyVault(t)
			srv, c := inMemory(t, nil)
			vault.seedCredentials(srv)
			srv.Seed(billingDB, map[string]any{"password": "local"})
			srv.Seed("external/hashicorp/apps/billing/stripe", map[string]any{"key": "also-not-real"})
			id := createBackend(t, c, vault, `"mode":"sync","sync_interval":"1h"`+resolution)["id"].(string)
			o := c.get("/v1/federation/backends/" + id + "/conflicts").object(t)
			assert.EqualValues(t, want.conflicts, o["total"])
			assert.Contains(t, c.get("/v1/secrets/"+billingDB).body, want.value)
			if want.conflicts > 0 {
				conflict := o["conflicts"].([]any)[0].(map[string]any)
				assert.Equal(t, billingDB, conflict["path"])
				assert.Equal(t, "kv/data/apps/billing/db", conflict["backend_path"])
				assert.EqualValues(t, 1, conflict["local_version"])
				assert.EqualValues(t, 7, conflict["backend_version"])
			}
		})
	}
}

func TestFlipOfAuthority(t *testing.T) {
	t.Parallel()
	srv, c, vault, id := federated(t, nil, `"mode":"proxy"`)
	c.do("POST", "/v1/federation/backends/"+id+"/sync", "").refused(t, 400, "invalid_request")
	r := c.do("PATCH", "/v1/federation/backends/"+id, `{"mode":"sync","sync_interval":"1h","conflict_resolution":"local_wins"}`)
	require.Equal(t, 200, r.status, r.body)
	assert.Equal(t, "sync", r.object(t)["mode"])
	assert.Equal(t, "local_wins", r.object(t)["conflict_resolution"])
	assert.Equal(t, 1, srv.SecretVersion(billingDB))

	assert.Equal(t, 200, c.put(billingDB, `{"data":{"password":"ours"}}`).status)
	vault.setV2("kv/data/apps/billing/db", 9, `{"password":"theirs"}`)
	c.do("POST", "/v1/federation/backends/"+id+"/sync", "")
	assert.Contains(t, c.get("/v1/secrets/"+billingDB).body, "ours")
	c.do("DELETE", "/v1/secrets/"+billingDB, "")
	c.do("POST", "/v1/federation/backends/"+id+"/sync", "")
	c.get("/v1/secrets/"+billingDB).refused(t, 404, "secret_not_found")
}

func TestSyncSkipsWhatCannotBeHere(t *testing.T) {
	t.Parallel()
	vault := newTinyVault(t)
	srv, c := inMemory(t, nil)
	vault.seedCredentials(srv)
	vault.values["secret/apps/denied"] = `{"k":"v"}`
	vault.denied = "secret/apps/denied"
	body := strings.Replace(backendJSON(vault, `"mode":"sync","sync_interval":"1h"`), `"external/hashicorp/**":"kv/data/**"`,
		`"v1/**":"secret/**","one":"kv/data/apps/billing/stripe"`, 1)
	r := c.do("POST", "/v1/federation/backends", body)
	require.Equal(t, 201, r.status, r.body)
	assert.ElementsMatch(t, []string{"infra/hashicorp/approle", "one", "v1/apps/db"}, c.get("/v1/secrets").paths(t, "secrets"))
	o := c.do("POST", "/v1/federation/backends/"+r.object(t)["id"].(string)+"/sync", "").object(t)
	assert.EqualValues(t, 2, o["skipped"])
}

func TestSyncIsDueByTheInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		vault := &tinyVault{tokens: map[string]bool{}, values: map[string]string{}}
		vault.server = &httptest.Server{URL: "https://vault.internal:8200"}
		vault.setV2("kv/data/apps/billing/db", 1, `{"n":1}`)
		srv, c := inMemory(t, &scaivaulttest.ServerOptions{NoLimits: true, BackendTransport: handlerTransport{vault}})
		vault.seedCredentials(srv)
		createBackend(t, c, vault, `"mode":"sync","sync_interval":"15m"`)
		vault.setV2("kv/data/apps/billing/db", 2, `{"n":2}`)
		time.Sleep(15*time.Minute - 1)
		assert.Contains(t, c.get("/v1/secrets/"+billingDB).body, `{"n":1}`)
		time.Sleep(time.Nanosecond)
		assert.Contains(t, c.get("/v1/secrets/"+billingDB).body, `{"n":2}`)
		assert.Len(t, c.audit("identity_id=system:federation").Logs, 1)
		vault.set(func() { vault.status = 503 })
		time.Sleep(time.Hour)
		assert.Contains(t, c.get("/v1/secrets/"+billingDB).body, `{"n":2}`, "the copy is served")
		assert.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status)
		assert.Len(t, c.audit("identity_id=system:federation").Logs, 2, "a failed sync waits for the next interval")
	})
}

// A handlerTransport answers with a handler.
type handlerTransport struct{ http.Handler }

func (h handlerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec.Result(), nil
}

func TestQuirksOfSync(t *testing.T) {
	t.Parallel()
	srv, c, vault, id := federated(t, &scaivaulttest.ServerOptions{NoLimits: true, Quirks: scaivaulttest.Quirks{
		SyncedWrites: scaivaulttest.SyncedWritesRefused, Sync: scaivaulttest.SyncAccepted,
	}}, `"mode":"sync","sync_interval":"1h"`)
	r := c.put(billingDB, `{"data":{}}`)
	r.refused(t, 403, "forbidden")
	assert.Contains(t, r.body, "sync")
	vault.setV2("kv/data/apps/billing/db", 8, `{"password":"rotated"}`)
	r = c.do("POST", "/v1/federation/backends/"+id+"/sync", "")
	assert.Equal(t, 202, r.status)
	assert.NotEmpty(t, r.object(t)["sync_id"])
	require.Eventually(t, func() bool { return srv.SecretVersion(billingDB) == 2 }, 5*time.Second, time.Millisecond)
}

func TestSyncIsDueWhileAPollWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := scaivaulttest.NewVault(t)
		v.Mount("kv", 2)
		v.Seed("kv/data/db", map[string]any{"k": "first"})
		srv, c := inMemory(t, &scaivaulttest.ServerOptions{BackendTransport: v.RoundTripper()})
		srv.Seed("infra/vault", map[string]any{"token": v.RootToken()})
		require.Equal(t, 201, c.do("POST", "/v1/federation/backends", `{"name":"v","type":"hashicorp-vault","mode":"sync","sync_interval":"20s",
			"config":{"endpoint":"https://v.test","auth_method":"token","auth_config_path":"infra/vault"},"path_mapping":{"ext/**":"kv/data/**"}}`).status)
		id := c.do("POST", "/v1/subscriptions", `{"name":"s","paths":["ext/**"],"events":["secret.updated"],"delivery":{"type":"polling"}}`).object(t)["id"].(string)

		v.Seed("kv/data/db", map[string]any{"k": "second"})
		began := time.Now()
		assert.Len(t, c.get("/v1/subscriptions/" + id + "/poll?timeout=60").object(t)["events"], 1)
		assert.Equal(t, 20*time.Second, time.Since(began))

		v.Seed("kv/data/other", map[string]any{"k": "v"})
		assert.NotContains(t, c.get("/v1/secrets").paths(t, "secrets"), "ext/other", "not yet")
		time.Sleep(20 * time.Second)
		assert.Contains(t, c.get("/v1/secrets").paths(t, "secrets"), "ext/other")
	})
}
