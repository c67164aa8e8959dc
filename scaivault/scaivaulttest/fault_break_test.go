// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// cuts are the places where an answer can break, and how many of its bytes arrive.
var cuts = map[string]struct {
	cut  scaivaulttest.Cut
	part func(whole int) int
}{
	"before the body": {scaivaulttest.CutBeforeBody, func(int) int { return 0 }},
	"in the body":     {scaivaulttest.CutInBody, func(whole int) int { return whole / 2 }},
	"after the body":  {scaivaulttest.CutAfterBody, func(whole int) int { return whole }},
}

func TestFaultBreaksTheAnswer(t *testing.T) {
	t.Parallel()
	for how, by := range map[string]struct {
		how   scaivaulttest.Break
		cause error
	}{
		"closed": {scaivaulttest.BreakClose, io.ErrUnexpectedEOF},
		"reset":  {scaivaulttest.BreakReset, syscall.ECONNRESET},
	} {
		for where, tc := range cuts {
			t.Run(how+" "+where, func(t *testing.T) {
				t.Parallel()
				overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
					whole := c.get("/v1/secrets/a/b").body
					srv.Inject(scaivaulttest.Fault{Cut: tc.cut, Break: by.how})
					res, err := c.client.Do(c.request("GET", "/v1/secrets/a/b", ""))
					require.NoError(t, err)
					defer res.Body.Close()
					body, err := io.ReadAll(res.Body)
					require.ErrorIs(t, err, by.cause)
					assert.Equal(t, whole[:tc.part(len(whole))], string(body))
				})
			})
		}
	}
}

func TestFaultResetBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		srv.Inject(scaivaulttest.Fault{Count: 1, Cut: scaivaulttest.CutBeforeAnswer, Break: scaivaulttest.BreakReset})
		_, err := c.client.Do(c.request("PUT", "/v1/secrets/a/b", `{"data":{"k":"2"}}`))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		assert.Equal(t, 1, srv.SecretVersion("a/b"))

		srv.Inject(scaivaulttest.Fault{Count: 1, After: true, Cut: scaivaulttest.CutBeforeAnswer, Break: scaivaulttest.BreakReset})
		_, err = c.client.Do(c.request("PUT", "/v1/secrets/a/b", `{"data":{"k":"2"}}`))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		assert.Equal(t, 2, srv.SecretVersion("a/b"), "done on the server, lost on the way")
	})
}

func TestFaultSilenceFollowsTheTestsClock(t *testing.T) {
	t.Parallel()
	for where, tc := range cuts {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, c := inMemory(t, nil)
				srv.Seed("a/b", map[string]any{"k": "v"})
				whole := c.get("/v1/secrets/a/b").body
				srv.Inject(scaivaulttest.Fault{Cut: tc.cut, Break: scaivaulttest.BreakSilent})
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				began := time.Now()
				res, err := c.client.Do(c.request("GET", "/v1/secrets/a/b", "").WithContext(ctx))
				require.NoError(t, err)
				defer res.Body.Close()
				body, err := io.ReadAll(res.Body)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Hour, time.Since(began))
				assert.Equal(t, whole[:tc.part(len(whole))], string(body))
			})
		})
	}
}

// TestFaultSilenceReadsNothing: a body that no buffer holds is stuck on its way, and
// the server keeps the connection after the client has given up.
func TestFaultSilenceReadsNothing(t *testing.T) {
	t.Parallel()
	srv, _ := inMemory(t, nil)
	srv.Inject(scaivaulttest.Fault{Cut: scaivaulttest.CutBeforeAnswer, Break: scaivaulttest.BreakSilent})
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL(), "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "PUT /v1/secrets/a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return srv.RequestCount("PUT", "") == 1 }, 5*time.Second, time.Millisecond)
	require.NoError(t, conn.SetDeadline(time.Now().Add(200*time.Millisecond)))
	for err == nil {
		_, err = conn.Write(make([]byte, 1<<20))
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "neither answered nor closed")

	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	srv.SetDown(true)
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET, "until the server goes down")
}

func TestFaultSilenceEndsWithClose(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		srv.Inject(scaivaulttest.Fault{Cut: scaivaulttest.CutInBody, Break: scaivaulttest.BreakSilent})
		res, err := c.client.Do(c.request("GET", "/v1/secrets/a/b", ""))
		require.NoError(t, err)
		defer res.Body.Close()
		_, err = io.ReadFull(res.Body, make([]byte, res.ContentLength/2))
		require.NoError(t, err)
		srv.Close()
		_, err = io.ReadAll(res.Body)
		// Over a socket the half of the body can be here before the server has taken the
		// connection aside, and then Close closes it like any other.
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			require.ErrorIs(t, err, syscall.ECONNRESET)
		}
	})
}

func TestFaultBreakOfAnAnswerWithoutABody(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		srv.Inject(scaivaulttest.Fault{Status: http.StatusNoContent, Cut: scaivaulttest.CutAfterBody, Break: scaivaulttest.BreakReset})
		_, err := c.client.Do(c.request("PUT", "/v1/secrets/a/b", `{"data":{}}`))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		assert.Zero(t, srv.Requests()[0].Status, "no answer")
	})
}

// TestFaultBreaksAreSurvivedWhereThereIsNoConnectionToTake: the handler is mounted in
// a server that speaks HTTP/2.
func TestFaultBreaksAreSurvivedWhereThereIsNoConnectionToTake(t *testing.T) {
	t.Parallel()
	srv, _ := inMemory(t, nil)
	outer := httptest.NewUnstartedServer(srv)
	outer.EnableHTTP2 = true
	outer.StartTLS()
	t.Cleanup(outer.Close)
	c := &caller{t: t, client: outer.Client(), base: outer.URL}
	for name, f := range map[string]scaivaulttest.Fault{
		"reset":  {Cut: scaivaulttest.CutBeforeAnswer, Break: scaivaulttest.BreakReset},
		"silent": {Cut: scaivaulttest.CutInBody, Break: scaivaulttest.BreakSilent},
		"short":  {WrongLength: -3},
	} {
		remove := srv.Inject(f)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		res, err := c.client.Do(c.request("GET", "/v1/version", "").WithContext(ctx))
		if err == nil {
			assert.Equal(t, 2, res.ProtoMajor)
			_, err = io.ReadAll(res.Body)
			res.Body.Close()
		}
		cancel()
		assert.Equal(t, f.WrongLength == 0, err != nil, "%s: %v", name, err)
		remove()
		assert.Equal(t, 200, c.get("/v1/version").status)
	}
}
