// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// hooks notes the hooks in the order in which they fire.
func hooks(ctx context.Context, fired *[]string) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(hostPort string) { *fired = append(*fired, "GetConn "+hostPort) },
		GotConn:              func(httptrace.GotConnInfo) { *fired = append(*fired, "GotConn") },
		WroteHeaders:         func() { *fired = append(*fired, "WroteHeaders") },
		WroteRequest:         func(httptrace.WroteRequestInfo) { *fired = append(*fired, "WroteRequest") },
		GotFirstResponseByte: func() { *fired = append(*fired, "GotFirstResponseByte") },
	})
}

func TestRoundTripperFiresTheHooks(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	var fired []string
	req := c.request("PUT", "/v1/secrets/a/b", `{"data":{}}`)
	assert.Equal(t, 200, c.send(req.WithContext(hooks(t.Context(), &fired))).status)
	assert.Equal(t, []string{"GetConn scaivault.test", "GotConn", "WroteHeaders", "WroteRequest", "GotFirstResponseByte"}, fired)

	fired = nil
	srv.SetDown(true)
	_, err := c.client.Do(req.Clone(hooks(t.Context(), &fired)))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	assert.Equal(t, []string{"GetConn scaivault.test"}, fired, "asked for a connection, and got none")
}

func TestRoundTripperAnswersLikeNetHTTP(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, _ *scaivaulttest.Server, c *caller) {
		res, err := c.client.Do(c.request("GET", "/v1/secrets/a/b", ""))
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.EqualValues(t, len(body), res.ContentLength)
		assert.Equal(t, "200 OK", res.Status)
		assert.NotEmpty(t, res.Header.Get("Date"))
		assert.Equal(t, "application/json", res.Header.Get("Content-Type"))
		require.NoError(t, res.Body.Close())
		_, err = res.Body.Read(make([]byte, 1))
		require.EqualError(t, err, "http: read on closed response body")
	})
}

func TestRoundTripperStreamsLongAnswers(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		long := strings.Repeat("0123456789", 100_000)
		srv.Seed("a/long", map[string]any{"k": long})
		assert.Contains(t, c.get("/v1/secrets/a/long").body, long)
	})
}

func TestRoundTripperRefusesWhatNetHTTPRefuses(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	transport := srv.RoundTripper()
	_, err := transport.RoundTrip(&http.Request{Header: http.Header{}})
	require.Error(t, err)

	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	_, err = transport.RoundTrip(c.request("GET", "/v1/version", "").WithContext(ctx))
	require.ErrorIs(t, err, cause)

	broken := c.request("PUT", "/v1/secrets/a/b", "")
	broken.Body, broken.ContentLength = io.NopCloser(&brokenReader{cause}), -1
	_, err = transport.RoundTrip(broken)
	require.ErrorIs(t, err, cause)
	assert.Zero(t, srv.RequestCount("", ""))
}

type brokenReader struct{ err error }

func (r *brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestRoundTripperBodyEndsWithTheContext(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	res, err := srv.RoundTripper().RoundTrip(c.request("GET", "/v1/version", "").WithContext(ctx))
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(res.Body)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, res.Body.Close())
}

func TestRoundTripperHidesTheClientsContext(t *testing.T) {
	t.Parallel()
	vault := newTinyVault(t)
	srv, c := inMemory(t, nil)
	vault.seedCredentials(srv)
	createBackend(t, c, vault, `"mode":"proxy"`)
	var fired []string
	req := c.request("GET", "/v1/secrets/external/hashicorp/apps/billing/db", "")
	assert.Equal(t, 200, c.send(req.WithContext(hooks(t.Context(), &fired))).status)
	assert.Len(t, fired, 5, "the proxied request fires no hooks of the client")
}

func TestRoundTripperWorksInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		srv.Inject(scaivaulttest.Fault{Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		_, err := c.client.Do(c.request("GET", "/v1/version", "").WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Hour, time.Since(began))
		synctest.Wait()
	})
}
