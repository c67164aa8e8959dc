// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A quantity is something that is measured.
type quantity struct {
	name   string
	format string // of its values
	total  bool   // what counts is the sum of all rounds, not their median
	least  bool   // what counts is the least of all rounds
}

var (
	nanoseconds = quantity{name: "ns/op", format: "%.0f"}
	tenths      = quantity{name: "ns/op", format: "%.1f"}     // the same, of what takes few
	working     = quantity{name: "cpu ns/op", format: "%.0f"} // of all cores together
	allocated   = quantity{name: "B/op", format: "%.0f"}
	allocs      = quantity{name: "allocs/op", format: "%.0f"}
	middleTime  = quantity{name: "p50 µs", format: "%.0f"}
	tailTime    = quantity{name: "p99 µs", format: "%.0f"}
	longestTime = quantity{name: "max µs", format: "%.0f"}
	failures    = quantity{name: "errors", format: "%.0f", total: true}
	reads       = quantity{name: "reads", format: "%.0f", total: true}
	notInPlace  = quantity{name: "not in place of another", format: "%.0f", least: true}
	perEntry    = quantity{name: "B/entry", format: "%.0f"}
)

// A sample is one measurement: values by the names of quantities.
type sample map[string]float64

// measureCost repeats an Op for a while, by so many goroutines at a time, and
// counts all that this process allocates meanwhile: the goroutines of the
// transport work for the Op too.
//
// With several goroutines the time is that of all operations together, by
// their number, so it tells the throughput.
func measureCost(ctx context.Context, e *entry, opts Options) (sample, error) {
	if e.Cores > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(e.Cores))
	}
	var before, after runtime.MemStats
	runtime.GC()
	if _, err := repeat(ctx, e.op, e.goroutines(), opts.time()/10); err != nil {
		return nil, err
	}
	runtime.ReadMemStats(&before)
	start, worked := time.Now(), cpuTime()
	calls, err := repeat(ctx, e.op, e.goroutines(), opts.time())
	elapsed := time.Since(start)
	worked = cpuTime() - worked
	runtime.ReadMemStats(&after)
	if err != nil {
		return nil, err
	}
	n := float64(calls * e.each())
	return sample{
		nanoseconds.name: float64(elapsed.Nanoseconds()) / n,
		working.name:     float64(worked.Nanoseconds()) / n,
		allocated.name:   float64(after.TotalAlloc-before.TotalAlloc) / n,
		allocs.name:      float64(after.Mallocs-before.Mallocs) / n,
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

// measureTimes does an Op as often as opts say for a round, and tells how long
// each took. An error is counted and ends nothing. So are the answers of the
// source whose turn it was.
func measureTimes(ctx context.Context, e *entry, opts Options) (sample, error) {
	all := make([][]time.Duration, e.goroutines())
	each := max(1, opts.reads()/opts.rounds()/len(all)/max(e.Rarely, 1))
	var failed, own atomic.Int64
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			all[i] = make([]time.Duration, 0, each)
			for range each {
				start := time.Now()
				answer, err := e.op(ctx)
				all[i] = append(all[i], time.Since(start))
				if err != nil {
					failed.Add(1)
				} else if secret, ok := answer.(*scaivault.Secret); ok && !secret.Failover() {
					own.Add(1)
				}
			}
		})
	}
	wg.Wait()
	times := slices.Concat(all...)
	slices.Sort(times)
	at := func(part float64) float64 { return float64(times[int(part*float64(len(times)-1))]) / 1e3 }
	return sample{
		middleTime.name: at(0.5), tailTime.name: at(0.99), longestTime.name: at(1),
		failures.name: float64(failed.Load()), reads.name: float64(len(times)), notInPlace.name: float64(own.Load()),
	}, ctx.Err()
}

// measureMemory does an Op once, and tells how many bytes what it returns takes.
func measureMemory(ctx context.Context, e *entry, _ Options) (sample, error) {
	// What is built leaves garbage, and there is room for it.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	before := heap()
	made, err := e.op(ctx)
	if err != nil {
		return nil, err
	}
	taken := heap() - before
	if closer, ok := made.(io.Closer); ok {
		if err := closer.Close(); err != nil {
			return nil, err
		}
	}
	runtime.KeepAlive(made)
	return sample{perEntry.name: float64(taken) / float64(e.each())}, nil
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one has found, too
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc) //nolint:gosec // less than that
}
