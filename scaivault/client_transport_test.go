// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// secure starts a TLS server of its own certificate, and returns what trusts it.
func secure(t *testing.T, h http.Handler, change func(*httptest.Server)) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	if change != nil {
		change(srv)
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return srv, pool
}

func trusting(settings *tls.Config) configure {
	return func(cfg *scaivault.ClientConfig) { cfg.TLSConfig = settings }
}

// TestTLSWithCustomRootsSpeaksHTTP2, and leaves the caller's settings alone.
func TestTLSWithCustomRootsSpeaksHTTP2(t *testing.T) {
	t.Parallel()
	var proto atomic.Value
	srv, pool := secure(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto.Store(r.Proto)
		answer(200, oneSecret)(w, r)
	}), nil)
	settings := &tls.Config{RootCAs: pool}
	require.NoError(t, getOf(testPath)(t.Context(), newTestClient(t, srv.URL, trusting(settings))))
	require.Equal(t, "HTTP/2.0", proto.Load())
	require.Zero(t, settings.MinVersion)

	err := getOf(testPath)(t.Context(), newTestClient(t, srv.URL))
	requireMatches(t, err, scaivault.ErrUnavailable)
	require.ErrorContains(t, err, "certificate")
}

// TestEveryMethodOverBothVersionsOfHTTP is for a socket with TLS.
func TestEveryMethodOverBothVersionsOfHTTP(t *testing.T) {
	t.Parallel()
	lender, pool := secure(t, http.NotFoundHandler(), nil) // of a certificate
	for protocol, want := range map[scaivaulttest.Protocol]string{
		scaivaulttest.ProtocolHTTP1: "http/1.1", scaivaulttest.ProtocolHTTP2: "h2",
	} {
		s := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{
			TLS: &tls.Config{Certificates: lender.TLS.Certificates}, Quirks: scaivaulttest.Quirks{Protocol: protocol},
		})
		var spoken atomic.Value
		settings := &tls.Config{RootCAs: pool, VerifyConnection: func(state tls.ConnectionState) error {
			spoken.Store(state.NegotiatedProtocol)
			return nil
		}}
		c := newTestClient(t, s.URL(), trusting(settings), func(cfg *scaivault.ClientConfig) { cfg.Token = scaivault.StaticToken(s.IssueToken("sa:x")) })
		everyMethodOfSecrets(t, c)
		everyOtherMethod(t, c)
		require.Equal(t, want, spoken.Load())

		s.Inject(scaivaulttest.Fault{Method: http.MethodPut, After: true, Count: 1, Cut: scaivaulttest.CutBeforeAnswer, Break: scaivaulttest.BreakReset})
		w, err := c.Put(t.Context(), "a/lost", valueA, nil)
		require.NoError(t, err, "the answer is lost, and the secret is read back")
		require.Equal(t, 1, w.Version)
		require.Equal(t, 1, s.SecretVersion("a/lost"))
	}
}

func TestClientCertificateIsShown(t *testing.T) {
	t.Parallel()
	srv, pool := secure(t, answer(200, oneSecret), func(srv *httptest.Server) {
		srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	})
	own := srv.TLS.Certificates[0]
	require.NoError(t, getOf(testPath)(t.Context(), newTestClient(t, srv.URL, trusting(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}}))))
	requireMatches(t, getOf(testPath)(t.Context(), newTestClient(t, srv.URL, trusting(&tls.Config{RootCAs: pool}))), scaivault.ErrUnavailable)
}

// TestOldTLSIsNotSpoken, whatever the settings say.
func TestOldTLSIsNotSpoken(t *testing.T) {
	t.Parallel()
	srv, pool := secure(t, answer(200, oneSecret), func(srv *httptest.Server) {
		srv.EnableHTTP2 = false
		srv.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	})
	old := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10}
	requireMatches(t, getOf(testPath)(t.Context(), newTestClient(t, srv.URL, trusting(old))), scaivault.ErrUnavailable)

	for what, cfg := range map[string]scaivault.ClientConfig{
		"TLSConfig.MaxVersion": {TLSConfig: &tls.Config{MaxVersion: tls.VersionTLS11}},
		"beside HTTPClient":    {TLSConfig: &tls.Config{}, HTTPClient: http.DefaultClient},
	} {
		cfg.URLs, cfg.Token = []string{srv.URL}, scaivault.StaticToken(testToken)
		_, err := scaivault.NewClient(cfg)
		requireMatches(t, err, scaivault.ErrInvalid)
		require.ErrorContains(t, err, what)
	}
}

// TestConnectionsAreKeptForManyCallsAtOnce: a second wave opens none.
func TestConnectionsAreKeptForManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	const calls = 256
	var opened atomic.Int64
	var wave sync.WaitGroup
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wave.Done()
		wave.Wait() // all at once
		answer(200, oneSecret)(w, r)
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	c := newTestClient(t, srv.URL)
	for range 3 {
		wave.Add(calls)
		var all sync.WaitGroup
		for range calls {
			all.Go(func() { assert.NoError(t, getOf(testPath)(t.Context(), c)) })
		}
		all.Wait()
	}
	require.LessOrEqual(t, opened.Load(), int64(calls+calls/4), "net/http dials ahead while it waits for a free one")
}

// TestTenantInThePath, of every call that acts in a tenant.
func TestTenantInThePath(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	s := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{TenantID: "tnt_x"})
	s.Seed(testPath, valueA)
	token := s.IssueToken("sa:x")
	rt := roundTrip(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Method+" "+r.URL.Path)
		require.Empty(t, r.Header.Get("X-Tenant-ID"))
		return s.RoundTripper().RoundTrip(r)
	})
	c := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) {
		cfg.TenantID, cfg.TenantInPath, cfg.Token = "tnt_x", true, scaivault.StaticToken(token)
	})
	require.NoError(t, getOf(testPath)(t.Context(), c))
	require.NoError(t, putOf(map[string]any{}, nil)(t.Context(), c))
	require.Equal(t, []string{testPath}, listed(t, c, "environments"))
	_, err := c.GetBatch(t.Context(), []string{testPath})
	require.NoError(t, err)
	_, err = c.WhoAmI(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Do(t.Context(), http.MethodGet, "/v1/federation/backends", nil, nil))
	for _, call := range seen {
		require.Contains(t, call, " /v1/t/tnt_x/")
	}
	require.Len(t, seen, 6)

	seen = nil
	_, err = c.Ready(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Do(t.Context(), http.MethodGet, "/v1/t/tnt_x/auth/whoami", nil, nil))
	require.Equal(t, []string{"GET /v1/health/ready", "GET /v1/t/tnt_x/auth/whoami"}, seen)

	_, err = scaivault.NewClient(scaivault.ClientConfig{URLs: []string{"https://s.test"}, Token: scaivault.StaticToken("t"), TenantInPath: true})
	requireMatches(t, err, scaivault.ErrInvalid)
	require.ErrorContains(t, err, "TenantInPath")
}

// TestPartnerSecretsLieElsewhere: every method for secrets, and no other.
func TestPartnerSecretsLieElsewhere(t *testing.T) {
	t.Parallel()
	var seen []string
	rt := &script{answers: says2(says(404, refusal("secret_not_found"))), seen: func(r *http.Request, _ []byte) {
		seen = append(seen, r.Method+" "+r.URL.Path)
	}}
	c := newTestClient(t, "https://s.test", through(rt)).PartnerSecrets()
	_, _ = c.Get(t.Context(), "a/b")
	_, _ = c.Put(t.Context(), "a/b", map[string]any{}, nil)
	_ = c.Delete(t.Context(), "a/b", nil)
	_, _ = c.GetBatch(t.Context(), []string{"a/b"})
	_ = listOf("a", nil)(t.Context(), c)
	require.Equal(t, []string{
		"GET /v1/partner/secrets/a/b", "PUT /v1/partner/secrets/a/b", "DELETE /v1/partner/secrets/a/b",
		"POST /v1/partner/secrets/batch", "GET /v1/partner/secrets",
	}, seen)
	seen = nil
	_, _ = c.WhoAmI(t.Context())
	require.Equal(t, []string{"GET /v1/auth/whoami"}, seen)
	require.NoError(t, c.Close())
	_, err := c.PartnerSecrets().Get(t.Context(), "a")
	requireMatches(t, err, scaivault.ErrClosed)
}

// TestAddressWithAPathIsKeptAsItIsWritten.
func TestAddressWithAPathIsKeptAsItIsWritten(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/vault", "/a%2Fb", "/a%20b/c"} {
		var got string
		rt := &script{answers: says2(says(200, oneSecret)), seen: func(r *http.Request, _ []byte) { got = r.URL.EscapedPath() }}
		require.NoError(t, getOf("x/y")(t.Context(), newTestClient(t, "https://s.test"+path, through(rt))))
		require.Equal(t, path+"/v1/secrets/x/y", got)
	}
}

// TestTransportMayAddToAHeader, as those that trace do, and changes no other.
func TestTransportMayAddToAHeader(t *testing.T) {
	t.Parallel()
	rt := &script{answers: says2(says(200, `{"version":1}`)), seen: func(r *http.Request, _ []byte) {
		for _, name := range []string{"Content-Type", "Accept", "User-Agent"} {
			r.Header.Add(name, "more")
		}
		assert.Equal(t, []string{"application/json", "more"}, r.Header["Content-Type"])
		assert.Equal(t, []string{"application/json", "more"}, r.Header["Accept"])
		assert.Contains(t, r.Header.Get("User-Agent"), "scaivault-go/")
		assert.Equal(t, []string{"Bearer " + testToken}, r.Header["Authorization"])
	}}
	require.NoError(t, putOf(map[string]any{"k": "v"}, nil)(t.Context(), newTestClient(t, "https://s.test", through(rt))))
}

// TestRequestThatIsTooLargeIsNotSent.
func TestRequestThatIsTooLargeIsNotSent(t *testing.T) {
	t.Parallel()
	rt := &script{answers: says2(says(201, `{"version":1}`))}
	c := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) { cfg.MaxRequestBytes = 1000 })
	err := putOf(map[string]any{"k": strings.Repeat("v", 1000)}, nil)(t.Context(), c)
	requireMatches(t, err, scaivault.ErrInvalid)
	require.ErrorContains(t, err, "MaxRequestBytes")
	require.Zero(t, rt.requests.Load())
	whole := 1000 - len(`{"data":{"k":""},"secret_type":"json"}`)
	require.NoError(t, putOf(map[string]any{"k": strings.Repeat("v", whole)}, nil)(t.Context(), c))
	requireMatches(t, putOf(map[string]any{"k": strings.Repeat("v", whole+1)}, nil)(t.Context(), c), scaivault.ErrInvalid)
}

func TestUserAgentNamesModuleAndVersion(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{"": `^scaivault-go/\S+$`, "billing/2.0": `^billing/2\.0 scaivault-go/\S+$`} {
		var agent string
		rt := &script{answers: says2(says(200, oneSecret)), seen: func(r *http.Request, _ []byte) { agent = r.UserAgent() }}
		require.NoError(t, getOf(testPath)(t.Context(), newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) { cfg.UserAgent = prefix })))
		require.Regexp(t, regexp.MustCompile(want), agent)
	}
}

// TestRequestIDIsInEveryError.
func TestRequestIDIsInEveryError(t *testing.T) {
	t.Parallel()
	bodies := []string{
		"", "}", "null", "[]", "{}", `{"error":{"code":"internal_error"}}`, `{"error":{"code":"secret_not_found"}}`, `{"error":{"code":"no_such_route"}}`,
		`{"id":" ","data":{"k":"other"},"version":2}`, `{"path":"z","id":"x","data":{"k":"other"},"version":2,"metadata":{}}`,
		`{"id":"x","secrets":[1],"logs":[1],"events":[1],"policies":[1],"subscriptions":[1],"bindings":[1],"versions":[{}]}`,
		`{"secrets":[],"logs":[],"policies":[],"subscriptions":[],"bindings":[],"versions":[],"has_more":true}`,
	}
	calls := maps.Clone(quotingCalls)
	calls["put if version"] = putOf(map[string]any{"k": "v"}, &scaivault.PutOptions{IfVersion: new(int)})
	calls["put if unchanged"] = putOf(map[string]any{"k": "v"}, &scaivault.PutOptions{IfUnchanged: mustSecret(t, `{"k":"was"}`)})
	delete(calls, "update below") // it is refused for what stands elsewhere, whoever tells so
	for name, call := range calls {
		failed := false
		for _, status := range []int{200, 301, 400, 404, 405, 500, 503} {
			for _, body := range bodies {
				rt := &script{answers: says2(says(status, body, "X-Request-ID", "req_42"))}
				if err := call(t.Context(), newTestClient(t, "https://s.test", through(rt))); err != nil {
					require.ErrorContains(t, err, "req_42", "%s: %d %s", name, status, body)
					failed = true
				}
			}
		}
		require.True(t, failed, name)
	}
}

// A transport that gets one new connection after the other, as package net/http
// does where each is given back, is stopped, however little time the caller has.
func TestAttemptUsesUpFewConnections(t *testing.T) {
	t.Parallel()
	for name, deadline := range map[string]time.Duration{"the attempt's own time": 0, "the caller's": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				conns := 0
				c := newTestClient(t, "https://s.test", through(roundTrip(func(r *http.Request) (*http.Response, error) {
					trace := httptrace.ContextClientTrace(r.Context())
					for r.Context().Err() == nil {
						trace.GetConn("s.test:443")
						trace.GotConn(httptrace.GotConnInfo{})
						conns++
						time.Sleep(time.Millisecond)
					}
					return nil, r.Context().Err()
				})))
				ctx := t.Context()
				if deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, deadline)
					defer cancel()
				}
				_, err := c.Get(ctx, testPath)
				require.ErrorIs(t, err, scaivault.ErrUnavailable)
				require.LessOrEqual(t, conns, 4)
			})
		})
	}
}
