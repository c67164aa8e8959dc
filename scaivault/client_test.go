// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// service is ScaiVault in memory and a client of it.
func service(t testing.TB, opts *scaivaulttest.ServerOptions, change ...configure) (*scaivaulttest.Server, *scaivault.Client) {
	t.Helper()
	s := scaivaulttest.NewServer(t, opts)
	token := s.IssueToken("sa:billing-prod")
	change = append([]configure{through(s.RoundTripper()), func(cfg *scaivault.ClientConfig) { cfg.Token = scaivault.StaticToken(token) }}, change...)
	return s, newTestClient(t, "https://scaivault.test", change...)
}

// quirks are different answers to what the service's documents leave open.
var quirks = map[string]scaivaulttest.Quirks{
	"natural":                  {},
	"PUT answers with data":    {Put: scaivaulttest.PutWithData},
	"PUT answers 201":          {Put: scaivaulttest.PutCreated},
	"PUT answers nothing":      {Put: scaivaulttest.PutNoContent},
	"listing under data":       {ListKey: scaivaulttest.ListData},
	"omitted metadata cleared": {Omitted: scaivaulttest.OmittedReset},
	"batch answers 207":        {Batch: scaivaulttest.Batch207},
	"delete answers nothing":   {Delete: scaivaulttest.DeleteNoContent},
}

// TestClientUnderEveryQuirk goes through a secret's life, whatever the service
// answers where its documents are silent.
func TestClientUnderEveryQuirk(t *testing.T) {
	t.Parallel()
	for name, q := range quirks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, c := service(t, &scaivaulttest.ServerOptions{Quirks: q})
			ctx := t.Context()
			meta := scaivault.Metadata{Description: "d", Tags: []string{"a"}, Owner: "team:x", Values: map[string]any{"k": "v"}}
			w, err := c.Put(ctx, testPath, map[string]any{"v": "1"}, &scaivault.PutOptions{Type: scaivault.TypeKV, Metadata: meta, MaxVersions: 5, ExpiresIn: 720 * time.Hour})
			require.NoError(t, err)
			assert.Contains(t, []int{0, 1}, w.Version)
			assert.Equal(t, "scaivault", w.Source)
			_, err = c.Put(ctx, testPath, map[string]any{"v": "2"}, &scaivault.PutOptions{Metadata: meta})
			require.NoError(t, err)

			s, err := c.Get(ctx, testPath)
			require.NoError(t, err)
			v, _ := s.Field("v")
			assert.Equal(t, "2", v)
			assert.Equal(t, 2, s.Version())
			assert.Equal(t, meta, s.Info().Metadata)
			s, err = c.GetVersion(ctx, testPath, 1)
			require.NoError(t, err)
			v, _ = s.Field("v")
			assert.Equal(t, "1", v)
			_, err = c.GetVersion(ctx, testPath, 9)
			requireMatches(t, err, scaivault.ErrNotFound)

			assert.Equal(t, []string{testPath}, listed(t, c, "environments/production"))
			assert.Equal(t, []string{testPath}, listed(t, c, ""))
			assert.Empty(t, listed(t, c, "environments/prod"))

			batch, err := c.GetBatch(ctx, []string{testPath, "not/there", testPath, "Not/Allowed"})
			var partial *scaivault.BatchError
			require.ErrorAs(t, err, &partial)
			assert.Equal(t, []string{"Not/Allowed", "not/there"}, slices.Sorted(maps.Keys(partial.Errors)))
			requireMatches(t, partial.Errors["not/there"], scaivault.ErrNotFound)
			requireMatches(t, partial.Errors["Not/Allowed"], scaivault.ErrInvalid)
			require.Len(t, batch, 1)
			assert.Equal(t, meta, batch[testPath].Info().Metadata)

			require.NoError(t, c.Delete(ctx, testPath, nil))
			_, err = c.Get(ctx, testPath)
			requireMatches(t, err, scaivault.ErrNotFound)
			_, err = c.Put(ctx, testPath, map[string]any{}, nil)
			requireMatches(t, err, scaivault.ErrConflict)
			requireMatches(t, c.Delete(ctx, "not/there", &scaivault.DeleteOptions{Permanent: true}), scaivault.ErrNotFound)
		})
	}
}

func listed(t testing.TB, c *scaivault.Client, prefix string) []string {
	t.Helper()
	var paths []string
	for e, err := range c.List(t.Context(), prefix, &scaivault.ListOptions{PageSize: 2}) {
		require.NoError(t, err)
		paths = append(paths, e.Path)
	}
	return paths
}

// TestClientKeepsEveryDigit on the wire and back.
func TestClientKeepsEveryDigit(t *testing.T) {
	t.Parallel()
	_, c := service(t, nil)
	for _, number := range []string{"12345678901234567890", "1e400", "0.1000", "-0.0", "1E+2"} {
		for _, v := range []any{json.Number(number), json.RawMessage(number)} {
			_, err := c.Put(t.Context(), testPath, map[string]any{"n": v, "markup": "<a>&"}, nil)
			require.NoError(t, err)
			s, err := c.Get(t.Context(), testPath)
			require.NoError(t, err)
			require.JSONEq(t, `{"n":`+"0"+`,"markup":"<a>&"}`, strings.Replace(string(s.JSON()), number, "0", 1))
			require.Equal(t, json.Number(number), s.Data()["n"])
		}
	}
}

// TestClientRefusesBeforeAnyRequest what cannot be right.
func TestClientRefusesBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a/", 9) + strings.Repeat("b", 495)
	require.Len(t, long, 513)
	for name, c := range map[string]struct {
		call func(context.Context, *scaivault.Client) error
		hint string
	}{
		"upper-case letter":    {getOf("a/B"), "upper-case"},
		"11 levels":            {getOf("a/b/c/d/e/f/g/h/i/j/k"), "11 levels"},
		"513 characters":       {getOf(long), "513 characters"},
		"empty":                {getOf(""), "empty"},
		"leading slash":        {getOf("/a"), "leading slash"},
		"trailing slash":       {getOf("a/"), "trailing slash"},
		"empty level":          {getOf("a//b"), "empty level"},
		"dots":                 {getOf("a/../b"), "'.'"},
		"unicode":              {getOf("a/ü"), "'ü'"},
		"newline":              {getOf("a/\nb"), `'\n'`},
		"query":                {getOf("a?version=1"), "'?'"},
		"version":              {func(ctx context.Context, c *scaivault.Client) error { _, err := c.GetVersion(ctx, "a", 0); return err }, "version 0"},
		"delete":               {func(ctx context.Context, c *scaivault.Client) error { return c.Delete(ctx, "A", nil) }, "upper-case"},
		"list":                 {listOf("A", nil), "upper-case"},
		"page size":            {listOf("a", &scaivault.ListOptions{PageSize: -1}), "PageSize"},
		"nil data":             {putOf(nil, nil), "map[string]any{}"},
		"not a number":         {putOf(map[string]any{"field": math.NaN()}, nil), `"field"`},
		"a channel":            {putOf(map[string]any{"field": make(chan int)}, nil), `"field"`},
		"broken raw message":   {putOf(map[string]any{"field": json.RawMessage(`{"canary`)}, nil), `"field"`},
		"negative versions":    {putOf(map[string]any{}, &scaivault.PutOptions{MaxVersions: -1}), "MaxVersions"},
		"half a second":        {putOf(map[string]any{}, &scaivault.PutOptions{ExpiresIn: 500 * time.Millisecond}), "ExpiresIn"},
		"negative expiry":      {putOf(map[string]any{}, &scaivault.PutOptions{ExpiresIn: -time.Hour}), "ExpiresIn"},
		"API path":             {doOf("/secrets"), "/v1/"},
		"API path that climbs": {doOf("/v1/../x"), "malformed"},
		"API path in disguise": {doOf("/v1/%2e%2e/x"), "malformed"},
		"another host":         {doOf("https://evil.example/v1/"), "/v1/"},
		"page of the audit":    {func(ctx context.Context, c *scaivault.Client) error { return lastAudit(ctx, c, 1001) }, "PageSize"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := &script{}
			err := c.call(t.Context(), newTestClient(t, "https://scaivault.test", through(rt)))
			requireMatches(t, err, scaivault.ErrInvalid)
			require.ErrorContains(t, err, c.hint)
			require.NotContains(t, err.Error(), "canary")
			require.Zero(t, rt.requests.Load())
		})
	}
}

func getOf(path string) func(context.Context, *scaivault.Client) error {
	return func(ctx context.Context, c *scaivault.Client) error { _, err := c.Get(ctx, path); return err }
}

func putOf(data map[string]any, opts *scaivault.PutOptions) func(context.Context, *scaivault.Client) error {
	return func(ctx context.Context, c *scaivault.Client) error {
		_, err := c.Put(ctx, "a", data, opts)
		return err
	}
}

func doOf(path string) func(context.Context, *scaivault.Client) error {
	return func(ctx context.Context, c *scaivault.Client) error {
		return c.Do(ctx, http.MethodGet, path, nil, nil)
	}
}

func listOf(prefix string, opts *scaivault.ListOptions) func(context.Context, *scaivault.Client) error {
	return func(ctx context.Context, c *scaivault.Client) (last error) {
		for _, err := range c.List(ctx, prefix, opts) {
			last = err
		}
		return last
	}
}

func lastAudit(ctx context.Context, c *scaivault.Client, size int) (last error) {
	for _, err := range c.AuditLogs(ctx, &scaivault.AuditQuery{PageSize: size}) {
		last = err
	}
	return last
}

// TestNewClientRefuses a configuration that cannot be right, and never shows
// the token or a password.
func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for name, c := range map[string]struct {
		change configure
		hint   string
	}{
		"no URL":              {func(s *scaivault.ClientConfig) { s.URLs = nil }, "URLs: set"},
		"empty URL":           {func(s *scaivault.ClientConfig) { s.URLs = []string{""} }, "empty"},
		"no scheme":           {func(s *scaivault.ClientConfig) { s.URLs = []string{"scaivault.example.com"} }, "no scheme"},
		"host and port alone": {func(s *scaivault.ClientConfig) { s.URLs = []string{"scaivault.example.com:8443"} }, "scheme"},
		"another scheme":      {func(s *scaivault.ClientConfig) { s.URLs = []string{"ftp://scaivault.example.com"} }, "scheme"},
		"no host":             {func(s *scaivault.ClientConfig) { s.URLs = []string{"https://"} }, "host"},
		"a password":          {func(s *scaivault.ClientConfig) { s.URLs = []string{"https://me:" + secret + "@h.example"} }, "password"},
		"a broken password":   {func(s *scaivault.ClientConfig) { s.URLs = []string{"https://me:" + secret + "%zz@h"} }, "URL"},
		"a query":             {func(s *scaivault.ClientConfig) { s.URLs = []string{"https://h.example?a=b"} }, "query"},
		"plain http":          {func(s *scaivault.ClientConfig) { s.URLs = []string{"http://h.example"} }, "PlainHTTPHosts"},
		"plain http elsewhere": {func(s *scaivault.ClientConfig) {
			s.URLs, s.PlainHTTPHosts = []string{"http://h.example"}, []string{"g"}
		}, "in clear"},
		"like loopback":         {func(s *scaivault.ClientConfig) { s.URLs = []string{"http://127.0.0.1.example"} }, "in clear"},
		"no token":              {func(s *scaivault.ClientConfig) { s.Token = nil }, "Token: set"},
		"empty token":           {func(s *scaivault.ClientConfig) { s.Token = scaivault.StaticToken("") }, "token is empty"},
		"token with a newline":  {func(s *scaivault.ClientConfig) { s.Token = scaivault.StaticToken(secret + "\n") }, "newline"},
		"token with a space":    {func(s *scaivault.ClientConfig) { s.Token = scaivault.StaticToken(secret + " x") }, "space"},
		"tenant":                {func(s *scaivault.ClientConfig) { s.TenantID = "a\r\nb" }, "TenantID"},
		"negative timeout":      {func(s *scaivault.ClientConfig) { s.Timeout = -1 }, "negative"},
		"a header in the agent": {func(s *scaivault.ClientConfig) { s.UserAgent = "a\r\nX: y" }, "UserAgent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := scaivault.ClientConfig{URLs: []string{"https://scaivault.example"}, Token: scaivault.StaticToken(testToken)}
			c.change(&cfg)
			_, err := scaivault.NewClient(cfg)
			requireMatches(t, err, scaivault.ErrInvalid)
			require.ErrorContains(t, err, c.hint)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), secret)
		})
	}
	for _, url := range []string{"http://localhost:8200", "http://[::1]:1", "http://127.0.0.7", "https://h.example/base/"} {
		newTestClient(t, url)
	}
	newTestClient(t, "http://h.example", func(cfg *scaivault.ClientConfig) { cfg.PlainHTTPHosts = []string{"h.example"} })
}

// TestClientAsksForANewTokenOnce after a 401, and repeats the call if there is
// one.
func TestClientAsksForANewTokenOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tokens   []string
		requests int64
		want     error
	}{
		"renewed":          {[]string{"old", "new"}, 2, nil},
		"the same":         {[]string{"old", "old"}, 1, scaivault.ErrUnauthenticated},
		"still not good":   {[]string{"old", "other"}, 2, scaivault.ErrUnauthenticated},
		"no new one":       {[]string{"old", ""}, 1, scaivault.ErrUnauthenticated},
		"newline in a new": {[]string{"old", "a\nb"}, 1, scaivault.ErrUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, call := range []func(context.Context, *scaivault.Client) error{getOf("a"), putOf(map[string]any{}, nil)} {
				rt := &script{answers: []func(*http.Request) (*http.Response, error){func(r *http.Request) (*http.Response, error) {
					if r.Header.Get("Authorization") == "Bearer new" {
						return says(200, oneSecret)(r)
					}
					return says(401, refusal("token_expired"))(r)
				}}}
				asked := 0
				source := scaivault.TokenFunc(func(context.Context) (string, error) {
					asked++
					return c.tokens[min(asked, len(c.tokens))-1], nil
				})
				err := call(t.Context(), newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) { cfg.Token = source }))
				require.Equal(t, c.requests, rt.requests.Load())
				if c.want == nil {
					require.NoError(t, err)
					continue
				}
				requireMatches(t, err, c.want)
			}
		})
	}
}

// TestClientWithoutAToken says so before any request.
func TestClientWithoutAToken(t *testing.T) {
	t.Setenv("NO_SUCH_TOKEN", "")
	rt := &script{}
	c := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) { cfg.Token = scaivault.EnvToken("NO_SUCH_TOKEN") })
	_, err := c.Get(t.Context(), testPath)
	require.Error(t, err)
	require.ErrorContains(t, err, "NO_SUCH_TOKEN")
	require.Zero(t, rt.requests.Load())
	t.Setenv("NO_SUCH_TOKEN", testToken)
	rt.answers = append(rt.answers, says(200, oneSecret))
	_, err = c.Get(t.Context(), testPath)
	require.NoError(t, err)
}

// TestClientPutHappensOnce: a write that may have arrived is looked up and not
// repeated.
func TestClientPutHappensOnce(t *testing.T) {
	t.Parallel()
	for _, a := range writeAnswers {
		if a.down {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, c := service(t, &scaivaulttest.ServerOptions{NoLimits: true}, retries(3))
				s.Seed(testPath, valueA)
				if a.fault != nil {
					f := *a.fault
					f.Method = http.MethodPut
					s.Inject(f)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				w, err := c.Put(ctx, testPath, valueB, nil)
				if a.name != "rate limited" {
					require.Equal(t, 1, s.RequestCount(http.MethodPut, "/v1/secrets/**"))
				}
				if a.want == "ok" {
					require.NoError(t, err)
					require.Equal(t, 2, w.Version)
				} else {
					require.Equal(t, a.want, kindOf(err), "%v", err)
				}
				require.Equal(t, a.done, s.SecretVersion(testPath) == 2)
			})
		})
	}
}

// TestClientRepeats what may be repeated, and how often.
func TestClientRepeats(t *testing.T) {
	t.Parallel()
	refused := breaks(errors.New("no connection hooks were called"))
	for name, c := range map[string]struct {
		answers    []func(*http.Request) (*http.Response, error)
		get, put   int64 // requests
		getOK      bool
		putOK      bool
		atLeastGet time.Duration
	}{
		"503":                   {answers: says2(says(503, refusal("service_unavailable")), says(200, oneSecret)), get: 2, getOK: true, put: 1},
		"429 with seconds":      {answers: says2(says(429, refusal("rate_limited"), "Retry-After", "3"), says(200, oneSecret)), get: 2, getOK: true, put: 2, putOK: true, atLeastGet: 3 * time.Second},
		"internal error, once":  {answers: says2(says(500, refusal("internal_error")), says(500, refusal("internal_error"))), get: 2, put: 1},
		"denied":                {answers: says2(says(403, refusal("access_denied"))), get: 1, put: 1},
		"not found":             {answers: says2(says(404, refusal("secret_not_found"))), get: 1, put: 1},
		"a transport's failure": {answers: says2(refused, refused, refused, says(200, oneSecret)), get: 4, getOK: true, put: 1},
		"wait beyond the end":   {answers: says2(says(429, refusal("rate_limited"), "Retry-After", "3600")), get: 1, put: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt := &script{answers: c.answers}
				client := newTestClient(t, "https://s.test", through(rt), retries(3))
				start := time.Now()
				_, err := client.Get(t.Context(), testPath)
				require.Equal(t, c.getOK, err == nil, "%v", err)
				require.Equal(t, c.get, rt.requests.Load())
				require.GreaterOrEqual(t, time.Since(start), c.atLeastGet)
				require.Less(t, time.Since(start), 20*time.Second)
			})
			synctest.Test(t, func(t *testing.T) {
				var puts int64
				rt := &script{answers: c.answers, seen: func(r *http.Request, _ []byte) {
					if r.Method == http.MethodPut {
						puts++
					}
				}}
				_, err := newTestClient(t, "https://s.test", through(rt), retries(3)).Put(t.Context(), testPath, map[string]any{}, nil)
				require.Equal(t, c.putOK, err == nil, "%v", err)
				require.Equal(t, c.put, puts)
			})
		})
	}
}

func says2(answers ...func(*http.Request) (*http.Response, error)) []func(*http.Request) (*http.Response, error) {
	return answers
}

// TestClientGoesOnToTheNextAddress: a read always, a write only while nothing
// was sent.
func TestClientGoesOnToTheNextAddress(t *testing.T) {
	t.Parallel()
	s := scaivaulttest.NewServer(t, nil)
	s.Seed(testPath, valueA)
	token := scaivault.StaticToken(s.IssueToken("sa:x"))
	broken := scaivaulttest.NewServer(t, nil)
	broken.Inject(scaivaulttest.Fault{Status: 502, Body: balancerPage})
	with := func(first string) *scaivault.Client {
		return newTestClient(t, first, func(cfg *scaivault.ClientConfig) { cfg.URLs, cfg.Token = append(cfg.URLs, s.URL()), token })
	}
	for _, first := range []string{refusedURL(t), broken.URL()} {
		secret, err := with(first).Get(t.Context(), testPath)
		require.NoError(t, err)
		require.Equal(t, 1, secret.Version())
	}
	_, err := with(refusedURL(t)).Put(t.Context(), testPath, valueB, nil)
	require.NoError(t, err)
	before := s.SecretVersion(testPath)
	_, err = with(broken.URL()).Put(t.Context(), testPath, valueA, nil)
	requireMatches(t, err, scaivault.ErrUncertain)
	require.Equal(t, before, s.SecretVersion(testPath))
}

// TestClientConditions are a look before the write.
func TestClientConditions(t *testing.T) {
	t.Parallel()
	s, c := service(t, nil)
	zero, one, two := 0, 1, 2
	_, err := c.Put(t.Context(), testPath, valueA, &scaivault.PutOptions{IfVersion: &two})
	requireMatches(t, err, scaivault.ErrConflict)
	_, err = c.Put(t.Context(), testPath, valueA, &scaivault.PutOptions{IfVersion: &zero, IfAbsent: true})
	require.NoError(t, err)
	_, err = c.Put(t.Context(), testPath, valueB, &scaivault.PutOptions{IfAbsent: true})
	requireMatches(t, err, scaivault.ErrConflict)
	read, err := c.Get(t.Context(), testPath)
	require.NoError(t, err)
	_, err = c.Put(t.Context(), testPath, valueB, &scaivault.PutOptions{IfVersion: &one, IfUnchanged: read})
	require.NoError(t, err)
	_, err = c.Put(t.Context(), testPath, valueA, &scaivault.PutOptions{IfUnchanged: read})
	requireMatches(t, err, scaivault.ErrConflict)
	require.Equal(t, 2, s.SecretVersion(testPath))
}

// TestClientDurations are whole units on the wire.
func TestClientDurations(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{720 * time.Hour: "30d", 12 * time.Hour: "12h", 90 * time.Minute: "90m", 45 * time.Second: "45s"} {
		var sent string
		rt := &script{answers: says2(says(200, oneSecret)), seen: func(_ *http.Request, body []byte) { sent = string(body) }}
		_, err := newTestClient(t, "https://s.test", through(rt)).Put(t.Context(), testPath, map[string]any{}, &scaivault.PutOptions{ExpiresIn: d, RotationPolicyID: "rot_1"})
		require.NoError(t, err)
		require.JSONEq(t, `{"data":{},"secret_type":"json","options":{"expires_in":"`+want+`","rotation_policy_id":"rot_1"}}`, sent)
	}
}

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
	query := &scaivault.AuditQuery{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Actions: []string{"read"},
		IdentityID: "sa:billing-prod", IdentityType: "service_account", PathPrefix: "a/", Success: &yes, PageSize: 2}
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

// TestClientDeleteLooksWhetherItIsGone when the answer is lost.
func TestClientDeleteLooksWhetherItIsGone(t *testing.T) {
	t.Parallel()
	for done, want := range map[bool]string{true: "", false: "uc"} {
		s, c := service(t, nil)
		s.Seed(testPath, valueA)
		s.Inject(scaivaulttest.Fault{Method: http.MethodDelete, After: done, Cut: scaivaulttest.CutBeforeAnswer})
		err := c.Delete(t.Context(), testPath, nil)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, want, kindOf(err))
	}
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

// TestClientIsShared by many goroutines, and does not change what it was given.
func TestClientIsShared(t *testing.T) {
	t.Parallel()
	s := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{NoLimits: true})
	given := &http.Client{Transport: s.RoundTripper()}
	c := newTestClient(t, "https://s.test", func(cfg *scaivault.ClientConfig) {
		cfg.HTTPClient, cfg.Token = given, scaivault.StaticToken(s.IssueToken("sa:x"))
	})
	require.Nil(t, given.CheckRedirect)
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			path := fmt.Sprintf("a/%d", i)
			_, err := c.Put(t.Context(), path, map[string]any{"i": i}, nil)
			assert.NoError(t, err)
			secret, err := c.Get(t.Context(), path)
			if assert.NoError(t, err) {
				got, _ := secret.Field("i")
				assert.Equal(t, fmt.Sprint(i), got)
			}
		})
	}
	group.Wait()
	require.NoError(t, c.Close())
	_, err := c.Get(t.Context(), "a/1")
	requireMatches(t, err, scaivault.ErrClosed)
	_, err = c.Put(t.Context(), "a/1", valueA, nil)
	requireMatches(t, err, scaivault.ErrClosed)
}

// TestClientSurvivesStrangeTypes in every field but the data.
func TestClientSurvivesStrangeTypes(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"data":{"password":"x"}}`,
		`{"data":{"password":"x"},"version":"7","secret_type":7,"metadata":[],"created_at":7,"expires_at":"never","path":null,"new":{"a":[1]}}`,
		`{"data":{"password":"x"},"version":-1,"metadata":{"tags":"a","owner":7,"description":null},"updated_at":"yesterday"}`,
		`{"data":{"password":"x"},"version":1e9,"metadata":null,"secret_type":null}`,
	} {
		s, err := serve(t, answer(200, body)).Get(t.Context(), testPath)
		require.NoError(t, err, body)
		password, _ := s.Field("password")
		require.Equal(t, "x", password)
		require.Equal(t, testPath, s.Path())
	}
	for _, body := range []string{`{}`, `{"data":null}`, `{"data":[]}`, `{"data":"canary"}`, `{"data":7}`, `null`, `[]`, `"canary"`, `{"data":{}} trailing`} {
		_, err := serve(t, answer(200, body)).Get(t.Context(), testPath)
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.NotContains(t, err.Error(), "canary")
	}
}

// FuzzSecretBody: whatever a server answers, Get returns a secret or an error of
// a kind, and never quotes the body.
func FuzzSecretBody(f *testing.F) {
	f.Add(200, oneSecret)
	f.Add(404, refusal("secret_not_found"))
	f.Add(403, balancerPage)
	f.Add(200, `{"data":{"a":1e400}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		const marker = "canary-5e1f"
		rt := &script{answers: says2(says(status, body+strings.Repeat(" ", 3)), says(status, body+marker))}
		c := newTestClient(t, "https://s.test", through(rt))
		for range 2 {
			s, err := c.Get(t.Context(), testPath)
			if err == nil {
				require.NotNil(t, s)
				require.True(t, s.Equal(s))
				continue
			}
			require.Nil(t, s)
			require.NotEqual(t, "??", kindOf(err))
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), marker)
		}
		for _, err := range c.List(t.Context(), "a", nil) {
			if err != nil {
				require.NotEqual(t, "??", kindOf(err))
				break
			}
		}
	})
}

// FuzzValidatePath agrees with the documented alphabet and limits.
func FuzzValidatePath(f *testing.F) {
	for _, seed := range []string{"a/b", "", "/", "a//b", "A", strings.Repeat("a", 513), "a/b/c/d/e/f/g/h/i/j/k", "ü", "a\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		ok := path != "" && len(path) <= 512 && strings.Count(path, "/") < 10
		for _, level := range strings.Split(path, "/") {
			ok = ok && level != "" && strings.Trim(level, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
		}
		err := scaivault.ValidatePath(path)
		require.Equal(t, ok, err == nil, "%q: %v", path, err)
		if err != nil {
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			require.NotContains(t, err.Error(), "\n")
		}
	})
}
