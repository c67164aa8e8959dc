// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestFaultSpoilsTheBody(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		whole := c.get("/v1/secrets/a/b").body
		srv.Inject(scaivaulttest.Fault{Count: 1, Spoil: scaivaulttest.SpoilTruncate})
		r := c.get("/v1/secrets/a/b")
		assert.Equal(t, 200, r.status)
		assert.Equal(t, whole[:len(whole)/2], r.body)

		for range 2 {
			srv.Inject(scaivaulttest.Fault{Count: 1, Seed: 7, Spoil: scaivaulttest.SpoilGarbage})
		}
		r = c.get("/v1/secrets/a/b")
		assert.Equal(t, "application/json", r.header.Get("Content-Type"), "the head is right")
		assert.Len(t, r.body, len(whole))
		assert.False(t, json.Valid([]byte(r.body)))
		for i := range whole {
			require.NotEqual(t, whole[i], r.body[i], "byte %d is right", i)
		}
		assert.Equal(t, r.body, c.get("/v1/secrets/a/b").body, "the same seed, the same garbage")

		high := strings.Repeat("\xc3\xa9", 2000)
		srv.Inject(scaivaulttest.Fault{Count: 1, Body: high, Spoil: scaivaulttest.SpoilGarbage})
		r = c.get("/v1/secrets/a/b")
		for i := range high {
			require.NotEqual(t, high[i], r.body[i], "byte %d is right", i)
		}

		srv.Inject(scaivaulttest.Fault{Count: 1, Status: 500, Body: "1234", Spoil: scaivaulttest.SpoilTruncate})
		r = c.get("/v1/secrets/a/b")
		assert.Equal(t, 500, r.status)
		assert.Equal(t, "12", r.body, "of its own answer")

		srv.Inject(scaivaulttest.Fault{Count: 1, Method: "PUT", Spoil: scaivaulttest.SpoilTruncate})
		assert.Equal(t, 200, c.put("a/b", `{"data":{"k":"2"}}`).status)
		assert.Equal(t, 2, srv.SecretVersion("a/b"), "the request is carried out")
	})
}

// TestFaultSpoilsTheJSONNotItsPacking: else the client would see no more than that it
// cannot unzip.
func TestFaultSpoilsTheJSONNotItsPacking(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, &scaivaulttest.ServerOptions{NoLimits: true, Quirks: scaivaulttest.Quirks{Compression: scaivaulttest.CompressionGzip}})
	srv.Seed("a/b", map[string]any{"k": "v"})
	whole := c.get("/v1/secrets/a/b").body
	srv.Inject(scaivaulttest.Fault{Spoil: scaivaulttest.SpoilTruncate})
	assert.Equal(t, whole[:len(whole)/2], c.get("/v1/secrets/a/b").body)
}

func TestFaultContentLengthTooLong(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		whole := c.get("/v1/secrets/a/b").body
		srv.Inject(scaivaulttest.Fault{WrongLength: 3})
		res, err := c.client.Do(c.request("GET", "/v1/secrets/a/b", ""))
		require.NoError(t, err)
		defer res.Body.Close()
		assert.EqualValues(t, len(whole)+3, res.ContentLength)
		body, err := io.ReadAll(res.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, whole, string(body))
	})
}

func TestFaultContentLengthTooShort(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		whole := c.get("/v1/secrets/a/b").body
		srv.Inject(scaivaulttest.Fault{Count: 1, WrongLength: -3})
		assert.Equal(t, whole[:len(whole)-3], c.get("/v1/secrets/a/b").body)
		srv.Inject(scaivaulttest.Fault{Count: 1, WrongLength: -100_000})
		assert.Empty(t, c.get("/v1/secrets/a/b").body)
		assert.Equal(t, whole, c.get("/v1/secrets/a/b").body)
	})
}

// TestFaultContentLengthTooShortSendsTheRest: it stands where the next answer on the
// connection would.
func TestFaultContentLengthTooShortSendsTheRest(t *testing.T) {
	t.Parallel()
	srv, _ := inMemory(t, nil)
	srv.Inject(scaivaulttest.Fault{Body: "0123456789", WrongLength: -3})
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL(), "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	wire := bufio.NewReader(conn)
	res, err := http.ReadResponse(wire, nil)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Equal(t, "0123456", string(body))
	rest, err := io.ReadAll(wire)
	require.NoError(t, err)
	assert.Equal(t, "789", string(rest))
}

func TestFaultTrickleFollowsTheTestsClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		srv.Inject(scaivaulttest.Fault{Body: "0123456789", Trickle: scaivaulttest.Trickle{Every: time.Minute, Bytes: 4}})
		began := time.Now()
		res, err := c.client.Do(c.request("GET", "/v1/version", ""))
		require.NoError(t, err)
		defer res.Body.Close()
		assert.Zero(t, time.Since(began), "the head comes at once")
		assert.EqualValues(t, 10, res.ContentLength)
		part := make([]byte, 100)
		n, err := res.Body.Read(part)
		require.NoError(t, err)
		assert.Equal(t, "0123", string(part[:n]))
		assert.Equal(t, time.Minute, time.Since(began))
		rest, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.Equal(t, "456789", string(rest))
		assert.Equal(t, 3*time.Minute, time.Since(began))
	})
}

func TestFaultTrickleEndsWhenTheClientLeaves(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		srv.Inject(scaivaulttest.Fault{Body: "0123456789", Trickle: scaivaulttest.Trickle{Every: time.Hour}})
		ctx, cancel := context.WithCancel(t.Context())
		long := strings.Repeat("x", 1<<20) // more than net/http reads of a body that nobody wants
		res, err := c.client.Do(c.request("PUT", "/v1/secrets/a/b", long).WithContext(ctx))
		require.NoError(t, err)
		defer res.Body.Close()
		cancel()
		_, err = io.ReadAll(res.Body)
		require.ErrorIs(t, err, context.Canceled)
		ended := func() bool { return srv.Requests()[0].Duration > 0 }
		require.Eventually(t, ended, 5*time.Second, time.Millisecond, "the server notices")
	})
}

func TestFaultTrickleIsCutToo(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		srv.Inject(scaivaulttest.Fault{Body: "0123456789", Trickle: scaivaulttest.Trickle{Bytes: 2}, Cut: scaivaulttest.CutInBody})
		res, err := c.client.Do(c.request("GET", "/v1/version", ""))
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, "01234", string(body))
	})
}

func TestFaultHeaderStandsOverTheRealOne(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		srv.Inject(scaivaulttest.Fault{Header: http.Header{"content-type": {"text/html"}}})
		r := c.get("/v1/secrets/a/b")
		assert.Equal(t, 200, r.status)
		assert.Equal(t, []string{"text/html"}, r.header.Values("Content-Type"))
		assert.Contains(t, r.body, "not-a-real-one")
	})
}
