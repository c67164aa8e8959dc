// SPDX-License-Identifier: Apache-2.0

package pathmap_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scailabs/scaivault-go/internal/coarse"
	"github.com/scailabs/scaivault-go/internal/pathmap"
	"github.com/scailabs/scaivault-go/internal/stripe"
)

// sizes are the numbers of paths that the benchmarks look at.
var sizes = []int{1, 10_000, 1_000_000}

// estate returns paths of 44 bytes.
func estate(n int) []string {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("environments/production/billing/svc%07d/db", i)
	}
	return paths
}

// asked returns the same paths in random order, in other memory than those that
// were stored.
func asked(paths []string) []string {
	other := make([]string, len(paths))
	for i, j := range rand.Perm(len(paths)) {
		other[i] = strings.Clone(paths[j])
	}
	return other
}

// A table is what is compared. Each holds one value for each path.
type table struct {
	name  string
	build func(values []*value) (load func(path string) *value)
}

var tables = []table{
	{"pathmap", func(values []*value) func(string) *value {
		var m pathmap.Map[value, *value]
		for _, v := range values {
			m.LoadOrStore(v.path, v)
		}
		return m.Load
	}},
	{"sync.Map", func(values []*value) func(string) *value {
		var m sync.Map
		for _, v := range values {
			m.Store(v.path, v)
		}
		return func(path string) *value {
			v, _ := m.Load(path)
			found, _ := v.(*value)
			return found
		}
	}},
	{"map", func(values []*value) func(string) *value {
		m := map[string]*value{}
		for _, v := range values {
			m[v.path] = v
		}
		return func(path string) *value { return m[path] }
	}},
}

func valuesOf(paths []string) []*value {
	values := make([]*value, len(paths))
	for i, path := range paths {
		values[i] = &value{path: path}
	}
	return values
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range sizes {
		paths := estate(n)
		values, lookUps := valuesOf(paths), asked(paths)
		for _, table := range tables {
			b.Run(fmt.Sprintf("%s/%d", table.name, n), func(b *testing.B) {
				load := table.build(values)
				b.ReportAllocs()
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					i := rand.IntN(n)
					for pb.Next() {
						if load(lookUps[i]) == nil {
							b.Error("not found")
						}
						if i++; i == n {
							i = 0
						}
					}
				})
			})
		}
	}
}

// BenchmarkHit is what a cached read consists of: the look at the map, the look at
// a clock, and a count. With one path, all cores read the same.
func BenchmarkHit(b *testing.B) {
	for _, n := range sizes {
		paths := estate(n)
		lookUps := asked(paths)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var m pathmap.Map[value, *value]
			var counts stripe.Set
			clock := coarse.New(time.Millisecond)
			for _, v := range valuesOf(paths) {
				m.LoadOrStore(v.path, v)
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				i := rand.IntN(n)
				for pb.Next() {
					if v := m.Load(lookUps[i]); v == nil || int64(v.id) > clock.Now() {
						b.Error("not found")
					}
					counts.Add(0)
					if i++; i == n {
						i = 0
					}
				}
			})
			_ = clock.Close()
		})
	}
}

// BenchmarkMemory reports what a table takes beside the values and their paths.
func BenchmarkMemory(b *testing.B) {
	for _, n := range sizes[1:] {
		values := valuesOf(estate(n))
		for _, table := range tables {
			b.Run(fmt.Sprintf("%s/%d", table.name, n), func(b *testing.B) {
				for b.Loop() {
					before := heap()
					load := table.build(values)
					b.ReportMetric(float64(heap()-before)/float64(n), "B/entry")
					runtime.KeepAlive(load)
				}
			})
		}
		runtime.KeepAlive(values)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func BenchmarkLoadOrStore(b *testing.B) {
	values := valuesOf(estate(1_000_000))
	for _, table := range tables {
		b.Run(table.name, func(b *testing.B) {
			for b.Loop() {
				table.build(values)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(values)), "ns/entry")
		})
	}
}
