// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestPartnerSecretsAreTheirOwnNamespace(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"/v1/", "/v1/t/tnt_test/"} {
		srv, reader := inMemory(t, nil)
		admin := as(t, srv, srv.IssueToken("user:admin", scaivaulttest.ScopePartnerAdmin, "secrets:read", "secrets:write", "secrets:delete", "secrets:list"))
		srv.Seed("a/b", map[string]any{"of": "tenant"})
		secrets := prefix + "partner/secrets"
		require.Equal(t, 200, admin.do("PUT", secrets+"/a/b", `{"data":{"of":"partner"}}`).status)
		admin.do("PUT", secrets+"/a/c", `{"data":{}}`)
		admin.do("PUT", secrets+"/a/b", `{"data":{"of":"partner, again"}}`)

		assert.Contains(t, reader.get(secrets+"/a/b").body, `"of":"partner, again"`)
		assert.Contains(t, reader.get(secrets+"/a/b?version=1").body, `"of":"partner"`)
		assert.Contains(t, reader.get("/v1/secrets/a/b").body, `"of":"tenant"`)
		reader.get("/v1/secrets/a/c").refused(t, 404, "secret_not_found")
		assert.Equal(t, []string{"a/b", "a/c"}, reader.get(secrets+"?prefix=a").paths(t, "secrets"))
		assert.Equal(t, []string{"a/b"}, reader.get("/v1/secrets").paths(t, "secrets"))
		assert.EqualValues(t, 2, reader.get(secrets + "/a/b/versions").object(t)["current_version"])
		assert.EqualValues(t, 2, reader.get(secrets + "/a/b/metadata").object(t)["version_count"])
		assert.Contains(t, reader.do("POST", secrets+"/batch", `{"paths":["a/b"]}`).body, "partner, again")
		assert.Contains(t, reader.do("POST", secrets+"/batch/metadata", `{"paths":["a/*"],"expand_wildcards":true}`).body, "a/c")

		assert.Equal(t, 200, admin.do("PATCH", secrets+"/a/b/metadata", `{"metadata":{"k":"v"}}`).status)
		assert.Equal(t, 200, admin.do("DELETE", secrets+"/a/b", "").status)
		reader.get(secrets+"/a/b").refused(t, 404, "secret_not_found")
		assert.Equal(t, 200, admin.do("POST", secrets+"/a/b/restore", "").status)
		assert.Contains(t, reader.get(secrets+"/a/b/metadata").body, `"metadata":{"k":"v"}`)
		assert.Equal(t, 1, srv.SecretVersion("a/b"), "of the tenant's own")
	}
}

func TestPartnerSecretsPassTheGates(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	admin := as(t, srv, srv.IssueToken("user:admin", scaivaulttest.ScopePartnerAdmin, "secrets:write"))
	const path = "/v1/partner/secrets/a/b"
	admin.do("PUT", path, `{"data":{}}`)
	for _, request := range [][3]string{
		{"PUT", path, `{"data":{"mine":true}}`},
		{"DELETE", path, ""},
		{"PATCH", path + "/metadata", `{"metadata":{}}`},
		{"POST", path + "/restore", ""},
	} {
		c.do(request[0], request[1], request[2]).refused(t, 403, "access_denied")
	}
	assert.NotContains(t, c.get(path).body, "mine")
	admin.get(path).refused(t, 403, "insufficient_scope")
	as(t, srv, srv.IssueToken("user:admin", scaivaulttest.ScopePartnerAdmin)).do("PUT", path, `{"data":{}}`).refused(t, 403, "insufficient_scope")
	as(t, srv, "").get(path).refused(t, 401, "authentication_required")
	c.get("/v1/partner/secrets/UPPER").refused(t, 400, "invalid_path")
	for _, path := range []string{"/v1/partner", "/v1/partner/", "/v1/partner/secretsx", "/v1/partner/policies", "/v1/partner/partner/secrets"} {
		c.get(path).refused(t, 404, "not_found")
	}
	e := c.audit("action=write&success=false").Logs[0]
	assert.Equal(t, map[string]any{"partner": true}, e.ExtraData)
	assert.Equal(t, "a/b", e.SecretPath)
	srv.Deny("sa:tests", "a/**")
	c.get(path).refused(t, 403, "access_denied")

	id := c.subscribe("")
	srv.Allow("sa:tests", "a/**")
	admin.do("PUT", path, `{"data":{}}`)
	events, _ := c.poll(id, "timeout=0")
	assert.Empty(t, events, "nobody is told of them")
}

func TestTenantPrefixReachesEveryResource(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	srv.Seed("a", nil)
	srv.TrustToken("foreign", "sa:x")
	policy := c.created("/v1/policies", readApps)
	subscription := c.subscribe("")
	backend := c.created("/v1/federation/backends", `{"name":"x","type":"aws-secrets-manager","config":{},"path_mapping":{"x/**":"y/**"},"mode":"proxy"}`)
	for _, request := range [][3]string{
		{"GET", "secrets", ""},
		{"GET", "secrets/a", ""},
		{"PUT", "secrets/a", `{"data":{}}`},
		{"GET", "secrets/a/versions", ""},
		{"GET", "secrets/a/metadata", ""},
		{"PATCH", "secrets/a/metadata", `{"metadata":{}}`},
		{"POST", "secrets/a/restore", ""},
		{"POST", "secrets/batch", `{"paths":["a"]}`},
		{"POST", "secrets/batch/metadata", `{"paths":["a"]}`},
		{"DELETE", "secrets/a", ""},
		{"GET", "partner/secrets", ""},
		{"GET", "auth/whoami", ""},
		{"POST", "auth/exchange", `{"token":"foreign"}`},
		{"GET", "audit/logs", ""},
		{"GET", "policies", ""},
		{"GET", "policies/" + policy, ""},
		{"GET", "policies/" + policy + "/bindings", ""},
		{"POST", "policies/test", `{"identity_id":"x","path":"a","permission":"read"}`},
		{"GET", "subscriptions", ""},
		{"GET", "subscriptions/" + subscription, ""},
		{"GET", "subscriptions/" + subscription + "/poll?timeout=0", ""},
		{"POST", "subscriptions/" + subscription + "/ack", `{"event_ids":[]}`},
		{"GET", "federation/backends", ""},
		{"GET", "federation/backends/" + backend, ""},
		{"GET", "federation/backends/" + backend + "/status", ""},
		{"GET", "federation/backends/" + backend + "/conflicts", ""},
		{"GET", "health/detailed", ""},
		{"GET", "version", ""},
	} {
		r := c.do(request[0], "/v1/t/tnt_test/"+request[1], request[2])
		assert.Equal(t, 200, r.status, "%s %s: %s", request[0], request[1], r.body)
		if request[1] != "version" && request[1] != "auth/exchange" { // which need no token, and so have no tenant
			c.do(request[0], "/v1/t/tnt_other/"+request[1], request[2]).refused(t, 404, "tenant_not_found")
		}
	}
}

func TestTenantBoth(t *testing.T) {
	t.Parallel()
	for quirk, status := range map[scaivaulttest.TenantBoth]int{scaivaulttest.TenantBothAccepted: 200, scaivaulttest.TenantBothRefused: 400} {
		_, c := quirky(t, scaivaulttest.Quirks{TenantBoth: quirk})
		both := c.request("GET", "/v1/t/tnt_test/secrets/a", "")
		both.Header.Set("X-Tenant-ID", "tnt_test")
		assert.Equal(t, status, c.send(both).status)
		header := c.request("GET", "/v1/secrets/a", "")
		header.Header.Set("X-Tenant-ID", "tnt_test")
		assert.Equal(t, 200, c.send(header).status)
		assert.Equal(t, 200, c.get("/v1/t/tnt_test/secrets/a").status)
	}
	_, c := quirky(t, scaivaulttest.Quirks{})
	both := c.request("GET", "/v1/t/tnt_test/secrets/a", "")
	both.Header.Set("X-Tenant-ID", "tnt_other")
	c.send(both).refused(t, 404, "tenant_not_found")
}
