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

// TestADeadPrimaryCostsNothingAfterTheFirstMoments: three reads ask it, then one
// each five seconds, for which nobody waits, until it is back.
func TestADeadPrimaryCostsNothingAfterTheFirstMoments(t *testing.T) {
	t.Parallel()
	for _, stage := range []scaivault.Stage{scaivault.StageCanary, scaivault.StageCutover} {
		inDuo(t, stage, func(t *testing.T, d *duo) {
			d.makeClean(t)
			d.scai.now(stalls)
			for range 3 {
				require.Equal(t, "s1!", d.get())
				synctest.Wait()
			}
			require.EqualValues(t, 3, d.scai.asked.Load())
			for range 1000 {
				d.atOnce(t, "s1!")
			}
			require.EqualValues(t, 3, d.scai.asked.Load(), "open")
			require.LessOrEqual(t, d.vault.asked.Load(), int64(1003))

			for probe := int64(4); probe < 7; probe++ {
				time.Sleep(5*time.Second + 1)
				for range 100 {
					d.atOnce(t, "s1!")
				}
				synctest.Wait()
				require.Equal(t, probe, d.scai.asked.Load(), "half-open: exactly one")
				time.Sleep(2 * time.Second) // it times out
				d.atOnce(t, "s1!")
			}
			d.scai.now(holds("s1"))
			time.Sleep(5*time.Second + 1)
			d.atOnce(t, "s1!")
			synctest.Wait()
			for range 10 {
				require.Equal(t, "s1", d.get(), "closed")
			}
			require.EqualValues(t, 17, d.scai.asked.Load())
		}, func(c *scaivault.StoreConfig) { c.Compare.MaxAge = time.Hour })
	}
}

// TestNoPinging: without reads nobody asks a source that is left alone.
func TestNoPinging(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
		d.get()
		d.scai.now(fails(scaivault.ErrUnavailable))
		for range 5 {
			d.get()
		}
		synctest.Wait()
		asked := d.scai.asked.Load() + d.vault.asked.Load()
		time.Sleep(24 * time.Hour)
		require.Equal(t, asked, d.scai.asked.Load()+d.vault.asked.Load())
	}, caching(time.Minute, time.Hour))
}

// TestWhatDoesNotOpenTheBreaker: answers, wishes to be left alone, and callers
// who leave.
func TestWhatDoesNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	cancelled := func(ctx context.Context) (*scaivault.Secret, error) {
		<-ctx.Done()
		return nil, &scaivault.Error{Kind: scaivault.ErrUnavailable, Op: "get", Reason: "hides why"}
	}
	for name, answer := range map[string]behaviour{
		"not found": fails(scaivault.ErrNotFound), "denied": fails(scaivault.ErrPermission), "invalid": fails(scaivault.ErrInvalid),
		"429": rateLimited(time.Second), "cancelled": stalls, "cancelled, said otherwise": cancelled,
	} {
		inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
			d.scai.now(answer)
			for range 10 {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(100*time.Millisecond, cancel)
				_, _ = d.store.Get(ctx, "a")
				synctest.Wait()
				cancel()
			}
			require.EqualValues(t, 10, d.scai.asked.Load(), name)
			d.scai.now(holds("s1"))
			require.Equal(t, "s1", d.get(), name)
		})
	}
}

// TestOneAnswerBetweenKeepsTheBreakerClosed: it counts failures in a row.
func TestOneAnswerBetweenKeepsTheBreakerClosed(t *testing.T) {
	t.Parallel()
	for _, answer := range []behaviour{holds("s1"), fails(scaivault.ErrNotFound)} {
		inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
			for range 10 {
				d.scai.now(fails(scaivault.ErrUnavailable))
				d.get()
				d.get()
				d.scai.now(answer)
				d.get()
			}
			require.EqualValues(t, 30, d.scai.asked.Load())
		})
	}
}

// TestASourceThatPanicsIsLeftAlone like one that does not answer.
func TestASourceThatPanicsIsLeftAlone(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
		d.scai.now(func(context.Context) (*scaivault.Secret, error) { panic("boom") })
		for range 3 {
			require.Panics(t, func() { d.get() })
		}
		require.Equal(t, "v1!", d.get())
		time.Sleep(5*time.Second + 1)
		require.Equal(t, "v1!", d.get(), "the probe panics where nobody sees it")
		synctest.Wait()
		require.EqualValues(t, 4, d.scai.asked.Load())
	})
}

// TestWhereThereIsNobodyElseTheSourceIsAskedAllTheSame, and that it answers
// closes the breaker when it is time.
func TestWhereThereIsNobodyElseTheSourceIsAskedAllTheSame(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageScaiVault, func(t *testing.T, d *duo) {
		d.scai.now(fails(scaivault.ErrUnavailable))
		for range 10 {
			require.Equal(t, "<un>", d.get())
		}
		require.EqualValues(t, 10, d.scai.asked.Load())
		d.scai.now(holds("s1"))
		time.Sleep(5*time.Second + 1)
		require.Equal(t, "s1", d.get(), "the try")
		d.scai.now(holds("s2"))
		time.Sleep(time.Hour)
		require.Equal(t, "s2", d.get(), "it has been back for an hour: no reason to serve what is stale")
	}, caching(time.Minute, 24*time.Hour))
}

// TestAProbeThatIsTold429ClosesTheBreaker: the source is back, and asking it
// again and again is not what it wants.
func TestAProbeThatIsTold429ClosesTheBreaker(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
		d.scai.now(fails(scaivault.ErrUnavailable))
		for range 3 {
			d.get()
		}
		d.scai.now(rateLimited(time.Second))
		time.Sleep(5*time.Second + 1)
		require.Equal(t, "v1!", d.get())
		synctest.Wait()
		d.scai.now(holds("s1"))
		require.Equal(t, "s1", d.get())
	})
}

// TestBothBreakersOpenAskAllTheSame before an error, and serve what is stale
// instead where there is something.
func TestBothBreakersOpenAskAllTheSame(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
		d.scai.now(fails(scaivault.ErrUnavailable))
		d.vault.now(fails(scaivault.ErrUnavailable))
		for range 5 {
			require.Equal(t, "<un>", d.get())
		}
		d.vault.now(holds("v1"))
		require.Equal(t, "v1!", d.get(), "no stale value, so the last one asked has come back")
		d.vault.now(stalls)
		d.scai.now(stalls)
		time.Sleep(11 * time.Second)
		d.atOnce(t, "v1!~")
	}, caching(10*time.Second, time.Hour))
}
