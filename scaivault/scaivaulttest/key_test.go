// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// keyed returns a server and a caller of the host that issues its tokens.
func keyed(t testing.TB, opts *scaivaulttest.KeyOptions) (*scaivaulttest.Server, *scaivaulttest.Key, *caller) {
	t.Helper()
	srv := scaivaulttest.NewServer(t)
	key := scaivaulttest.NewKey(t, srv, opts)
	key.AddClient("billing", "not-a-real-one", "sa:billing", "secrets:read", "secrets:list")
	return srv, key, &caller{t: t, client: &http.Client{Transport: key.RoundTripper()}, base: "https://scaikey.test"}
}

// form is a request for a token, by pairs of names and values.
func form(pairs ...string) string {
	values := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values.Encode()
}

func (c *caller) askToken(body string, change ...func(*http.Request)) reply {
	c.t.Helper()
	req := c.request(http.MethodPost, "/oauth/token", body)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, f := range change {
		f(req)
	}
	return c.send(req)
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, key, c := keyed(t, nil)
		r := c.askToken(form("client_id", "billing", "client_secret", "not-a-real-one"))
		require.Equal(t, 200, r.status, r.body)
		o := r.object(t)
		assert.Equal(t, "Bearer", o["token_type"])
		assert.EqualValues(t, 3600, o["expires_in"])
		assert.Equal(t, "secrets:read secrets:list", o["scope"])
		assert.Equal(t, "no-store", r.header.Get("Cache-Control"))
		service := as(t, srv, o["access_token"].(string))
		assert.Regexp(t, "^eyJ", service.token)
		who := service.get("/v1/auth/whoami").object(t)
		assert.Equal(t, "sa:billing", who["identity_id"])
		assert.Equal(t, "2000-01-01T01:00:00Z", who["token_expires_at"])
		time.Sleep(time.Hour)
		service.get("/v1/auth/whoami").refused(t, 401, "token_expired")

		o = c.askToken(form("client_id", "billing", "client_secret", "not-a-real-one", "scope", "secrets:list")).object(t)
		as(t, srv, o["access_token"].(string)).get("/v1/secrets/a").refused(t, 403, "insufficient_scope")
		assert.Equal(t, 2, key.RequestCount("POST", "/oauth/token"))
	})
}

func TestKeyOptions(t *testing.T) {
	t.Parallel()
	basic := func(req *http.Request) { req.SetBasicAuth("billing", "not-a-real-one") }
	inForm := form("client_id", "billing", "client_secret", "not-a-real-one")
	for auth, want := range map[scaivaulttest.KeyAuth][2]int{
		scaivaulttest.KeyAuthAny: {200, 200}, scaivaulttest.KeyAuthForm: {200, 401}, scaivaulttest.KeyAuthBasic: {401, 200},
	} {
		_, _, c := keyed(t, &scaivaulttest.KeyOptions{Auth: auth})
		assert.Equal(t, want[0], c.askToken(inForm).status)
		assert.Equal(t, want[1], c.askToken(form(), basic).status)
	}
	synctest.Test(t, func(t *testing.T) {
		srv, _, c := keyed(t, &scaivaulttest.KeyOptions{TokenTTL: time.Minute, Answer: scaivaulttest.KeyAnswerToken})
		o := c.askToken(inForm).object(t)
		require.Len(t, o, 1)
		service := as(t, srv, o["access_token"].(string))
		assert.Equal(t, 200, service.get("/v1/auth/whoami").status)
		time.Sleep(time.Minute)
		service.get("/v1/auth/whoami").refused(t, 401, "token_expired")
	})
}

func TestKeyRefuses(t *testing.T) {
	t.Parallel()
	_, key, c := keyed(t, nil)
	const id, secret = "billing", "not-a-real-one"
	basic := func(req *http.Request) { req.SetBasicAuth(id, secret) }
	asJSON := func(req *http.Request) { req.Header.Set("Content-Type", "application/json") }
	for name, tc := range map[string]struct {
		reply  reply
		status int
		code   string
	}{
		"wrong secret":  {c.askToken(form("client_id", id, "client_secret", "wrong")), 401, "invalid_client"},
		"wrong id":      {c.askToken(form("client_id", "x", "client_secret", secret)), 401, "invalid_client"},
		"no secret":     {c.askToken(form("client_id", id)), 401, "invalid_client"},
		"both ways":     {c.askToken(form("client_id", id, "client_secret", secret), basic), 400, "invalid_request"},
		"bad escape":    {c.askToken(form(), func(req *http.Request) { req.SetBasicAuth(id, "%zz") }), 401, "invalid_client"},
		"another grant": {c.askToken(form("client_id", id, "client_secret", secret, "grant_type", "password")), 400, "unsupported_grant_type"},
		"a new scope":   {c.askToken(form("client_id", id, "client_secret", secret, "scope", "secrets:read admin")), 400, "invalid_scope"},
		"no form":       {c.askToken(`{}`, asJSON), 400, "invalid_request"},
		"broken form":   {c.askToken("client_id=%zz"), 400, "invalid_request"},
		"long form":     {c.askToken("a=" + strings.Repeat("x", 2<<20)), 400, "invalid_request"},
		"in the query":  {c.do("POST", "/oauth/token?"+form("client_id", id, "client_secret", secret), ""), 400, "invalid_request"},
		"another path":  {c.do("POST", "/token", ""), 404, "not_found"},
		"GET":           {c.get("/oauth/token"), 405, "invalid_request"},
	} {
		assert.Equal(t, tc.status, tc.reply.status, name)
		assert.Equal(t, tc.code, tc.reply.object(t)["error"], name)
		assert.NotContains(t, tc.reply.body, secret, name)
		assert.Equal(t, tc.status == 401, tc.reply.header.Get("WWW-Authenticate") != "", name)
	}
	key.AddClient(id, "rotated", "sa:billing")
	assert.Equal(t, 401, c.askToken(form("client_id", id, "client_secret", secret)).status)
	assert.Equal(t, 200, c.askToken(form("client_id", id, "client_secret", "rotated", "scope", "admin")).status)
}

func TestKeyHasFaults(t *testing.T) {
	t.Parallel()
	srv, key, c := keyed(t, nil)
	body := form("client_id", "billing", "client_secret", "not-a-real-one")
	overSocket := &caller{t: t, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, base: key.URL()}
	for _, c := range []*caller{c, overSocket} {
		key.Inject(scaivaulttest.Fault{Path: "/oauth/**", Count: 1, Status: 503, Code: "temporarily_unavailable", Message: "later"})
		r := c.askToken(body)
		assert.Equal(t, 503, r.status)
		assert.JSONEq(t, `{"error":"temporarily_unavailable","error_description":"later"}`, r.body)
		key.SetDown(true)
		req := c.request("POST", "/oauth/token", body)
		_, err := c.client.Do(req)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		key.SetDown(false)
		r = c.askToken(body)
		require.Equal(t, 200, r.status)
		token := r.object(t)["access_token"].(string)
		assert.Equal(t, 200, as(t, srv, token).get("/v1/auth/whoami").status, "the two hosts are down each by itself")
	}
	program, err := scaivaulttest.StartKey(srv, nil)
	require.NoError(t, err)
	defer program.Close()
	assert.Equal(t, program.URL()+"/oauth/token", program.TokenURL())
	assert.True(t, strings.HasPrefix(program.URL(), "http://127.0.0.1:"))
}
