// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestAThousandGoroutinesCostOneRequest, and those who give up cost the others
// nothing: everybody keeps his own deadline.
func TestAThousandGoroutinesCostOneRequest(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.vault.now(takes(time.Second, holds("v1")))
		start := time.Now()
		var got, gaveUp, ranOut atomic.Int64
		for i := range 1000 {
			go func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				switch {
				case i%10 == 0: // the first one, too
					time.AfterFunc(100*time.Millisecond, cancel)
				case i%10 == 1:
					ctx, cancel = context.WithTimeout(ctx, 300*time.Millisecond)
					defer cancel()
				}
				answer := told(d.store.Get(ctx, "a"))
				switch i % 10 {
				case 0:
					assert.Equal(t, "<??>", answer)
					assert.Equal(t, 100*time.Millisecond, time.Since(start))
					gaveUp.Add(1)
				case 1:
					assert.Equal(t, "<un>", answer)
					assert.Equal(t, 300*time.Millisecond, time.Since(start))
					ranOut.Add(1)
				default:
					assert.Equal(t, "v1", answer)
					assert.Equal(t, time.Second, time.Since(start))
					got.Add(1)
				}
			}()
			if i == 0 {
				synctest.Wait() // it is the one that begins the read
			}
		}
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 1, d.vault.asked.Load())
		require.EqualValues(t, 0, d.vault.ended.Load())
		require.EqualValues(t, []int64{800, 100, 100}, []int64{got.Load(), gaveUp.Load(), ranOut.Load()})
		require.EqualValues(t, 999, d.store.Stats().Joined)
	})
}

// TestTheLastOneToLeaveCancelsTheSource, and only he.
func TestTheLastOneToLeaveCancelsTheSource(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.vault.now(stalls)
		var leave []context.CancelFunc
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			leave = append(leave, cancel)
			go func() { _, _ = d.store.Get(ctx, "a") }()
			synctest.Wait()
		}
		for i, cancel := range leave {
			require.EqualValues(t, 0, d.vault.ended.Load(), i)
			cancel()
			synctest.Wait()
		}
		require.EqualValues(t, 1, d.vault.ended.Load())
		d.vault.now(holds("v1"))
		require.Equal(t, "v1", d.get())
	})
}

// TestALateComerNeverInheritsACancelledRead has one goroutine leave while another
// comes, again and again, in every order that the scheduler knows.
func TestALateComerNeverInheritsACancelledRead(t *testing.T) {
	t.Parallel()
	d := newDuo(t, scaivault.StageVault, withoutBreakers)
	d.vault.now(func(ctx context.Context) (*scaivault.Secret, error) {
		for range 20 {
			runtime.Gosched()
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		return holds("v1")(ctx)
	})
	for i := range 1500 {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = d.store.Get(ctx, "a") })
		wg.Go(func() {
			for range i % 30 {
				runtime.Gosched()
			}
			cancel()
		})
		for j := range 2 {
			wg.Go(func() {
				for range (i + 7*j) % 30 {
					runtime.Gosched()
				}
				assert.Equal(t, "v1", d.get())
			})
		}
		wg.Wait()
		cancel()
	}
}

// TestAPanicInASourceIsRaisedInEachWaiter, and the process and the Store live on.
func TestAPanicInASourceIsRaisedInEachWaiter(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.vault.now(takes(time.Second, func(context.Context) (*scaivault.Secret, error) { panic("boom") }))
		var raised atomic.Int64
		for range 10 {
			go func() {
				defer func() {
					assert.Equal(t, "boom", recover())
					raised.Add(1)
				}()
				d.get()
			}()
		}
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 10, raised.Load())
		require.EqualValues(t, 1, d.store.Stats().Panics)
		d.vault.now(holds("v1"))
		require.Equal(t, "v1", d.get())
	})
}

// TestAPanicInTheBackgroundHurtsNobody.
func TestAPanicInTheBackgroundHurtsNobody(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.get()
		d.vault.now(func(context.Context) (*scaivault.Secret, error) { panic("boom") })
		time.Sleep(9 * time.Second)
		require.Equal(t, "v1", d.get())
		synctest.Wait()
		require.EqualValues(t, 1, d.store.Stats().Panics)
		require.Equal(t, "v1", d.get())
	}, caching(10*time.Second, 0))
}

// TestASourceThatEndsItsGoroutineHangsNobody, as runtime.Goexit does, and so the
// FailNow of a test.
func TestASourceThatEndsItsGoroutineHangsNobody(t *testing.T) {
	t.Parallel()
	exits := func(context.Context) (*scaivault.Secret, error) { runtime.Goexit(); return nil, nil }
	for stage, want := range map[scaivault.Stage]string{scaivault.StageVault: "<un>", scaivault.StageCutover: "s1", scaivault.StageCanary: "s1!"} {
		inDuo(t, stage, func(t *testing.T, d *duo) {
			d.vault.now(exits)
			if stage == scaivault.StageCanary { // Vault comes second
				d.vault.now(holds("s1"))
				require.Equal(t, "s1", d.get())
				d.scai.now(stalls)
				d.vault.now(holds("s1"))
			}
			start := time.Now()
			require.Equal(t, want, d.get())
			require.Less(t, time.Since(start), time.Second)
			synctest.Wait()
			d.vault.now(holds("s1"))
			d.scai.now(holds("s1"))
			require.Contains(t, d.get(), "s1")
		}, func(c *scaivault.StoreConfig) { c.Compare.SampleRate = 1 })
	}
}

// TestASourceThatIgnoresItsContextHoldsNobodyForEver, whether there is another
// answer or not.
func TestASourceThatIgnoresItsContextHoldsNobodyForEver(t *testing.T) {
	t.Parallel()
	for stage, want := range map[scaivault.Stage]string{scaivault.StageScaiVault: "<un>", scaivault.StageCutover: "v1!", scaivault.StageVault: "v1"} {
		synctest.Test(t, func(t *testing.T) {
			d := newDuo(t, stage)
			free := make(chan struct{})
			d.scai.now(func(context.Context) (*scaivault.Secret, error) { <-free; return nil, scaivault.ErrUnavailable })
			start := time.Now()
			require.Equal(t, want, d.get())
			require.LessOrEqual(t, time.Since(start), 7*time.Second)
			close(free)
			synctest.Wait()
		})
	}
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.get()
		free := make(chan struct{})
		d.vault.now(func(context.Context) (*scaivault.Secret, error) { <-free; return nil, scaivault.ErrUnavailable })
		time.Sleep(10 * time.Second)
		require.Equal(t, "v1~", d.get())
		close(free)
	}, caching(10*time.Second, time.Hour))
}

func TestASourceSeesTheValuesOfTheCallersContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.vault.now(func(ctx context.Context) (*scaivault.Secret, error) { return holds(ctx.Value(key{}).(string))(ctx) })
		secret, err := d.store.Get(context.WithValue(t.Context(), key{}, "mine"), "a")
		require.Equal(t, "mine", told(secret, err))
	})
}
