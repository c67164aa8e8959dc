// SPDX-License-Identifier: Apache-2.0

package copying

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
)

// Main is the main of a command that measures: it is one of the others where
// this process was started to be that, and else runs the command. It exits with
// 1 where that had an error.
func Main(name string, run func(ctx context.Context, args []string, stdout, stderr io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	asked, err := BeChild(ctx)
	if !asked {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

// With starts services for as long as use takes.
func With(ctx context.Context, s *Services, use func(url string) error) error {
	url, stop, err := Start(ctx, s)
	if err != nil {
		return err
	}
	return errors.Join(use(url), stop())
}

// Seconds is how long something takes.
func Seconds(do func() error) (float64, error) {
	start := time.Now()
	err := do()
	return time.Since(start).Seconds(), err
}

// Median is the middle of some figures.
func Median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// Sizes are those of the estates whose memory is measured, the smallest first.
func Sizes(million bool) []int {
	sizes := []int{10_000, 100_000}
	if million {
		sizes = append(sizes, 1_000_000)
	}
	return sizes
}

// Memory prints the memory that a process takes for each of several estates,
// which have like's settings.
func Memory(ctx context.Context, out io.Writer, sizes []int, like *Services, inAChild func(ctx context.Context, url string) (Run, error)) error {
	least := int64(0)
	for _, size := range sizes {
		var r Run
		err := With(ctx, &Services{Secrets: size, Folder: like.Folder, Filled: like.Filled}, func(url string) (err error) {
			r, err = inAChild(ctx, url)
			return err
		})
		if err != nil {
			return err
		}
		if least == 0 {
			least = r.PeakBytes
		}
		_, _ = fmt.Fprintf(out, "  %9d secrets: peak %5.1f MiB, %+5.1f MiB (goals < 128 and ≤ +32), in %s\n",
			r.Secrets, mib(r.PeakBytes), mib(r.PeakBytes-least), r.Took.Round(100*time.Millisecond))
	}
	return nil
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
