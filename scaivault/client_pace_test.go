// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestStatsShowWhatIsLeft, in every usual spelling of the headers.
func TestStatsShowWhatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in90 := time.Now().Add(90 * time.Second)
		for name, c := range map[string]struct {
			header []string
			want   scaivault.RateLimit
			none   bool
		}{
			"documented": {header: []string{"X-RateLimit-Limit", "1000", "X-RateLimit-Remaining", "7", "X-RateLimit-Reset", strconv.FormatInt(in90.Unix(), 10)}, want: scaivault.RateLimit{Limit: 1000, Remaining: 7, Reset: in90}},
			"dashes":     {header: []string{"x-rate-limit-limit", "1000", "x-rate-limit-remaining", "0", "x-rate-limit-reset", "90"}, want: scaivault.RateLimit{Limit: 1000, Reset: in90}},
			"ietf":       {header: []string{"RateLimit-Limit", "1000, 1000;w=60", "RateLimit-Remaining", "7", "RateLimit-Reset", "90"}, want: scaivault.RateLimit{Limit: 1000, Remaining: 7, Reset: in90}},
			"millis":     {header: []string{"X-RateLimit-Remaining", "7", "X-RateLimit-Reset", strconv.FormatInt(in90.UnixMilli(), 10)}, want: scaivault.RateLimit{Remaining: 7, Reset: in90}},
			"date":       {header: []string{"X-RateLimit-Remaining", "7", "X-RateLimit-Reset", in90.UTC().Format(http.TimeFormat)}, want: scaivault.RateLimit{Remaining: 7, Reset: in90}},
			"nonsense":   {header: []string{"X-RateLimit-Limit", "-9999999999999999999", "X-RateLimit-Remaining", "7", "X-RateLimit-Reset", "NaN"}, want: scaivault.RateLimit{Remaining: 7}},
			"negative":   {header: []string{"X-RateLimit-Limit", "-5", "X-RateLimit-Remaining", "-7", "X-RateLimit-Reset", "-1"}},
			"nothing":    {none: true},
			"no number":  {header: []string{"X-RateLimit-Remaining", "many"}, none: true},
		} {
			rt := &script{answers: says2(says(200, oneSecret, c.header...))}
			client := newTestClient(t, "https://s.test", through(rt))
			require.Empty(t, client.Stats().Limits)
			require.NoError(t, getOf(testPath)(t.Context(), client))
			got, ok := client.Stats().Limits[scaivault.CategoryRead]
			require.Equal(t, c.none, !ok, name)
			if c.none {
				continue
			}
			require.Equal(t, c.want.Limit, got.Limit, name)
			require.Equal(t, c.want.Remaining, got.Remaining, name)
			require.True(t, c.want.Reset.Equal(got.Reset), "%s: %v", name, got.Reset)
			require.True(t, got.At.Equal(time.Now()), name)
			clear(client.Stats().Limits)
			require.NotEmpty(t, client.Stats().Limits, "they are a copy")
		}
	})
}

// TestStatsShowNoLimitOfAnotherCategory: not of a call that has none, and not of
// a batch, whose headers may be those of the reads that it counts as.
func TestStatsShowNoLimitOfAnotherCategory(t *testing.T) {
	t.Parallel()
	rt := &script{answers: says2(says(200, `{"status":"ready","version":"1","secrets":{}}`, "X-RateLimit-Limit", "10", "X-RateLimit-Remaining", "7"))}
	c := newTestClient(t, "https://s.test", through(rt))
	_, err := c.Ready(t.Context())
	require.NoError(t, err)
	_, _ = c.GetBatch(t.Context(), []string{testPath})
	require.EqualValues(t, 2, rt.requests.Load())
	require.Empty(t, c.Stats().Limits)
}

func paced(cfg *scaivault.ClientConfig) { cfg.Pace.Enabled = true }

// TestPacedClientIsNotRefused, whatever the limits are, and is hardly slower than
// they allow.
func TestPacedClientIsNotRefused(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*scaivaulttest.ServerOptions{
		"documented limits": nil,
		"others":            {Limits: map[scaivaulttest.Category]int{scaivaulttest.CategoryWrite: 30, scaivaulttest.CategoryRead: 200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, c := service(t, opts, paced, func(cfg *scaivault.ClientConfig) {
					cfg.Timeout = time.Hour
					if opts != nil { // a batch does not tell it
						cfg.Pace.PerMinute = map[scaivault.Category]int{scaivault.CategoryRead: 200}
					}
				})
				ctx := context.WithoutCancel(t.Context())
				start := time.Now()
				var paths []string
				for i := range 250 {
					paths = append(paths, "app/"+strconv.Itoa(i))
					_, err := c.Put(ctx, paths[i], map[string]any{"i": i}, nil)
					require.NoError(t, err)
				}
				for range 8 {
					_, err := c.GetBatch(ctx, paths)
					require.NoError(t, err)
				}
				require.Zero(t, c.Stats().Retries, "never refused")
				limit := 100.0
				if opts != nil {
					limit = 30
				}
				require.Less(t, time.Since(start).Minutes(), 1.4*250/limit+12)
				require.Equal(t, 250+24, s.RequestCount("", "/v1/secrets/**"))
			})
		})
	}
}

// TestPacedCallThatWouldBeLateFailsAtOnce.
func TestPacedCallThatWouldBeLateFailsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := &script{answers: says2(says(200, oneSecret))}
		c := newTestClient(t, "https://s.test", through(rt), paced, func(cfg *scaivault.ClientConfig) {
			cfg.Pace.PerMinute = map[scaivault.Category]int{scaivault.CategoryRead: 1}
			cfg.Timeout = 59 * time.Second
		})
		require.NoError(t, getOf(testPath)(t.Context(), c))
		start := time.Now()
		err := getOf(testPath)(context.WithoutCancel(t.Context()), c)
		requireMatches(t, err, scaivault.ErrRateLimited)
		require.Zero(t, time.Since(start))
		require.Equal(t, time.Minute, requireError(t, err).RetryAfter)
		require.EqualValues(t, 1, rt.requests.Load())

		time.Sleep(30 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		requireMatches(t, getOf(testPath)(ctx, c), context.Canceled)
	})
}

// TestPacedClientKeepsAwayWhileItIsRefused: others may use the same identity.
func TestPacedClientKeepsAwayWhileItIsRefused(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"20": 20 * time.Second, "": time.Second} {
		synctest.Test(t, func(t *testing.T) {
			rt := &script{answers: says2(says(429, refusal("rate_limited"), "Retry-After", header), says(200, oneSecret))}
			c := newTestClient(t, "https://s.test", through(rt), paced)
			requireMatches(t, getOf(testPath)(t.Context(), c), scaivault.ErrRateLimited)
			start := time.Now()
			require.NoError(t, getOf(testPath)(context.WithoutCancel(t.Context()), c))
			require.Equal(t, want, time.Since(start))
		})
	}
}

// TestPacedClientLearnsThatLessIsLeft than it thinks, also where it knew of no
// limit.
func TestPacedClientLearnsThatLessIsLeft(t *testing.T) {
	t.Parallel()
	for _, limits := range []map[scaivault.Category]int{nil, {scaivault.CategoryRead: -1}} {
		synctest.Test(t, func(t *testing.T) {
			rt := &script{answers: says2(says(200, oneSecret, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "0"))}
			c := newTestClient(t, "https://s.test", through(rt), paced, func(cfg *scaivault.ClientConfig) { cfg.Pace.Share, cfg.Pace.PerMinute = 1, limits })
			require.NoError(t, getOf(testPath)(t.Context(), c))
			start := time.Now()
			require.NoError(t, getOf(testPath)(t.Context(), c))
			require.InDelta(t, time.Second, time.Since(start), float64(10*time.Millisecond))
		})
	}
}

// TestPacedClientLearnsThatMoreIsAllowed, at once and in a row.
func TestPacedClientLearnsThatMoreIsAllowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := &script{answers: says2(says(200, oneSecret, "X-RateLimit-Limit", "600", "X-RateLimit-Remaining", "599"))}
		c := newTestClient(t, "https://s.test", through(rt), paced, func(cfg *scaivault.ClientConfig) {
			cfg.Pace.Share, cfg.Pace.PerMinute = 1, map[scaivault.Category]int{scaivault.CategoryRead: 6}
		})
		require.NoError(t, getOf(testPath)(t.Context(), c))
		time.Sleep(time.Minute)
		start := time.Now()
		for range 600 {
			require.NoError(t, getOf(testPath)(t.Context(), c))
		}
		require.Zero(t, time.Since(start))
	})
}

// TestPacedClientOfAStoreDoesNotWait while there is another source to ask.
func TestPacedClientOfAStoreDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCutover), func(cfg *scaivault.StoreConfig) {
			rt := &script{answers: says2(says(200, oneSecret, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "0"))}
			cfg.ScaiVault = newTestClient(t, "https://s.test", through(rt), paced)
		})
		p.seedBoth()
		for _, want := range []string{"scaivault", "vault"} {
			start := time.Now()
			secret, err := p.store.Get(t.Context(), appPath)
			require.NoError(t, err)
			require.Equal(t, want, secret.Source())
			require.Zero(t, time.Since(start))
		}
	})
}

// TestPacedBatchOfMoreThanAMinute has to offer waits for a whole one, and no
// longer.
func TestPacedBatchOfMoreThanAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := &script{answers: says2(says(200, `{"secrets":{}}`))}
		c := newTestClient(t, "https://s.test", through(rt), paced, func(cfg *scaivault.ClientConfig) {
			cfg.Timeout = 2 * time.Minute
			cfg.Pace.Share, cfg.Pace.PerMinute = 1, map[scaivault.Category]int{scaivault.CategoryRead: 6}
		})
		paths := make([]string, 0, 50)
		for i := range cap(paths) {
			paths = append(paths, "a/"+strconv.Itoa(i))
		}
		start := time.Now()
		for range 2 {
			_, err := c.GetBatch(t.Context(), paths)
			require.ErrorContains(t, err, "does not hold this path")
		}
		require.InDelta(t, time.Minute, time.Since(start), float64(10*time.Millisecond))
		require.EqualValues(t, 2, rt.requests.Load())
	})
}

// TestDoCountsWhereItsURLBelongs.
func TestDoCountsWhereItsURLBelongs(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]scaivault.Category{
		"GET /v1/federation/backends":      scaivault.CategoryFederation,
		"GET /v1/t/tnt_x/federation/x":     scaivault.CategoryFederation,
		"GET /v1/federations":              "",
		"POST /v1/policies/test":           scaivault.CategoryPolicyTest,
		"PUT /v1/policies/pol_1":           scaivault.CategoryPolicy,
		"GET /v1/subscriptions/sub_1/poll": scaivault.CategoryPoll,
		"POST /v1/subscriptions/sub_1/ack": scaivault.CategorySubscription,
		"GET /v1/audit/logs?limit=1":       scaivault.CategoryAudit,
		"GET /v1/auth/whoami":              scaivault.CategoryIdentity,
		"GET /v1/secrets?prefix=a":         scaivault.CategoryList,
		"GET /v1/partner/secrets/a":        scaivault.CategoryRead,
		"PUT /v1/secrets/a":                scaivault.CategoryWrite,
		"PATCH /v1/secrets/a/metadata":     scaivault.CategoryWrite,
		"DELETE /v1/secrets/a":             scaivault.CategoryDelete,
		"POST /v1/secrets/batch":           scaivault.CategoryBatchRead,
		"POST /v1/secrets/batch/metadata":  scaivault.CategoryBatchMetadata,
		"GET /v1/rotation/policies":        "",
	} {
		rt := &script{answers: says2(says(200, "{}", "X-RateLimit-Remaining", "7"))}
		c := newTestClient(t, "https://s.test", through(rt))
		method, path, _ := strings.Cut(call, " ")
		require.NoError(t, c.Do(t.Context(), method, path, nil, nil))
		limits := c.Stats().Limits
		if want == "" {
			require.Empty(t, limits, call)
			continue
		}
		require.Len(t, limits, 1, call)
		require.Contains(t, limits, want, call)
	}
}

func TestPaceSettings(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{-0.1, 1.1} {
		_, err := scaivault.NewClient(scaivault.ClientConfig{
			URLs: []string{"https://s.test"}, Token: scaivault.StaticToken(testToken), Pace: scaivault.PaceConfig{Share: share},
		})
		requireMatches(t, err, scaivault.ErrInvalid)
		require.ErrorContains(t, err, "Pace.Share")
	}
	synctest.Test(t, func(t *testing.T) { // no limit is no limit
		rt := &script{answers: says2(says(200, oneSecret))}
		limits := map[scaivault.Category]int{scaivault.CategoryRead: -1}
		c := newTestClient(t, "https://s.test", through(rt), paced, func(cfg *scaivault.ClientConfig) { cfg.Pace.PerMinute = limits })
		limits[scaivault.CategoryRead] = 1 // no longer the client's
		start := time.Now()
		for range 5000 {
			require.NoError(t, getOf(testPath)(t.Context(), c))
		}
		require.Zero(t, time.Since(start))
	})
}
