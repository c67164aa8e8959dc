// SPDX-License-Identifier: Apache-2.0

package pathmap_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestReadersSeeWhatWritersDid lets each writer own some of the paths, so that it
// knows what must be there, while tables grow, split and shrink under readers and
// under Range.
func TestReadersSeeWhatWritersDid(t *testing.T) {
	t.Parallel()
	const writers, each, rounds = 4, 800, 6
	paths := estate(writers * each)
	fixed := valuesOf([]string{"x", "y", "z"})
	var m valueMap
	for _, v := range fixed {
		m.LoadOrStore(v.path, v)
	}
	var writing, reading sync.WaitGroup
	var done atomic.Bool
	for w := range writers {
		writing.Go(func() {
			own := paths[w*each : (w+1)*each]
			for range rounds {
				write(t, &m, own)
			}
		})
	}
	for range 2 {
		reading.Go(func() {
			for !done.Load() {
				path := paths[rand.IntN(len(paths))]
				if v := m.Load(path); v != nil && v.path != path {
					assert.Fail(t, "Load returned the value of another path")
				}
				for _, v := range fixed {
					if m.Load(v.path) != v {
						assert.Fail(t, "what stays was not found")
					}
				}
			}
		})
	}
	reading.Go(func() {
		for !done.Load() {
			seen := 0
			m.Range(func(_ string, v *value) bool {
				if v == fixed[0] || v == fixed[1] || v == fixed[2] {
					seen++
				}
				return true
			})
			if seen != len(fixed) {
				assert.Fail(t, "Range showed what stays not once", "%d", seen)
			}
		}
	})
	writing.Wait()
	done.Store(true)
	reading.Wait()
	assert.Equal(t, len(fixed), m.Len())
	assert.Len(t, contents(t, &m), len(fixed))
}

// write adds entries and takes them out again, and looks at each after each step.
func write(t *testing.T, m *valueMap, own []string) {
	values := valuesOf(own)
	for _, v := range values {
		if _, loaded := m.LoadOrStore(v.path, v); loaded || m.Load(v.path) != v {
			assert.Fail(t, "stored and not found")
		}
	}
	for _, v := range values {
		if m.Load(v.path) != v {
			assert.Fail(t, "lost while others wrote")
		}
		if !m.Delete(v.path, v) || m.Load(v.path) != nil {
			assert.Fail(t, "deleted and found")
		}
	}
}

// TestOneOfManyStoresWins has everybody store under the same paths.
func TestOneOfManyStoresWins(t *testing.T) {
	t.Parallel()
	const goroutines, n = 4, 3000
	paths := estate(n)
	var m valueMap
	winners := make([][]*value, goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for _, v := range valuesOf(paths) {
				actual, _ := m.LoadOrStore(v.path, v)
				winners[g] = append(winners[g], actual)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, n, m.Len())
	for i, path := range paths {
		for g := range goroutines {
			if winners[g][i] != m.Load(path) {
				assert.Fail(t, "two winners", path)
			}
		}
	}
}

// TestASeenValueStaysSeen has a reader that found a value, or its absence, tell
// another, who must not see an older state. The same few paths come and go, so
// that slots are used again at once.
func TestASeenValueStaysSeen(t *testing.T) {
	t.Parallel()
	const rounds = 20_000
	var m valueMap
	var newest atomic.Int64 // the highest id that any reader saw
	var done atomic.Bool
	var reading sync.WaitGroup
	for range 3 {
		reading.Go(func() {
			for !done.Load() {
				before := newest.Load()
				v := m.Load("path")
				if v == nil {
					continue
				}
				if int64(v.id) < before {
					assert.Fail(t, "an older value after a newer one", "%d after %d", v.id, before)
				}
				for seen := newest.Load(); seen < int64(v.id) && !newest.CompareAndSwap(seen, int64(v.id)); seen = newest.Load() {
				}
			}
		})
	}
	other := valuesOf(estate(40))
	for id := 1; id <= rounds; id++ {
		v, neighbour := &value{path: "path", id: id}, other[id%len(other)]
		m.LoadOrStore("path", v)
		if _, loaded := m.LoadOrStore(neighbour.path, neighbour); loaded {
			m.Delete(neighbour.path, neighbour)
		}
		m.Delete("path", v)
	}
	done.Store(true)
	reading.Wait()
}
