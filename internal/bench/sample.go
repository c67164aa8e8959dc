// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A sample is one measurement, each value per operation.
type sample struct{ nanoseconds, bytes, allocs float64 }

// measure repeats an Op for about d, by so many goroutines at a time, and
// counts all that this process allocates meanwhile: the goroutines of the
// transport work for the Op too.
//
// With several goroutines the time is that of all operations together, by
// their number, so it tells the throughput.
func measure(ctx context.Context, op Op, goroutines int, d time.Duration) (sample, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	n, err := repeat(ctx, op, max(goroutines, 1), d)
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	if err != nil {
		return sample{}, err
	}
	return sample{
		nanoseconds: float64(elapsed.Nanoseconds()) / float64(n),
		bytes:       float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
		allocs:      float64(after.Mallocs-before.Mallocs) / float64(n),
	}, nil
}

// repeat does an Op at least once in each goroutine, and returns how often.
func repeat(ctx context.Context, op Op, goroutines int, d time.Duration) (int, error) {
	var count atomic.Int64
	var stop atomic.Bool
	errs := make([]error, goroutines)
	work := func(i int) {
		n := int64(0)
		for deadline := time.Now().Add(d); ; {
			if _, errs[i] = op(ctx); errs[i] != nil {
				stop.Store(true)
				return
			}
			n++
			if stop.Load() || !time.Now().Before(deadline) {
				count.Add(n)
				return
			}
		}
	}
	var wg sync.WaitGroup
	for i := range goroutines - 1 {
		wg.Go(func() { work(i + 1) })
	}
	work(0)
	wg.Wait()
	return int(count.Load()), errors.Join(errs...)
}
