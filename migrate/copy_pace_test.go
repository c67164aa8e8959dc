// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestCopyKeepsBelowTheLimitOfTheService: the time is that of the bubble, so it
// is exact however slow the machine is.
func TestCopyKeepsBelowTheLimitOfTheService(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string]scaivaulttest.LimitHeaders{
		"headers by the documents": scaivaulttest.LimitHeadersX, "headers by the IETF": scaivaulttest.LimitHeadersIETF, "headers with dashes": scaivaulttest.LimitHeadersDashed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const n, perMinute = 500, 100
				e := newEstate(t, &scaivaulttest.ServerOptions{Quirks: scaivaulttest.Quirks{LimitHeaders: headers}})
				for i := range n {
					e.vault.Seed(fmt.Sprintf("kv/data/apps/s%04d", i), map[string]any{"v": i})
				}
				m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
				start := time.Now()
				report, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
				took := time.Since(start)
				require.NoError(t, err)
				require.NoError(t, report.Err(), report.String())
				refused := 0
				for _, r := range e.scai.Requests() {
					if r.Status == http.StatusTooManyRequests {
						refused++
					}
				}
				assert.LessOrEqual(t, refused, n/100, "at most one request of a hundred is refused")
				// The bucket is full in the beginning.
				best := time.Duration(n-perMinute) * time.Minute / perMinute
				assert.LessOrEqual(t, took.Seconds(), best.Seconds()/0.95, "the limit is used")
			})
		})
	}
}

// windowed is a ScaiVault that counts in windows of a minute and says so.
type windowed struct {
	*fakeSide
	end     time.Time
	used    int
	refused int
	told    scaivault.RateLimit
}

const perWindow = 100

func (w *windowed) put(path string, _ int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if now.After(w.end) {
		w.end, w.used = now.Add(time.Minute), 0
	}
	w.used++
	w.told = scaivault.RateLimit{Limit: perWindow, Remaining: max(0, perWindow-w.used), Reset: w.end.Truncate(time.Second).Add(time.Second), At: now}
	if w.used > perWindow {
		w.refused++
		return &scaivault.Error{Kind: scaivault.ErrRateLimited, Op: "put", Path: path, RetryAfter: time.Until(w.end) + time.Second}
	}
	return nil
}

func (w *windowed) Stats() scaivault.ClientStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return scaivault.ClientStats{Limits: map[scaivault.Category]scaivault.RateLimit{scaivault.CategoryWrite: w.told}}
}

func TestCopyKeepsBelowALimitThatIsCountedInWindows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, windows = 960, 10
		vault, scai := newVaultSide(), &windowed{fakeSide: newScaiVaultSide()}
		scai.onPut = scai.put
		for i := range n {
			vault.seed(fmt.Sprintf("kv/data/apps/s%04d", i), `{"v":1}`)
		}
		start := time.Now()
		report := copyAll(t, vault, scai)
		require.NoError(t, report.Err())
		assert.LessOrEqual(t, scai.refused, n/100)
		assert.LessOrEqual(t, time.Since(start).Minutes(), (windows-1)/0.95, "the limit is used")
	})
}

// A batch counts as its secrets, so a limit of reads allows few of them: they
// are spaced, and no secret is read for itself because its batch was refused.
func TestDiffKeepsToBatchesBelowALimitOfReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 4000
		e := newEstate(t, &scaivaulttest.ServerOptions{Limits: map[scaivaulttest.Category]int{scaivaulttest.CategoryRead: 500}})
		for i := range n {
			e.vault.Seed(fmt.Sprintf("kv/data/apps/s%04d", i), map[string]any{"v": i})
			e.scai.Seed(fmt.Sprintf("environments/production/s%04d", i), map[string]any{"v": i})
		}
		m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
		report, err := migrate.Diff(t.Context(), e.source, e.client, m, nil)
		require.NoError(t, err)
		require.NoError(t, report.Err())
		batches := map[int]int{}
		for _, r := range e.scai.Requests() {
			if r.Method == http.MethodPost {
				batches[r.Status]++
			}
		}
		assert.Equal(t, n/100, batches[http.StatusOK])
		assert.Less(t, batches[http.StatusTooManyRequests], 2*n/100, "the limit is learnt, or it were more than a hundred")
		assert.Zero(t, e.scai.RequestCount(http.MethodGet, "/v1/secrets/environments/**"))
	})
}

func TestProgressTellsRateAndTimeLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 600
		vault, scai := newVaultSide(), newScaiVaultSide()
		for i := range n {
			vault.seed(fmt.Sprintf("kv/data/apps/s%03d", i), `{"v":1}`)
		}
		m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
		var all []migrate.Progress
		_, err := migrate.Copy(t.Context(), vault, scai, m, &migrate.CopyOptions{PerSecond: 10, Progress: func(p migrate.Progress) { all = append(all, p) }})
		require.NoError(t, err)
		require.Len(t, all, n)
		for _, p := range all[n/2 : n-1] {
			assert.InDelta(t, 10, p.Rate, 1)
			if p.Total > 0 {
				assert.InDelta(t, float64(p.Total-p.Done)/10, p.TimeLeft.Seconds(), 5)
			}
		}
		assert.Equal(t, n, all[n-1].Total)
		assert.Zero(t, all[n-1].TimeLeft)
	})
}
