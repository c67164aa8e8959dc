// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/scailabs/scaivault-go/internal/bench"
)

// BenchmarkTable has a sub-benchmark for each row of the table.
func BenchmarkTable(b *testing.B) {
	url := openServer(b)
	for _, row := range bench.Benchmarks() {
		b.Run(row.Group+"/"+strings.ReplaceAll(row.Name, "/", "-"), func(b *testing.B) {
			op, done, err := row.Open(url)
			if err != nil {
				b.Fatal(err)
			}
			defer done()
			b.ReportAllocs()
			if row.Goroutines > 0 {
				inParallel(b, op, row.Goroutines)
				return
			}
			for b.Loop() {
				if _, err := op(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func inParallel(b *testing.B, op bench.Op, goroutines int) {
	b.SetParallelism(max(1, goroutines/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := op(b.Context()); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
