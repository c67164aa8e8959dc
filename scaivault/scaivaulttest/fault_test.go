// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestFaultWithCodeAnswersInTheEnvelope(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		srv.Inject(scaivaulttest.Fault{
			Path: "/v1/secrets/**", Count: 1, Status: 503, Code: "service_unavailable", Message: "try later",
			Header: http.Header{"retry-after": {"7"}},
		})
		r := c.get("/v1/secrets/a/b")
		r.refused(t, 503, "service_unavailable")
		assert.Equal(t, "7", r.header.Get("Retry-After"))
		assert.Equal(t, 200, c.get("/v1/secrets/a/b").status, "the count is used up")
		log := srv.Requests()
		require.Len(t, log, 2)
		assert.True(t, log[0].Faulted)
		assert.Equal(t, 503, log[0].Status)
		assert.False(t, log[1].Faulted)
	})
}

func TestFaultWithBodyAnswersIt(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		remove := srv.Inject(scaivaulttest.Fault{Status: 502, Body: "<h1>Bad Gateway</h1>", ContentType: "text/html"})
		r := c.get("/v1/secrets/a/b")
		assert.Equal(t, 502, r.status)
		assert.Equal(t, "<h1>Bad Gateway</h1>", r.body)
		assert.Equal(t, "text/html", r.header.Get("Content-Type"))
		remove()
		remove()
		assert.Equal(t, 200, c.get("/v1/secrets/a/b").status)
	})
}

func TestFaultDefaultsOfStatus(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	remove := srv.Inject(scaivaulttest.Fault{Code: "internal_error"})
	c.get("/v1/health").refused(t, 500, "internal_error")
	remove()
	remove = srv.Inject(scaivaulttest.Fault{Body: "hello"})
	r := c.get("/v1/health")
	assert.Equal(t, 200, r.status)
	assert.Equal(t, "text/plain; charset=utf-8", r.header.Get("Content-Type"))
	remove()
	srv.Inject(scaivaulttest.Fault{Header: http.Header{"X-Extra": {"yes"}}})
	r = c.get("/v1/version")
	assert.Equal(t, 200, r.status)
	assert.Equal(t, "yes", r.header.Get("X-Extra"), "on the real answer")
}

func TestFaultLatestWinsAndMatches(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	srv.Seed("a/b", map[string]any{"k": "v"})
	srv.Inject(scaivaulttest.Fault{Code: "internal_error"})
	remove := srv.Inject(scaivaulttest.Fault{Method: "GET", Path: "/v1/secrets/a/*", Status: 418, Body: "tea"})
	assert.Equal(t, 418, c.get("/v1/secrets/a/b").status)
	assert.Equal(t, 500, c.get("/v1/secrets/b/b").status, "another path")
	assert.Equal(t, 500, c.do("DELETE", "/v1/secrets/a/b", "").status, "another method")
	remove()
	assert.Equal(t, 500, c.get("/v1/secrets/a/b").status)
}

func TestFaultAfterCarriesTheRequestOut(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		srv.Inject(scaivaulttest.Fault{Method: "PUT", Count: 1, After: true, Status: 504, Body: "late"})
		assert.Equal(t, 504, c.put("a/b", `{"data":{"k":"2"}}`).status)
		assert.Equal(t, 2, srv.SecretVersion("a/b"), "done on the server, lost on the way")

		srv.Inject(scaivaulttest.Fault{Method: "PUT", Count: 1, Status: 504, Body: "not done"})
		assert.Equal(t, 504, c.put("a/b", `{"data":{"k":"3"}}`).status)
		assert.Equal(t, 2, srv.SecretVersion("a/b"))

		srv.Inject(scaivaulttest.Fault{Method: "PUT", Count: 1, After: true})
		assert.Equal(t, 200, c.put("a/b", `{"data":{"k":"3"}}`).status, "the real answer")
		assert.Equal(t, 3, srv.SecretVersion("a/b"))
	})
}

func TestFaultCutBeforeAnswer(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		srv.Inject(scaivaulttest.Fault{Method: "PUT", Count: 1, Cut: scaivaulttest.CutBeforeAnswer})
		_, err := c.client.Do(c.request("PUT", "/v1/secrets/a/b", `{"data":{"k":"2"}}`))
		require.Error(t, err)
		assert.True(t, errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET), "%v", err)
		assert.Equal(t, 1, srv.SecretVersion("a/b"))

		srv.Inject(scaivaulttest.Fault{Method: "PUT", Count: 1, After: true, Cut: scaivaulttest.CutBeforeAnswer})
		_, err = c.client.Do(c.request("PUT", "/v1/secrets/a/b", `{"data":{"k":"2"}}`))
		require.Error(t, err)
		assert.Equal(t, 2, srv.SecretVersion("a/b"))
		assert.Zero(t, srv.Requests()[0].Status, "no answer")
	})
}

func TestFaultCutInBody(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault  scaivaulttest.Fault
		status int
	}{
		"of the real answer":   {scaivaulttest.Fault{Cut: scaivaulttest.CutInBody}, 200},
		"of the fault's own":   {scaivaulttest.Fault{Cut: scaivaulttest.CutInBody, Status: 500, Body: "half of this"}, 500},
		"of an error envelope": {scaivaulttest.Fault{Cut: scaivaulttest.CutInBody, Code: "internal_error", After: true}, 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
				srv.Inject(tc.fault)
				res, err := c.client.Do(c.request("GET", "/v1/secrets/a/b", ""))
				require.NoError(t, err)
				defer res.Body.Close()
				assert.Equal(t, tc.status, res.StatusCode)
				body, err := io.ReadAll(res.Body)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				assert.EqualValues(t, res.ContentLength/2, len(body))
				assert.Positive(t, len(body))
			})
		})
	}
}

func TestFaultCutInBodyOfAnAnswerWithoutOne(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, &scaivaulttest.ServerOptions{NoLimits: true, Quirks: scaivaulttest.Quirks{Put: scaivaulttest.PutNoContent}})
	srv.Inject(scaivaulttest.Fault{Cut: scaivaulttest.CutInBody})
	_, err := c.client.Do(c.request("PUT", "/v1/secrets/a/b", `{"data":{}}`))
	require.ErrorIs(t, err, io.EOF)
}

func TestFaultHangEndsWhenTheClientLeaves(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		srv.Inject(scaivaulttest.Fault{Hang: true})
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		req := c.request("PUT", "/v1/secrets/a/b", `{"data":{"k":"v"}}`).WithContext(ctx)
		go func() {
			res, err := c.client.Do(req)
			if err == nil {
				res.Body.Close()
			}
			failed <- err
		}()
		require.Eventually(t, func() bool { return srv.RequestCount("PUT", "") == 1 }, 5*time.Second, time.Millisecond)
		cancel()
		require.ErrorIs(t, <-failed, context.Canceled)
		srv.Close() // would wait for ever if the handler did not notice
	})
}

func TestFaultHangEndsWithCloseAndSetDown(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*scaivaulttest.Server){
		"close": (*scaivaulttest.Server).Close,
		"down":  func(srv *scaivaulttest.Server) { srv.SetDown(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
				srv.Inject(scaivaulttest.Fault{Hang: true})
				failed := make(chan error, 1)
				req := c.request("GET", "/v1/secrets/a/b", "")
				go func() {
					res, err := c.client.Do(req)
					if err == nil {
						res.Body.Close()
					}
					failed <- err
				}()
				require.Eventually(t, func() bool { return srv.RequestCount("", "") == 1 }, 5*time.Second, time.Millisecond)
				end(srv)
				require.Error(t, <-failed)
			})
		})
	}
}

func TestFaultDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		srv.Seed("a/b", map[string]any{"k": "v"})
		srv.Inject(scaivaulttest.Fault{Delay: time.Minute})
		began := time.Now()
		assert.Equal(t, 200, c.get("/v1/secrets/a/b").status)
		assert.Equal(t, time.Minute, time.Since(began))
		assert.Equal(t, time.Minute, srv.Requests()[0].Duration)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		_, err := c.client.Do(c.request("PUT", "/v1/secrets/a/b", `{"data":{"k":"w"}}`).WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(began))
		synctest.Wait()
		assert.Equal(t, 1, srv.SecretVersion("a/b"), "the client left before the write")
	})
}

func TestFaultDelayKeepsTheBody(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		srv.Inject(scaivaulttest.Fault{Delay: time.Millisecond})
		value := strings.Repeat("x", 100_000)
		assert.Equal(t, 200, c.put("a/long", `{"data":{"k":"`+value+`"}}`).status)
		data, ok := srv.Value("a/long")
		require.True(t, ok)
		assert.Equal(t, `{"k":"`+value+`"}`, string(data))
	})
}
