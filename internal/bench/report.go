// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// Options say how long to measure.
type Options struct {
	// Rounds is how often each benchmark is measured. If zero, 7.
	Rounds int
	// Time is how long each measurement takes. If zero, 250 milliseconds.
	Time time.Duration
}

func (o Options) rounds() int {
	if o.Rounds == 0 {
		return 7
	}
	return o.Rounds
}

func (o Options) time() time.Duration {
	if o.Time == 0 {
		return 250 * time.Millisecond
	}
	return o.Time
}

// An entry is a benchmark under way, with a sample of each round so far.
type entry struct {
	Benchmark
	op      Op
	samples []sample
}

// Report starts the server, measures the benchmarks in rounds and writes one
// table. What a row costs is the median of its rounds. Its error says that
// something did not work, never that something was slow.
func Report(ctx context.Context, w io.Writer, benchmarks []Benchmark, opts Options) error {
	server, err := StartServer(ctx)
	if err != nil {
		return err
	}
	err = report(ctx, w, server.URL(), benchmarks, opts)
	if closeErr := server.Close(); err == nil && closeErr != nil {
		return fmt.Errorf("stop the server: %w", closeErr)
	}
	return err
}

func report(ctx context.Context, w io.Writer, url string, benchmarks []Benchmark, opts Options) error {
	entries := make([]*entry, 0, len(benchmarks))
	for _, b := range benchmarks {
		op, done, err := b.Open(url)
		if err != nil {
			return fmt.Errorf("open %s (%s): %w", b.Name, b.Group, err)
		}
		defer done()
		entries = append(entries, &entry{Benchmark: b, op: op})
	}
	for range opts.rounds() {
		if err := round(ctx, entries, opts.time()); err != nil {
			return err
		}
	}
	return writeTable(w, entries)
}

// round measures each benchmark once. It changes the order for the next round,
// so that nobody always comes after the same neighbour.
func round(ctx context.Context, entries []*entry, d time.Duration) error {
	for _, e := range inTurn(entries) {
		if _, err := repeat(ctx, e.op, max(e.Goroutines, 1), d/10); err != nil {
			return fmt.Errorf("warm up %s (%s): %w", e.Name, e.Group, err)
		}
		s, err := measure(ctx, e.op, e.Goroutines, d)
		if err != nil {
			return fmt.Errorf("measure %s (%s): %w", e.Name, e.Group, err)
		}
		e.samples = append(e.samples, s)
	}
	return nil
}

// inTurn returns the entries forwards in even rounds and backwards in odd ones.
func inTurn(entries []*entry) []*entry {
	if len(entries) == 0 || len(entries[0].samples)%2 == 0 {
		return entries
	}
	backwards := slices.Clone(entries)
	slices.Reverse(backwards)
	return backwards
}
