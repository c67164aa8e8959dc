// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/stretchr/testify/require"
)

func TestTokenNeverFollowsARedirectToAnotherHost(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere.Add(1)
		answer(200, oneSecret)(w, r)
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := serve(t, answer(status, "", "Location", other.URL+"/v1/secrets/"+testPath), retries(2))
		_, err := c.Get(t.Context(), testPath)
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.Contains(t, err.Error(), "redirect")
		require.Equal(t, status, requireError(t, err).Status)
	}
	require.Zero(t, elsewhere.Load(), "no request at all")
}

func TestRedirectToAnotherSchemeOrPortIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, location := range []string{"http://scaivault.test/x", "https://scaivault.test:8443/x", "https://x.scaivault.test/x", "//evil.test/x"} {
		rt := &script{answers: []func(*http.Request) (*http.Response, error){says(302, "", "Location", location)}}
		_, err := newTestClient(t, "https://scaivault.test", through(rt)).Get(t.Context(), testPath)
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.EqualValues(t, 1, rt.requests.Load(), location)
	}
}

func TestRedirectOfAReadWithinTheServiceIsFollowed(t *testing.T) {
	t.Parallel()
	var token string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/") {
			http.Redirect(w, r, r.URL.Path+"/", http.StatusPermanentRedirect)
			return
		}
		token = r.Header.Get("Authorization")
		answer(200, oneSecret)(w, r)
	})
	s, err := c.Get(t.Context(), testPath)
	require.NoError(t, err)
	require.Equal(t, 3, s.Version())
	require.Equal(t, "Bearer "+testToken, token)
}

func TestRedirectsInACircleEnd(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	})
	_, err := c.Get(t.Context(), testPath)
	requireMatches(t, err, scaivault.ErrUnavailable)
	require.LessOrEqual(t, asked.Load(), int64(5))
}

func TestRedirectOfAWriteIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 307, 308} {
		var asked atomic.Int64
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			http.Redirect(w, r, r.URL.Path+"/", status)
		}, retries(2))
		_, err := c.Put(t.Context(), testPath, map[string]any{"k": "v"}, nil)
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.EqualValues(t, 1, asked.Load(), "status %d", status)
	}
}
