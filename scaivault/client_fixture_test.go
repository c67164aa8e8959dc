// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
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

const (
	testToken = "skt_not-a-real-token"
	testPath  = "environments/production/billing/database"
)

// oneSecret is an answer to a read of testPath.
const oneSecret = `{"path":"` + testPath + `","secret_type":"json","version":3,"data":{"password":"not-a-real-one"},` +
	`"metadata":{"owner":"team:billing"},"created_at":"2030-01-02T03:04:05Z","updated_at":"2030-01-02T03:04:05.123456Z","expires_at":null}`

type configure = func(*scaivault.ClientConfig)

// newTestClient makes a client for a service at url that asks each thing once.
func newTestClient(t testing.TB, url string, change ...configure) *scaivault.Client {
	t.Helper()
	cfg := scaivault.ClientConfig{
		URLs:  []string{url},
		Token: scaivault.StaticToken(testToken),
		Retry: scaivault.RetryConfig{MaxRetries: -1, MinWait: time.Millisecond, MaxWait: time.Millisecond},
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := scaivault.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// retries lets a client ask again, n times.
func retries(n int) configure {
	return func(cfg *scaivault.ClientConfig) { cfg.Retry.MaxRetries = n }
}

// through lets a client use a transport.
func through(rt http.RoundTripper) configure {
	return func(cfg *scaivault.ClientConfig) { cfg.HTTPClient = &http.Client{Transport: rt} }
}

// serve makes a client of a service whose answers come from h.
func serve(t testing.TB, h http.HandlerFunc, change ...configure) *scaivault.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return newTestClient(t, srv.URL, change...)
}

// answer is a handler with one answer for everything.
func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// refusal is a well-formed error envelope.
func refusal(code string) string {
	return `{"error":{"code":"` + code + `","message":"no","request_id":"req_1"}}`
}

// A script is a transport that answers in memory, one answer after the other;
// the last one stays. It counts the requests and keeps their bodies.
type script struct {
	answers  []func(*http.Request) (*http.Response, error)
	requests atomic.Int64
	seen     func(*http.Request, []byte)
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	n := int(s.requests.Add(1))
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	if s.seen != nil {
		s.seen(r, body)
	}
	if len(s.answers) == 0 {
		return nil, errors.New("the script has no answer")
	}
	return s.answers[min(n, len(s.answers))-1](r)
}

// A roundTrip is a transport of one func.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// says is an answer of a script.
func says(status int, body string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{
			StatusCode: status, Header: h, Request: r, ContentLength: int64(len(body)),
			Body: io.NopCloser(strings.NewReader(body)), ProtoMajor: 1, ProtoMinor: 1,
		}, nil
	}
}

// breaks is a failure of a script's transport.
func breaks(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// A brokenReader is the end of a body that stops in the middle.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

var sentinels = map[string]error{
	"ErrNotFound": scaivault.ErrNotFound, "ErrPermission": scaivault.ErrPermission, "ErrUnauthenticated": scaivault.ErrUnauthenticated,
	"ErrConflict": scaivault.ErrConflict, "ErrInvalid": scaivault.ErrInvalid, "ErrRateLimited": scaivault.ErrRateLimited,
	"ErrUnavailable": scaivault.ErrUnavailable, "ErrUncertain": scaivault.ErrUncertain, "ErrFrozen": scaivault.ErrFrozen,
	"ErrClosed": scaivault.ErrClosed, "Canceled": context.Canceled, "DeadlineExceeded": context.DeadlineExceeded,
}

// requireMatches checks that err matches exactly these of the sentinels.
func requireMatches(t testing.TB, err error, want ...error) {
	t.Helper()
	require.Error(t, err)
	for name, sentinel := range sentinels {
		expected := false
		for _, w := range want {
			expected = expected || w == sentinel
		}
		require.Equal(t, expected, errors.Is(err, sentinel), "%s of: %v", name, err)
	}
	require.NotContains(t, err.Error(), "\n")
	require.NotContains(t, err.Error(), testToken)
}

func requireError(t testing.TB, err error) *scaivault.Error {
	t.Helper()
	var e *scaivault.Error
	require.ErrorAs(t, err, &e)
	return e
}
