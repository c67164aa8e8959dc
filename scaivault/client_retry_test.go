// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestRetryClasses: the service's own table, and what it leaves open.
func TestRetryClasses(t *testing.T) {
	t.Parallel()
	const again = 6 // with five repeats allowed
	for name, c := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		reads  int64
		writes int64 // PUTs
	}{
		"rate_limited":             {says(429, refusal("rate_limited")), again, again},
		"rate_limited as 503":      {says(503, refusal("rate_limited")), again, again},
		"service_unavailable":      {says(503, refusal("service_unavailable")), again, 1},
		"service_unavailable, 500": {says(500, refusal("service_unavailable")), again, 1},
		"internal_error":           {says(500, refusal("internal_error")), 2, 1},
		"internal_error, 503":      {says(503, refusal("internal_error")), 2, 1},
		"version_conflict":         {says(409, refusal("version_conflict")), 1, 1},
		"secret_exists":            {says(409, refusal("secret_exists")), 1, 1},
		"secret_not_found":         {says(404, refusal("secret_not_found")), 1, 1},
		"secret_not_found, 500":    {says(500, refusal("secret_not_found")), 1, 1},
		"access_denied":            {says(403, refusal("access_denied")), 1, 1},
		"mfa_required":             {says(403, refusal("mfa_required")), 1, 1},
		"token_expired":            {says(401, refusal("token_expired")), 1, 1},
		"validation_error":         {says(422, refusal("validation_error")), 1, 1},
		"an unknown code, 503":     {says(503, refusal("backend_sealed")), 1, 1},
		"an unknown code, 500":     {says(500, refusal("no_idea")), 1, 1},
		"an unknown code, 429":     {says(429, refusal("too_fast")), again, again},
		"429 of something else":    {says(429, balancerPage), again, again},
		"502 of something else":    {says(502, balancerPage), again, 1},
		"503 of something else":    {says(503, ""), again, 1},
		"504 of something else":    {says(504, "gateway"), again, 1},
		"500 of something else":    {says(500, ""), 2, 1},
		"403 of something else":    {says(403, balancerPage), again, 1},
		"404 of something else":    {says(404, balancerPage), again, 1},
		"a redirect":               {says(301, "", "Location", "https://elsewhere.test/"), 1, 1},
		"no connection":            {refusesDial, again, again},
		"a cut connection":         {breaks(io.EOF), again, 1},
		"no HTTP":                  {breaks(io.ErrUnexpectedEOF), again, 1},
		"a body that stops":        {stopsInTheBody, again, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for method, want := range map[string]int64{http.MethodGet: c.reads, http.MethodPut: c.writes} {
					var asked atomic.Int64
					rt := &script{answers: says2(c.answer), seen: func(r *http.Request, _ []byte) {
						if r.Method == method {
							asked.Add(1)
						}
					}}
					client := newTestClient(t, "https://s.test", through(rt), retries(5))
					if method == http.MethodGet {
						require.Error(t, getOf("a")(t.Context(), client))
					} else {
						require.Error(t, putOf(map[string]any{}, nil)(t.Context(), client))
					}
					require.Equal(t, want, asked.Load(), method)
				}
			})
		})
	}
}

// stopsInTheBody promises more than it sends.
func stopsInTheBody(r *http.Request) (*http.Response, error) {
	resp, err := says(200, oneSecret)(r)
	resp.Body = io.NopCloser(io.MultiReader(io.LimitReader(resp.Body, 20), brokenReader{}))
	return resp, err
}

// TestOutageIsNotMadeWorse: once the budget is spent, no more than a tenth of
// the requests come on top of those without any retries.
func TestOutageIsNotMadeWorse(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	var down atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := requests.Add(1)
		if down.Load() || r.URL.Query().Get("version") == "2" && n%4 == 0 {
			answer(503, refusal("service_unavailable"))(w, r)
			return
		}
		answer(200, oneSecret)(w, r)
	}))
	defer srv.Close()
	c := newTestClient(t, srv.URL, retries(5))
	const calls = 500
	down.Store(true)
	both := func(calls int, call func() error) {
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				for range calls / 10 {
					_ = call()
				}
			})
		}
		wg.Wait()
	}
	get := func() error { _, err := c.Get(t.Context(), testPath); return err }
	both(calls, get)
	require.LessOrEqual(t, requests.Load(), int64(calls+50), "the budget, and no more")
	require.GreaterOrEqual(t, requests.Load(), int64(calls+30))
	require.Zero(t, c.Stats().RetryBudget)
	require.Positive(t, c.Stats().RetriesDenied)

	requests.Store(0)
	both(calls, get)
	require.EqualValues(t, calls, requests.Load(), "the budget is spent")

	down.Store(false)
	second := func() error { _, err := c.GetVersion(t.Context(), testPath, 2); return err }
	requests.Store(0)
	both(calls, second)
	require.LessOrEqual(t, requests.Load(), int64(calls*11/10), "with every fourth request failing too")

	for range 2000 {
		require.NoError(t, get())
	}
	require.Equal(t, 50, c.Stats().RetryBudget, "successes give it back")
	require.NoError(t, failures(20, second), "and a failure now and then is repeated")
}

// failures makes n calls and returns the first error.
func failures(n int, call func() error) error {
	for range n {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}

// TestRetryAfterOfARateLimitIsNoOutage: whoever comes when told does not spend
// the budget.
func TestRetryAfterOfARateLimitIsNoOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var answers []func(*http.Request) (*http.Response, error)
		for range 500 {
			answers = append(answers, says(429, refusal("rate_limited"), "Retry-After", "1"), says(200, oneSecret))
		}
		c := newTestClient(t, "https://s.test", through(&script{answers: answers}), retries(1))
		for range 500 {
			require.NoError(t, getOf(testPath)(t.Context(), c))
		}
		require.Equal(t, 50, c.Stats().RetryBudget)
		require.EqualValues(t, 500, c.Stats().Retries)
	})
}

func TestRetryBudgetSettings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for budget, want := range map[int]int64{-1: 300, 7: 107, 0: 150} {
			rt := &script{answers: says2(says(503, ""))}
			c := newTestClient(t, "https://s.test", through(rt), retries(2), func(cfg *scaivault.ClientConfig) { cfg.Retry.Budget = budget })
			for range 100 {
				require.Error(t, getOf(testPath)(t.Context(), c))
			}
			require.InDelta(t, want, rt.requests.Load(), float64(want)/5+1)
			require.LessOrEqual(t, rt.requests.Load(), want)
			if budget < 0 {
				require.Equal(t, -1, c.Stats().RetryBudget)
			}
		}
	})
}

// TestLongestWaitIsNotLessThanTheFirst: MinWait above MaxWait bounds all waits.
func TestLongestWaitIsNotLessThanTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		longest := time.Duration(0)
		for range 30 {
			var at []time.Time
			rt := &script{answers: says2(says(503, "")), seen: func(*http.Request, []byte) { at = append(at, time.Now()) }}
			c := newTestClient(t, "https://s.test", through(rt), retries(2), func(cfg *scaivault.ClientConfig) {
				cfg.Timeout, cfg.Retry.MinWait, cfg.Retry.MaxWait = time.Hour, 20*time.Second, time.Second
			})
			require.Error(t, getOf(testPath)(context.WithoutCancel(t.Context()), c))
			require.Len(t, at, 3)
			longest = max(longest, at[2].Sub(at[1]))
		}
		require.Greater(t, longest, 10*time.Second)
		require.LessOrEqual(t, longest, 20*time.Second)
	})
}

// TestRepeatsWaitForTheServiceAndABit, so that not all come back at once.
func TestRepeatsWaitForTheServiceAndABit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		different := map[time.Duration]bool{}
		for range 20 {
			rt := &script{answers: says2(says(503, refusal("service_unavailable"), "Retry-After", "3"), says(200, oneSecret))}
			c := newTestClient(t, "https://s.test", through(rt), retries(1), func(cfg *scaivault.ClientConfig) {
				cfg.Retry.MinWait, cfg.Retry.MaxWait = time.Second, time.Second
			})
			start := time.Now()
			require.NoError(t, getOf(testPath)(t.Context(), c))
			took := time.Since(start)
			require.GreaterOrEqual(t, took, 3*time.Second)
			require.LessOrEqual(t, took, 4*time.Second)
			different[took] = true
		}
		require.Greater(t, len(different), 10)
	})
}

// TestStatsTellWhatTheBudgetHasDenied, and not what was not to be repeated.
func TestStatsTellWhatTheBudgetHasDenied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for allowed, want := range map[int]uint64{-1: 0, 1: 40} {
			rt := &script{answers: says2(says(503, "", "Retry-After", "1"))}
			c := newTestClient(t, "https://s.test", through(rt), retries(allowed), func(cfg *scaivault.ClientConfig) { cfg.Retry.Budget = 10 })
			for range 45 { // five calls and their repeats spend the budget
				require.Error(t, getOf(testPath)(t.Context(), c))
			}
			require.Equal(t, want, c.Stats().RetriesDenied)
			require.Zero(t, c.Stats().RetryBudget)
		}
	})
}

// TestCallerWhoLeavesSpendsNoBudget: nothing of that is repeated.
func TestCallerWhoLeavesSpendsNoBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTestClient(t, "https://s.test", through(&script{answers: says2(hangs)}), retries(2))
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			requireMatches(t, getOf(testPath)(ctx, c), scaivault.ErrUnavailable, context.DeadlineExceeded)
			cancel()
		}
		require.Equal(t, 50, c.Stats().RetryBudget)
	})
}

// TestTokenSourceIsAskedOnce for a call: what it says is not an answer of the
// service, which another address or a repetition would help against.
func TestTokenSourceIsAskedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		rt := &script{}
		c := newTestClient(t, "", hosts("a", "b"), through(rt), retries(2), func(cfg *scaivault.ClientConfig) {
			cfg.Token = scaivault.TokenFunc(func(context.Context) (string, error) { asked++; return "", scaivault.ErrUnavailable })
		})
		requireMatches(t, getOf(testPath)(t.Context(), c), scaivault.ErrUnavailable)
		require.Equal(t, 1, asked)
		require.Zero(t, rt.requests.Load())
		require.Equal(t, 50, c.Stats().RetryBudget)
	})
}
