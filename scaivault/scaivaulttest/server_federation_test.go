// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

const billingDB = "external/hashicorp/apps/billing/db"

// federated returns a server with a backend in front of a Vault.
func federated(t *testing.T, opts *scaivaulttest.ServerOptions, more string) (*scaivaulttest.Server, *caller, *tinyVault, string) {
	t.Helper()
	vault := newTinyVault(t)
	srv, c := inMemory(t, opts)
	vault.seedCredentials(srv)
	return srv, c, vault, createBackend(t, c, vault, more)["id"].(string)
}

func TestBackendsCRUD(t *testing.T) {
	t.Parallel()
	vault := newTinyVault(t)
	srv, c := inMemory(t, nil)
	assert.Equal(t, []any{}, c.get("/v1/federation/backends").object(t)["backends"])
	vault.seedCredentials(srv)
	created := createBackend(t, c, vault, `"mode":"proxy"`)
	id := created["id"].(string)
	assert.True(t, strings.HasPrefix(id, "fed_"))
	assert.Equal(t, "healthy", created["status"])
	assert.Equal(t, "proxy", created["mode"])
	assert.Equal(t, map[string]any{"external/hashicorp/**": "kv/data/**"}, created["path_mapping"])
	assert.Equal(t, "infra/hashicorp/approle", created["config"].(map[string]any)["auth_config_path"])
	assert.Equal(t, created, c.get("/v1/federation/backends/"+id).object(t))
	assert.Equal(t, []any{created}, c.get("/v1/federation/backends").object(t)["backends"])

	patched := c.do("PATCH", "/v1/federation/backends/"+id, `{"name":"renamed","config":{"namespace":"acme","tls_verify":null}}`).object(t)
	assert.Equal(t, "renamed", patched["name"])
	assert.Equal(t, "acme", patched["config"].(map[string]any)["namespace"])
	assert.NotContains(t, patched["config"], "tls_verify")
	assert.Equal(t, vault.server.URL, patched["config"].(map[string]any)["endpoint"], "what is not named stays")
	assert.Equal(t, "unhealthy", patched["status"], "the Vault has no such namespace")
	vault.set(func() { vault.namespace = "acme" })
	assert.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status)
	assert.Equal(t, "healthy", c.get("/v1/federation/backends/" + id).object(t)["status"])

	assert.Equal(t, 204, c.do("DELETE", "/v1/federation/backends/"+id, "").status)
	c.get("/v1/secrets/"+billingDB).refused(t, 404, "secret_not_found")
	for method, path := range map[string]string{"GET": "", "PATCH": "", "DELETE": "", "POST": "/sync"} {
		c.do(method, "/v1/federation/backends/"+id+path, `{}`).refused(t, 404, "backend_not_found")
	}
	c.get("/v1/federation/backends/"+id+"/status").refused(t, 404, "backend_not_found")
	c.get("/v1/federation/backends/"+id+"/conflicts").refused(t, 404, "backend_not_found")
}

func TestBackendsRefused(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, nil)
	const config = `"config":{"endpoint":"https://vault.internal:8200","auth_method":"approle","auth_config_path":"a/b"}`
	const rest = `"name":"n","type":"hashicorp-vault","path_mapping":{"x/**":"kv/data/**"},"mode":"proxy"`
	for _, tc := range []struct {
		body   string
		status int
		code   string
	}{
		{`{`, 400, "invalid_request"},
		{`{}`, 422, "validation_error"},
		{`{` + rest + `}`, 422, "validation_error"},
		{`{"name":"n","type":"etcd","path_mapping":{"x":"y"},"mode":"proxy",` + config + `}`, 422, "validation_error"},
		{`{"name":"n","type":"hashicorp-vault","path_mapping":{},"mode":"proxy",` + config + `}`, 422, "validation_error"},
		{`{"name":"n","type":"hashicorp-vault","path_mapping":{"x":"y"},"mode":"both",` + config + `}`, 422, "validation_error"},
		{`{"name":"n","type":"hashicorp-vault","path_mapping":{"x":"y"},"mode":"sync",` + config + `}`, 422, "validation_error"},
		{`{"name":"n","type":"hashicorp-vault","path_mapping":{"x":"y"},"mode":"sync","sync_interval":"often",` + config + `}`, 400, "invalid_duration"},
		{`{"name":"n","type":"hashicorp-vault","path_mapping":{"x":"y"},"mode":"proxy","conflict_resolution":"coin",` + config + `}`, 422, "validation_error"},
		{`{"name":"n","type":"hashicorp-vault","path_mapping":{"x/**":"y"},"mode":"proxy",` + config + `}`, 400, "invalid_config"},
		{`{"name":"n","type":"hashicorp-vault","path_mapping":{"x":""},"mode":"proxy",` + config + `}`, 400, "invalid_config"},
		{`{"name":"n","type":"hashicorp-vault","path_mapping":{"x/*/y":"y"},"mode":"proxy",` + config + `}`, 400, "invalid_glob"},
		{`{"name":"n","type":"hashicorp-vault","path_mapping":{"x/**/y":"y"},"mode":"proxy",` + config + `}`, 400, "invalid_glob"},
		{`{"name":"n","type":"hashicorp-vault","path_mapping":{"X/**":"y/**"},"mode":"proxy",` + config + `}`, 400, "invalid_path"},
		{`{"config":[],` + rest + `}`, 422, "validation_error"},
		{`{"config":{},` + rest + `}`, 400, "invalid_config"},
		{`{"config":{"endpoint":7},` + rest + `}`, 400, "invalid_config"},
		{`{"config":{"endpoint":"vault:8200","auth_method":"approle","auth_config_path":"a"},` + rest + `}`, 400, "invalid_config"},
		{`{"config":{"endpoint":"http://v","auth_method":"password","auth_config_path":"a"},` + rest + `}`, 400, "invalid_config"},
		{`{"config":{"endpoint":"http://v","auth_method":"approle","auth_config_path":""},` + rest + `}`, 400, "invalid_config"},
	} {
		r := c.do("POST", "/v1/federation/backends", tc.body)
		require.Equal(t, tc.status, r.status, "%s: %s", tc.body, r.body)
		assert.Equal(t, tc.code, r.code(t), tc.body)
	}
	assert.Equal(t, []any{}, c.get("/v1/federation/backends").object(t)["backends"])
}

func TestBackendsMayNotShareAPattern(t *testing.T) {
	t.Parallel()
	_, c, vault, id := federated(t, nil, `"mode":"proxy"`)
	c.do("POST", "/v1/federation/backends", backendJSON(vault, `"mode":"proxy"`)).refused(t, 400, "invalid_config")
	c.do("PATCH", "/v1/federation/backends/"+id, `{"type":"azure-key-vault"}`).refused(t, 422, "validation_error")
	c.do("PATCH", "/v1/federation/backends/"+id, `{"mode":"sync"}`).refused(t, 422, "validation_error")
	c.do("PATCH", "/v1/federation/backends/"+id, `{`).refused(t, 400, "invalid_request")
}

func TestProxyReadsLive(t *testing.T) {
	t.Parallel()
	srv, c, vault, _ := federated(t, nil, `"mode":"proxy"`)
	o := c.get("/v1/secrets/" + billingDB)
	require.Equal(t, 200, o.status, o.body)
	assert.Contains(t, o.body, `"data":{"password":"not-a-real-one","big":12345678901234567890}`)
	assert.EqualValues(t, 7, o.object(t)["version"])
	assert.Equal(t, billingDB, o.object(t)["path"])
	assert.Equal(t, map[string]any{"owner": "x"}, o.object(t)["metadata"])
	assert.Equal(t, "2030-01-02T03:04:05.678Z", o.object(t)["updated_at"])
	assert.Zero(t, srv.SecretVersion(billingDB), "nothing is stored")

	vault.setV2("kv/data/apps/billing/db", 8, `{"password":"rotated"}`)
	assert.EqualValues(t, 8, c.get("/v1/secrets/" + billingDB).object(t)["version"])
	assert.Equal(t, 1, vault.logins, "the token is kept")

	c.get("/v1/secrets/external/hashicorp/apps/none").refused(t, 404, "secret_not_found")
	c.get("/v1/secrets/external/hashicorp").refused(t, 404, "secret_not_found")
	assert.Equal(t, 200, c.get("/v1/secrets/"+billingDB+"?version=7").status)
	c.get("/v1/secrets/"+billingDB+"?version=99").refused(t, 404, "version_not_found")
	assert.NotContains(t, c.get("/v1/secrets").paths(t, "secrets"), billingDB)
	_, b := c.batch(`{"paths":["` + billingDB + `","external/hashicorp/none"]}`)
	assert.EqualValues(t, 8, b.Secrets[billingDB]["version"])
	assert.Equal(t, "secret_not_found", b.Errors["external/hashicorp/none"].Code)

	r := c.put(billingDB, `{"data":{}}`)
	r.refused(t, 403, "forbidden")
	assert.Contains(t, r.body, "proxy")
	c.do("DELETE", "/v1/secrets/"+billingDB, "").refused(t, 403, "forbidden")
	assert.NotEmpty(t, c.audit("action=read&success=true&path_prefix=external/").Logs)
}

func TestProxyFailures(t *testing.T) {
	t.Parallel()
	srv, c, vault, id := federated(t, nil, `"mode":"proxy"`)
	require.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status)
	vault.set(func() { vault.denied = "kv/data/apps/billing/db" })
	c.get("/v1/secrets/"+billingDB).refused(t, 403, "access_denied")
	vault.set(func() { vault.denied = ""; vault.tokens = map[string]bool{} })
	logins := vault.logins
	assert.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status, "logs in again after a 403")
	assert.Equal(t, logins+1, vault.logins)

	for _, status := range []int{503, 500, 429, 307} {
		vault.set(func() { vault.status = status })
		c.get("/v1/secrets/"+billingDB).refused(t, 503, "service_unavailable")
	}
	vault.set(func() { vault.status = 503 })
	status := c.get("/v1/federation/backends/" + id + "/status").object(t)
	assert.Equal(t, "unhealthy", status["status"])
	assert.Equal(t, "disconnected", status["connection"].(map[string]any)["status"])
	vault.set(func() { vault.status = 0 })
	status = c.get("/v1/federation/backends/" + id + "/status").object(t)
	assert.Equal(t, "healthy", status["status"])
	assert.Equal(t, "connected", status["connection"].(map[string]any)["status"])
	assert.NotContains(t, status, "last_sync")

	vault.set(func() { vault.tokens = map[string]bool{} })
	srv.Seed("infra/hashicorp/approle", map[string]any{"role_id": "role", "secret_id": "wrong"})
	c.get("/v1/secrets/"+billingDB).refused(t, 503, "service_unavailable")
	c.do("DELETE", "/v1/secrets/infra/hashicorp/approle", "")
	r := c.get("/v1/secrets/" + billingDB)
	r.refused(t, 503, "service_unavailable")
	assert.Contains(t, r.body, "infra/hashicorp/approle")
	vault.server.Close()
	r = c.get("/v1/secrets/" + billingDB)
	r.refused(t, 503, "service_unavailable")
	assert.NotContains(t, r.body, "wrong")
}

func TestBackendThatCannotBeReachedIsUnhealthy(t *testing.T) {
	t.Parallel()
	vault := newTinyVault(t)
	vault.server.Close()
	_, c := inMemory(t, nil)
	assert.Equal(t, "unhealthy", createBackend(t, c, vault, `"mode":"proxy"`)["status"])
}

func TestProxyOfOtherTypesIsUnavailable(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, nil)
	r := c.do("POST", "/v1/federation/backends", `{"name":"aws","type":"aws-secrets-manager","config":{"region":"eu-west-1"},"path_mapping":{"aws/**":"**"},"mode":"proxy"}`)
	require.Equal(t, 201, r.status)
	assert.Equal(t, "unknown", r.object(t)["status"])
	c.get("/v1/secrets/aws/x").refused(t, 503, "service_unavailable")
	status := c.get("/v1/federation/backends/" + r.object(t)["id"].(string) + "/status").object(t)
	assert.Equal(t, "unknown", status["connection"].(map[string]any)["status"])
}

func TestProxyAuthToken(t *testing.T) {
	t.Parallel()
	vault := newTinyVault(t)
	vault.set(func() { vault.tokens["hvs.given"] = true })
	srv, c := inMemory(t, nil)
	srv.Seed("infra/token", map[string]any{"token": "hvs.given"})
	body := strings.NewReplacer(`"approle"`, `"token"`, "infra/hashicorp/approle", "infra/token").Replace(backendJSON(vault, `"mode":"proxy"`))
	r := c.do("POST", "/v1/federation/backends", body)
	assert.Equal(t, "healthy", r.object(t)["status"])
	assert.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status)
	vault.set(func() { delete(vault.tokens, "hvs.given"); vault.tokens["hvs.next"] = true })
	c.get("/v1/secrets/"+billingDB).refused(t, 403, "access_denied")
	srv.Seed("infra/token", map[string]any{"token": "hvs.next"})
	assert.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status, "the credentials are read again")
	srv.Seed("infra/token", map[string]any{"token": "hvs.wrong"})
	vault.set(func() { vault.tokens = map[string]bool{} })
	assert.Equal(t, "unhealthy", c.get("/v1/federation/backends/" + r.object(t)["id"].(string) + "/status").object(t)["status"])
}

func TestProxyKVv1AndExactPatterns(t *testing.T) {
	t.Parallel()
	vault := newTinyVault(t)
	srv, c := inMemory(t, nil)
	vault.seedCredentials(srv)
	body := strings.Replace(backendJSON(vault, `"mode":"proxy"`), `{"external/hashicorp/**":"kv/data/**"}`,
		`{"v1/**":"secret/**","v1/special/one":"kv/data/apps/billing/stripe","upper":"secret/apps/Upper.Case"}`, 1)
	require.Equal(t, 201, c.do("POST", "/v1/federation/backends", body).status)
	r := c.get("/v1/secrets/v1/apps/db")
	assert.Contains(t, r.body, `"data":{"password":"of-kv-v1"}`)
	assert.EqualValues(t, 1, r.object(t)["version"])
	assert.Nil(t, r.object(t)["created_at"], "KV v1 does not tell")
	assert.Equal(t, 200, c.get("/v1/secrets/v1/apps/db?version=1").status)
	c.get("/v1/secrets/v1/apps/db?version=2").refused(t, 404, "version_not_found")
	assert.Contains(t, c.get("/v1/secrets/v1/special/one").body, "also-not-real", "the exact pattern comes first")
	assert.Contains(t, c.get("/v1/secrets/upper").body, "cannot be here")
}

func TestProxyOverTLS(t *testing.T) {
	t.Parallel()
	vault := newTinyVault(t)
	secure := httptest.NewUnstartedServer(vault)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake that fails is meant to
	secure.StartTLS()
	defer secure.Close()
	srv, c := inMemory(t, nil)
	vault.seedCredentials(srv)
	body := strings.Replace(backendJSON(vault, `"mode":"proxy"`), vault.server.URL, secure.URL, 1)
	r := c.do("POST", "/v1/federation/backends", body)
	assert.Equal(t, "unhealthy", r.object(t)["status"], "an unknown authority")
	r = c.do("PATCH", "/v1/federation/backends/"+r.object(t)["id"].(string), `{"config":{"tls_verify":false}}`)
	assert.Equal(t, "healthy", r.object(t)["status"])
	assert.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status)
}

func TestProxyLogsInOnceForManyReaders(t *testing.T) {
	t.Parallel()
	_, c, vault, _ := federated(t, nil, `"mode":"proxy"`)
	vault.set(func() { vault.tokens = map[string]bool{} })
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			res, err := c.client.Do(c.request("GET", "/v1/secrets/"+billingDB, ""))
			if assert.NoError(t, err) {
				assert.Equal(t, 200, res.StatusCode)
				assert.NoError(t, res.Body.Close())
			}
		})
	}
	wg.Wait()
	vault.set(func() { assert.Equal(t, 2, vault.logins) })
}
