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
	// Rounds is how often each benchmark is measured. If zero, 10.
	Rounds int
	// Time is how long each measurement takes. If zero, 100 milliseconds.
	Time time.Duration
	// Reads is how many reads of all rounds together a latency is taken from.
	// If zero, 100,000.
	Reads int
	// Entries is of how many secrets the memory is measured. If zero,
	// 1,000,000.
	Entries int
}

func (o Options) rounds() int         { return defaultTo(o.Rounds, 10) }
func (o Options) time() time.Duration { return defaultTo(o.Time, 100*time.Millisecond) }
func (o Options) reads() int          { return defaultTo(o.Reads, 100_000) }
func (o Options) entries() int        { return defaultTo(o.Entries, 1_000_000) }

func defaultTo[T comparable](value, ifZero T) T {
	var zero T
	if value == zero {
		return ifZero
	}
	return value
}

// An entry is a benchmark under way, with a sample of each round so far.
type entry struct {
	Benchmark
	op      Op
	samples []sample
}

// Report starts the server, and measures and writes each table in turn, in
// rounds. What a row costs is the median of its rounds. Its error says that
// something did not work, never that something was slow.
func Report(ctx context.Context, w io.Writer, tables []Table, opts Options) error {
	server, err := StartServer(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err = t.report(ctx, w, server.URL(), opts); err != nil {
			break
		}
	}
	if closeErr := server.Close(); err == nil && closeErr != nil {
		return fmt.Errorf("stop the server: %w", closeErr)
	}
	return err
}

func (t Table) report(ctx context.Context, w io.Writer, url string, opts Options) error {
	entries := make([]*entry, 0, len(t.Benchmarks))
	for _, b := range t.Benchmarks {
		e := &entry{Benchmark: b}
		entries = append(entries, e)
		if t.anew {
			continue
		}
		done, err := e.open(url)
		if err != nil {
			return err
		}
		defer done()
	}
	rounds := opts.rounds()
	if t.once {
		rounds = 1
	}
	for range rounds {
		if err := t.round(ctx, url, entries, opts); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(w, "%s: %s\n", t.Name, t.Title); err != nil {
		return err
	}
	if err := t.write(w, entries); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// round measures each benchmark once. It changes the order for the next round,
// so that nobody always comes after the same neighbour.
func (t Table) round(ctx context.Context, url string, entries []*entry, opts Options) error {
	for _, e := range inTurn(entries) {
		if err := t.sample(ctx, url, e, opts); err != nil {
			return err
		}
	}
	return nil
}

func (t Table) sample(ctx context.Context, url string, e *entry, opts Options) error {
	if t.anew {
		done, err := e.open(url)
		if err != nil {
			return err
		}
		defer done()
	}
	s, err := t.measure(ctx, e, opts)
	if err != nil {
		return fmt.Errorf("measure %s (%s): %w", e.Name, e.Group, err)
	}
	e.samples = append(e.samples, s)
	return nil
}

func (e *entry) open(url string) (done func(), err error) {
	if e.op, done, err = e.Open(url); err != nil {
		return nil, fmt.Errorf("open %s (%s): %w", e.Name, e.Group, err)
	}
	return done, nil
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
