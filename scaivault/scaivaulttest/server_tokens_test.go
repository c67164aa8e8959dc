// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, &scaivaulttest.ServerOptions{TokenTTL: time.Hour})
		assert.True(t, strings.HasPrefix(c.token, "skt_"))
		assert.Equal(t, 200, c.get("/v1/auth/whoami").status)

		r := as(t, srv, "").get("/v1/auth/whoami")
		r.refused(t, 401, "authentication_required")
		assert.Equal(t, "Bearer", r.header.Get("WWW-Authenticate"))
		as(t, srv, "skt_unknown").get("/v1/auth/whoami").refused(t, 401, "token_invalid")
		for _, header := range []string{"Basic eDp5", "Bearer", "Bearer ", c.token} {
			req := c.request("GET", "/v1/auth/whoami", "")
			req.Header.Set("Authorization", header)
			c.send(req).refused(t, 401, "authentication_required")
		}

		revoked := as(t, srv, srv.IssueToken("sa:a"))
		srv.RevokeToken(revoked.token)
		revoked.get("/v1/auth/whoami").refused(t, 401, "token_revoked")
		expired := as(t, srv, srv.IssueToken("sa:a"))
		srv.ExpireToken(expired.token)
		expired.get("/v1/auth/whoami").refused(t, 401, "token_expired")
		srv.RevokeToken("nobody's")

		time.Sleep(time.Hour)
		c.get("/v1/auth/whoami").refused(t, 401, "token_expired")
	})
}

func TestScopes(t *testing.T) {
	t.Parallel()
	srv, _ := inMemory(t, nil)
	srv.Seed("a", map[string]any{})
	none := as(t, srv, srv.IssueToken("sa:none", "pki:issue"))
	for scope, request := range map[string][3]string{
		"secrets:read":     {"GET", "/v1/secrets/a", ""},
		"secrets:write":    {"PUT", "/v1/secrets/a", `{"data":{}}`},
		"secrets:delete":   {"DELETE", "/v1/secrets/a", ""},
		"secrets:list":     {"GET", "/v1/secrets", ""},
		"audit:read":       {"GET", "/v1/audit/logs", ""},
		"federation:read":  {"GET", "/v1/federation/backends", ""},
		"federation:write": {"DELETE", "/v1/federation/backends/fed_x", ""},
		"admin":            {"GET", "/v1/health/detailed", ""},
	} {
		r := none.do(request[0], request[1], request[2])
		r.refused(t, 403, "insufficient_scope")
		assert.Contains(t, r.body, `"required_scope":"`+scope+`"`)
		allowed := as(t, srv, srv.IssueToken("sa:one", scope))
		r = allowed.do(request[0], request[1], request[2])
		assert.NotEqual(t, 403, r.status, "%s: %s", scope, r.body)
	}
	none.do("POST", "/v1/secrets/batch", `{"paths":["a"]}`).refused(t, 403, "insufficient_scope")
}

func TestWhoami(t *testing.T) {
	t.Parallel()
	srv, _ := inMemory(t, &scaivaulttest.ServerOptions{TenantID: "tnt_9", PartnerID: "ptn_9"})
	for id, kind := range map[string]string{"sa:billing-prod": "service_account", "user:ops": "user", "group:x": "group", "someone": "user"} {
		o := as(t, srv, srv.IssueToken(id, "secrets:read")).get("/v1/auth/whoami").object(t)
		assert.Equal(t, id, o["identity_id"])
		assert.Equal(t, kind, o["identity_type"])
		assert.Equal(t, "tnt_9", o["tenant_id"])
		assert.Equal(t, "ptn_9", o["partner_id"])
		assert.Equal(t, []any{"secrets:read"}, o["scopes"])
		assert.NotEmpty(t, o["token_expires_at"])
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	srv.Seed("a", map[string]any{})
	assert.Equal(t, 200, c.get("/v1/t/tnt_test/secrets/a").status)
	c.get("/v1/t/tnt_other/secrets/a").refused(t, 404, "tenant_not_found")
	for tenant, status := range map[string]int{"tnt_test": 200, "tnt_other": 404} {
		req := c.request("GET", "/v1/secrets/a", "")
		req.Header.Set("X-Tenant-ID", tenant)
		assert.Equal(t, status, c.send(req).status)
	}
}

func TestDeny(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	srv.Seed("a/b", map[string]any{})
	srv.Deny("sa:tests", "a/*")
	c.get("/v1/secrets/a/b").refused(t, 403, "access_denied")
	c.get("/v1/secrets/a/missing").refused(t, 403, "access_denied")
	c.put("a/b", `{"data":{}}`).refused(t, 403, "access_denied")
	c.do("DELETE", "/v1/secrets/a/b", "").refused(t, 403, "access_denied")
	c.get("/v1/secrets/a/b/metadata").refused(t, 403, "access_denied")
	other := as(t, srv, srv.IssueToken("sa:other"))
	assert.Equal(t, 200, other.get("/v1/secrets/a/b").status)
	srv.Deny("*", "a/b")
	other.get("/v1/secrets/a/b").refused(t, 403, "access_denied")
	srv.Allow("*", "a/b")
	srv.Allow("sa:tests", "a/*")
	assert.Equal(t, 200, c.get("/v1/secrets/a/b").status)
}
