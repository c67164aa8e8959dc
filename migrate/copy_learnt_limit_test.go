// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
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
