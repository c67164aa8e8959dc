// SPDX-License-Identifier: Apache-2.0

// Command report measures what an uncached read costs, next to what else a
// program could do, and prints one table:
//
//	go run -C internal/bench ./cmd/report
//
// It takes less than a minute and exits with 0 unless something did not work:
// that a goal is missed is information.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
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
	rounds := flags.Int("rounds", 0, "measure everything `n` times, and print medians (default 7)")
	time := flags.Duration("time", 0, "measure for this `duration` in each round (default 250ms)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; -h lists the flags", flags.Arg(0))
	}
	if *rounds < 0 || *time < 0 {
		return errors.New("-rounds and -time must not be negative")
	}
	return bench.Report(ctx, stdout, bench.Benchmarks(), bench.Options{Rounds: *rounds, Time: *time})
}
