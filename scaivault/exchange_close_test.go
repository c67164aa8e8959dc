// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A counted is a transport that counts the answers whose bodies are open.
type counted struct {
	http.RoundTripper
	open atomic.Int64
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	resp.Body = &countedBody{Reader: resp.Body, done: func() { c.open.Add(-1) }}
	return resp, nil
}

type countedBody struct {
	io.Reader
	done   func()
	closed atomic.Bool
}

func (b *countedBody) Close() error {
	if !b.closed.Swap(true) {
		b.done()
	}
	return nil
}

// TestEveryAnswerIsClosed, by the Client and by those who ask for its token:
// what is left open keeps its connection.
func TestEveryAnswerIsClosed(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"whole": says(200, oneSecret), "no": says(404, refusal("secret_not_found")), "page": says(502, balancerPage), "cut": cutOff,
		"endless": endlessAnswer, "too large": says(200, strings.Repeat("x", 2<<20)), "token": says(200, `{"access_token":"skt_1"}`),
	} {
		rt := &counted{RoundTripper: &script{answers: says2(answer)}}
		c := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) { cfg.MaxResponseBytes = 1 << 20 })
		_ = getOf(testPath)(t.Context(), c)
		_ = putOf(map[string]any{"k": "v"}, nil)(t.Context(), c)
		require.Zero(t, rt.open.Load(), name)

		_, _ = credentials(&http.Client{Transport: rt}).Token(t.Context())
		_, _ = scaivault.TokenExchange{URL: "https://s.test", Subject: scaivault.StaticToken("x"), HTTPClient: &http.Client{Transport: rt}}.Token(t.Context())
		require.Zero(t, rt.open.Load(), name)
	}
}

// TestOwnConnectionToAnIssuerIsNotKept: there is nobody who would close it.
func TestOwnConnectionToAnIssuerIsNotKept(t *testing.T) {
	t.Parallel()
	var kept atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept.Store(!r.Close)
		answer(200, `{"access_token":"skt_1"}`)(w, r)
	}))
	defer srv.Close()
	source := credentials(nil)
	source.TokenURL = srv.URL
	_, err := source.Token(t.Context())
	require.NoError(t, err)
	require.False(t, kept.Load())
}

// TestEveryAttemptEndsItsContext, and with it the timer behind: the caller's own
// can live for long.
func TestEveryAttemptEndsItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for _, answer := range []func(*http.Request) (*http.Response, error){says(200, oneSecret), says(503, ""), refusesDial, cutOff} {
		var of []context.Context
		rt := &script{answers: says2(answer), seen: func(r *http.Request, _ []byte) { of = append(of, r.Context()) }}
		c := newTestClient(t, "https://s.test", through(rt))
		_ = getOf(testPath)(ctx, c)
		_ = putOf(map[string]any{"k": "v"}, nil)(ctx, c)
		require.NotEmpty(t, of)
		for _, attempt := range of {
			require.ErrorIs(t, attempt.Err(), context.Canceled)
		}
	}
}
