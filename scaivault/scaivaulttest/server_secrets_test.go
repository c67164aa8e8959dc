// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestPutAndGet(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	r := c.put("environments/production/billing/db", `{"data":{"password":"not-a-real-one"},"secret_type":"json",
		"metadata":{"tags":["x"],"owner":"team:a"},"options":{"max_versions":2,"expires_in":"30d","rotation_policy_id":"rot_1"}}`)
	require.Equal(t, 200, r.status, r.body)
	assert.NotContains(t, r.body, "not-a-real-one")

	o := c.get("/v1/secrets/environments/production/billing/db").object(t)
	assert.Equal(t, "environments/production/billing/db", o["path"])
	assert.Equal(t, "json", o["secret_type"])
	assert.EqualValues(t, 1, o["version"])
	assert.Equal(t, map[string]any{"password": "not-a-real-one"}, o["data"])
	assert.Equal(t, map[string]any{"tags": []any{"x"}, "owner": "team:a"}, o["metadata"])
	assert.Equal(t, "rot_1", o["rotation_policy_id"])
	for _, name := range []string{"created_at", "updated_at", "expires_at"} {
		at, err := time.Parse(time.RFC3339, o[name].(string))
		require.NoError(t, err)
		assert.True(t, strings.HasSuffix(o[name].(string), "Z"))
		assert.WithinDuration(t, time.Now(), at, 31*24*time.Hour)
	}
	assert.Equal(t, 1, srv.SecretVersion("environments/production/billing/db"))
}

func TestVersions(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	for i := 1; i <= 4; i++ {
		c.put("a/b", fmt.Sprintf(`{"data":{"n":%d},"options":{"max_versions":2}}`, i))
	}
	assert.Equal(t, 4, srv.SecretVersion("a/b"))
	assert.Contains(t, c.get("/v1/secrets/a/b?version=3").body, `"data":{"n":3}`)
	c.get("/v1/secrets/a/b?version=2").refused(t, 404, "version_not_found")
	c.get("/v1/secrets/a/b?version=5").refused(t, 404, "version_not_found")
	c.get("/v1/secrets/a/b?version=0").refused(t, 422, "validation_error")
	c.get("/v1/secrets/a/b?version=x").refused(t, 422, "validation_error")

	o := c.get("/v1/secrets/a/b/versions").object(t)
	assert.EqualValues(t, 4, o["current_version"])
	require.Len(t, o["versions"], 2)
	assert.EqualValues(t, 4, o["versions"].([]any)[0].(map[string]any)["version"])

	r := c.get("/v1/secrets/a/b/metadata")
	assert.EqualValues(t, 4, r.object(t)["version"])
	assert.NotContains(t, r.body, `"data"`)
	c.get("/v1/secrets/a/c/metadata").refused(t, 404, "secret_not_found")
	c.get("/v1/secrets/a/c/versions").refused(t, 404, "secret_not_found")

	srv.Seed("a/b/metadata", map[string]any{"k": "literal"})
	assert.Contains(t, c.get("/v1/secrets/a/b/metadata").body, "literal", "a secret of that very path comes first")

	lister := as(t, srv, srv.IssueToken("sa:lister", "secrets:list"))
	assert.Equal(t, 200, lister.get("/v1/secrets/a/b/versions").status)
	lister.get("/v1/secrets/a/c/metadata").refused(t, 404, "secret_not_found")
	lister.get("/v1/secrets/a/b").refused(t, 403, "insufficient_scope")
}

func TestDataStayByteForByte(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	for _, data := range []string{
		`{}`,
		`{ "big" : 123456789012345678901234567890, "f":1.10e-400 ,"z":-0}`,
		`{"html":"<a href=\"x\">&\u2028é\u00e9","null":null,"b":{"a":[1,{}],"a2":true},"":""}`,
		"{\n\t\"k\":\"v\"\n}",
	} {
		require.Equal(t, 200, c.put("exact", `{"data":`+data+`}`).status)
		got, ok := srv.Value("exact")
		require.True(t, ok)
		assert.Equal(t, data, string(got))
		assert.Contains(t, c.get("/v1/secrets/exact").body, `"data":`+data+`,`)
		assert.Contains(t, c.do("POST", "/v1/secrets/batch", `{"paths":["exact"]}`).body, `"data":`+data+`,`)
	}
	srv.Seed("seeded", map[string]any{"k": "<&>"})
	got, _ := srv.Value("seeded")
	assert.Equal(t, `{"k":"<&>"}`, string(got))
}

func TestPutRefuses(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, &scaivaulttest.ServerOptions{NoLimits: true, MaxBodyBytes: 1000})
	for _, tc := range []struct {
		body   string
		status int
		code   string
	}{
		{``, 400, "invalid_request"},
		{`{`, 400, "invalid_request"},
		{`[]`, 400, "invalid_request"},
		{`{"data":{}} x`, 400, "invalid_request"},
		{"{\"data\":{\"k\":\"\xff\"}}", 400, "invalid_request"},
		{`null`, 422, "validation_error"},
		{`{}`, 422, "validation_error"},
		{`{"data":null}`, 422, "validation_error"},
		{`{"data":[1]}`, 422, "validation_error"},
		{`{"data":"text"}`, 422, "validation_error"},
		{`{"data":{},"metadata":[]}`, 422, "validation_error"},
		{`{"data":{},"secret_type":7}`, 422, "validation_error"},
		{`{"data":{},"secret_type":"password"}`, 400, "invalid_secret_type"},
		{`{"data":{},"options":{"max_versions":0}}`, 422, "validation_error"},
		{`{"data":{},"options":{"max_versions":1.5}}`, 422, "validation_error"},
		{`{"data":{},"options":{"expires_in":"soon"}}`, 400, "invalid_duration"},
		{`{"data":{},"options":{"expires_in":""}}`, 400, "invalid_duration"},
		{`{"data":{},"options":{"expires_in":"d"}}`, 400, "invalid_duration"},
		{`{"data":{},"options":{"expires_in":"2147483647d"}}`, 400, "invalid_duration"},
		{`{"data":{"k":"` + strings.Repeat("x", 1000) + `"}}`, 413, "payload_too_large"},
	} {
		r := c.put("a/b", tc.body)
		require.Equal(t, tc.status, r.status, "%s: %s", tc.body, r.body)
		assert.Equal(t, tc.code, r.code(t), tc.body)
	}
	fields := c.put("a/b", `{}`).object(t)["error"].(map[string]any)["details"].(map[string]any)["fields"]
	assert.Equal(t, "data", fields.([]any)[0].(map[string]any)["field"])
	c.get("/v1/secrets/a/b").refused(t, 404, "secret_not_found")
}

func TestPathRules(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, nil)
	level := strings.Repeat("a/", 9)
	for _, path := range []string{"a", "a-b_c/0", level + "a", strings.Repeat("a", 512)} {
		assert.Equal(t, 200, c.put(path, `{"data":{}}`).status, path)
		assert.Equal(t, 200, c.get("/v1/secrets/"+path).status, path)
	}
	for _, path := range []string{"A", "a.b", "a//b", "a/", "/a", "a%20b", "a/../b", "%C3%A9", level + "a/a", strings.Repeat("a", 513), "a%00"} {
		c.put(path, `{"data":{}}`).refused(t, 400, "invalid_path")
		c.get("/v1/secrets/"+path).refused(t, 400, "invalid_path")
		c.do("DELETE", "/v1/secrets/"+path, "").refused(t, 400, "invalid_path")
	}
	assert.Equal(t, 200, c.get("/v1/secrets/%61").status, "an escape of an allowed character")
}

func TestDelete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		srv.Seed("a/b", map[string]any{"k": "v"})
		o := c.do("DELETE", "/v1/secrets/a/b", "").object(t)
		assert.Equal(t, false, o["permanent"])
		assert.Equal(t, time.Now().Add(30*24*time.Hour).UTC().Format(time.RFC3339Nano), o["recoverable_until"])

		c.get("/v1/secrets/a/b").refused(t, 404, "secret_not_found")
		c.get("/v1/secrets/a/b?version=1").refused(t, 404, "secret_not_found")
		c.do("DELETE", "/v1/secrets/a/b", "").refused(t, 404, "secret_not_found")
		c.put("a/b", `{"data":{}}`).refused(t, 409, "secret_exists")
		assert.Zero(t, srv.SecretVersion("a/b"))
		_, ok := srv.Value("a/b")
		assert.False(t, ok)
		assert.Empty(t, c.get("/v1/secrets").paths(t, "secrets"))

		o = c.do("DELETE", "/v1/secrets/a/b?permanent=true", "").object(t)
		assert.Equal(t, true, o["permanent"])
		assert.NotContains(t, o, "recoverable_until")
		c.do("DELETE", "/v1/secrets/a/b?permanent=true", "").refused(t, 404, "secret_not_found")
		assert.Equal(t, 200, c.put("a/b", `{"data":{}}`).status)
		assert.Equal(t, 1, srv.SecretVersion("a/b"), "a new secret")
		c.do("DELETE", "/v1/secrets/a/b?permanent=perhaps", "").refused(t, 422, "validation_error")

		c.do("DELETE", "/v1/secrets/a/b", "")
		time.Sleep(31 * 24 * time.Hour)
		c.do("DELETE", "/v1/secrets/a/b?permanent=true", "").refused(t, 404, "secret_not_found")
		srv.Seed("a/b", map[string]any{})
		c.do("DELETE", "/v1/secrets/a/b", "")
		time.Sleep(31 * 24 * time.Hour)
		assert.Equal(t, 200, c.put("a/b", `{"data":{}}`).status, "the retention has ended")

		c.do("DELETE", "/v1/secrets/a/b", "")
		assert.Equal(t, 2, srv.Seed("a/b", map[string]any{}), "Seed revives")
	})
}

func TestMethodsAndRoutes(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, nil)
	r := c.do("PATCH", "/v1/secrets/a/b", "{}")
	r.refused(t, 405, "method_not_allowed")
	assert.Equal(t, "DELETE, GET, PUT", r.header.Get("Allow"))
	for _, path := range []string{"/", "/v1", "/v1/", "/v2/secrets", "/v1/nothing", "/v1/federation/backends/", "/v1/federation/backends/x/y", "/v1/t/", "/v1/t/tnt_test"} {
		c.get(path).refused(t, 404, "not_found")
	}
	assert.Equal(t, 200, c.put("batch", `{"data":{}}`).status, "a secret may be called batch")
	assert.Equal(t, 200, c.get("/v1/secrets/batch").status)
}

func TestSystemEndpoints(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, &scaivaulttest.ServerOptions{Version: "9.8.7"})
	anonymous := as(t, srv, "")
	assert.Equal(t, "healthy", anonymous.get("/v1/health").object(t)["status"])
	assert.Equal(t, "9.8.7", anonymous.get("/v1/version").object(t)["version"])
	assert.Equal(t, "ready", anonymous.get("/v1/health/ready").object(t)["status"])
	srv.SetReady(false)
	r := anonymous.get("/v1/health/ready")
	assert.Equal(t, http.StatusServiceUnavailable, r.status)
	assert.Equal(t, "not_ready", r.object(t)["status"])
	assert.Contains(t, r.object(t), "errors")
	assert.NotContains(t, r.object(t), "error", "not the error envelope")
	assert.Equal(t, 200, anonymous.get("/v1/health").status)
	srv.SetReady(true)
	assert.Equal(t, 200, anonymous.get("/v1/health/ready").status)
	anonymous.get("/v1/health/detailed").refused(t, 401, "authentication_required")
	assert.Contains(t, c.get("/v1/health/detailed").object(t), "uptime_seconds")
}

// A failures is a TB that notes Fatalf.
type failures struct {
	testing.TB
	noted []string
}

func (f *failures) Fatalf(format string, args ...any) {
	f.noted = append(f.noted, fmt.Sprintf(format, args...))
}

func TestSeedFailsTheTestWithoutTheValue(t *testing.T) {
	t.Parallel()
	tb := &failures{TB: t}
	srv := scaivaulttest.NewServer(tb)
	assert.Zero(t, srv.Seed("Not A Path", map[string]any{"k": "not-a-real-one"}))
	assert.Zero(t, srv.Seed("a", map[string]any{"k": make(chan int), "l": "not-a-real-one"}))
	require.Len(t, tb.noted, 2)
	assert.Contains(t, tb.noted[0], "invalid path")
	assert.NotContains(t, strings.Join(tb.noted, " "), "not-a-real-one")
	assert.Equal(t, 1, srv.Seed("a", nil))
	data, _ := srv.Value("a")
	assert.Equal(t, "{}", string(data))
}
