// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for _, form := range []scaivaulttest.RetryAfter{scaivaulttest.RetryAfterSeconds, scaivaulttest.RetryAfterDate} {
		synctest.Test(t, func(t *testing.T) {
			s, c := service(t, &scaivaulttest.ServerOptions{
				Limits: map[scaivaulttest.Category]int{scaivaulttest.CategoryRead: 6},
				Quirks: scaivaulttest.Quirks{RetryAfter: form},
			}, retries(2))
			s.Seed(testPath, valueA)
			start := time.Now()
			for range 7 { // six at once, the seventh when a tenth of a minute has gone
				_, err := c.Get(t.Context(), testPath)
				require.NoError(t, err)
			}
			require.GreaterOrEqual(t, time.Since(start), 10*time.Second)
			require.Less(t, time.Since(start), 15*time.Second)
			require.Equal(t, 8, s.RequestCount(http.MethodGet, "/v1/secrets/**"))
		})
	}
}

// TestWaitBeyondTheDeadlineIsNotBegun: who would wait in vain hears so at once.
func TestWaitBeyondTheDeadlineIsNotBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, status := range []int{429, 503} {
			rt := &script{answers: says2(says(status, "", "Retry-After", "10"))}
			c := newTestClient(t, "https://s.test", through(rt), retries(5))
			ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
			start := time.Now()
			_, err := c.Get(ctx, testPath)
			cancel()
			require.Zero(t, time.Since(start))
			require.EqualValues(t, 1, rt.requests.Load())
			require.Equal(t, 10*time.Second, requireError(t, err).RetryAfter)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			require.Contains(t, err.Error(), "retry after 10s")
		}
	})
}

// TestCancelDuringAWait shows through, and says no more than that.
func TestCancelDuringAWait(t *testing.T) {
	t.Parallel()
	for _, call := range []func(context.Context, *scaivault.Client) error{getOf("a"), putOf(map[string]any{}, nil)} {
		synctest.Test(t, func(t *testing.T) {
			rt := &script{answers: says2(says(429, refusal("rate_limited"), "Retry-After", "10"))}
			c := newTestClient(t, "https://s.test", through(rt), retries(5))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(3*time.Second, cancel)
			start := time.Now()
			requireMatches(t, call(ctx, c), context.Canceled)
			require.Equal(t, 3*time.Second, time.Since(start))
		})
	}
}

// TestWaitsHaveFullJitter: anything between zero and a bound that grows.
func TestWaitsHaveFullJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		rt := &script{answers: says2(says(503, "")), seen: func(*http.Request, []byte) { at = append(at, time.Now()) }}
		c := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) {
			cfg.Retry = scaivault.RetryConfig{MaxRetries: 400, MinWait: 100 * time.Millisecond, MaxWait: time.Second, Budget: -1}
			cfg.Timeout = time.Hour
		})
		_, err := c.Get(context.WithoutCancel(t.Context()), testPath)
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.Len(t, at, 401)
		short, long, sum := 0, 0, time.Duration(0)
		for i := 1; i < len(at); i++ {
			wait := at[i].Sub(at[i-1])
			require.LessOrEqual(t, wait, min(time.Second, 100*time.Millisecond<<min(i-1, 10)))
			if wait < 250*time.Millisecond {
				short++
			}
			if wait > 750*time.Millisecond {
				long++
			}
			sum += wait
		}
		require.Greater(t, short, 40)
		require.Greater(t, long, 40)
		require.InDelta(t, 0.5, sum.Seconds()/400, 0.15)
	})
}

// TestEachAddressHangs: the attempts of a call share its time.
func TestEachAddressHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := &script{answers: says2(hangs)}
		c := newTestClient(t, "https://a.test", through(rt), func(cfg *scaivault.ClientConfig) {
			cfg.URLs = append(cfg.URLs, "https://b.test")
			cfg.AttemptTimeout = 4 * time.Second
		}, retries(10))
		start := time.Now()
		_, err := c.Get(context.WithoutCancel(t.Context()), testPath)
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.LessOrEqual(t, time.Since(start), 30*time.Second, "the default of ClientConfig.Timeout")
		require.Greater(t, time.Since(start), 20*time.Second)
	})
}

func TestCloseEndsWaitingCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := &script{answers: says2(says(503, "", "Retry-After", "10"))}
		c := newTestClient(t, "https://s.test", through(rt), retries(5))
		time.AfterFunc(time.Second, func() { _ = c.Close() })
		_, err := c.Get(t.Context(), testPath)
		requireMatches(t, err, scaivault.ErrClosed)
		require.EqualValues(t, 1, rt.requests.Load())
	})
}

// TestClosedClientAsksNobody, not even for a token.
func TestClosedClientAsksNobody(t *testing.T) {
	t.Parallel()
	rt, asked := &script{}, 0
	c := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) {
		cfg.Token = scaivault.TokenFunc(func(context.Context) (string, error) { asked++; return testToken, nil })
	})
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	one := 1
	calls := map[string]func(context.Context, *scaivault.Client) error{
		"get": getOf("a"), "put": putOf(map[string]any{}, nil), "put if": putOf(map[string]any{}, &scaivault.PutOptions{IfVersion: &one}),
		"list": listOf("a", nil), "do": doOf("/v1/version"),
		"audit":   func(ctx context.Context, c *scaivault.Client) error { return lastAudit(ctx, c, 1) },
		"version": func(ctx context.Context, c *scaivault.Client) error { _, err := c.GetVersion(ctx, "a", 1); return err },
		"delete":  func(ctx context.Context, c *scaivault.Client) error { return c.Delete(ctx, "a", nil) },
		"batch": func(ctx context.Context, c *scaivault.Client) error {
			_, err := c.GetBatch(ctx, []string{"a"})
			return err
		},
		"whoami": func(ctx context.Context, c *scaivault.Client) error { _, err := c.WhoAmI(ctx); return err },
		"ready":  func(ctx context.Context, c *scaivault.Client) error { _, err := c.Ready(ctx); return err },
	}
	for name, call := range calls {
		err := call(t.Context(), c)
		require.ErrorIs(t, err, scaivault.ErrClosed, name)
	}
	require.Zero(t, asked)
	require.Zero(t, rt.requests.Load())
}

// hangs is an answer that never comes.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}
