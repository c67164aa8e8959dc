// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// inDuo runs a test on the clock of a bubble.
func inDuo(t *testing.T, stage scaivault.Stage, test func(t *testing.T, d *duo), change ...func(*scaivault.StoreConfig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDuo(t, stage, change...)
		test(t, d)
		require.NoError(t, d.store.Close())
	})
}

func rateLimited(after time.Duration) behaviour {
	return func(context.Context) (*scaivault.Secret, error) {
		return nil, &scaivault.Error{Kind: scaivault.ErrRateLimited, Op: "get", RetryAfter: after}
	}
}

// hammer reads every 20 ms and wants each answer at once.
func (d *duo) hammer(t *testing.T, lasts time.Duration, want string) {
	t.Helper()
	for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		d.atOnce(t, want)
	}
}

func TestAValueIsServedForItsTTLAndNoLonger(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		require.Equal(t, "v1", d.get())
		d.vault.now(holds("v2"))
		time.Sleep(6 * time.Second)
		d.atOnce(t, "v1")
		synctest.Wait()
		require.EqualValues(t, 1, d.vault.asked.Load(), "it is not time to ask")
		time.Sleep(4 * time.Second) // for 2 s nobody looks: the clock of the cache sleeps
		require.Equal(t, "v2", d.get())
		time.Sleep(24 * time.Hour) // a suspended machine
		d.vault.now(holds("v3"))
		require.Equal(t, "v3", d.get(), "a long pause must not make an old value fresh")
		require.EqualValues(t, 3, d.store.Stats().Reads-d.store.Stats().Hits)
	}, caching(10*time.Second, time.Hour))
}

func TestAHotSecretIsNeverWaitedFor(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.vault.now(takes(time.Second, holds("v1")))
		d.get()
		d.hammer(t, time.Minute, "v1")
		asked := d.vault.asked.Load()
		require.GreaterOrEqual(t, asked, int64(6), "it is renewed")
		require.LessOrEqual(t, asked, int64(9), "one read at a time renews it")
		d.vault.now(takes(time.Second, holds("v2")))
		time.Sleep(9 * time.Second)
		d.get()
		time.Sleep(time.Second)
		d.atOnce(t, "v2")
	}, caching(10*time.Second, 0))
}

func TestAHotSecretIsNeverWaitedForWhileThePrimaryHangs(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
		d.vault.now(takes(300*time.Millisecond, holds("v1")))
		require.Equal(t, "s1", d.get())
		d.scai.now(stalls)
		d.hammer(t, 9900*time.Millisecond, "s1")
		time.Sleep(100 * time.Millisecond)
		d.hammer(t, time.Minute, "v1!")
		d.scai.now(holds("s2"))
		for range 2 { // one read finds that it is back, the next asks it
			time.Sleep(6 * time.Second)
			d.get()
		}
		require.Equal(t, "s2", d.get())
	}, caching(10*time.Second, 0))
}

func TestAHotSecretIsNotWaitedForWhenAskedToWait(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		require.Equal(t, "v1", d.get())
		d.vault.now(takes(time.Second, rateLimited(3*time.Second)))
		d.hammer(t, 9*time.Second, "v1")
		for range 900 { // past its TTL, and so marked
			start := time.Now()
			require.NotContains(t, d.get(), "<")
			require.Zero(t, time.Since(start))
			time.Sleep(10 * time.Millisecond)
		}
		require.Positive(t, d.store.Stats().Stretched)
	}, caching(10*time.Second, 0))
}

func TestJitterSpreadsRenewals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDuo(t, scaivault.StageVault, func(c *scaivault.StoreConfig) { c.Cache.TTL = 100 * time.Second })
		readAll := func() {
			for i := range 300 {
				_, err := d.store.Get(t.Context(), fmt.Sprintf("p/%d", i))
				require.NoError(t, err)
				if i%20 == 0 {
					synctest.Wait()
				}
			}
			synctest.Wait()
		}
		readAll()
		renewed := func(at time.Duration) uint64 { // since the last look
			before := d.store.Stats().Renewals
			time.Sleep(at)
			readAll()
			return d.store.Stats().Renewals - before
		}
		require.Zero(t, renewed(72*time.Second), "9 tenths of the TTL, less a fifth")
		var all uint64
		for range 4 {
			part := renewed(2 * time.Second)
			require.InDelta(t, 75, part, 45)
			all += part
		}
		require.EqualValues(t, 300, all)
	})
}

func TestStaleOnlyWhileNobodyAnswersAndNotTooLong(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.get()
		d.vault.now(fails(scaivault.ErrUnavailable))
		time.Sleep(15 * time.Second)
		secret, err := d.store.Get(t.Context(), "a")
		require.Equal(t, "v1~", told(secret, err))
		require.Equal(t, 5*time.Second, secret.Stale())
		d.vault.now(holds("v2"))
		require.Equal(t, "v2", d.get(), "somebody answers")
		d.vault.now(stalls)
		time.Sleep(30*time.Second - 1)
		ctx, cancel := context.WithTimeout(t.Context(), 0)
		require.Equal(t, "v2~", told(d.store.Get(ctx, "a")), "also to who has no time")
		cancel()
		time.Sleep(time.Nanosecond)
		require.Equal(t, "<un>", d.get(), "not after StaleFor")
	}, caching(10*time.Second, 20*time.Second), withoutBreakers)
}

func TestNothingStaleWithoutStaleFor(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.get()
		d.vault.now(fails(scaivault.ErrUnavailable))
		time.Sleep(10 * time.Second)
		require.Equal(t, "<un>", d.get())
	}, caching(10*time.Second, 0))
}

// TestNothingIsServedAfterTheAuthoritysNo: not the value, not the failover
// answer, not as stale.
func TestNothingIsServedAfterTheAuthoritysNo(t *testing.T) {
	t.Parallel()
	for _, no := range []error{scaivault.ErrNotFound, scaivault.ErrPermission, scaivault.ErrInvalid} {
		inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
			require.Equal(t, "s1", d.get())
			d.scai.now(fails(scaivault.ErrUnavailable))
			time.Sleep(10 * time.Second)
			require.Equal(t, "v1!", d.get(), "now there is one of each")
			d.scai.now(fails(no))
			_, err := d.store.Refresh(t.Context(), "a")
			require.ErrorIs(t, err, no)
			require.Equal(t, "<"+kindOf(no)+">", d.get())
			d.scai.now(fails(scaivault.ErrUnavailable))
			d.vault.now(fails(scaivault.ErrUnavailable))
			time.Sleep(2 * time.Second)
			require.Equal(t, "<un>", d.get())
		}, caching(10*time.Second, time.Hour), withoutBreakers)
	}
}

// TestANoCountsAlsoWhenAnEventOvertakesIt: that the secret is not to be cached
// does not bring back an older value.
func TestANoCountsAlsoWhenAnEventOvertakesIt(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.get()
		d.vault.now(takes(time.Second, fails(scaivault.ErrNotFound)))
		time.AfterFunc(500*time.Millisecond, func() { d.store.Invalidate("a") })
		_, err := d.store.Refresh(t.Context(), "a")
		require.ErrorIs(t, err, scaivault.ErrNotFound)
		d.vault.now(fails(scaivault.ErrUnavailable))
		require.Equal(t, "<un>", d.get())
	}, caching(10*time.Second, time.Hour))
}

// TestANoOvertakenByAWriteTakesNothingAway: what was written since is there.
func TestANoOvertakenByAWriteTakesNothingAway(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.vault.now(takes(time.Second, fails(scaivault.ErrNotFound)))
		late := make(chan string)
		go func() { late <- d.get() }()
		time.Sleep(500 * time.Millisecond)
		_, err := d.store.Put(t.Context(), "a", map[string]any{"v": "v2"}, nil)
		require.NoError(t, err)
		d.vault.now(fails(scaivault.ErrUnavailable))
		require.Equal(t, "<nf>", <-late)
		require.Equal(t, "v2~", d.get())
	}, caching(10*time.Second, time.Hour))
}

// TestAnOlderReadDoesNotBringBackWhatIsGone by failing over to Vault's copy.
func TestAnOlderReadDoesNotBringBackWhatIsGone(t *testing.T) {
	t.Parallel()
	for _, negative := range []time.Duration{-1, 0} {
		inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
			d.scai.now(takes(400*time.Millisecond, fails(scaivault.ErrUnavailable)))
			old := make(chan string)
			go func() { old <- d.get() }()
			time.Sleep(100 * time.Millisecond)
			d.scai.now(fails(scaivault.ErrNotFound))
			_, err := d.store.Refresh(t.Context(), "a")
			require.ErrorIs(t, err, scaivault.ErrNotFound)
			require.Equal(t, "v1!", <-old)
			require.Equal(t, "<nf>", d.get())
		}, caching(10*time.Second, time.Hour), func(c *scaivault.StoreConfig) { c.Cache.NegativeTTL = negative })
	}
}

func TestStaleOnlyFromASourceThatTheStageAllows(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.get()
		d.scai.now(fails(scaivault.ErrUnavailable))
		d.vault.now(fails(scaivault.ErrUnavailable))
		for stage, want := range map[scaivault.Stage]string{
			scaivault.StageVault: "v1~", scaivault.StageShadow: "v1~", scaivault.StageCanary: "v1~",
			scaivault.StageFreeze: "v1~", scaivault.StageCutover: "v1~", scaivault.StageScaiVault: "<un>",
		} {
			d.lever.set(stage)
			time.Sleep(10 * time.Second)
			require.Equal(t, want, d.get(), stage.String())
		}
	}, caching(10*time.Second, time.Hour))
	inDuo(t, scaivault.StageScaiVault, func(t *testing.T, d *duo) {
		d.get()
		d.scai.now(fails(scaivault.ErrUnavailable))
		d.vault.now(fails(scaivault.ErrUnavailable))
		for stage, want := range map[scaivault.Stage]string{
			scaivault.StageVault: "<un>", scaivault.StageShadow: "<un>", scaivault.StageCanary: "s1~",
			scaivault.StageFreeze: "s1~", scaivault.StageCutover: "s1~", scaivault.StageScaiVault: "s1~",
		} {
			d.lever.set(stage)
			time.Sleep(10 * time.Second)
			require.Equal(t, want, d.get(), stage.String())
		}
	}, caching(10*time.Second, time.Hour))
}

// TestAFailoverAnswerLivesBesideTheAuthoritysLastValue, for FailoverTTL, and
// never over it.
func TestAFailoverAnswerLivesBesideTheAuthoritysLastValue(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
		require.Equal(t, "s1", d.get())
		d.scai.now(fails(scaivault.ErrUnavailable))
		require.Equal(t, "v1!", told(d.store.Refresh(t.Context(), "a")))
		require.Equal(t, "s1", d.get(), "the authority's value is still good")
		time.Sleep(time.Minute)
		require.Equal(t, "v1!", d.get())
		asked := d.vault.asked.Load()
		d.vault.now(holds("v2"))
		time.Sleep(2 * time.Second)
		require.Equal(t, "v1!", d.get())
		synctest.Wait()
		require.Equal(t, asked, d.vault.asked.Load(), "from the cache")
		time.Sleep(3 * time.Second)
		require.Equal(t, "v2!", d.get(), "after FailoverTTL")
		d.vault.now(fails(scaivault.ErrUnavailable))
		time.Sleep(5 * time.Second)
		require.Equal(t, "s1~", d.get(), "the authority's last value rather than the other's")
		d.scai.now(holds("s2"))
		time.Sleep(6 * time.Second)
		d.get()
		synctest.Wait()
		require.Equal(t, "s2", d.get())
	}, caching(time.Minute, time.Hour))
}

func TestA429KeepsTheEntryForAsLongAsAskedAndIsBounded(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.get()
		time.Sleep(10 * time.Second)
		d.vault.now(rateLimited(4 * time.Second))
		require.Equal(t, "v1", d.get())
		require.EqualValues(t, 2, d.vault.asked.Load())
		time.Sleep(4*time.Second - 60*time.Millisecond)
		d.get()
		synctest.Wait()
		require.EqualValues(t, 2, d.vault.asked.Load(), "not before the time that it gave")
		d.vault.now(rateLimited(24 * time.Hour))
		time.Sleep(2 * time.Second)
		require.NotContains(t, d.get(), "<")
		time.Sleep(5 * time.Second)
		require.Equal(t, "<rl>", d.get(), "one more TTL at most")
	}, caching(10*time.Second, 0))
}

// TestA429OfTheAuthorityAsksTheOtherSource where the cache has nothing that the
// authority said.
func TestA429OfTheAuthorityAsksTheOtherSource(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.get()
		d.vault.now(holds("v2"))
		d.scai.now(rateLimited(time.Minute))
		d.lever.set(scaivault.StageCutover)
		require.Equal(t, "v2!", d.get())
	}, caching(10*time.Second, time.Hour))
}

func TestNegativeEntriesAreShortAndEndAtOnce(t *testing.T) {
	t.Parallel()
	ends := map[string]func(*testing.T, *duo){
		"time": func(*testing.T, *duo) { time.Sleep(time.Second) },
		"Put": func(t *testing.T, d *duo) {
			_, err := d.store.Put(t.Context(), "a", map[string]any{"v": "v1"}, nil)
			require.NoError(t, err)
		},
		"Invalidate": func(_ *testing.T, d *duo) { d.store.Invalidate("a") },
		"Follow": func(t *testing.T, d *duo) {
			require.NoError(t, d.store.Follow(t.Context(), func(yield func(scaivault.Event, error) bool) {
				yield(scaivault.Event{Path: "a", Type: scaivault.EventSecretCreated}, nil)
			}))
		},
		"Refresh": func(t *testing.T, d *duo) {
			_, err := d.store.Refresh(t.Context(), "a")
			require.NoError(t, err)
		},
		"a flip": func(_ *testing.T, d *duo) { d.lever.set(scaivault.StageShadow) },
	}
	for name, end := range ends {
		inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
			d.vault.now(fails(scaivault.ErrNotFound))
			require.Equal(t, "<nf>", d.get())
			d.vault.now(holds("v1"))
			time.Sleep(500 * time.Millisecond)
			require.Equal(t, "<nf>", d.get())
			require.EqualValues(t, 1, d.vault.asked.Load(), "remembered")
			end(t, d)
			require.Equal(t, "v1", d.get(), name)
		}, caching(10*time.Second, 0))
	}
}

func TestADenialIsNotRemembered(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.vault.now(fails(scaivault.ErrPermission))
		require.Equal(t, "<pd>", d.get())
		d.vault.now(holds("v1"))
		require.Equal(t, "v1", d.get())
	}, caching(10*time.Second, 0))
}

func TestAnEventEndsAValueButMayBeServedStale(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.get()
		d.vault.now(fails(scaivault.ErrUnavailable))
		d.store.Invalidate("a")
		require.Equal(t, "v1~", d.get())
		d.vault.now(holds("v2"))
		require.Equal(t, "v2", d.get())
		d.store.Invalidate("never asked for")
		require.Equal(t, 1, d.store.Stats().Entries)
	}, caching(10*time.Second, time.Hour))
}

func TestExpiresAtEndsAnEntry(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		at := time.Now().Add(10 * time.Second)
		d.vault.now(func(context.Context) (*scaivault.Secret, error) {
			return scaivault.NewSecret(scaivault.SecretInfo{ExpiresAt: at}, []byte(`{"v":"v1"}`))
		})
		require.Equal(t, "v1", d.get())
		d.vault.now(rateLimited(time.Minute))
		time.Sleep(9 * time.Second)
		require.Equal(t, "v1", d.get())
		time.Sleep(time.Second)
		require.Equal(t, "<rl>", d.get(), "neither fresh nor stretched")
		d.vault.now(fails(scaivault.ErrUnavailable))
		require.Equal(t, "<un>", d.get(), "nor stale")
	}, caching(time.Hour, time.Hour))
}

func TestTheCacheIsBoundedUnderChurn(t *testing.T) {
	t.Parallel()
	d := newDuo(t, scaivault.StageVault, caching(time.Hour, 0), func(c *scaivault.StoreConfig) {
		c.Cache.MaxEntries, c.Flag = 100, scaivault.StageVault
	})
	for i := range 10_000 {
		_, err := d.store.Get(t.Context(), fmt.Sprintf("churn/%d", i))
		require.NoError(t, err)
		if i%20 == 0 {
			require.Equal(t, "v1", d.get())
		}
	}
	stats := d.store.Stats()
	require.LessOrEqual(t, stats.Entries, 100)
	require.EqualValues(t, 10_001-stats.Entries, stats.Evictions)
	require.EqualValues(t, 500-1, stats.Hits, "what is read all the time stays")
}

// TestTheCacheShrinksAgain after more paths than it may keep were read at once.
func TestTheCacheShrinksAgain(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.vault.now(takes(time.Second, holds("v1")))
		for i := range 500 {
			go func() { _, _ = d.store.Get(t.Context(), fmt.Sprintf("burst/%d", i)) }()
		}
		synctest.Wait()
		require.Equal(t, 500, d.store.Stats().Entries, "what is being read is not forgotten")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.LessOrEqual(t, d.store.Stats().Entries, 10)
	}, caching(time.Hour, 0), func(c *scaivault.StoreConfig) { c.Cache.MaxEntries = 10 })
}

// TestAForgottenPathKeepsItsStage: what made room in the cache still has a last
// known stage.
func TestAForgottenPathKeepsItsStage(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageScaiVault, func(t *testing.T, d *duo) {
		require.Equal(t, "s1", d.get())
		for i := range 50 {
			_, err := d.store.Get(t.Context(), fmt.Sprintf("churn/%d", i))
			require.NoError(t, err)
		}
		d.lever.set(scaivault.StageUnknown)
		asked := d.scai.asked.Load()
		require.Equal(t, "s1", d.get())
		require.Equal(t, asked+1, d.scai.asked.Load(), "it had made room")
	}, caching(time.Hour, 0), func(c *scaivault.StoreConfig) { c.Cache.MaxEntries, c.InitialStage = 10, scaivault.StageVault })
}
