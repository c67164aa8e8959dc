// SPDX-License-Identifier: Apache-2.0

// Command diff measures what migrate.Diff takes for a whole estate, next to the
// loop that people write for it:
//
//	go run -C internal/bench ./cmd/diff [-secrets n] [-rounds n] [-million]
//
// It prints one line for each question, with the goal. It exits with 0 unless
// something did not work: that a goal is missed is information.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/scailabs/scaivault-go/internal/bench/copying"
)

func main() { copying.Main("diff", run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("diff", flag.ContinueOnError)
	flags.SetOutput(stderr)
	secrets := flags.Int("secrets", 5000, "how many `secrets` the estate has, of those that are compared by time")
	rounds := flags.Int("rounds", 5, "measure `n` times, and print medians")
	million := flags.Bool("million", false, "also compare a million secrets, to see the memory that it takes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *secrets < 100 || *rounds < 1 {
		return errors.New("-secrets is at least 100 and -rounds at least 1")
	}
	for _, row := range []struct {
		title  string
		delay  time.Duration
		inLoop int
		goal   float64
	}{
		{"loopback", 0, *secrets, 3},
		{"5 ms in every answer", 5 * time.Millisecond, *secrets / 20, 20},
	} {
		s := &copying.Services{Secrets: *secrets, Delay: row.delay, Filled: true}
		r, err := measure(ctx, s, *rounds, row.inLoop)
		if err != nil {
			return err
		}
		n := float64(*secrets)
		_, _ = fmt.Fprintf(stdout, "%d secrets, %s: %.0f secrets/s\n", *secrets, row.title, n/copying.Median(r.took))
		_, _ = fmt.Fprintf(stdout, "  diff, next to the loop              %6.2f ×   (goal ≥ %v; the rounds %.2f)\n", copying.Median(r.overLoop), row.goal, r.overLoop)
		_, _ = fmt.Fprintf(stdout, "  requests to ScaiVault, for each 100 %6.2f     (goal ≤ 1), and %d listings\n",
			100*float64(r.requests["batch"]+r.requests["single read"])/n, r.requests["listing of ScaiVault"])
		_, _ = fmt.Fprintf(stdout, "  all requests                        %v\n", r.requests)
	}
	_, _ = fmt.Fprintln(stdout, "memory of the comparing process")
	return copying.Memory(ctx, stdout, copying.Sizes(*million), &copying.Services{Filled: true}, copying.DiffInAChild)
}

// A result has what the rounds brought, and the requests of the last.
type result struct {
	took, overLoop []float64 // took is in seconds
	requests       map[string]int
}

// measure takes turns between the loop and the Diff. The loop does some of the
// secrets, and the rest is taken to be as fast.
func measure(ctx context.Context, s *copying.Services, rounds, inLoop int) (r result, err error) {
	err = copying.With(ctx, s, func(url string) error {
		for range rounds {
			loop, err := copying.Seconds(func() error { return copying.DiffLoop(ctx, url, inLoop) })
			if err != nil {
				return err
			}
			if _, err := copying.Asked(ctx, url); err != nil {
				return err
			}
			took, err := copying.Seconds(func() error { _, err := copying.Diff(ctx, url); return err })
			if err != nil {
				return err
			}
			counts, err := copying.Asked(ctx, url)
			if err != nil {
				return err
			}
			r.requests = counts.Requests
			r.took = append(r.took, took)
			r.overLoop = append(r.overLoop, loop*float64(s.Secrets)/float64(inLoop)/took)
		}
		return nil
	})
	return r, err
}
