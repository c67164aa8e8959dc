// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestClientListForms reads every envelope that the service's clients show.
func TestClientListForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pages []string
		want  []string
		bad   bool
	}{
		"secrets":            {pages: []string{`{"secrets":[{"path":"a/b","version":2}]}`}, want: []string{"a/b"}},
		"data":               {pages: []string{`{"data":[{"path":"a/b"}],"cursor":null,"has_more":false}`}, want: []string{"a/b"}},
		"bare":               {pages: []string{`[{"path":"a/b"}]`}, want: []string{"a/b"}},
		"names":              {pages: []string{`{"secrets":["a/b","a/c"]}`}, want: []string{"a/b", "a/c"}},
		"pages":              {pages: []string{`{"secrets":[{"path":"a/b"}],"cursor":"x","has_more":true}`, `{"secrets":[{"path":"a/c"}],"cursor":"y","has_more":false}`}, want: []string{"a/b", "a/c"}},
		"empty":              {pages: []string{`{"secrets":[]}`}},
		"elsewhere":          {pages: []string{`{"secrets":[{"path":"b/b"},{"path":"ab"},{"path":"a/c"}]}`}, want: []string{"a/c"}},
		"folders":            {pages: []string{`{"secrets":["a/f/","a/b"]}`, `{"secrets":["a/f/g"]}`}, want: []string{"a/f/g", "a/b"}},
		"deleted":            {pages: []string{`{"secrets":[{"path":"a/b","deleted_at":"2030-01-02T03:04:05Z"},{"path":"a/c","deleted_at":null}]}`}, want: []string{"a/c"}},
		"a cursor that sits": {pages: []string{`{"secrets":["a/b"],"cursor":"x","has_more":true}`}, bad: true},
		"more without one":   {pages: []string{`{"secrets":["a/b"],"has_more":true}`}, bad: true},
		"no list":            {pages: []string{`{"error":{"code":"x"}}`}, bad: true},
		"a page of HTML":     {pages: []string{balancerPage}, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var answers []func(*http.Request) (*http.Response, error)
			for _, p := range c.pages {
				answers = append(answers, says(200, p))
			}
			client := newTestClient(t, "https://s.test", through(&script{answers: answers}))
			var got []string
			var last error
			for e, err := range client.List(t.Context(), "a/", nil) {
				require.NoError(t, last, "the error is the last pair")
				if last = err; err == nil {
					got = append(got, e.Path)
				}
			}
			if c.bad {
				requireMatches(t, last, scaivault.ErrUnavailable)
				return
			}
			require.NoError(t, last)
			require.ElementsMatch(t, c.want, got)
		})
	}
}

// TestClientListThatTheServiceDoesNotKnow is not an empty listing.
func TestClientListThatTheServiceDoesNotKnow(t *testing.T) {
	t.Parallel()
	err := listOf("a", nil)(t.Context(), serve(t, answer(404, refusal("not_found"))))
	requireMatches(t, err, scaivault.ErrUnavailable)
}

// TestClientListEndsWithTheLoop: no page is asked for that nobody wants.
func TestClientListEndsWithTheLoop(t *testing.T) {
	t.Parallel()
	s, c := service(t, nil)
	for i := range 10 {
		s.Seed(fmt.Sprintf("a/%d", i), valueA)
	}
	for e, err := range c.List(t.Context(), "a", &scaivault.ListOptions{PageSize: 3}) {
		require.NoError(t, err)
		if e.Path == "a/1" {
			break
		}
	}
	require.Equal(t, 1, s.RequestCount(http.MethodGet, "/v1/secrets"))
}

// TestClientBatchOfAnyNumber asks for 100 in a request.
func TestClientBatchOfAnyNumber(t *testing.T) {
	t.Parallel()
	s, c := service(t, &scaivaulttest.ServerOptions{NoLimits: true})
	var paths []string
	for i := range 250 {
		paths = append(paths, fmt.Sprintf("a/%d", i))
		s.Seed(paths[i], map[string]any{"i": i})
	}
	got, err := c.GetBatch(t.Context(), paths)
	require.NoError(t, err)
	require.Len(t, got, 250)
	require.Equal(t, 3, s.RequestCount(http.MethodPost, "/v1/secrets/batch"))
	i, _ := got["a/249"].Field("i")
	require.Equal(t, "249", i)

	s.Deny("*", "a/7")
	_, err = c.GetBatch(t.Context(), paths[:10])
	requireMatches(t, err, scaivault.ErrPermission)
	s.SetDown(true)
	_, err = c.GetBatch(t.Context(), paths)
	var all *scaivault.BatchError
	require.ErrorAs(t, err, &all)
	require.Len(t, all.Errors, 250)
	requireMatches(t, err, scaivault.ErrUnavailable)
	require.Equal(t, err.Error(), err.Error())
	require.Contains(t, err.Error(), "and 247 more")
}

// TestClientBatchThatForgetsAPath does not take it for missing.
func TestClientBatchThatForgetsAPath(t *testing.T) {
	t.Parallel()
	c := serve(t, answer(200, `{"secrets":{"a":{"data":{}},"b":{"data":null}},"errors":{"c":{"code":"odd_code"}}}`))
	got, err := c.GetBatch(t.Context(), []string{"a", "b", "c", "d"})
	require.Len(t, got, 1)
	var partial *scaivault.BatchError
	require.ErrorAs(t, err, &partial)
	for _, path := range []string{"b", "c", "d"} {
		requireMatches(t, partial.Errors[path], scaivault.ErrUnavailable)
	}
}

func TestClientSystem(t *testing.T) {
	t.Parallel()
	s, c := service(t, nil)
	who, err := c.WhoAmI(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "sa:billing-prod", who.ID)
	assert.Equal(t, "service_account", who.Type)
	assert.Contains(t, who.Scopes, "secrets:read")
	assert.True(t, who.TokenExpiresAt.After(time.Now()))
	ready, err := c.Ready(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "ready", ready.Status)
	s.SetReady(false)
	ready, err = c.Ready(t.Context())
	requireMatches(t, err, scaivault.ErrUnavailable)
	assert.Equal(t, "not_ready", ready.Status)
	assert.NotEmpty(t, ready.Errors)
	_, err = serve(t, answer(502, balancerPage)).Ready(t.Context())
	requireMatches(t, err, scaivault.ErrUnavailable)
}

// TestClientAuditLogs pages through what was done, with the filters.
func TestClientAuditLogs(t *testing.T) {
	t.Parallel()
	s, c := service(t, nil)
	for i := range 5 {
		s.Seed(fmt.Sprintf("a/%d", i), valueA)
		_, err := c.Get(t.Context(), fmt.Sprintf("a/%d", i))
		require.NoError(t, err)
	}
	_, err := c.Get(t.Context(), "a/none")
	require.Error(t, err)
	yes := true
	query := &scaivault.AuditQuery{
		From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Actions: []string{"read"},
		IdentityID: "sa:billing-prod", IdentityType: "service_account", PathPrefix: "a/", Success: &yes, PageSize: 2,
	}
	var paths []string
	for e, err := range c.AuditLogs(t.Context(), query) {
		require.NoError(t, err)
		require.True(t, e.Success)
		require.Equal(t, "read", e.Action)
		require.False(t, e.Time.IsZero())
		paths = append(paths, e.Path)
	}
	require.ElementsMatch(t, []string{"a/0", "a/1", "a/2", "a/3", "a/4"}, paths)
	require.Equal(t, 3, s.RequestCount(http.MethodGet, "/v1/audit/logs"))
}

// TestEveryAuditFilterIsSent as documented.
func TestEveryAuditFilterIsSent(t *testing.T) {
	t.Parallel()
	no := false
	var asked string
	rt := &script{answers: says2(says(200, `{"logs":[]}`)), seen: func(r *http.Request, _ []byte) { asked = r.URL.RawQuery }}
	for range newTestClient(t, "https://s.test", through(rt)).AuditLogs(t.Context(), &scaivault.AuditQuery{
		From: time.Date(2030, 1, 2, 3, 4, 5, 600, time.FixedZone("", 3600)), To: time.Date(2030, 1, 3, 0, 0, 0, 0, time.UTC),
		Actions: []string{"read", "write"}, IdentityID: "sa:x", IdentityType: "service_account", PathPrefix: "a/b", Success: &no,
		SourceIP: "192.0.2.1", RequestID: "req_1", PageSize: 7,
	}) {
		require.Fail(t, "there is none")
	}
	require.Equal(t, "action=read%2Cwrite&from=2030-01-02T02%3A04%3A05.0000006Z&identity_id=sa%3Ax&identity_type=service_account&limit=7"+
		"&path_prefix=a%2Fb&request_id=req_1&source_ip=192.0.2.1&success=false&to=2030-01-03T00%3A00%3A00Z", asked)
}

// TestAuditLogGoesOnWhileThereIsACursor, unless the service says that there is
// no more.
func TestAuditLogGoesOnWhileThereIsACursor(t *testing.T) {
	t.Parallel()
	const entry = `{"logs":[{"action":"read"}],`
	for tail, pages := range map[string]int64{
		`"cursor":"c1","has_more":true}`: 2, `"cursor":"c1"}`: 2, `"cursor":"c1","has_more":false}`: 1, `"cursor":null}`: 1, `"has_more":false}`: 1,
	} {
		rt := &script{answers: says2(says(200, entry+tail), says(200, entry+`"cursor":null,"has_more":false}`))}
		require.NoError(t, lastAudit(t.Context(), newTestClient(t, "https://s.test", through(rt)), 1))
		require.Equal(t, pages, rt.requests.Load(), tail)
	}
	for _, tail := range []string{`"has_more":true}`, `"cursor":{},"has_more":true}`, `"cursor":"c1","has_more":"yes"}`} {
		rt := &script{answers: says2(says(200, entry+tail))}
		requireMatches(t, lastAudit(t.Context(), newTestClient(t, "https://s.test", through(rt)), 1), scaivault.ErrUnavailable)
	}
}

// TestClientDo keeps the query, and the numbers.
func TestClientDo(t *testing.T) {
	t.Parallel()
	var asked string
	rt := &script{answers: says2(says(200, `{"n":12345678901234567890}`)), seen: func(r *http.Request, body []byte) {
		asked = r.Method + " " + r.URL.RequestURI() + " " + string(body)
	}}
	c := newTestClient(t, "https://s.test/base/", through(rt))
	var out map[string]any
	require.NoError(t, c.Do(t.Context(), http.MethodPost, "/v1/x/a%2Fb?cursor=a%3Db", map[string]any{"k": "<"}, &out))
	require.Equal(t, `POST /base/v1/x/a%2Fb?cursor=a%3Db {"k":"<"}`, asked)
	require.Equal(t, json.Number("12345678901234567890"), out["n"])

	for status, body := range map[int]string{200: "", 204: "", 202: "   "} {
		require.NoError(t, serve(t, answer(status, strings.TrimSpace(body))).Do(t.Context(), http.MethodPost, "/v1/x", nil, &out))
	}
	requireMatches(t, serve(t, answer(200, balancerPage)).Do(t.Context(), http.MethodGet, "/v1/x", nil, &out), scaivault.ErrUnavailable)
	requireMatches(t, serve(t, answer(200, balancerPage)).Do(t.Context(), http.MethodPost, "/v1/x", nil, &out), scaivault.ErrUncertain)
	requireMatches(t, serve(t, answer(503, refusal("service_unavailable"))).Do(t.Context(), http.MethodPost, "/v1/x", nil, nil), scaivault.ErrUncertain)
	requireMatches(t, serve(t, answer(400, refusal("invalid_config"))).Do(t.Context(), http.MethodPost, "/v1/x", nil, nil), scaivault.ErrInvalid)
}

// TestClientTenant goes along as a header.
func TestClientTenant(t *testing.T) {
	t.Parallel()
	var tenant string
	rt := &script{answers: says2(says(404, refusal("tenant_not_found"))), seen: func(r *http.Request, _ []byte) { tenant = r.Header.Get("X-Tenant-ID") }}
	c := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) { cfg.TenantID = "tnt_x" })
	_, err := c.Get(t.Context(), testPath)
	require.Equal(t, "tnt_x", tenant)
	require.NotErrorIs(t, err, scaivault.ErrNotFound, "a wrong setting is no absence")
	require.ErrorContains(t, err, "TenantID")
}
