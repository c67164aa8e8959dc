// SPDX-License-Identifier: Apache-2.0

package stripe_test

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"

	"github.com/scailabs/scaivault-go/internal/stripe"
)

func TestTheSumIsExactAfterManyGoroutines(t *testing.T) {
	t.Parallel()
	const goroutines, each = 100, 1000
	var counter stripe.Counter
	var set stripe.Set
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for j := range each {
				counter.Add(3)
				counter.Add(-1)
				set.Add(j % stripe.Width)
				set.AddN(stripe.Width-1, 2)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 2*goroutines*each, counter.Load())
	for i := range stripe.Width - 1 {
		assert.EqualValues(t, goroutines*each/stripe.Width, set.Load(i))
	}
	assert.EqualValues(t, goroutines*each/stripe.Width+2*goroutines*each, set.Load(stripe.Width-1))
}

// deep adds from far down a stack that has to grow, and so to move, on the way.
func deep(c *stripe.Counter, depth int) byte {
	var frame [512]byte
	c.Add(1)
	if depth == 0 {
		return frame[0]
	}
	return frame[depth%len(frame)] + deep(c, depth-1)
}

func TestNoCountIsLostWhenAStackMoves(t *testing.T) {
	t.Parallel()
	var c stripe.Counter
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { deep(&c, 999) })
	}
	wg.Wait()
	assert.EqualValues(t, 10*1000, c.Load())
}

func TestTheSumNeverGoesBack(t *testing.T) {
	t.Parallel()
	var c stripe.Counter
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20_000 {
				c.Add(1)
			}
		})
	}
	for last := int64(0); last < 4*20_000; {
		now := c.Load()
		if !assert.GreaterOrEqual(t, now, last) {
			break
		}
		last = now
	}
	wg.Wait()
}

func TestZeroValuesAreReadyAndSmall(t *testing.T) {
	t.Parallel()
	var c stripe.Counter
	var s stripe.Set
	assert.Zero(t, c.Load())
	assert.Zero(t, s.Load(0))
	assert.LessOrEqual(t, unsafe.Sizeof(c), uintptr(8<<10))
	assert.LessOrEqual(t, unsafe.Sizeof(s), uintptr(8<<10))
	assert.Panics(t, func() { s.Add(stripe.Width) })
	c.Add(math.MinInt64)
	c.Add(math.MaxInt64)
	assert.EqualValues(t, -1, c.Load())
}

func TestAddingAllocatesNothing(t *testing.T) {
	var c stripe.Counter
	var s stripe.Set
	assert.Zero(t, testing.AllocsPerRun(100, func() { c.Add(1); s.Add(1) }))
}

func BenchmarkAdd(b *testing.B) {
	var counter stripe.Counter
	var set stripe.Set
	var plain atomic.Int64
	ways := map[string]func(){
		"counter": func() { counter.Add(1) },
		"set":     func() { set.Add(1) },
		"atomic":  func() { plain.Add(1) },
	}
	for _, name := range []string{"counter", "set", "atomic"} {
		add := ways[name]
		b.Run(name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					add()
				}
			})
		})
	}
}
