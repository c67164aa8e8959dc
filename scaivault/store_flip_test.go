// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A flag that can be moved, with Epoch and without.
func levers() map[string]func(*scaivault.StoreConfig) func(scaivault.Stage) {
	return map[string]func(*scaivault.StoreConfig) func(scaivault.Stage){
		"with Epoch": func(c *scaivault.StoreConfig) func(scaivault.Stage) {
			l := &countedLever{}
			c.Flag = l
			return l.set
		},
		"without": func(c *scaivault.StoreConfig) func(scaivault.Stage) {
			l := &lever{}
			c.Flag = l
			return l.set
		},
	}
}

// TestAFlipIsAMissAtOnce: warm or not, with the epoch or without, to any stage.
func TestAFlipIsAMissAtOnce(t *testing.T) {
	t.Parallel()
	for name, flag := range levers() {
		var set func(scaivault.Stage)
		inDuo(t, scaivault.StageUnknown, func(t *testing.T, d *duo) {
			d.scai.now(holds("s1"))
			for range 3 {
				for stage := scaivault.StageVault; stage <= scaivault.StageScaiVault; stage++ {
					want := "v1"
					if stage >= scaivault.StageCutover {
						want = "s1"
					}
					set(stage)
					asked := d.scai.asked.Load() + d.vault.asked.Load()
					require.Equal(t, want, d.get(), "%s %s", name, stage)
					require.Greater(t, d.scai.asked.Load()+d.vault.asked.Load(), asked, "%s %s: not from the cache", name, stage)
					synctest.Wait()
					asked = d.scai.asked.Load() + d.vault.asked.Load()
					require.Equal(t, want, d.get())
					require.Equal(t, asked, d.scai.asked.Load()+d.vault.asked.Load(), "%s %s: from the cache", name, stage)
				}
			}
		}, caching(time.Hour, 0), func(c *scaivault.StoreConfig) { set = flag(c) })
	}
}

// TestAMovedEpochWithTheSameAnswerIsAHit, for which the flag is asked once.
func TestAMovedEpochWithTheSameAnswerIsAHit(t *testing.T) {
	t.Parallel()
	l := &countedLever{}
	l.set(scaivault.StageVault)
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		require.Equal(t, "v1", d.get())
		for range 3 {
			l.set(scaivault.StageVault)
			require.Equal(t, "v1", d.get())
			require.Equal(t, "v1", d.get())
		}
		require.EqualValues(t, 1, d.vault.asked.Load())
		require.EqualValues(t, 6, d.store.Stats().Hits)
	}, caching(time.Hour, 0), func(c *scaivault.StoreConfig) { c.Flag = l })
}

// TestNobodyJoinsAReadBegunBefore a flip, there and back, a Put, a Refresh or an
// event: who comes later gets a read of his own, and only that is kept.
func TestNobodyJoinsAReadBegunBefore(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(*testing.T, *duo){
		"a flip and back": func(t *testing.T, d *duo) {
			d.lever.set(scaivault.StageScaiVault)
			require.Equal(t, "s1", d.get())
			d.lever.set(scaivault.StageVault)
		},
		"a Put": func(t *testing.T, d *duo) {
			_, err := d.store.Put(t.Context(), "a", map[string]any{"v": "new"}, nil)
			require.NoError(t, err)
		},
		"a Put whose fate is unknown": func(t *testing.T, d *duo) {
			d.vault.onPut(func(context.Context, map[string]any) error { return scaivault.ErrUncertain })
			_, err := d.store.Put(t.Context(), "a", map[string]any{"v": "new"}, nil)
			require.ErrorIs(t, err, scaivault.ErrUncertain)
		},
		"a Put that panics": func(t *testing.T, d *duo) {
			d.vault.onPut(func(context.Context, map[string]any) error { panic("boom") })
			require.Panics(t, func() { _, _ = d.store.Put(t.Context(), "a", map[string]any{"v": "new"}, nil) })
		},
		"a Refresh": func(t *testing.T, d *duo) {
			d.vault.now(holds("new"))
			_, err := d.store.Refresh(t.Context(), "a")
			require.NoError(t, err)
		},
		"an event": func(_ *testing.T, d *duo) { d.store.Invalidate("a") },
	} {
		inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
			d.vault.now(takes(time.Second, holds("old")))
			before := make(chan string)
			go func() { before <- d.get() }()
			time.Sleep(500 * time.Millisecond)
			happens(t, d)
			d.vault.now(holds("new"))
			require.Equal(t, "new", d.get(), name)
			require.Equal(t, "old", <-before, name)
			d.vault.now(fails(scaivault.ErrUnavailable))
			require.Equal(t, "new", d.get(), "%s: what the earlier read found is not kept", name)
		}, caching(time.Hour, 0))
	}
}

// TestAReadBegunDuringAPutIsNotKept: it may have seen the value of before.
func TestAReadBegunDuringAPutIsNotKept(t *testing.T) {
	t.Parallel()
	for _, panics := range []bool{false, true} {
		inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
			d.vault.onPut(func(context.Context, map[string]any) error {
				require.Equal(t, "v1", d.get(), "the write is not there yet")
				if panics {
					d.vault.now(holds("v2"))
					panic("boom")
				}
				return nil
			})
			func() {
				defer func() { _ = recover() }()
				_, err := d.store.Put(t.Context(), "a", map[string]any{"v": "v2"}, nil)
				require.NoError(t, err)
			}()
			require.Equal(t, "v2", d.get())
		}, caching(time.Hour, 0))
	}
}

// TestAfterAPutNothingOlderIsServed, whoever is gone.
func TestAfterAPutNothingOlderIsServed(t *testing.T) {
	t.Parallel()
	for staleFor, want := range map[time.Duration]string{0: "<un>", time.Minute: "v2~"} {
		inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
			require.Equal(t, "v1", d.get())
			_, err := d.store.Put(t.Context(), "a", map[string]any{"v": "v2"}, nil)
			require.NoError(t, err)
			d.vault.now(fails(scaivault.ErrUnavailable))
			require.Equal(t, want, d.get())
			time.Sleep(time.Minute)
			require.Equal(t, "<un>", d.get())
		}, caching(time.Hour, staleFor))
	}
}

// TestAFlagThatPanicsIsCountedOnce for each call, and the cache answers.
func TestAFlagThatPanicsIsCountedOnce(t *testing.T) {
	t.Parallel()
	stage := func() scaivault.Stage { return scaivault.StageVault }
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		require.Equal(t, "v1", d.get())
		stage = func() scaivault.Stage { panic("gone") }
		for range 3 {
			require.Equal(t, "v1", d.get())
		}
		require.EqualValues(t, 3, d.store.Stats().FlagPanics)
		require.EqualValues(t, 3, d.store.Stats().FlagUnknown)
		require.EqualValues(t, 1, d.vault.asked.Load())
	}, caching(time.Hour, 0), func(c *scaivault.StoreConfig) { c.Flag = &switchFlag{stage: func() scaivault.Stage { return stage() }} })
}
