// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

func refuses(kind error) written {
	return func(context.Context, map[string]any) error { return &scaivault.Error{Kind: kind, Op: "put"} }
}

func (d *duo) put(t *testing.T, value string) error {
	t.Helper()
	_, err := d.store.Put(t.Context(), "a", map[string]any{"v": value}, nil)
	return err
}

// TestALaterWriteTakesThePlaceOfARepairThatIsBeingTried: there is one repair of a
// path, and it is told of once.
func TestALaterWriteTakesThePlaceOfARepairThatIsBeingTried(t *testing.T) {
	t.Parallel()
	var told mirrorLog
	inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
		d.vault.onPut(refuses(scaivault.ErrUnavailable))
		require.NoError(t, d.put(t, "s2"))
		d.vault.now(takes(time.Second, fails(scaivault.ErrUnavailable)))
		asked := d.vault.asked.Load()
		time.Sleep(700 * time.Millisecond)
		require.Equal(t, asked+1, d.vault.asked.Load(), "it is being tried")
		d.scai.onPut(refuses(scaivault.ErrUncertain))
		require.ErrorIs(t, d.put(t, "s3"), scaivault.ErrUncertain)
		time.Sleep(time.Second)
		require.Equal(t, 1, d.store.Stats().RepairsWaiting)
		d.vault.now(holds("v1"))
		d.vault.onPut(nil)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		stats := d.store.Stats()
		require.Zero(t, stats.RepairsWaiting)
		require.EqualValues(t, 1, stats.Repaired)
		require.Equal(t, scaivault.MirrorDone, told.last().Outcome)
	}, func(c *scaivault.StoreConfig) { c.Trace = &scaivault.Trace{Mirror: told.add} })
}

// TestAMirrorThatWantsToBeAskedLaterIsAskedLater, by the time that it gives.
func TestAMirrorThatWantsToBeAskedLaterIsAskedLater(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
		var tries atomic.Int64
		d.vault.onPut(func(context.Context, map[string]any) error {
			tries.Add(1)
			return &scaivault.Error{Kind: scaivault.ErrRateLimited, Op: "put", RetryAfter: 20 * time.Second}
		})
		require.NoError(t, d.put(t, "s2"))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 2, tries.Load(), "the write's own, and one that was due before anybody knew")
		time.Sleep(time.Second)
		synctest.Wait()
		require.EqualValues(t, 3, tries.Load())
		d.vault.onPut(nil)
	})
}

// TestARepairEndsWhatWasReadOfTheMirrorBefore.
func TestARepairEndsWhatWasReadOfTheMirrorBefore(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
		d.vault.onPut(refuses(scaivault.ErrUnavailable))
		require.NoError(t, d.put(t, "s2"))
		d.scai.now(fails(scaivault.ErrUnavailable))
		require.Equal(t, "v1!", d.get(), "better than nothing")
		d.scai.now(holds("s2"))
		d.vault.onPut(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, d.store.Stats().Repaired)
		require.Equal(t, "s2", d.get())
	}, caching(time.Hour, 0), func(c *scaivault.StoreConfig) { c.Cache.FailoverTTL = time.Hour })
}

// TestAnOutageThatIsOverSlowsNoLaterRepair: a mirror that has answered is tried
// soon again.
func TestAnOutageThatIsOverSlowsNoLaterRepair(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
		write := func(path, value string) {
			_, err := d.store.Put(t.Context(), path, map[string]any{"v": value}, nil)
			require.NoError(t, err)
		}
		d.vault.onPut(refuses(scaivault.ErrUnavailable))
		write("bad", "bad")
		time.Sleep(10 * time.Minute)
		d.vault.onPut(refuses(scaivault.ErrConflict)) // an answer
		time.Sleep(2 * time.Minute)
		d.vault.onPut(refuses(scaivault.ErrUnavailable))
		write("late", "late")
		time.Sleep(time.Second)
		d.vault.onPut(nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Positive(t, d.store.Stats().Repaired)
	})
}
