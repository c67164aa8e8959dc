// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// says1 is an HTTP client with one answer for everything.
func says1(status int, body string, header ...string) *http.Client {
	return &http.Client{Transport: &script{answers: says2(says(status, body, header...))}}
}

// credentials are good ones, through hc.
func credentials(hc *http.Client) scaivault.ClientCredentials {
	return scaivault.ClientCredentials{ClientID: "sa:billing", ClientSecret: scaivault.StaticToken(canaryText), HTTPClient: hc}
}

// TestClientCredentialsAsksAsDocumented: the form of the grant, at ScaiKey
// unless told otherwise.
func TestClientCredentialsAsksAsDocumented(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var form url.Values
	rt := &script{answers: says2(says(200, `{"access_token":"skt_1"}`)), seen: func(r *http.Request, body []byte) {
		got = r
		form, _ = url.ParseQuery(string(body))
	}}
	c := credentials(&http.Client{Transport: rt})
	c.Scopes, c.EndpointParams = []string{"secrets:read", "secrets:list"}, url.Values{"audience": {"scaivault"}}
	token, err := c.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, "skt_1", token)
	require.Equal(t, "POST https://scaikey.scailabs.ai/oauth/token", got.Method+" "+got.URL.String())
	require.Equal(t, "application/x-www-form-urlencoded", got.Header.Get("Content-Type"))
	require.Equal(t, "application/json", got.Header.Get("Accept"))
	require.Empty(t, got.Header.Get("Authorization"))
	want := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"sa:billing"}, "client_secret": {canaryText},
		"scope": {"secrets:read secrets:list"}, "audience": {"scaivault"},
	}
	require.Equal(t, want, form)

	c.BasicAuth, c.TokenURL = true, "https://keys.example/auth/token"
	_, err = c.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, "https://keys.example/auth/token", got.URL.String())
	id, secret, _ := got.BasicAuth()
	require.Equal(t, []string{url.QueryEscape("sa:billing"), url.QueryEscape(canaryText)}, []string{id, secret})
	require.False(t, form.Has("client_secret"))
	require.EqualValues(t, 2, rt.requests.Load(), "Token asks each time, and once")
}

// TestWrongClientCredentials are told before any I/O, all at once.
func TestWrongClientCredentials(t *testing.T) {
	t.Parallel()
	rt := &script{}
	good := credentials(&http.Client{Transport: rt})
	for name, c := range map[string]struct {
		change func(*scaivault.ClientCredentials)
		hints  []string
	}{
		"nothing set":      {func(c *scaivault.ClientCredentials) { *c = scaivault.ClientCredentials{} }, []string{"ClientID", "ClientSecret", "EnvToken"}},
		"plain http":       {func(c *scaivault.ClientCredentials) { c.TokenURL = "http://keys.example/token" }, []string{"TokenURL", "in clear", "PlainHTTPHosts"}},
		"a password":       {func(c *scaivault.ClientCredentials) { c.TokenURL = "https://u:" + canaryNested + "@keys.example" }, []string{"TokenURL", "password"}},
		"a query":          {func(c *scaivault.ClientCredentials) { c.TokenURL = "https://keys.example?x=" + canaryNested }, []string{"TokenURL", "query"}},
		"a second secret":  {func(c *scaivault.ClientCredentials) { c.EndpointParams = url.Values{"client_secret": {canaryNested}} }, []string{"EndpointParams", "client_secret"}},
		"an empty secret":  {func(c *scaivault.ClientCredentials) { c.ClientSecret = scaivault.StaticToken("") }, []string{"ClientSecret", "empty"}},
		"a newline":        {func(c *scaivault.ClientCredentials) { c.ClientSecret = scaivault.StaticToken(canaryNested + "\n") }, []string{"ClientSecret", "newline"}},
		"a file of no one": {func(c *scaivault.ClientCredentials) { c.ClientSecret = scaivault.FileToken("") }, []string{"ClientSecret", "name the file"}},
		"a wrong source":   {func(c *scaivault.ClientCredentials) { c.ClientSecret = scaivault.TokenExchange{} }, []string{"ClientSecret", "TokenExchange.URL", "TokenExchange.Subject"}},
		"no time":          {func(c *scaivault.ClientCredentials) { c.Timeout = -1 }, []string{"Timeout", "negative"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := good
			c.change(&wrong)
			_, err := wrong.Token(t.Context())
			requireMatches(t, err, scaivault.ErrInvalid)
			for _, hint := range c.hints {
				require.ErrorContains(t, err, hint)
			}
			require.NotContains(t, err.Error(), canaryNested)
		})
	}
	require.Zero(t, rt.requests.Load())
}

// TestClientTakesCredentialsAsTheyAre.
func TestClientTakesCredentialsAsTheyAre(t *testing.T) {
	t.Parallel()
	var bearer string
	rt := &script{answers: says2(says(200, oneSecret)), seen: func(r *http.Request, _ []byte) { bearer = r.Header.Get("Authorization") }}
	client := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) {
		cfg.Token = scaivault.ClientCredentials{ClientID: "x", ClientSecret: scaivault.StaticToken("y"), HTTPClient: says1(200, `{"access_token":"skt_1"}`)}
	})
	_, err := client.Get(t.Context(), testPath)
	require.NoError(t, err)
	require.Equal(t, "Bearer skt_1", bearer)
}
