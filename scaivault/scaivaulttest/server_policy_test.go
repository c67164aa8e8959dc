// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

const readApps = `{"name":"apps","description":"d","rules":[{"path_pattern":"apps/**","permissions":["read","list"],"conditions":{"ip_ranges":["10.0.0.0/8"],"require_mfa":true,"new_one":1}}]}`

// created makes a request that creates something, and returns its id.
func (c *caller) created(path, body string) string {
	c.t.Helper()
	r := c.do("POST", path, body)
	require.Equal(c.t, 201, r.status, "body: %s", r.body)
	id, ok := r.object(c.t)["id"].(string)
	require.True(c.t, ok, r.body)
	return id
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := inMemory(t, nil)
		id := c.created("/v1/policies", readApps)
		assert.Regexp(t, "^pol_", id)
		want := `{"id":"` + id + `","name":"apps","description":"d","scope":"tenant","is_active":true,
			"rules":[{"path_pattern":"apps/**","permissions":["read","list"],"conditions":{"ip_ranges":["10.0.0.0/8"],"require_mfa":true,"new_one":1}}],
			"bindings":[],"created_at":"2000-01-01T00:00:00Z","updated_at":"2000-01-01T00:00:00Z"}`
		assert.JSONEq(t, want, c.get("/v1/policies/"+id).body)

		binding := c.created("/v1/policies/"+id+"/bindings", `{"identity_type":"service_account","identity_id":"sa:x","expires_at":"2000-01-01T02:00:00+01:00"}`)
		assert.JSONEq(t, `{"bindings":[{"id":"`+binding+`","identity_type":"service_account","identity_id":"sa:x","expires_at":"2000-01-01T01:00:00Z","created_at":"2000-01-01T00:00:00Z"}]}`,
			c.get("/v1/policies/"+id+"/bindings").body)

		time.Sleep(time.Minute)
		o := c.do("PATCH", "/v1/policies/"+id, `{"is_active":false}`).object(t)
		assert.Equal(t, false, o["is_active"])
		assert.Equal(t, "d", o["description"], "what a PATCH leaves out stays")
		assert.Equal(t, "2000-01-01T00:01:00Z", o["updated_at"])
		o = c.do("PUT", "/v1/policies/"+id, `{"name":"other","rules":[{"path_pattern":"*","permissions":["admin"]}]}`).object(t)
		assert.Equal(t, "", o["description"], "what a PUT leaves out goes")
		assert.Equal(t, true, o["is_active"])
		assert.Equal(t, "2000-01-01T00:00:00Z", o["created_at"])
		assert.Len(t, o["bindings"], 1, "a PUT keeps the bindings")

		c.do("DELETE", "/v1/policies/"+id, "").refused(t, 409, "policy_in_use")
		c.do("DELETE", "/v1/policies/"+id+"?force=perhaps", "").refused(t, 422, "validation_error")
		assert.Equal(t, 204, c.do("DELETE", "/v1/policies/"+id+"/bindings/"+binding, "").status)
		c.do("DELETE", "/v1/policies/"+id+"/bindings/"+binding, "").refused(t, 404, "binding_not_found")
		c.created("/v1/policies/"+id+"/bindings", `{"identity_type":"group","identity_id":"group:x"}`)
		assert.Equal(t, 204, c.do("DELETE", "/v1/policies/"+id+"?force=true", "").status)
		c.get("/v1/policies/"+id).refused(t, 404, "policy_not_found")
	})
}

func TestPoliciesAreListed(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, nil)
	var ids []string
	for i := range 5 {
		scope := []string{"tenant", "partner"}[i%2]
		ids = append(ids, c.created("/v1/policies", fmt.Sprintf(`{"name":"p%d","scope":%q,"rules":[{"path_pattern":"**","permissions":["read"]}]}`, i, scope)))
	}
	c.created("/v1/policies/"+ids[0]+"/bindings", `{"identity_type":"user","identity_id":"user:x"}`)
	c.do("PATCH", "/v1/policies/"+ids[2], `{"is_active":false}`)
	listed := func(query string) (names []string, cursor any) {
		o := c.get("/v1/policies?" + query).object(t)
		for _, item := range o["policies"].([]any) {
			names = append(names, item.(map[string]any)["name"].(string))
		}
		assert.Equal(t, o["cursor"] != nil, o["has_more"])
		return names, o["cursor"]
	}
	names, _ := listed("")
	assert.Equal(t, []string{"p0", "p1", "p3", "p4"}, names)
	names, _ = listed("include_inactive=true")
	assert.Len(t, names, 5)
	names, _ = listed("scope=partner")
	assert.Equal(t, []string{"p1", "p3"}, names)
	names, cursor := listed("limit=3")
	assert.Equal(t, []string{"p0", "p1", "p3"}, names)
	names, cursor = listed("limit=3&cursor=" + cursor.(string))
	assert.Equal(t, []string{"p4"}, names)
	assert.Nil(t, cursor)

	item := c.get("/v1/policies?limit=1").object(t)["policies"].([]any)[0].(map[string]any)
	for _, name := range []string{"id", "name", "is_active", "created_at", "updated_at"} {
		assert.Contains(t, item, name)
	}
	assert.EqualValues(t, 1, item["rule_count"])
	assert.EqualValues(t, 1, item["binding_count"])
	assert.NotContains(t, item, "rules")
	c.get("/v1/policies?cursor=x").refused(t, 400, "invalid_cursor")
	c.get("/v1/policies?scope=world").refused(t, 422, "validation_error")
	c.get("/v1/policies?include_inactive=x").refused(t, 422, "validation_error")
}

func TestPoliciesRefuse(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, nil)
	id := c.created("/v1/policies", readApps)
	rule := func(pattern, permissions, conditions string) string {
		return `{"name":"x","rules":[{"path_pattern":"a","permissions":["read"]},{"path_pattern":"` + pattern + `","permissions":` + permissions + `,"conditions":` + conditions + `}]}`
	}
	for _, tc := range []struct {
		body   string
		status int
		code   string
	}{
		{`{`, 400, "invalid_request"},
		{`{"rules":[{"path_pattern":"a","permissions":["read"]}]}`, 422, "validation_error"},
		{`{"name":7}`, 422, "validation_error"},
		{`{"name":"x","scope":"world","rules":[{"path_pattern":"a","permissions":["read"]}]}`, 422, "validation_error"},
		{`{"name":"x"}`, 400, "invalid_policy"},
		{`{"name":"x","rules":[]}`, 400, "invalid_policy"},
		{rule("a", `[]`, `{}`), 400, "invalid_policy"},
		{rule("a", `["everything"]`, `{}`), 400, "invalid_policy"},
		{rule("a", `["read"]`, `{"ip_ranges":["ten"]}`), 400, "invalid_policy"},
		{rule("a", `["read"]`, `{"require_mfa":"no"}`), 400, "invalid_policy"},
		{rule("", `["read"]`, `{}`), 400, "invalid_glob"},
		{rule("/a", `["read"]`, `{}`), 400, "invalid_glob"},
		{rule("a/", `["read"]`, `{}`), 400, "invalid_glob"},
		{rule("a//b", `["read"]`, `{}`), 400, "invalid_glob"},
		{rule("a/b**", `["read"]`, `{}`), 400, "invalid_glob"},
		{rule("a/***", `["read"]`, `{}`), 400, "invalid_glob"},
		{rule("A/*", `["read"]`, `{}`), 400, "invalid_glob"},
		{rule(strings.Repeat("a", 513), `["read"]`, `{}`), 400, "invalid_glob"},
	} {
		c.do("POST", "/v1/policies", tc.body).refused(t, tc.status, tc.code)
		c.do("PUT", "/v1/policies/"+id, tc.body).refused(t, tc.status, tc.code)
	}
	c.do("PATCH", "/v1/policies/"+id, `{"rules":[]}`).refused(t, 400, "invalid_policy")
	c.do("PUT", "/v1/policies/pol_none", readApps).refused(t, 404, "policy_not_found")
	c.do("DELETE", "/v1/policies/pol_none", "").refused(t, 404, "policy_not_found")
	c.get("/v1/policies/pol_none/bindings").refused(t, 404, "policy_not_found")
	c.do("DELETE", "/v1/policies/pol_none/bindings/bnd_none", "").refused(t, 404, "policy_not_found")
	for _, body := range []string{`{"identity_type":"robot","identity_id":"x"}`, `{"identity_type":"user"}`, `{"identity_type":"user","identity_id":"x","expires_at":"2000-01-01T00:00:00Z"}`} {
		c.do("POST", "/v1/policies/"+id+"/bindings", body).refused(t, 422, "validation_error")
	}
	c.do("POST", "/v1/policies/pol_none/bindings", `{"identity_type":"user","identity_id":"x"}`).refused(t, 404, "policy_not_found")
	assert.Equal(t, "apps", c.get("/v1/policies/" + id).object(t)["name"], "what was refused was not done")
	for _, path := range []string{"/v1/policies/", "/v1/policies/x/", "/v1/policies/x/nothing", "/v1/policies/x/bindings/", "/v1/policies/x/bindings/y/z"} {
		c.get(path).refused(t, 404, "not_found")
	}
}

func TestPolicyTest(t *testing.T) {
	t.Parallel()
	for pattern, paths := range map[string]map[string]bool{
		"apps/**":   {"apps/db": true, "apps/x/db": true, "apps": true, "appsx/db": false, "x/apps/db": false},
		"apps/*":    {"apps/db": true, "apps/x/db": false, "apps": false},
		"apps/d?":   {"apps/db": true, "apps/dbx": false, "apps/d": false},
		"**/db":     {"db": true, "apps/db": true, "apps/x/db": true, "apps/dbx": false},
		"a/**/b/*":  {"a/b/c": true, "a/x/y/b/c": true, "a/x/b": false},
		"exact/one": {"exact/one": true, "exact/one/more": false},
	} {
		_, c := inMemory(t, nil)
		id := c.created("/v1/policies", `{"name":"x","rules":[{"path_pattern":"`+pattern+`","permissions":["read"]}]}`)
		c.created("/v1/policies/"+id+"/bindings", `{"identity_type":"user","identity_id":"user:x"}`)
		for path, want := range paths {
			o := c.do("POST", "/v1/policies/test", `{"identity_id":"user:x","path":"`+path+`","permission":"read"}`).object(t)
			assert.Equal(t, want, o["allowed"], "%s on %s", pattern, path)
		}
	}
}

func TestPolicyTestTellsWhatItEvaluated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		const question = `{"identity_id":"sa:x","path":"apps/db","permission":"delete"}`
		test := func() map[string]any { return c.do("POST", "/v1/policies/test", question).object(t) }
		assert.Equal(t, map[string]any{"allowed": false, "evaluated": []any{}}, test(), "nothing is bound")

		reading := c.created("/v1/policies", readApps)
		c.created("/v1/policies/"+reading+"/bindings", `{"identity_type":"service_account","identity_id":"sa:x"}`)
		all := c.created("/v1/policies", `{"name":"all","rules":[{"path_pattern":"none","permissions":["admin"]},{"path_pattern":"**","permissions":["admin"]}]}`)
		c.created("/v1/policies/"+all+"/bindings", `{"identity_type":"service_account","identity_id":"sa:x","expires_at":"2000-01-01T01:00:00Z"}`)
		assert.Equal(t, map[string]any{"allowed": true, "evaluated": []any{
			map[string]any{"policy_id": reading, "policy_name": "apps", "allowed": false, "matched_rule": nil},
			map[string]any{"policy_id": all, "policy_name": "all", "allowed": true, "matched_rule": map[string]any{"path_pattern": "**", "permissions": []any{"admin"}}},
		}}, test(), "admin is every permission")

		srv.Deny("sa:x", "apps/**")
		assert.Equal(t, false, test()["allowed"], "Deny is stronger")
		srv.Allow("sa:x", "apps/**")
		c.do("PATCH", "/v1/policies/"+all, `{"is_active":false}`)
		assert.Equal(t, false, test()["allowed"], "an inactive policy")
		c.do("PATCH", "/v1/policies/"+all, `{"is_active":true}`)
		time.Sleep(time.Hour)
		assert.Equal(t, false, test()["allowed"], "a binding that has expired")

		c.do("POST", "/v1/policies/test", `{"path":"a","permission":"read"}`).refused(t, 422, "validation_error")
		c.do("POST", "/v1/policies/test", `{"identity_id":"x","path":"a","permission":"look"}`).refused(t, 422, "validation_error")
		c.do("POST", "/v1/policies/test", `{"identity_id":"x","path":"A","permission":"read"}`).refused(t, 400, "invalid_path")
	})
}

func TestPoliciesPassTheGates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := scaivaulttest.NewServer(t)
		c := as(t, srv, srv.IssueToken("sa:tests"))
		r := c.do("POST", "/v1/policies", readApps)
		assert.Equal(t, "50", r.header.Get("X-RateLimit-Limit"))
		id := r.object(t)["id"].(string)
		r = c.do("POST", "/v1/policies/test", `{"identity_id":"x","path":"a","permission":"read"}`)
		assert.Equal(t, "200", r.header.Get("X-RateLimit-Limit"))
		for range 49 {
			c.get("/v1/policies")
		}
		c.get("/v1/policies/"+id).refused(t, 429, "rate_limited")

		reader := as(t, srv, srv.IssueToken("sa:reader", "policies:read"))
		assert.Equal(t, 200, reader.get("/v1/policies/"+id).status)
		reader.do("PATCH", "/v1/policies/"+id, `{}`).refused(t, 403, "insufficient_scope")
		reader.do("POST", "/v1/policies/"+id+"/bindings", `{}`).refused(t, 403, "insufficient_scope")
		nobody := as(t, srv, srv.IssueToken("sa:nobody", "secrets:read"))
		nobody.get("/v1/policies").refused(t, 403, "insufficient_scope")
		nobody.do("POST", "/v1/policies/test", `{}`).refused(t, 403, "insufficient_scope")
		as(t, srv, "").get("/v1/policies").refused(t, 401, "authentication_required")

		e := c.audit("action=policy_create").Logs[0]
		assert.Equal(t, "sa:tests", e.IdentityID)
		assert.True(t, e.Success)
		assert.Equal(t, map[string]any{"policy_id": id}, e.ExtraData)
		assert.Empty(t, e.SecretPath)
		assert.False(t, c.audit("action=policy_update").Logs[0].Success)
	})
}

func TestPolicyBindingsAreTakenAwayOneByOne(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, nil)
	id := c.created("/v1/policies", readApps)
	first := c.created("/v1/policies/"+id+"/bindings", `{"identity_type":"user","identity_id":"first"}`)
	second := c.created("/v1/policies/"+id+"/bindings", `{"identity_type":"user","identity_id":"second"}`)
	c.do("DELETE", "/v1/policies/"+id+"/bindings/"+second, "")
	left := c.get("/v1/policies/" + id + "/bindings").body
	assert.Contains(t, left, first)
	assert.NotContains(t, left, second)
	page := c.get("/v1/policies?limit=1").object(t)
	assert.Equal(t, false, page["has_more"], "the page holds all that there is")
	assert.Nil(t, page["cursor"])
}
