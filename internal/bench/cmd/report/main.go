// SPDX-License-Identifier: Apache-2.0

// Command report measures what reads cost, next to what else a program could do,
// and prints a table for each question:
//
//	go run -C internal/bench ./cmd/report [flags] [table ...]
//
// Without names it prints all tables, which takes two to three minutes. It exits with 0
// unless something did not work: that a goal is missed is information.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/scailabs/scaivault-go/internal/bench"
)

func main() {
	if err := start(); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func start() error {
	if asked, err := bench.ServeIfAsked(); asked {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
}

// run measures and prints the table.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.SetOutput(stderr)
	rounds := flags.Int("rounds", 0, "measure everything `n` times, and print medians (default 10)")
	time := flags.Duration("time", 0, "measure for this `duration` in each round (default 100ms)")
	reads := flags.Int("reads", 0, "take each latency of the outage from `n` reads (default 100,000)")
	entries := flags.Int("entries", 0, "keep `n` secrets to see what memory they take (default 1,000,000)")
	flags.Usage = func() {
		_, _ = fmt.Fprintf(stderr, "usage: report [flags] [table ...]\n\nThe tables are %s; without a name, all.\n\n", listed(bench.Tables(bench.Options{})))
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *rounds < 0 || *time < 0 || *reads < 0 || *entries < 0 {
		return errors.New("-rounds, -time, -reads and -entries must not be negative")
	}
	opts := bench.Options{Rounds: *rounds, Time: *time, Reads: *reads, Entries: *entries}
	tables, err := choose(bench.Tables(opts), flags.Args())
	if err != nil {
		return err
	}
	return bench.Report(ctx, stdout, tables, opts)
}

// choose returns the tables with these names, or all.
func choose(all []bench.Table, names []string) ([]bench.Table, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []bench.Table
	for _, name := range names {
		i := slices.IndexFunc(all, func(t bench.Table) bool { return t.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no table %q; there are %s", name, listed(all))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func listed(tables []bench.Table) string {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.Name
	}
	return strings.Join(names, ", ")
}
