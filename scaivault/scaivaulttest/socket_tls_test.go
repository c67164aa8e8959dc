// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestTLSIsWhatTheSocketSpeaks, with the faults of a connection below it.
func TestTLSIsWhatTheSocketSpeaks(t *testing.T) {
	t.Parallel()
	lender := httptest.NewTLSServer(http.NotFoundHandler()) // of a certificate
	defer lender.Close()
	srv, _ := inMemory(t, &scaivaulttest.ServerOptions{NoLimits: true, TLS: &tls.Config{Certificates: lender.TLS.Certificates}})
	require.True(t, strings.HasPrefix(srv.URL(), "https://127.0.0.1:"), srv.URL())
	client := lender.Client()
	defer client.CloseIdleConnections()
	c := &caller{t: t, client: client, base: srv.URL(), token: srv.IssueToken("sa:tests")}
	assert.Equal(t, 200, c.get("/v1/auth/whoami").status)

	for how, cause := range map[scaivaulttest.Break]error{
		scaivaulttest.BreakClose: io.ErrUnexpectedEOF,
		scaivaulttest.BreakReset: syscall.ECONNRESET,
	} {
		srv.Inject(scaivaulttest.Fault{Count: 1, Cut: scaivaulttest.CutInBody, Break: how})
		res, err := client.Do(c.request("GET", "/v1/auth/whoami", ""))
		require.NoError(t, err)
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
		require.ErrorIs(t, err, cause)
	}
	srv.SetDown(true)
	srv.SetDown(false)
	assert.Equal(t, 200, c.get("/v1/auth/whoami").status, "at the same address")
}

// TestQuirkProtocol asks as a client that speaks both versions of HTTP.
func TestQuirkProtocol(t *testing.T) {
	t.Parallel()
	lender := httptest.NewTLSServer(http.NotFoundHandler()) // of a certificate
	defer lender.Close()
	for setting, major := range map[scaivaulttest.Protocol]int{scaivaulttest.ProtocolHTTP1: 1, scaivaulttest.ProtocolHTTP2: 2} {
		srv, _ := inMemory(t, &scaivaulttest.ServerOptions{
			NoLimits: true, TLS: &tls.Config{Certificates: lender.TLS.Certificates}, Quirks: scaivaulttest.Quirks{Protocol: setting},
		})
		roots := lender.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		c := &caller{t: t, client: &http.Client{Transport: transport}, base: srv.URL(), token: srv.IssueToken("sa:tests")}
		res, err := c.client.Do(c.request("GET", "/v1/auth/whoami", ""))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, 200, res.StatusCode)
		assert.Equal(t, major, res.ProtoMajor)
		for _, how := range []scaivaulttest.Break{scaivaulttest.BreakClose, scaivaulttest.BreakReset} {
			srv.Inject(scaivaulttest.Fault{Count: 1, Cut: scaivaulttest.CutInBody, Break: how})
			res, err = c.client.Do(c.request("GET", "/v1/auth/whoami", ""))
			require.NoError(t, err)
			_, err = io.ReadAll(res.Body)
			res.Body.Close()
			require.Error(t, err)
			assert.Equal(t, 200, c.get("/v1/auth/whoami").status)
		}
		srv.Inject(scaivaulttest.Fault{Count: 1, Cut: scaivaulttest.CutBeforeAnswer, Break: scaivaulttest.BreakSilent})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := c.client.Do(c.request("GET", "/v1/auth/whoami", "").WithContext(ctx)) //nolint:bodyclose // there is no answer
			done <- err
		}()
		require.Eventually(t, func() bool { return srv.RequestCount("", "") >= 6 }, 10*time.Second, time.Millisecond)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		assert.Equal(t, 200, c.get("/v1/auth/whoami").status)
		srv.SetDown(true)
		srv.SetDown(false)
		transport.CloseIdleConnections() // it may not have noticed yet
		assert.Equal(t, 200, c.get("/v1/auth/whoami").status)
	}
}
