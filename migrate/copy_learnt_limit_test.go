// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A limit lets requests through, or says how long it takes until it does.
type limit func(now time.Time) (wait time.Duration)

// bucket holds some requests and fills up evenly.
func bucket(holds, perSecond float64) limit {
	left, at := holds, time.Time{}
	return func(now time.Time) time.Duration {
		if !at.IsZero() {
			left = min(holds, left+now.Sub(at).Seconds()*perSecond)
		}
		at = now
		if left < 1 {
			return time.Duration((1 - left) / perSecond * float64(time.Second))
		}
		left--
		return 0
	}
}

// windows begin with the first request behind the last one.
func windows(holds int, length time.Duration) limit {
	end, used := time.Time{}, 0
	return func(now time.Time) time.Duration {
		if !now.Before(end) {
			end, used = now.Add(length), 0
		}
		if used == holds {
			return end.Sub(now)
		}
		used++
		return 0
	}
}

// How a service says how long to wait.
func wholeSeconds(wait time.Duration) time.Duration {
	return (wait + time.Second - 1).Truncate(time.Second)
}
func exactly(wait time.Duration) time.Duration { return wait }
func notAtAll(time.Duration) time.Duration     { return 0 }

// TestCopyLearnsALimitThatNobodyTells: by nothing but refusals, the limit is
// used, and few are refused. The time is that of the bubble, so it is exact.
func TestCopyLearnsALimitThatNobodyTells(t *testing.T) {
	t.Parallel()
	const n, holds = 1000, 100
	for name, tc := range map[string]struct {
		limit     limit
		perSecond float64
		tells     func(wait time.Duration) time.Duration
		uses      float64
	}{
		"a bucket, whole seconds":         {bucket(holds, 100.0/60), 100.0 / 60, wholeSeconds, 0.98},
		"a bucket, exactly":               {bucket(holds, 100.0/60), 100.0 / 60, exactly, 0.98},
		"a bucket, not at all":            {bucket(holds, 100.0/60), 100.0 / 60, notAtAll, 0.98},
		"a bucket of a second":            {bucket(holds, 100), 100, wholeSeconds, 0.9},
		"a bucket of a second, no wait":   {bucket(holds, 100), 100, notAtAll, 0.9},
		"windows of a minute":             {windows(holds, time.Minute), 100.0 / 60, wholeSeconds, 0.95},
		"windows of a second":             {windows(holds, time.Second), 100, exactly, 0.95},
		"windows of a second, no wait":    {windows(holds, time.Second), 100, notAtAll, 0.75},
		"a bucket that holds hardly more": {bucket(5, 100.0/60), 100.0 / 60, wholeSeconds, 0.9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				vault, scai := newVaultSide(), newScaiVaultSide()
				for i := range n {
					vault.seed(fmt.Sprintf("kv/data/apps/s%04d", i), `{"v":1}`)
				}
				refused := 0
				scai.onPut = func(path string, _ int) error {
					time.Sleep(2 * time.Millisecond)
					scai.mu.Lock()
					defer scai.mu.Unlock()
					if wait := tc.limit(time.Now()); wait > 0 {
						refused++
						return &scaivault.Error{Kind: scaivault.ErrRateLimited, Op: "put", Path: path, RetryAfter: tc.tells(wait)}
					}
					return nil
				}
				start := time.Now()
				report := copyAll(t, vault, scai)
				took := time.Since(start)
				require.NoError(t, report.Err())
				assert.LessOrEqual(t, refused, n*2/100, "one of a hundred requests, which are a read and a write for each secret")
				best := (n - holds) / tc.perSecond
				assert.GreaterOrEqual(t, best/took.Seconds(), tc.uses, "the limit is used: %v", took)
			})
		})
	}
}

// untold takes out of the answers what is not documented about a limit.
type untold struct{ http.RoundTripper }

func (u untold) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := u.RoundTripper.RoundTrip(r)
	if resp != nil {
		resp.Header.Del("X-RateLimit-Limit")
		resp.Header.Del("X-RateLimit-Remaining")
	}
	return resp, err
}

// TestCopyLearnsWhatTheClientIsRefused: the Client repeats what was refused for
// others, and tells Copy, which learns of it.
func TestCopyLearnsWhatTheClientIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, perMinute = 1000, 100
		e := newEstate(t, &scaivaulttest.ServerOptions{})
		for i := range n {
			e.vault.Seed(fmt.Sprintf("kv/data/apps/s%04d", i), map[string]any{"v": i})
		}
		client, err := scaivault.NewClient(scaivault.ClientConfig{
			URLs: []string{"https://scaivault.example"}, Token: scaivault.StaticToken(e.scai.IssueToken("sa:migrator")),
			HTTPClient: &http.Client{Transport: untold{e.scai.RoundTripper()}},
		})
		require.NoError(t, err)
		defer func() { assert.NoError(t, client.Close()) }()
		m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
		start := time.Now()
		report, err := migrate.Copy(t.Context(), e.source, client, m, nil)
		took := time.Since(start)
		require.NoError(t, err)
		require.NoError(t, report.Err(), report.String())
		requests, refused := e.scai.Requests(), 0
		for _, r := range requests {
			if r.Status == http.StatusTooManyRequests {
				refused++
			}
		}
		assert.Positive(t, refused)
		assert.LessOrEqual(t, refused, (len(requests)+e.vault.RequestCount("", "/v1/kv/**"))/100, "at most one request of a hundred")
		best := time.Duration(n-perMinute) * time.Minute / perMinute
		assert.LessOrEqual(t, took.Seconds(), best.Seconds()/0.95, "the limit is used")
	})
}

// quota lets requests through to a Vault as a quota of it does.
type quota struct {
	http.RoundTripper
	mu      sync.Mutex
	limit   limit
	refused int
}

func (q *quota) RoundTrip(r *http.Request) (*http.Response, error) {
	q.mu.Lock()
	wait := q.limit(time.Now())
	if wait > 0 {
		q.refused++
	}
	q.mu.Unlock()
	if wait == 0 {
		return q.RoundTripper.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: http.StatusTooManyRequests, Header: http.Header{"Content-Type": {"application/json"}}, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(`{"errors":["request path \"kv/data/apps\": rate limit quota exceeded"]}`)), ContentLength: -1,
	}, nil
}

// TestCopyLearnsAQuotaOfVault: which is told by no header, unless somebody has
// switched those on.
func TestCopyLearnsAQuotaOfVault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 2000
		e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
		for i := range n {
			e.vault.Seed(fmt.Sprintf("kv/data/apps/s%04d", i), map[string]any{"v": i})
		}
		q := &quota{RoundTripper: e.vault.RoundTripper(), limit: bucket(100, 100)}
		m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
		start := time.Now()
		report, err := migrate.Copy(t.Context(), e.sourceOver(t, e.vault.RootToken(), q), e.client, m, nil)
		took := time.Since(start)
		require.NoError(t, err)
		require.NoError(t, report.Err(), report.String())
		assert.Positive(t, q.refused)
		assert.LessOrEqual(t, q.refused, n*2/100, "one of a hundred requests")
		assert.LessOrEqual(t, took.Seconds(), (n-100)/100.0/0.9, "the quota is used")
	})
}

// TestCopyEndsWhereNothingIsTaken: not after a day, and not by asking for ever.
func TestCopyEndsWhereNothingIsTaken(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{"no wait is told": 0, "a short one": time.Second, "a day": 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				vault, scai := newVaultSide(), newScaiVaultSide()
				for i := range 300 {
					vault.seed(fmt.Sprintf("kv/data/apps/s%04d", i), `{"v":1}`)
				}
				var asked atomic.Int64
				scai.onPut = func(path string, _ int) error {
					asked.Add(1)
					return &scaivault.Error{Kind: scaivault.ErrRateLimited, Op: "put", Path: path, RetryAfter: wait}
				}
				start := time.Now()
				report := copyAll(t, vault, scai)
				require.ErrorIs(t, report.Err(), scaivault.ErrRateLimited)
				assert.Equal(t, map[migrate.Outcome]int{migrate.Failed: 300}, report.Counts)
				assert.Less(t, time.Since(start), 2*time.Hour)
				assert.Less(t, asked.Load(), int64(200))
			})
		})
	}
}
