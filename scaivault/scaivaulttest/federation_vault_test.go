// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// onVault makes a request to a Vault and returns the answer's object.
func onVault(t *testing.T, v *scaivaulttest.Vault, method, path, body string) map[string]any {
	t.Helper()
	c := &caller{t: t, client: &http.Client{Transport: v.RoundTripper()}, base: "https://vault.internal:8200"}
	req := c.request(method, "/v1/"+path, body)
	req.Header.Set("X-Vault-Token", v.RootToken())
	r := c.send(req)
	require.Less(t, r.status, 300, "%s %s: %s", method, path, r.body)
	if r.body == "" {
		return nil
	}
	return r.object(t)
}

// guided returns both servers after the setup of the migration guide, steps 2 to 4.
func guided(t *testing.T) (*scaivaulttest.Server, *caller, *scaivaulttest.Vault, string) {
	t.Helper()
	vault := scaivaulttest.NewVault(t)
	vault.Mount("kv", 2)
	vault.Seed("kv/data/apps/billing/db", map[string]any{"password": "not-a-real-one"})
	onVault(t, vault, "POST", "sys/auth/approle", `{"type":"approle"}`)
	onVault(t, vault, "PUT", "sys/policies/acl/scaivault-reader", `{"policy":"path \"kv/data/*\" { capabilities = [\"read\", \"list\"] }\npath \"kv/metadata/*\" { capabilities = [\"read\", \"list\"] }"}`)
	onVault(t, vault, "POST", "auth/approle/role/scaivault-federation", `{"token_policies":"scaivault-reader","token_ttl":"1h","token_max_ttl":"24h"}`)
	roleID := onVault(t, vault, "GET", "auth/approle/role/scaivault-federation/role-id", "")["data"].(map[string]any)["role_id"].(string)
	secretID := onVault(t, vault, "PUT", "auth/approle/role/scaivault-federation/secret-id", "")["data"].(map[string]any)["secret_id"].(string)

	srv, c := inMemory(t, &scaivaulttest.ServerOptions{NoLimits: true, BackendTransport: vault.RoundTripper()})
	require.Equal(t, 200, c.put("infra/hashicorp/approle", `{"data":{"role_id":"`+roleID+`","secret_id":"`+secretID+`"},"secret_type":"json"}`).status)
	r := c.do("POST", "/v1/federation/backends", `{"name":"hashicorp-production","type":"hashicorp-vault",
		"config":{"endpoint":"https://vault.internal:8200","auth_method":"approle","auth_config_path":"infra/hashicorp/approle","tls_verify":true},
		"path_mapping":{"external/hashicorp/**":"kv/data/**"},"mode":"proxy"}`)
	require.Equal(t, 201, r.status, r.body)
	require.Equal(t, "healthy", r.object(t)["status"])
	return srv, c, vault, r.object(t)["id"].(string)
}

func TestGuideWithTheSmallVault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c, vault, id := guided(t)
		r := c.get("/v1/secrets/" + billingDB)
		require.Equal(t, 200, r.status, r.body)
		assert.Contains(t, r.body, `"password":"not-a-real-one"`)
		assert.EqualValues(t, 1, r.object(t)["version"])

		time.Sleep(2 * time.Hour) // the token's time to live is one
		assert.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status, "logs in again")

		vault.Seal()
		c.get("/v1/secrets/"+billingDB).refused(t, 503, "service_unavailable")
		vault.Unseal()
		vault.SetDown(true)
		c.get("/v1/secrets/"+billingDB).refused(t, 503, "service_unavailable")
		vault.SetDown(false)
		assert.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status)

		r = c.do("PATCH", "/v1/federation/backends/"+id, `{"mode":"sync","sync_interval":"1h","conflict_resolution":"local_wins"}`)
		require.Equal(t, "healthy", r.object(t)["status"])
		data, ok := srv.Value(billingDB)
		require.True(t, ok)
		assert.JSONEq(t, `{"password":"not-a-real-one"}`, string(data))
		vault.SetDown(true)
		assert.Equal(t, 200, c.get("/v1/secrets/"+billingDB).status, "independent of Vault now")
	})
}

func TestProxyToAVaultThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c, vault, _ := guided(t)
		vault.Inject(scaivaulttest.Fault{Path: "/v1/kv/**", Hang: true})
		began := time.Now()
		c.get("/v1/secrets/"+billingDB).refused(t, 503, "service_unavailable")
		assert.Equal(t, 10*time.Second, time.Since(began), "the documented BackendTimeout")

		began = time.Now()
		_, b := c.batch(`{"paths":["` + billingDB + `","external/hashicorp/one","external/hashicorp/two"]}`)
		assert.Len(t, b.Errors, 3)
		assert.Equal(t, 10*time.Second, time.Since(began), "for the batch as a whole")
	})
}

func TestProxyIsNotUnhealthyBecauseACallerLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c, vault, id := guided(t)
		remove := vault.Inject(scaivaulttest.Fault{Path: "/v1/kv/**", Hang: true})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := c.client.Do(c.request("GET", "/v1/secrets/"+billingDB, "").WithContext(ctx))
		require.ErrorIs(t, err, context.Canceled)
		synctest.Wait()
		remove()
		assert.Equal(t, "healthy", c.get("/v1/federation/backends/" + id).object(t)["status"])
	})
}
