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
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/scailabs/scaivault-go/internal/bench/copying"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	asked, err := copying.BeChild(ctx)
	if !asked {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "copy:", err)
		os.Exit(1)
	}
}

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
	sizes := []int{10_000, 100_000}
	if *million {
		sizes = append(sizes, 1_000_000)
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
	if err := b.memory(ctx, "in folders of 100", 0, sizes); err != nil {
		return err
	}
	largest := sizes[len(sizes)-1]
	return b.memory(ctx, "in one folder", largest, []int{sizes[0], largest})
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
	b.print("%d secrets, %s: %.0f secrets/s\n", b.secrets, title, median(copied))
	b.print("  first copy, next to the loop        %6.2f ×   (goal ≥ %v)\n", median(overLoop), goal)
	b.print("  first copy, next to the bare load   %6.2f ×   (goal ≥ 0.7 on loopback)\n", median(overLoad))
	b.print("  second copy, next to the first      %6.2f ×   (goal ≥ 1.5)\n", median(overFirst))
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
	err = with(ctx, s, func(url string) (err error) {
		if r.loop, err = seconds(func() error { return copying.Loop(ctx, url, inLoop) }); err != nil {
			return err
		}
		r.loop *= float64(s.Secrets) / float64(inLoop)
		r.load, err = seconds(func() error { return copying.Load(ctx, url, s.Secrets) })
		return err
	})
	if err != nil {
		return r, err
	}
	err = with(ctx, s, func(url string) (err error) {
		copyOnce := func() error { _, err := copying.Copy(ctx, url); return err }
		if r.first, err = seconds(copyOnce); err != nil {
			return err
		}
		counts, err := copying.Asked(ctx, url)
		if err != nil {
			return err
		}
		r.firstRequests = counts.Requests
		if r.second, err = seconds(copyOnce); err != nil {
			return err
		}
		counts, err = copying.Asked(ctx, url)
		r.secondRequests = counts.Requests
		return err
	})
	return r, err
}

// with starts services for as long as use takes.
func with(ctx context.Context, s *copying.Services, use func(url string) error) error {
	url, stop, err := copying.Start(ctx, s)
	if err != nil {
		return err
	}
	return errors.Join(use(url), stop())
}

func seconds(do func() error) (float64, error) {
	start := time.Now()
	err := do()
	return time.Since(start).Seconds(), err
}

// limited copies against a limit, of which a second's worth may come at once.
func (b *bench) limited(ctx context.Context) error {
	const perMinute, secrets = 12_000, 3_000
	var took float64
	var counts copying.Counts
	err := with(ctx, &copying.Services{Secrets: secrets, Limit: perMinute}, func(url string) (err error) {
		if took, err = seconds(func() error { _, err := copying.Copy(ctx, url); return err }); err != nil {
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

// memory copies estates of several sizes in processes of their own.
func (b *bench) memory(ctx context.Context, title string, folder int, sizes []int) error {
	b.print("memory of the copying process, secrets %s\n", title)
	least := int64(0)
	for _, size := range sizes {
		var r copying.Run
		err := with(ctx, &copying.Services{Secrets: size, Folder: folder}, func(url string) (err error) {
			r, err = copying.CopyInAChild(ctx, url)
			return err
		})
		if err != nil {
			return err
		}
		if least == 0 {
			least = r.PeakBytes
		}
		b.print("  %9d secrets: peak %5.1f MiB, %+5.1f MiB (goals < 128 and ≤ +32), in %s\n",
			size, mib(r.PeakBytes), mib(r.PeakBytes-least), r.Took.Round(100*time.Millisecond))
	}
	return nil
}

func (b *bench) print(format string, args ...any) { _, _ = fmt.Fprintf(b.out, format, args...) }

func mib(n int64) float64 { return float64(n) / (1 << 20) }

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
