// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/scailabs/scaivault-go/internal/bench"
)

// BenchmarkTable has a sub-benchmark for each row of the tables that tell what
// one operation costs. One of those named cached and cores does a thousand.
func BenchmarkTable(b *testing.B) {
	url := openServer(b)
	for _, t := range bench.Tables(bench.Options{}) {
		if t.Name == "outage" || t.Name == "memory" {
			continue
		}
		for _, row := range t.Benchmarks {
			b.Run(t.Name+"/"+row.Group+"/"+strings.ReplaceAll(row.Name, "/", "-"), func(b *testing.B) { run(b, url, row) })
		}
	}
}

func run(b *testing.B, url string, row bench.Benchmark) {
	op, done, err := row.Open(url)
	if err != nil {
		b.Fatal(err)
	}
	defer done()
	b.ReportAllocs()
	if row.Goroutines > 1 {
		inParallel(b, op, row.Goroutines)
		return
	}
	for b.Loop() {
		if _, err := op(b.Context()); err != nil {
			b.Fatal(err)
		}
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
