// SPDX-License-Identifier: Apache-2.0

package coarse_test

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/coarse"
)

const resolution = 10 * time.Millisecond

// inBubble runs a test on a clock whose time only passes when the test sleeps.
func inBubble(t *testing.T, test func(t *testing.T, c *coarse.Clock)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(t, coarse.New(resolution)) })
}

func TestNowIsNeverZero(t *testing.T) {
	inBubble(t, func(t *testing.T, c *coarse.Clock) {
		assert.EqualValues(t, 1, c.Now())
		assert.EqualValues(t, 1, c.Exact())
	})
}

func TestNowIsLateByNoMoreThanTheResolution(t *testing.T) {
	inBubble(t, func(t *testing.T, c *coarse.Clock) {
		start := time.Now()
		for _, step := range []time.Duration{0, 1, resolution - 1, resolution, 3 * resolution / 2, time.Second, time.Second + 1, time.Hour} {
			for range 30 {
				time.Sleep(step)
				synctest.Wait() // a tick that is due at this very moment has been
				passed, now := time.Since(start)+1, time.Duration(c.Now())
				require.LessOrEqual(t, now, passed)
				require.Less(t, passed-now, resolution)
			}
		}
	})
}

func TestNowStandsStillBetweenTicks(t *testing.T) {
	inBubble(t, func(t *testing.T, c *coarse.Clock) {
		first := c.Now()
		time.Sleep(resolution - 1)
		assert.Equal(t, first, c.Now(), "it did not read the real clock")
	})
}

func TestNowIsNotBehindAnExactBeforeIt(t *testing.T) {
	inBubble(t, func(t *testing.T, c *coarse.Clock) {
		for _, awake := range []bool{false, true} {
			if awake {
				c.Now()
			}
			time.Sleep(resolution / 2)
			exact := c.Exact()
			assert.Equal(t, exact, c.Now())
		}
	})
}

func TestAClockThatNobodyReadsSleeps(t *testing.T) {
	inBubble(t, func(t *testing.T, c *coarse.Clock) {
		c.Now()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.False(t, c.Running(), "a second after it was woken")
		time.Sleep(24 * time.Hour)
		assert.False(t, c.Running(), "nothing wakes it")
		c.Exact()
		assert.False(t, c.Running(), "nor does an exact look")
		assert.EqualValues(t, 24*time.Hour+2*time.Second+1, c.Now(), "the first look reads the real clock")
		assert.True(t, c.Running())
	})
}

func TestNewStartsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, c *coarse.Clock) { assert.False(t, c.Running()) })
}

func TestABubbleEndsWithAClockThatRuns(t *testing.T) {
	inBubble(t, func(t *testing.T, c *coarse.Clock) {
		c.Now()
		assert.True(t, c.Running())
	})
}

func TestCloseStopsItForEver(t *testing.T) {
	for _, awake := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := coarse.New(resolution)
			if awake {
				c.Now()
			}
			require.NoError(t, c.Close())
			require.NoError(t, c.Close())
			for want := int64(1); want < 100; want += 33 {
				assert.Equal(t, want, c.Now(), "it reads the real clock")
				assert.Equal(t, want, c.Exact())
				time.Sleep(33 * time.Nanosecond)
			}
			assert.False(t, c.Running())
		})
	}
}

func TestWithoutAResolutionEachLookIsExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, none := range []time.Duration{0, -1} {
			c := coarse.New(none)
			assert.EqualValues(t, 1, c.Now())
			time.Sleep(7 * time.Nanosecond)
			assert.EqualValues(t, 8, c.Now())
			assert.False(t, c.Running())
		}
	})
}

// TestNowNeverGoesBack has readers of all kinds race with a fast clock that is
// closed under them.
func TestNowNeverGoesBack(t *testing.T) {
	t.Parallel()
	c := coarse.New(time.Microsecond)
	var wg sync.WaitGroup
	for reader := range 4 {
		wg.Go(func() {
			last := int64(1)
			for i := range 20_000 {
				now := c.Now()
				if i%64 == reader {
					now = c.Exact()
				}
				if !assert.GreaterOrEqual(t, now, last) {
					return
				}
				last = now
				if i%256 == 0 {
					runtime.Gosched()
				}
				if reader == 0 && i == 15_000 {
					assert.NoError(t, c.Close())
				}
			}
		})
	}
	wg.Wait()
}

func TestNowAllocatesNothing(t *testing.T) {
	c := coarse.New(time.Hour)
	defer func() { require.NoError(t, c.Close()) }()
	c.Now()
	assert.Zero(t, testing.AllocsPerRun(100, func() { c.Now(); c.Exact() }))
}

func BenchmarkNow(b *testing.B) {
	c := coarse.New(time.Millisecond)
	b.Cleanup(func() { require.NoError(b, c.Close()) })
	start := time.Now()
	b.Run("coarse", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				c.Now()
			}
		})
	})
	b.Run("time.Since", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				time.Since(start)
			}
		})
	})
}
