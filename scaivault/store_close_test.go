// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestCloseEndsEverythingAtOnce that waits: reads, writes to a frozen path,
// comparisons; and later calls too, cached or not.
func TestCloseEndsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageShadow, func(t *testing.T, d *duo) {
		require.Equal(t, "v1", d.get())
		d.vault.now(stalls)
		d.scai.now(stalls)
		frozen := func() { d.lever.set(scaivault.StageFreeze) }
		answers := make(chan string, 3)
		go func() { answers <- told(d.store.Get(context.Background(), "b")) }()
		go func() { answers <- told(d.store.Refresh(context.Background(), "a")) }()
		synctest.Wait()
		frozen()
		go func() {
			_, err := d.store.Put(context.Background(), "c", map[string]any{"v": "1"}, nil)
			answers <- told(nil, err)
		}()
		synctest.Wait()
		d.lever.set(scaivault.StageShadow)
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { assert.NoError(t, d.store.Close()) })
		}
		wg.Wait()
		for range 3 {
			require.Equal(t, "<cl>", <-answers)
		}
		require.Zero(t, time.Since(start))
		require.EqualValues(t, 2, d.vault.ended.Load())

		require.Equal(t, "<cl>", d.get(), "a cached path")
		require.Equal(t, "<cl>", told(d.store.Refresh(t.Context(), "a")))
		_, err := d.store.Put(t.Context(), "a", map[string]any{"v": "1"}, nil)
		require.ErrorIs(t, err, scaivault.ErrClosed)
		require.ErrorIs(t, d.store.Follow(t.Context(), func(yield func(scaivault.Event, error) bool) {
			yield(scaivault.Event{Path: "a", Type: scaivault.EventSecretUpdated}, nil)
		}), scaivault.ErrClosed)
		d.store.Invalidate("a")
		require.Positive(t, d.store.Stats().Reads)
	}, caching(time.Hour, time.Hour), sampling(1))
}

// TestCloseEndsAComparison that waits for its source.
func TestCloseEndsAComparison(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageShadow, func(t *testing.T, d *duo) {
		d.scai.now(stalls)
		require.Equal(t, "v1", d.get())
		synctest.Wait()
		start := time.Now()
		require.NoError(t, d.store.Close())
		require.Zero(t, time.Since(start))
		require.EqualValues(t, 1, d.scai.ended.Load())
	}, sampling(1))
}

// TestCloseDoesNotWaitForEverForASourceThatIgnoresItsContext, and says so.
func TestCloseDoesNotWaitForEverForASourceThatIgnoresItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDuo(t, scaivault.StageShadow, sampling(1))
		free := make(chan struct{})
		d.scai.now(func(context.Context) (*scaivault.Secret, error) { <-free; return nil, scaivault.ErrUnavailable })
		require.Equal(t, "v1", d.get())
		synctest.Wait()
		start := time.Now()
		err := d.store.Close()
		require.ErrorIs(t, err, scaivault.ErrUnavailable)
		require.ErrorContains(t, err, "does not return")
		require.Equal(t, 7*time.Second, time.Since(start))
		close(free)
		synctest.Wait()
		require.NoError(t, d.store.Close(), "it has returned meanwhile")
	})
}

// TestCloseAmongCalls: whoever calls gets an answer or ErrClosed.
func TestCloseAmongCalls(t *testing.T) {
	t.Parallel()
	for range 20 {
		d := newDuo(t, scaivault.StageCutover, caching(time.Millisecond, 0), sampling(1), func(c *scaivault.StoreConfig) { c.Cache.MaxEntries = 8 })
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 100 {
					path := fmt.Sprintf("p/%d", i%16)
					var err error
					switch (g + i) % 4 {
					case 0, 1:
						_, err = d.store.Get(context.Background(), path)
					case 2:
						_, err = d.store.Refresh(context.Background(), path)
					default:
						_, err = d.store.Put(context.Background(), path, map[string]any{"v": i}, nil)
					}
					if err != nil {
						assert.ErrorIs(t, err, scaivault.ErrClosed)
					}
					d.store.Invalidate(path)
				}
			})
		}
		wg.Go(func() { assert.NoError(t, d.store.Close()) })
		wg.Wait()
		_, err := d.store.Get(t.Context(), "p/1")
		require.ErrorIs(t, err, scaivault.ErrClosed)
	}
}
