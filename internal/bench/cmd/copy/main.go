// SPDX-License-Identifier: Apache-2.0

// Command copy measures what migrate.Copy takes for a whole estate, next to the
// loop that people write for it and to the bare requests:
//
//	go run -C internal/bench ./cmd/copy [-secrets n] [-rounds n] [-million]
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

func main() { copying.Main("copy", run) }

// A bench measures one estate after the other.
type bench struct {
	out             io.Writer
	secrets, rounds int
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	b := &bench{out: stdout}
	flags := flag.NewFlagSet("copy", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&b.secrets, "secrets", 5000, "how many `secrets` the estate has, of those that are compared by time")
	flags.IntVar(&b.rounds, "rounds", 3, "measure `n` times, and print medians")
	million := flags.Bool("million", false, "also copy a million secrets, to see the memory that it takes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if b.secrets < 100 || b.rounds < 1 {
		return errors.New("-secrets is at least 100 and -rounds at least 1")
	}
	if err := b.speed(ctx, "loopback", 0, b.secrets, 3); err != nil {
		return err
	}
	if err := b.speed(ctx, "5 ms in every answer", 5*time.Millisecond, b.secrets/10, 20); err != nil {
		return err
	}
	if err := b.limited(ctx); err != nil {
		return err
	}
	sizes := copying.Sizes(*million)
	b.print("memory of the copying process, secrets in folders of 100\n")
	if err := copying.Memory(ctx, stdout, sizes, &copying.Services{}, copying.CopyInAChild); err != nil {
		return err
	}
	b.print("memory of the copying process, secrets in one folder\n")
	largest := sizes[len(sizes)-1]
	return copying.Memory(ctx, stdout, []int{sizes[0], largest}, &copying.Services{Folder: largest}, copying.CopyInAChild)
}

// speed compares the loop, the first copy, the second, and the bare load. The
// loop does some of the secrets, and the rest is taken to be as fast.
func (b *bench) speed(ctx context.Context, title string, delay time.Duration, inLoop int, goal float64) error {
	var overLoop, overLoad, overFirst, copied []float64
	var last round
	for range b.rounds {
		r, err := measure(ctx, &copying.Services{Secrets: b.secrets, Delay: delay}, inLoop)
		if err != nil {
			return err
		}
		last = r
		overLoop = append(overLoop, r.loop/r.first)
		overLoad = append(overLoad, r.load/r.first)
		overFirst = append(overFirst, r.first/r.second)
		copied = append(copied, float64(b.secrets)/r.first)
	}
	b.print("%d secrets, %s: %.0f secrets/s\n", b.secrets, title, copying.Median(copied))
	b.print("  first copy, next to the loop        %6.2f ×   (goal ≥ %v; the rounds %.2f)\n", copying.Median(overLoop), goal, overLoop)
	b.print("  first copy, next to the bare load   %6.2f ×   (goal ≥ 0.7 on loopback; the rounds %.2f)\n", copying.Median(overLoad), overLoad)
	b.print("  second copy, next to the first      %6.2f ×   (goal ≥ 1.5)\n", copying.Median(overFirst))
	b.print("  requests of the first copy  %v\n  requests of the second copy %v\n", last.firstRequests, last.secondRequests)
	return nil
}

// A round has the seconds that each of them took.
type round struct {
	loop, load, first, second     float64
	firstRequests, secondRequests map[string]int
}

// measure measures all of them once, each pair with services of its own.
func measure(ctx context.Context, s *copying.Services, inLoop int) (r round, err error) {
	err = copying.With(ctx, s, func(url string) (err error) {
		if r.loop, err = copying.Seconds(func() error { return copying.Loop(ctx, url, inLoop) }); err != nil {
			return err
		}
		r.loop *= float64(s.Secrets) / float64(inLoop)
		r.load, err = copying.Seconds(func() error { return copying.Load(ctx, url, s.Secrets) })
		return err
	})
	if err != nil {
		return r, err
	}
	err = copying.With(ctx, s, func(url string) (err error) {
		copyOnce := func() error { _, err := copying.Copy(ctx, url); return err }
		if r.first, err = copying.Seconds(copyOnce); err != nil {
			return err
		}
		counts, err := copying.Asked(ctx, url)
		if err != nil {
			return err
		}
		r.firstRequests = counts.Requests
		if r.second, err = copying.Seconds(copyOnce); err != nil {
			return err
		}
		counts, err = copying.Asked(ctx, url)
		r.secondRequests = counts.Requests
		return err
	})
	return r, err
}

// limited copies against a limit, of which a second's worth may come at once.
func (b *bench) limited(ctx context.Context) error {
	const perMinute, secrets = 12_000, 3_000
	var took float64
	var counts copying.Counts
	err := copying.With(ctx, &copying.Services{Secrets: secrets, Limit: perMinute}, func(url string) (err error) {
		if took, err = copying.Seconds(func() error { _, err := copying.Copy(ctx, url); return err }); err != nil {
			return err
		}
		counts, err = copying.Asked(ctx, url)
		return err
	})
	if err != nil {
		return err
	}
	b.print("%d secrets, at most %d writes in a minute\n", secrets, perMinute)
	b.print("  writes, next to the limit           %6.2f     (goal ≥ 0.95)\n", secrets/took/(perMinute/60.0))
	b.print("  requests that were refused          %6.2f %%   (goal ≤ 1)\n", 100*float64(counts.Refused)/float64(counts.Total()))
	return nil
}

func (b *bench) print(format string, args ...any) { _, _ = fmt.Fprintf(b.out, format, args...) }
