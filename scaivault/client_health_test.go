// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// brokenToken is a token source that has none.
func brokenToken(cfg *scaivault.ClientConfig) {
	cfg.Token = scaivault.TokenFunc(func(context.Context) (string, error) { return "", errors.New("no token today") })
}

func versionOf(ctx context.Context, c *scaivault.Client) error {
	_, err := c.Version(ctx)
	return err
}

func liveOf(ctx context.Context, c *scaivault.Client) error { return c.Live(ctx) }

// TestHealthSendsNoToken and works while the token source does not.
func TestHealthSendsNoToken(t *testing.T) {
	t.Parallel()
	s := scaivaulttest.NewServer(t)
	rt := s.RoundTripper()
	seen := &script{answers: says2(rt.RoundTrip), seen: func(r *http.Request, _ []byte) {
		assert.Empty(t, r.Header.Values("Authorization"))
		assert.Empty(t, r.Header.Values("X-Tenant-ID"))
	}}
	c := newTestClient(t, s.URL(), through(seen), brokenToken, func(cfg *scaivault.ClientConfig) { cfg.TenantID = "tnt_x" })
	require.NoError(t, c.Live(t.Context()))
	version, err := c.Version(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, version)
	ready, err := c.Ready(t.Context())
	require.NoError(t, err)
	require.Equal(t, "ready", ready.Status)
	require.EqualValues(t, 3, seen.requests.Load())
}

// TestHealthTakesOnlyTheServicesAnswers for a sign of life.
func TestHealthTakesOnlyTheServicesAnswers(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]struct {
		status int
		body   string
	}{
		"page": {200, balancerPage}, "empty": {200, ""}, "no content": {204, ""}, "null": {200, "null"}, "array": {200, "[]"},
		"nothing in it": {200, "{}"}, "numbers": {200, `{"status":1,"version":2}`}, "cut": {200, `{"status":"ok","version":"1`},
		"two": {200, `{"status":"ok","version":"1"}{}`}, "down": {503, `{"status":"ok","version":"1"}`}, "gone": {404, balancerPage},
	} {
		for call, f := range map[string]func(context.Context, *scaivault.Client) error{"live": liveOf, "version": versionOf} {
			t.Run(name+" "+call, func(t *testing.T) {
				t.Parallel()
				requireMatches(t, f(t.Context(), serve(t, answer(a.status, a.body))), scaivault.ErrUnavailable)
			})
		}
	}
	c := serve(t, answer(200, `{"status":"degraded","version":"2.1.0-beta+x","unknown":[{}]}`))
	require.NoError(t, c.Live(t.Context()), "the vocabulary is open")
	version, err := c.Version(t.Context())
	require.NoError(t, err)
	require.Equal(t, "2.1.0-beta+x", version)
}
