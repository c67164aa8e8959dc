// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"net/http"
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

// issued is a client whose token comes from an issuer and lives an hour.
func issued(t *testing.T, change ...configure) (*scaivaulttest.Server, *scaivaulttest.Key, *scaivault.Client) {
	t.Helper()
	s := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{TokenTTL: time.Hour, NoLimits: true})
	key := scaivaulttest.NewKey(t, s)
	key.AddClient("billing", "not-a-real-secret", "sa:billing")
	change = append([]configure{through(s.RoundTripper()), func(cfg *scaivault.ClientConfig) {
		cfg.Token = scaivault.ClientCredentials{
			TokenURL: "https://key.test/oauth/token", ClientID: "billing", ClientSecret: scaivault.StaticToken("not-a-real-secret"),
			HTTPClient: &http.Client{Transport: key.RoundTripper()},
		}
	}}, change...)
	s.Seed(testPath, valueA)
	return s, key, newTestClient(t, "https://s.test", change...)
}

// TestClientRenewsItsTokenWithoutFailingACall: for a day, with the issuer down
// for most of each token's life.
func TestClientRenewsItsTokenWithoutFailingACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, key, c := issued(t)
		get := getOf(testPath)
		for minute := range 24 * 60 {
			key.SetDown(minute%60 > 0 && minute%60 < 50)
			require.NoError(t, get(t.Context(), c), "minute %d", minute)
			time.Sleep(time.Minute)
		}
		require.LessOrEqual(t, key.RequestCount("", "**"), 24*60/30)
		require.Equal(t, 24*60, s.RequestCount(http.MethodGet, "/v1/secrets/**"), "no call was refused with an old token")
	})
}

// TestManyCallsWaitForOneToken, at the start and after a revocation.
func TestManyCallsWaitForOneToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var bearer atomic.Value
		s, key, c := issued(t, func(cfg *scaivault.ClientConfig) {
			rt := cfg.HTTPClient.Transport
			cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				bearer.Store(r.Header.Get("Authorization"))
				return rt.RoundTrip(r)
			})}
		})
		all := func() {
			var wg sync.WaitGroup
			for range 500 {
				wg.Go(func() { assert.NoError(t, getOf(testPath)(t.Context(), c)) })
			}
			wg.Wait()
		}
		all()
		require.Equal(t, 1, key.RequestCount("", "**"))
		s.RevokeToken(strings.TrimPrefix(bearer.Load().(string), "Bearer "))
		all()
		require.Equal(t, 2, key.RequestCount("", "**"))
	})
}

// TestRefusedTokenIsRenewedOnceAndTheCallRepeatedOnce, also for a write.
func TestRefusedTokenIsRenewedOnceAndTheCallRepeatedOnce(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"token_expired", "token_invalid", "token_revoked", "authentication_required", "of_another_kind"} {
		for name, call := range map[string]func(context.Context, *scaivault.Client) error{"get": getOf(testPath), "put": putOf(map[string]any{"k": "v"}, nil)} {
			synctest.Test(t, func(t *testing.T) {
				s, key, c := issued(t, retries(3))
				s.Inject(scaivaulttest.Fault{Path: "/v1/secrets/**", Count: 1, Status: 401, Code: code})
				require.NoError(t, call(t.Context(), c), "%s %s", name, code)
				require.Equal(t, 2, s.RequestCount("", "/v1/secrets/**"))
				require.Equal(t, 2, key.RequestCount("", "**"))

				s.Inject(scaivaulttest.Fault{Path: "/v1/secrets/**", Status: 401, Code: code})
				requireMatches(t, call(t.Context(), c), scaivault.ErrUnauthenticated)
				require.Equal(t, 4, s.RequestCount("", "/v1/secrets/**"), "renewed once, repeated once")
				require.Equal(t, 3, key.RequestCount("", "**"))
			})
		}
	}
}

// TestOpenCallsNeedNoToken.
func TestOpenCallsNeedNoToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, key, c := issued(t)
		key.SetDown(true)
		_, err := c.Ready(t.Context())
		require.NoError(t, err)
		require.NoError(t, c.Live(t.Context()))
		_, err = c.Version(t.Context())
		require.NoError(t, err)
		s.Inject(scaivaulttest.Fault{Path: "/v1/version", Status: 401, Code: "token_expired"})
		key.SetDown(false)
		_, err = c.Version(t.Context())
		require.Error(t, err, "something in between")
		require.Zero(t, key.RequestCount("", "**"))
		key.SetDown(true)
		requireMatches(t, getOf(testPath)(t.Context(), c), scaivault.ErrUnavailable)
	})
}

// TestClosedClientAsksForNoToken, and leaves nothing behind that would.
func TestClosedClientAsksForNoToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, key, c := issued(t)
		require.NoError(t, getOf(testPath)(t.Context(), c))
		require.NoError(t, c.PartnerSecrets().Close())
		requireMatches(t, getOf(testPath)(t.Context(), c), scaivault.ErrClosed)
		time.Sleep(24 * time.Hour)
		require.Equal(t, 1, key.RequestCount("", "**"))
	})
}

// TestNewClientChecksItsTokenSource before any I/O.
func TestNewClientChecksItsTokenSource(t *testing.T) {
	t.Parallel()
	for want, source := range map[string]scaivault.TokenSource{
		"ClientCredentials.ClientID": scaivault.ClientCredentials{ClientSecret: scaivault.StaticToken("x")},
		"ClientCredentials.TokenURL": scaivault.ClientCredentials{TokenURL: "http://key.test", ClientID: "x", ClientSecret: scaivault.StaticToken("x")},
		"TokenExchange.Subject":      &scaivault.TokenExchange{URL: "https://s.test"},
	} {
		_, err := scaivault.NewClient(scaivault.ClientConfig{URLs: []string{"https://s.test"}, Token: source})
		requireMatches(t, err, scaivault.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}
