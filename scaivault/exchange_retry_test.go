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

func TestWaitsGrowAndAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		rt := &script{answers: says2(says(503, "")), seen: func(*http.Request, []byte) { at = append(at, time.Now()) }}
		c := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) {
			cfg.Retry = scaivault.RetryConfig{MaxRetries: 8, MinWait: 100 * time.Millisecond, MaxWait: time.Second}
		})
		_, err := c.Get(t.Context(), testPath)
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.Len(t, at, 9)
		require.GreaterOrEqual(t, at[1].Sub(at[0]), 50*time.Millisecond)
		require.LessOrEqual(t, at[1].Sub(at[0]), 150*time.Millisecond)
		require.GreaterOrEqual(t, at[8].Sub(at[7]), 500*time.Millisecond)
		require.LessOrEqual(t, at[8].Sub(at[7]), 1500*time.Millisecond)
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
		require.Equal(t, 30*time.Second, time.Since(start), "the default of ClientConfig.Timeout")
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
