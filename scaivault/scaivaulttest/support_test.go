// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A caller makes requests to a server with a token.
type caller struct {
	t      testing.TB
	client *http.Client
	base   string
	token  string
}

// A reply is an answer with its body read.
type reply struct {
	status int
	header http.Header
	body   string
}

// inMemory returns a server without limits and a caller with all scopes.
func inMemory(t testing.TB, opts *scaivaulttest.ServerOptions) (*scaivaulttest.Server, *caller) {
	t.Helper()
	if opts == nil {
		opts = &scaivaulttest.ServerOptions{NoLimits: true}
	}
	srv := scaivaulttest.NewServer(t, opts)
	return srv, as(t, srv, srv.IssueToken("sa:tests"))
}

func as(t testing.TB, srv *scaivaulttest.Server, token string) *caller {
	t.Helper()
	return &caller{t: t, client: &http.Client{Transport: srv.RoundTripper()}, base: "https://scaivault.test", token: token}
}

func (c *caller) request(method, path, body string) *http.Request {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	require.NoError(c.t, err)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return req
}

func (c *caller) send(req *http.Request) reply {
	c.t.Helper()
	res, err := c.client.Do(req)
	require.NoError(c.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return reply{res.StatusCode, res.Header, string(body)}
}

func (c *caller) do(method, path, body string) reply {
	c.t.Helper()
	return c.send(c.request(method, path, body))
}

func (c *caller) get(path string) reply { c.t.Helper(); return c.do(http.MethodGet, path, "") }

func (c *caller) put(path, body string) reply {
	c.t.Helper()
	return c.do(http.MethodPut, "/v1/secrets/"+path, body)
}

// object decodes the body.
func (r reply) object(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &v), "body: %s", r.body)
	return v
}

// decodeInto decodes the body into v.
func decodeInto(t testing.TB, r reply, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(r.body), v), "body: %s", r.body)
}

// mustMember is one member of the body, as it stands there.
func mustMember(t testing.TB, r reply, name string) json.RawMessage {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(r.body), &members), "body: %s", r.body)
	require.Contains(t, members, name)
	return members[name]
}

// code is the code in the error envelope.
func (r reply) code(t testing.TB) string {
	t.Helper()
	inner, ok := r.object(t)["error"].(map[string]any)
	require.True(t, ok, "no error envelope: %s", r.body)
	require.Equal(t, r.header.Get("X-Request-ID"), inner["request_id"], "the id of the envelope is that of the header")
	return inner["code"].(string)
}

// refused asserts an answer in the error envelope.
func (r reply) refused(t testing.TB, status int, code string) {
	t.Helper()
	require.Equal(t, status, r.status, "body: %s", r.body)
	require.Equal(t, code, r.code(t))
}

// paths are those of the items of a listing.
func (r reply) paths(t testing.TB, key string) []string {
	t.Helper()
	require.Equal(t, http.StatusOK, r.status, "body: %s", r.body)
	items, ok := r.object(t)[key].([]any)
	require.True(t, ok, "no %s in %s", key, r.body)
	paths := make([]string, len(items))
	for i, item := range items {
		paths[i] = item.(map[string]any)["path"].(string)
	}
	return paths
}

// overBoth runs a test over a socket and in memory.
func overBoth(t *testing.T, test func(t *testing.T, srv *scaivaulttest.Server, c *caller)) {
	t.Helper()
	for _, way := range []string{"memory", "socket"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			srv, c := inMemory(t, nil)
			if way == "socket" {
				transport := &http.Transport{DisableKeepAlives: true}
				c.client, c.base = &http.Client{Transport: transport}, srv.URL()
			}
			srv.Seed("a/b", map[string]any{"password": "not-a-real-one"})
			test(t, srv, c)
		})
	}
}
