// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestTokenExchangeSendsWhatItIsTold, and no bearer.
func TestTokenExchangeSendsWhatItIsTold(t *testing.T) {
	t.Parallel()
	subject := scaivault.StaticToken(canaryQuoted)
	for name, c := range map[string]struct {
		x    scaivault.TokenExchange
		url  string
		want map[string]any
	}{
		"the least": {
			scaivault.TokenExchange{URL: "https://s.test"},
			"https://s.test/v1/auth/exchange",
			map[string]any{"subject_token": canaryQuoted},
		},
		"a role": {
			scaivault.TokenExchange{URL: "https://s.test:8443/base/", Role: "sa:billing"},
			"https://s.test:8443/base/v1/auth/exchange",
			map[string]any{"subject_token": canaryQuoted, "role": "sa:billing"},
		},
		"other names": {
			scaivault.TokenExchange{
				URL: "http://plain.test/", PlainHTTPHosts: []string{"plain.test"}, Role: "sa:billing",
				Fields: scaivault.ExchangeFields{Subject: "jwt", Role: "identity"},
				Extra:  map[string]string{"provider": "kubernetes", "role": "x"},
			},
			"http://plain.test/v1/auth/exchange",
			map[string]any{"jwt": canaryQuoted, "identity": "sa:billing", "provider": "kubernetes", "role": "x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := &script{answers: says2(says(201, `{"token":"skt_1"}`)), seen: func(r *http.Request, body []byte) {
				require.Equal(t, "POST "+c.url, r.Method+" "+r.URL.String())
				require.Equal(t, "application/json", r.Header.Get("Content-Type"))
				require.NotContains(t, r.Header, "Authorization")
				var got map[string]any
				require.NoError(t, json.Unmarshal(body, &got))
				require.Equal(t, c.want, got)
			}}
			c.x.Subject, c.x.HTTPClient = scaivault.TokenFunc(subject.Token), &http.Client{Transport: rt}
			requireTokenOf(t, c.x, "skt_1")
			require.EqualValues(t, 1, rt.requests.Load())
		})
	}
}

// TestWrongTokenExchange is told before any I/O, all at once.
func TestWrongTokenExchange(t *testing.T) {
	t.Parallel()
	subject := scaivault.StaticToken(canaryNested)
	for name, c := range map[string]struct {
		x     scaivault.TokenExchange
		hints []string
	}{
		"nothing set":    {scaivault.TokenExchange{}, []string{"TokenExchange.URL", "TokenExchange.Subject", "FileToken"}},
		"plain http":     {scaivault.TokenExchange{URL: "http://s.test", Subject: subject}, []string{"PlainHTTPHosts"}},
		"one name":       {scaivault.TokenExchange{URL: "https://s.test", Subject: subject, Fields: scaivault.ExchangeFields{Subject: "role"}}, []string{"Fields", "role"}},
		"two subjects":   {scaivault.TokenExchange{URL: "https://s.test", Subject: subject, Extra: map[string]string{"subject_token": canaryNested}}, []string{"Extra", "subject_token"}},
		"negative":       {scaivault.TokenExchange{URL: "https://s.test", Subject: subject, Timeout: -1}, []string{"Timeout"}},
		"a wrong source": {scaivault.TokenExchange{URL: "https://s.test", Subject: scaivault.ClientCredentials{}}, []string{"Subject", "ClientCredentials.ClientID"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.x.Token(t.Context())
			requireMatches(t, err, scaivault.ErrInvalid)
			for _, hint := range c.hints {
				require.ErrorContains(t, err, hint)
			}
			require.NotContains(t, err.Error(), canaryNested)
		})
	}
}

// jwt is a token that says of itself what claims say. It is signed by nobody.
func jwt(claims string) string {
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

// TestLifeOfAToken is read from whatever the issuer says of it.
func TestLifeOfAToken(t *testing.T) {
	t.Parallel()
	const unknown = 0
	// A bubble's clock starts at midnight UTC of the first day of 2000.
	inTen := jwt(`{"exp":946685400}`)
	for name, c := range map[string]struct {
		body   string
		header []string
		want   time.Duration
	}{
		"seconds":                 {`{"token":"a","expires_in":90}`, nil, 90 * time.Second},
		"a fraction":              {`{"token":"a","expires_in":90.5}`, nil, 90500 * time.Millisecond},
		"in quotes":               {`{"token":"a","expires_in":" 90 "}`, nil, 90 * time.Second},
		"a duration":              {`{"token":"a","expires_in":"1h30m"}`, nil, 90 * time.Minute},
		"days":                    {`{"token":"a","expires_in":"2d"}`, nil, 48 * time.Hour},
		"huge":                    {`{"token":"a","expires_in":1e300}`, nil, 365 * 24 * time.Hour},
		"infinite":                {`{"token":"a","expires_in":"Inf"}`, nil, 365 * 24 * time.Hour},
		"a huge duration":         {`{"token":"a","expires_in":"2000000h"}`, nil, 365 * 24 * time.Hour},
		"a date":                  {`{"token":"a","expires_at":"2000-01-01T00:10:00.5Z"}`, nil, 10*time.Minute + 500*time.Millisecond},
		"Unix seconds":            {`{"token":"a","expires_at":946685400}`, nil, 10 * time.Minute},
		"Unix milliseconds":       {`{"token":"a","expires_at":"946685400000"}`, nil, 10 * time.Minute},
		"far away":                {`{"token":"a","expires_at":"9999-01-01T00:00:00Z"}`, nil, 365 * 24 * time.Hour},
		"past":                    {`{"token":"a","expires_at":"1999-12-31T23:50:00Z"}`, nil, -10 * time.Minute},
		"now":                     {`{"token":"a","expires_at":"2000-01-01T00:00:00Z"}`, nil, -1},
		"both":                    {`{"token":"a","expires_in":60,"expires_at":946685400}`, nil, time.Minute},
		"the issuer's clock":      {`{"token":"a","expires_at":"2031-02-03T04:06:06Z"}`, []string{"Date", "Mon, 03 Feb 2031 04:05:06 GMT"}, time.Minute},
		"its own word":            {`{"token":"` + inTen + `"}`, nil, 10 * time.Minute},
		"its own word is less":    {`{"token":"` + inTen + `","expires_in":3600}`, nil, 10 * time.Minute},
		"its own word is more":    {`{"token":"` + inTen + `","expires_in":60}`, nil, time.Minute},
		"its own word has passed": {`{"token":"` + jwt(`{"exp":946684799}`) + `","expires_in":60}`, nil, -time.Second},
		"neither":                 {`{"token":"a"}`, nil, unknown},
		"null":                    {`{"token":"a","expires_in":null,"expires_at":null}`, nil, unknown},
		"not positive":            {`{"token":"a","expires_in":0,"expires_at":-1}`, nil, unknown},
		"not a number":            {`{"token":"a","expires_in":"NaN","expires_at":"NaN"}`, nil, unknown},
		"of other types":          {`{"token":"a","expires_in":[1],"expires_at":{}}`, nil, unknown},
		"words":                   {`{"token":"a","expires_in":"soon","expires_at":"later"}`, nil, unknown},
		"no JWT":                  {`{"token":"a.b.c"}`, nil, unknown},
		"a JWT without end":       {`{"token":"` + jwt(`{"exp":"never"}`) + `"}`, nil, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := scaivault.TokenExchange{URL: "https://s.test", Subject: scaivault.StaticToken("x"), HTTPClient: says1(200, c.body, c.header...)}
				_, expires, err := scaivault.FetchToken(t.Context(), x)
				require.NoError(t, err)
				if c.want == unknown {
					require.Zero(t, expires)
					return
				}
				require.Equal(t, c.want, time.Until(expires))
			})
		})
	}
}

// TestTokenIsFoundUnderAnyOfItsNames.
func TestTokenIsFoundUnderAnyOfItsNames(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"access_token":"skt_1","token":"other","id_token":"other"}`, `{"token":"skt_1","id_token":"other"}`, `{"id_token":"skt_1"}`,
		`{"access_token":"","token":"skt_1"}`, `{"access_token":null,"token":{},"id_token":"skt_1"}`, ` {"error":null,"access_token":"skt_1","token_type":7} `,
	} {
		requireTokenOf(t, scaivault.TokenExchange{URL: "https://s.test", Subject: scaivault.StaticToken("x"), HTTPClient: says1(200, body)}, "skt_1")
		requireTokenOf(t, scaivault.ClientCredentials{ClientID: "x", ClientSecret: scaivault.StaticToken("x"), HTTPClient: says1(200, body)}, "skt_1")
	}
}

// FuzzIssuerAnswer: whatever an issuer answers, there is a token that can stand
// in a header, or an error of a category that is no answer about a secret, and
// which does not quote it.
func FuzzIssuerAnswer(f *testing.F) {
	const marker = "c4n4ry of the issuer!"
	f.Add(200, `{"token":"`+jwt(`{"exp":1e99}`)+`","expires_at":"2030-01-01T00:00:00Z"}`, "Mon, 03 Feb 2031 04:05:06 GMT")
	f.Fuzz(func(t *testing.T, status int, body, header string) {
		if status < 200 || status > 999 {
			return
		}
		for _, body := range []string{body, body + marker, strings.Replace(body, `:"`, `:"`+marker, 1)} {
			hc := says1(status, body, "Date", header, "Retry-After", header, "Content-Type", header)
			for _, source := range []scaivault.TokenSource{
				scaivault.TokenExchange{URL: "https://s.test", Subject: scaivault.StaticToken("x"), HTTPClient: hc},
				scaivault.ClientCredentials{ClientID: "x", ClientSecret: scaivault.StaticToken("x"), HTTPClient: hc},
			} {
				tokens, closeCache := scaivault.CacheTokens(source)
				token, err := tokens.Token(t.Context())
				closeCache()
				if err == nil {
					require.NotEmpty(t, token)
					require.Equal(t, -1, strings.IndexFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }))
					continue
				}
				require.Contains(t, []error{scaivault.ErrUnauthenticated, scaivault.ErrUnavailable, scaivault.ErrRateLimited}, requireError(t, err).Kind)
				require.NotContains(t, err.Error(), marker)
				require.NotContains(t, err.Error(), "\n")
			}
		}
	})
}
