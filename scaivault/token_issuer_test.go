// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// refusalsOfIssuers are answers that hold no token, and what becomes of them.
var refusalsOfIssuers = map[string]struct {
	status int
	body   string
	header []string
	want   error
	code   string
	hint   string
}{
	"a wrong secret":            {401, `{"error":"invalid_client","error_description":"no"}`, nil, scaivault.ErrUnauthenticated, "invalid_client", "secret"},
	"of status 400":             {400, `{"error":"invalid_client"}`, nil, scaivault.ErrUnauthenticated, "invalid_client", ""},
	"scopes":                    {400, `{"error":"invalid_scope"}`, nil, scaivault.ErrUnauthenticated, "invalid_scope", "scopes"},
	"forbidden":                 {403, `{"error":"unauthorized_client"}`, nil, scaivault.ErrUnauthenticated, "unauthorized_client", ""},
	"an unknown code":           {400, `{"error":"something_new"}`, nil, scaivault.ErrUnauthenticated, "something_new", ""},
	"with status 200":           {200, `{"error":"invalid_client"}`, nil, scaivault.ErrUnauthenticated, "invalid_client", ""},
	"the service's own form":    {403, refusal("access_denied"), nil, scaivault.ErrUnauthenticated, "access_denied", "policy"},
	"not found":                 {404, refusal("tenant_not_found"), nil, scaivault.ErrUnauthenticated, "tenant_not_found", ""},
	"a wrong address":           {404, refusal("not_found"), nil, scaivault.ErrUnauthenticated, "not_found", "URL"},
	"401 and no more":           {401, ``, nil, scaivault.ErrUnauthenticated, "", "empty"},
	"too many":                  {429, `{"error":"slow_down"}`, []string{"Retry-After", "7"}, scaivault.ErrRateLimited, "slow_down", "7s"},
	"too many, says a page":     {429, balancerPage, []string{"Retry-After", "7"}, scaivault.ErrRateLimited, "", "7s"},
	"the service's own limit":   {429, refusal("rate_limited"), nil, scaivault.ErrRateLimited, "rate_limited", ""},
	"down":                      {503, ``, []string{"Retry-After", "9"}, scaivault.ErrUnavailable, "", "9s"},
	"down with a code":          {400, `{"error":"temporarily_unavailable"}`, nil, scaivault.ErrUnavailable, "temporarily_unavailable", ""},
	"broken with a code":        {500, `{"error":"invalid_client"}`, nil, scaivault.ErrUnavailable, "invalid_client", ""},
	"a balancer's 404":          {404, balancerPage, nil, scaivault.ErrUnavailable, "", "load balancer"},
	"a balancer's 403":          {403, balancerPage, nil, scaivault.ErrUnavailable, "", "load balancer"},
	"a balancer's 200":          {200, balancerPage, nil, scaivault.ErrUnavailable, "", "JSON"},
	"nothing":                   {200, ``, nil, scaivault.ErrUnavailable, "", "JSON"},
	"no content":                {204, ``, nil, scaivault.ErrUnavailable, "", "JSON"},
	"a list":                    {200, `["skt_1"]`, nil, scaivault.ErrUnavailable, "", "JSON"},
	"null":                      {200, `null`, nil, scaivault.ErrUnavailable, "", "no token"},
	"no token":                  {200, `{"token_type":"Bearer"}`, nil, scaivault.ErrUnavailable, "", "no token"},
	"a number for a token":      {200, `{"access_token":7}`, nil, scaivault.ErrUnavailable, "", "no token"},
	"a token of two lines":      {200, `{"access_token":"skt_1\r\nX-Other: y"}`, nil, scaivault.ErrUnavailable, "", "header"},
	"cut off":                   {200, `{"access_token":"skt_`, nil, scaivault.ErrUnavailable, "", "JSON"},
	"a redirect":                {307, ``, []string{"Location", "https://evil.example/"}, scaivault.ErrUnavailable, "", "redirect"},
	"a redirect that refuses":   {302, `{"error":"invalid_client"}`, nil, scaivault.ErrUnavailable, "invalid_client", "redirect"},
	"a code that is no code":    {400, `{"error":"two words"}`, nil, scaivault.ErrUnavailable, "", ""},
	"a code of another type":    {400, `{"error":7}`, nil, scaivault.ErrUnavailable, "", ""},
	"a code that is the secret": {400, `{"error":"` + canaryNested + `"}`, nil, scaivault.ErrUnauthenticated, "", ""},
}

func TestRefusalsOfIssuers(t *testing.T) {
	t.Parallel()
	for name, c := range refusalsOfIssuers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hc := says1(c.status, c.body, c.header...)
			proof := scaivault.StaticToken(canaryNested)
			for _, source := range []scaivault.TokenSource{
				scaivault.ClientCredentials{ClientID: "sa:billing", ClientSecret: proof, HTTPClient: hc},
				scaivault.TokenExchange{URL: "https://s.test", Subject: proof, HTTPClient: hc},
			} {
				token, err := source.Token(t.Context())
				require.Empty(t, token)
				requireMatches(t, err, c.want)
				require.ErrorContains(t, err, c.hint)
				require.NotContains(t, err.Error(), canaryNested)
				e := requireError(t, err)
				require.Equal(t, c.status, e.Status)
				require.Equal(t, c.code, e.Code)
			}
		})
	}
}

// TestIssuersThatDoNotAnswer.
func TestIssuersThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for name, c := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		hint   string
	}{
		"refused":    {breaks(refused), "connection refused"},
		"quoting":    {breaks(errors.New("malformed: " + canaryText)), "broke off"},
		"cut off":    {cutOff, "JSON"},
		"too large":  {says(200, `{"access_token":"`+strings.Repeat("x", 1<<20)+`"}`), "larger"},
		"very large": {endlessAnswer, "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := credentials(&http.Client{Transport: &script{answers: says2(c.answer)}}).Token(t.Context())
			requireMatches(t, err, scaivault.ErrUnavailable)
			require.NotContains(t, err.Error(), canaryText)
			if name != "cut off" {
				require.ErrorContains(t, err, c.hint)
			}
		})
	}
}

// cutOff is an answer whose body breaks off.
func cutOff(r *http.Request) (*http.Response, error) {
	resp, err := says(200, "")(r)
	resp.Body, resp.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(`{"access_token":`), brokenReader{})), -1
	return resp, err
}

// endlessAnswer is an answer whose body does not end.
func endlessAnswer(r *http.Request) (*http.Response, error) {
	resp, err := says(200, "")(r)
	resp.Body, resp.ContentLength = io.NopCloser(spaces{}), -1
	return resp, err
}

type spaces struct{}

func (spaces) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// TestTimeoutOfAnIssuer is ErrUnavailable alone; the caller's own ctx shows.
func TestTimeoutOfAnIssuer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := credentials(&http.Client{Transport: &script{answers: says2(hangs)}})
		start := time.Now()
		_, err := c.Token(t.Context())
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.ErrorContains(t, err, "Timeout is 10s")
		require.Equal(t, 10*time.Second, time.Since(start))
		c.Timeout = time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = c.Token(ctx)
		requireMatches(t, err, scaivault.ErrUnavailable, context.DeadlineExceeded)
		cancel()
		_, err = c.Token(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// TestProofIsSentToNoRedirectTarget, whatever the status and the user's client.
func TestProofIsSentToNoRedirectTarget(t *testing.T) {
	t.Parallel()
	var visits atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer other.Close()
	var status atomic.Int64
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", other.URL)
		if r.URL.Path == "/home/v1/auth/exchange" {
			w.Header().Set("Location", srv.URL) // not within the issuer either
		}
		if r.URL.Path == "/" {
			visits.Add(1)
		}
		w.WriteHeader(int(status.Load()))
	}))
	defer srv.Close()
	willing := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	proof := scaivault.StaticToken(canaryText)
	for _, code := range []int64{301, 302, 303, 307, 308} {
		status.Store(code)
		for _, hc := range []*http.Client{nil, willing} {
			for _, source := range []scaivault.TokenSource{
				scaivault.ClientCredentials{TokenURL: srv.URL + "/token", ClientID: "x", ClientSecret: proof, HTTPClient: hc},
				scaivault.ClientCredentials{TokenURL: srv.URL + "/token", ClientID: "x", ClientSecret: proof, HTTPClient: hc, BasicAuth: true},
				scaivault.TokenExchange{URL: srv.URL + "/home/", Subject: proof, HTTPClient: hc},
			} {
				_, err := source.Token(t.Context())
				requireMatches(t, err, scaivault.ErrUnavailable)
				require.ErrorContains(t, err, "URL to the final address")
			}
		}
	}
	require.Zero(t, visits.Load())
}

// TestRotatedProofIsTriedOnce: after a refusal the source of the proof is asked
// for another one.
func TestRotatedProofIsTriedOnce(t *testing.T) {
	t.Parallel()
	rt := &script{answers: says2(says(401, `{"error":"invalid_client"}`), says(200, `{"access_token":"skt_1"}`), says(401, `{"error":"invalid_client"}`))}
	source := &rotating{proof: "old", next: "new"}
	c := scaivault.ClientCredentials{ClientID: "x", ClientSecret: source, HTTPClient: &http.Client{Transport: rt}}
	token, err := c.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, "skt_1", token)
	_, err = c.Token(t.Context())
	requireMatches(t, err, scaivault.ErrUnauthenticated)
	require.EqualValues(t, 3, rt.requests.Load(), "the same proof is not tried again")

	c.ClientSecret = &rotating{proof: "old", next: "new\n"}
	_, err = c.Token(t.Context())
	requireMatches(t, err, scaivault.ErrUnauthenticated)
	require.EqualValues(t, 4, rt.requests.Load(), "nor is one that can't be right")
}

// rotating is a source of a proof that has been changed.
type rotating struct{ proof, next string }

func (r *rotating) Token(context.Context) (string, error) { return r.proof, nil }

func (r *rotating) Renew(context.Context, string) (string, error) {
	r.proof = r.next
	return r.proof, nil
}

// TestProofThatCanNotBeHad is no answer about a secret: what the proof itself
// is read with may well say no.
func TestProofThatCanNotBeHad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		proof scaivault.TokenFunc
		want  error
	}{
		"unavailable": {func(context.Context) (string, error) { return "", fmt.Errorf("vault: %w", &outage) }, scaivault.ErrUnavailable},
		"limited": {func(context.Context) (string, error) {
			return "", &scaivault.Error{Kind: scaivault.ErrRateLimited, Op: "get", RetryAfter: time.Hour}
		}, scaivault.ErrRateLimited},
		"not found": {func(context.Context) (string, error) { return "", scaivault.ErrNotFound }, scaivault.ErrUnauthenticated},
		"denied": {func(context.Context) (string, error) {
			return "", &scaivault.Error{Kind: scaivault.ErrPermission, Op: "get"}
		}, scaivault.ErrUnauthenticated},
		"another ctx": {func(context.Context) (string, error) { return "", context.Canceled }, scaivault.ErrUnauthenticated},
		"empty":       {func(context.Context) (string, error) { return "", nil }, scaivault.ErrUnauthenticated},
		"two lines":   {func(context.Context) (string, error) { return canaryText + "\n", nil }, scaivault.ErrUnauthenticated},
		"not text":    {func(context.Context) (string, error) { return canaryText + "\xff", nil }, scaivault.ErrUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := &script{}
			hc := &http.Client{Transport: rt}
			for field, source := range map[string]scaivault.TokenSource{
				"ClientSecret": scaivault.ClientCredentials{ClientID: "x", ClientSecret: c.proof, HTTPClient: hc},
				"Subject":      scaivault.TokenExchange{URL: "https://s.test", Subject: c.proof, HTTPClient: hc},
			} {
				for _, source := range []scaivault.TokenSource{source, cached(t, source)} {
					_, err := source.Token(t.Context())
					requireMatches(t, err, c.want)
					require.ErrorContains(t, err, field)
					require.NotContains(t, err.Error(), canaryText)
					require.Equal(t, name == "limited", requireError(t, err).RetryAfter > 0)
				}
			}
			require.Zero(t, rt.requests.Load())
		})
	}
}

// TestSecretsOfTokenSourcesAreShownNowhere: not by them, their caches, or the
// errors about answers that repeat everything that was sent.
func TestSecretsOfTokenSourcesAreShownNowhere(t *testing.T) {
	t.Parallel()
	proof := scaivault.StaticToken(canaryText)
	bodies := []string{
		`{"error":"invalid_client","error_description":%q}`, `{"error":{"code":"access_denied","message":%q,"details":%[1]q}}`,
		`{"error":%q}`, `%s`, `{"access_token":%q}`, `{"access_token":"not a token: %s"}`,
	}
	detect := newDetector(canaryText)
	for _, body := range bodies {
		for _, status := range []int{200, 302, 400, 401, 429, 500} {
			hc := &http.Client{Transport: &script{answers: says2(func(r *http.Request) (*http.Response, error) {
				sent, _ := io.ReadAll(r.Body)
				basic, _, _ := r.BasicAuth()
				said := fmt.Sprintf(body, canaryText)
				return says(status, said, "X-Request-ID", canaryText, "Location", "https://evil.example/?"+string(sent)+basic)(r)
			})}}
			for _, source := range []any{
				scaivault.ClientCredentials{ClientID: "x", ClientSecret: proof, HTTPClient: hc},
				scaivault.ClientCredentials{ClientID: "x", ClientSecret: proof, HTTPClient: hc, BasicAuth: true},
				scaivault.TokenExchange{URL: "https://s.test", Subject: proof, HTTPClient: hc},
			} {
				_, err := source.(scaivault.TokenSource).Token(t.Context())
				if err == nil {
					continue
				}
				e := requireError(t, err)
				shown := fmt.Sprintf("%v %+v %#v %s", err, err, err, strings.Join([]string{e.Code, e.RequestID, e.Reason, e.Message}, " "))
				require.Empty(t, detect.leak(shown), shown)
			}
		}
	}
	hc := says1(200, `{"access_token":"`+canaryNested+`"}`)
	detect = newDetector(canaryText, canaryNested)
	for _, source := range []any{
		scaivault.ClientCredentials{ClientID: "x", ClientSecret: proof, HTTPClient: hc},
		&scaivault.TokenExchange{URL: "https://s.test", Subject: proof, HTTPClient: hc},
	} {
		tokens, closeCache := scaivault.CacheTokens(source)
		requireTokenOf(t, tokens, canaryNested)
		closeCache() // some of the printers look at what it uses itself
		for _, v := range []any{source, tokens, []any{source, tokens}, scaivault.ClientConfig{Token: tokens}} {
			for output, how := range outputsOf(t, v) {
				assert.Empty(t, detect.leak(output), how)
			}
		}
	}
}

// TestBasicAuthIsScrubbed, too, in the form in which it is sent.
func TestBasicAuthIsScrubbed(t *testing.T) {
	t.Parallel()
	sent := base64.StdEncoding.EncodeToString([]byte("x:" + url.QueryEscape(canaryText)))
	c := credentials(says1(400, `{"error":"invalid_request","error_description":"what is Basic `+sent+`?"}`))
	c.ClientID, c.BasicAuth = "x", true
	_, err := c.Token(t.Context())
	require.Equal(t, "what is Basic REDACTED?", requireError(t, err).Message)
}
