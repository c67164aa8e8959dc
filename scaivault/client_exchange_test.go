// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/stretchr/testify/require"
)

// hijack is a handler that writes raw bytes and closes the connection.
func hijack(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, raw)
		_ = conn.Close()
	}
}

func TestBrokenAnswersAreUnavailable(t *testing.T) {
	t.Parallel()
	const word = "plain-secret-word"
	for name, raw := range map[string]string{
		"closed without an answer":  "",
		"cut in the head":           "HTTP/1.1 200 OK\r\nContent-",
		"cut in the body":           "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + oneSecret[:100],
		"cut in a chunk":            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + oneSecret[:100],
		"no HTTP":                   word + " " + word + "\r\n\r\n",
		"no status":                 "HTTP/1.1 " + word + "\r\n\r\n",
		"head with a line of prose": "HTTP/1.1 200 OK\r\n" + word + " " + word + "\r\n\r\n",
		"wrong chunk length":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + word + "\r\n\r\n",
		"wrong encoding":            "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + word + "\r\n\r\n",
		"gzip that is none":         "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 17\r\n\r\n" + word,
		"not found, cut":            "HTTP/1.1 404 Not Found\r\nContent-Length: 500\r\n\r\n{\"error\":{\"code\":\"secret_not_found\"",
		"denied, cut":               "HTTP/1.1 403 Forbidden\r\nContent-Length: 500\r\n\r\n{}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := serve(t, hijack(raw)).Get(t.Context(), testPath)
			requireMatches(t, err, scaivault.ErrUnavailable)
			require.NotContains(t, err.Error(), word)
			require.NotContains(t, fmt.Sprintf("%+v %#v", errors.Unwrap(err), err), word)
		})
	}
}

func TestStatusThatRefusesCountsWithoutItsBody(t *testing.T) {
	t.Parallel()
	_, err := serve(t, hijack("HTTP/1.1 401 X\r\nContent-Length: 500\r\n\r\n{")).Get(t.Context(), testPath)
	requireMatches(t, err, scaivault.ErrUnauthenticated)

	_, err = serve(t, hijack("HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Length: 500\r\n\r\n{")).Get(t.Context(), testPath)
	requireMatches(t, err, scaivault.ErrRateLimited)
	require.Equal(t, 7*time.Second, requireError(t, err).RetryAfter)
}

// endless writes zeros until the client leaves.
func endless(w io.Writer) {
	zeros := make([]byte, 64<<10)
	for {
		if _, err := w.Write(zeros); err != nil {
			return
		}
	}
}

func TestAnswerThatIsTooLargeIsNotReadIntoMemory(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	handlers := map[string]http.HandlerFunc{
		"declared": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "104857600")
			endless(w)
		},
		"undeclared": func(w http.ResponseWriter, _ *http.Request) { endless(w) },
		"gzip bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer z.Close()
			endless(z)
		},
		"in an error": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			endless(w)
		},
	}
	for name, h := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan struct{}, 10)
			c := serve(t, func(w http.ResponseWriter, r *http.Request) { asked <- struct{}{}; h(w, r) },
				retries(3), func(cfg *scaivault.ClientConfig) { cfg.MaxResponseBytes = limit })
			_, err := c.Get(t.Context(), testPath)
			requireMatches(t, err, scaivault.ErrUnavailable)
			require.Contains(t, err.Error(), "larger than 1048576 bytes")
			require.Contains(t, err.Error(), "MaxResponseBytes")
			require.Len(t, asked, 1, "asking again cannot help")
		})
	}
}

func TestLargeAnswerCostsNoMemory(t *testing.T) { // alone, as it measures
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "104857600")
		endless(w)
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := c.Get(t.Context(), testPath)
	runtime.ReadMemStats(&after)
	requireMatches(t, err, scaivault.ErrUnavailable)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20))
}

func TestAnswerOfExactlyTheLimitIsRead(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{int64(len(oneSecret)), math.MaxInt64} {
		c := serve(t, answer(200, oneSecret), func(cfg *scaivault.ClientConfig) { cfg.MaxResponseBytes = limit })
		_, err := c.Get(t.Context(), testPath)
		require.NoError(t, err)
	}
	c := serve(t, answer(200, oneSecret), func(cfg *scaivault.ClientConfig) { cfg.MaxResponseBytes = int64(len(oneSecret)) - 1 })
	_, err := c.Get(t.Context(), testPath)
	requireMatches(t, err, scaivault.ErrUnavailable)
}

func TestCompressedAnswerIsRead(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, oneSecret)
		_ = z.Close()
	})
	s, err := c.Get(t.Context(), testPath)
	require.NoError(t, err)
	require.Equal(t, 3, s.Version())
}

func TestHangs(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

	t.Run("attempt timeout is unavailable alone", func(t *testing.T) {
		t.Parallel()
		c := serve(t, hang, func(cfg *scaivault.ClientConfig) { cfg.AttemptTimeout = 20 * time.Millisecond })
		_, err := c.Get(t.Context(), testPath)
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.Contains(t, err.Error(), "AttemptTimeout")
	})
	t.Run("attempt timeout in the body", func(t *testing.T) {
		t.Parallel()
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, oneSecret[:20])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, func(cfg *scaivault.ClientConfig) { cfg.AttemptTimeout = 20 * time.Millisecond })
		_, err := c.Get(t.Context(), testPath)
		requireMatches(t, err, scaivault.ErrUnavailable)
	})
	t.Run("timeout of the client is unavailable alone", func(t *testing.T) {
		t.Parallel()
		c := serve(t, hang, retries(5), func(cfg *scaivault.ClientConfig) { cfg.Timeout = 20 * time.Millisecond })
		_, err := c.Get(context.WithoutCancel(t.Context()), testPath)
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.Contains(t, err.Error(), "ClientConfig.Timeout")
	})
	t.Run("deadline of the caller is both", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := serve(t, hang, retries(5)).Get(ctx, testPath)
		requireMatches(t, err, scaivault.ErrUnavailable, context.DeadlineExceeded)
	})
	t.Run("cancel of the caller is no sentinel", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		c := serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }, retries(5))
		_, err := c.Get(ctx, testPath)
		requireMatches(t, err, context.Canceled)
		require.Contains(t, err.Error(), testPath)
	})
	t.Run("cancel of the caller within the body of a refusal", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{401, 403, 429, 503} {
			ctx, cancel := context.WithCancel(t.Context())
			rt := &script{answers: says2(func(r *http.Request) (*http.Response, error) {
				resp, err := says(status, "{")(r)
				resp.Body = io.NopCloser(cancelledBody(cancel))
				return resp, err
			})}
			_, err := newTestClient(t, "https://s.test", through(rt), retries(5)).Get(ctx, testPath)
			requireMatches(t, err, context.Canceled)
			require.EqualValues(t, 1, rt.requests.Load())
		}
	})
	t.Run("context that has ended before", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		rt := &script{answers: []func(*http.Request) (*http.Response, error){says(200, oneSecret)}}
		_, err := newTestClient(t, "https://scaivault.test", through(rt)).Get(ctx, testPath)
		requireMatches(t, err, context.Canceled)
	})
}

// refusedURL is an address on which nothing listens.
func refusedURL(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return "http://" + l.Addr().String()
}

func TestRefusedPortIsTold(t *testing.T) {
	t.Parallel()
	_, err := newTestClient(t, refusedURL(t)).Get(t.Context(), testPath)
	requireMatches(t, err, scaivault.ErrUnavailable)
	require.Contains(t, err.Error(), "connection refused")
}

func TestWrongProtocolSaysSo(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(answer(200, oneSecret))
	defer plain.Close()
	_, err := newTestClient(t, strings.Replace(plain.URL, "http:", "https:", 1)).Get(t.Context(), testPath)
	requireMatches(t, err, scaivault.ErrUnavailable)
	require.Contains(t, err.Error(), "HTTP response to HTTPS client")

	secure := httptest.NewUnstartedServer(answer(200, oneSecret))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	_, err = newTestClient(t, secure.URL).Get(t.Context(), testPath)
	requireMatches(t, err, scaivault.ErrUnavailable)
	require.Contains(t, err.Error(), "certificate")
}

func TestErrorOfATransportIsKeptButNotShown(t *testing.T) {
	t.Parallel()
	cause := errors.New("dialing with skt_other-token\nfailed")
	rt := &script{answers: []func(*http.Request) (*http.Response, error){breaks(cause)}}
	_, err := newTestClient(t, "https://scaivault.test", through(rt)).Get(t.Context(), testPath)
	requireMatches(t, err, scaivault.ErrUnavailable)
	require.ErrorIs(t, err, cause)
	detect := newDetector("skt_other-token")
	for how, v := range map[string]any{"itself": err, "its cause": requireError(t, err).Err, "what holds it": struct{ err error }{err}} {
		for output, by := range outputsOf(t, v) {
			require.Empty(t, detect.leak(output), "%s by %s", how, by)
		}
	}
}

// TestErrorOfADialShowsNoAddress, whose query can hold anything.
func TestErrorOfADialShowsNoAddress(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, "https://scaivault.test", through(&script{answers: says2(refusesDial)}))
	_, err := c.GetVersion(t.Context(), testPath, 739)
	requireMatches(t, err, scaivault.ErrUnavailable)
	require.ErrorContains(t, err, "dial")
	for _, part := range []string{"739", "https://"} {
		require.NotContains(t, err.Error(), part)
	}
}

func TestEveryReadSendsTheDocumentedHeaders(t *testing.T) {
	t.Parallel()
	var got http.Header
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		answer(200, oneSecret)(w, r)
	}, func(cfg *scaivault.ClientConfig) { cfg.TenantID, cfg.UserAgent = "tnt_example", "billing/1.0" })
	_, err := c.Get(t.Context(), testPath)
	require.NoError(t, err)
	require.Equal(t, "Bearer "+testToken, got.Get("Authorization"))
	require.Equal(t, "tnt_example", got.Get("X-Tenant-ID"))
	require.Equal(t, "application/json", got.Get("Accept"))
	require.Regexp(t, `^billing/1\.0 scaivault-go`, got.Get("User-Agent"))
}

func TestUnfinishedAnswerOfARealConnectionIsNotMixedWithTheNext(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2 {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n%s", oneSecret)
			_ = conn.Close()
		}
	}()
	defer func() { _ = l.Close(); <-done }()
	c := newTestClient(t, "http://"+l.Addr().String())
	for range 2 {
		_, err = c.Get(t.Context(), testPath)
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.NotContains(t, err.Error(), "not-a-real-one")
	}
}

// A cancelledBody ends the caller's context when it is read.
type cancelledBody context.CancelFunc

func (c cancelledBody) Read([]byte) (int, error) {
	c()
	return 0, context.Canceled
}

// TestSwitchOfProtocolsIsNoAnswer, and nobody waits for what may follow it.
func TestSwitchOfProtocolsIsNoAnswer(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
		<-held
	}, func(cfg *scaivault.ClientConfig) { cfg.AttemptTimeout = 100 * time.Millisecond })
	t.Cleanup(func() { close(held) })
	requireMatches(t, getOf("a")(t.Context(), c), scaivault.ErrUnavailable)
	requireMatches(t, putOf(map[string]any{}, nil)(t.Context(), c), scaivault.ErrUncertain)
}
