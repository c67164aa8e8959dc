// SPDX-License-Identifier: Apache-2.0

package pathmap_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scailabs/scaivault-go/internal/pathmap"
)

type value struct {
	path string
	id   int
}

func (v *value) Path() string { return v.path }

type valueMap = pathmap.Map[value, *value]

// contents returns what Range shows, and fails if it shows anything twice.
func contents(t assert.TestingT, m *valueMap) map[string]*value {
	all := map[string]*value{}
	m.Range(func(path string, v *value) bool {
		if all[path] != nil || path != v.path {
			assert.Fail(t, "shown twice, or by a wrong name", path)
		}
		all[path] = v
		return true
	})
	return all
}

func TestTheZeroValueIsEmptyAndReady(t *testing.T) {
	t.Parallel()
	var m valueMap
	assert.Nil(t, m.Load("a"))
	assert.False(t, m.Delete("a", &value{path: "a"}))
	assert.False(t, m.Delete("a", nil), "what is not there is not nil")
	assert.Empty(t, contents(t, &m))
	assert.Zero(t, m.Len())

	for _, path := range []string{"", "a", "environments/production/billing/database", "Größe\x00"} {
		v := &value{path: path}
		actual, loaded := m.LoadOrStore(path, v)
		assert.False(t, loaded)
		assert.Same(t, v, actual)
		assert.Same(t, v, m.Load(path))
	}
	assert.Equal(t, 4, m.Len())
}

func TestDeleteTakesOnlyTheValueThatItNames(t *testing.T) {
	t.Parallel()
	var m valueMap
	v, other := &value{path: "a"}, &value{path: "a"}
	m.LoadOrStore("a", v)
	actual, loaded := m.LoadOrStore("a", other)
	assert.True(t, loaded)
	assert.Same(t, v, actual)
	assert.False(t, m.Delete("a", other))
	assert.Same(t, v, m.Load("a"))
	assert.True(t, m.Delete("a", v))
	assert.False(t, m.Delete("a", v))
	assert.Nil(t, m.Load("a"))
	assert.Zero(t, m.Len())
}

func TestRangeStopsWhenItIsTold(t *testing.T) {
	t.Parallel()
	var m valueMap
	for _, v := range valuesOf(estate(5000)) {
		m.LoadOrStore(v.path, v)
	}
	seen := 0
	m.Range(func(string, *value) bool {
		seen++
		return seen < 3
	})
	assert.Equal(t, 3, seen)
}

func TestRangeMayChangeTheMap(t *testing.T) {
	t.Parallel()
	var m valueMap
	for _, v := range valuesOf(estate(5000)) {
		m.LoadOrStore(v.path, v)
	}
	m.Range(func(path string, v *value) bool {
		assert.True(t, m.Delete(path, v), "each was passed once")
		m.LoadOrStore("new/"+path, &value{path: "new/" + path, id: 1})
		return v.id == 0
	})
	assert.Equal(t, 5000, m.Len())
}

// TestEveryEntryIsFoundAtEverySize looks at all entries on the way through the
// sizes at which tables are resized and split, up and down again.
func TestEveryEntryIsFoundAtEverySize(t *testing.T) {
	t.Parallel()
	const n = 20_000
	values := valuesOf(estate(n))
	var m valueMap
	check := func(present int) {
		for i, v := range values {
			if got := m.Load(v.path); (got == v) != (i < present) {
				require.Fail(t, "Load", "%d of %d: %v", i, present, got)
			}
		}
		require.Equal(t, present, m.Len())
		require.Len(t, contents(t, &m), present)
	}
	for i, v := range values {
		m.LoadOrStore(v.path, v)
		if i < 20 || i%1999 == 0 {
			check(i + 1)
		}
	}
	for i := n - 1; i >= 0; i-- {
		require.True(t, m.Delete(values[i].path, values[i]))
		if i < 20 || i%1999 == 0 {
			check(i)
		}
	}
}

// TestComingAndGoingNeverFillsTheMap replaces the entries of a map of constant
// size many times over, as a cache does that evicts.
func TestComingAndGoingNeverFillsTheMap(t *testing.T) {
	t.Parallel()
	const live, all = 3000, 200_000
	values := valuesOf(estate(all))
	var m valueMap
	for i, v := range values {
		m.LoadOrStore(v.path, v)
		if i >= live {
			require.True(t, m.Delete(values[i-live].path, values[i-live]))
		}
	}
	assert.Equal(t, live, m.Len())
	assert.Len(t, contents(t, &m), live)
	for i, v := range values {
		if (m.Load(v.path) == v) != (i >= all-live) {
			require.Fail(t, "Load", "%d", i)
		}
	}
	assert.Less(t, m.Groups(), live, "no more room than the live ones need")
}

func TestMemoryComesBack(t *testing.T) {
	t.Parallel()
	const n = 50_000
	values := valuesOf(estate(n))
	var m valueMap
	for _, v := range values {
		m.LoadOrStore(v.path, v)
	}
	full := m.Groups()
	for _, v := range values {
		m.Delete(v.path, v)
	}
	assert.Less(t, m.Groups(), full/50)
}

// TestItDoesWhatAPlainMapDoes compares with a model, over few paths, so that the
// same ones come and go, and over many, so that tables are split.
func TestItDoesWhatAPlainMapDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var m valueMap
		model := map[string]*value{}
		paths := rapid.SampledFrom(estate(rapid.SampledFrom([]int{3, 30, 1500}).Draw(t, "paths")))
		t.Repeat(map[string]func(*rapid.T){
			"LoadOrStore": func(t *rapid.T) {
				path := paths.Draw(t, "path")
				v := &value{path: path}
				want, present := model[path]
				actual, loaded := m.LoadOrStore(path, v)
				assert.Equal(t, present, loaded)
				if !present {
					want, model[path] = v, v
				}
				assert.Same(t, want, actual)
			},
			"many": func(t *rapid.T) {
				prefix := fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "prefix"))
				for _, v := range valuesOf(estate(rapid.IntRange(0, 900).Draw(t, "n"))) {
					v.path = prefix + v.path
					if _, loaded := m.LoadOrStore(v.path, v); !loaded {
						model[v.path] = v
					}
				}
			},
			"deleteMany": func(t *rapid.T) {
				prefix := fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "prefix"))
				for path, v := range model {
					if path[:1] == prefix {
						assert.True(t, m.Delete(path, v))
						delete(model, path)
					}
				}
			},
			"Delete": func(t *rapid.T) {
				path := paths.Draw(t, "path")
				v := model[path]
				if rapid.Bool().Draw(t, "other") {
					v = &value{path: path}
				}
				assert.Equal(t, v != nil && v == model[path], m.Delete(path, v))
				if v == model[path] {
					delete(model, path)
				}
			},
			"": func(t *rapid.T) {
				assert.Equal(t, len(model), m.Len())
				path := paths.Draw(t, "path")
				assert.Equal(t, model[path], m.Load(path))
				if !maps.Equal(model, contents(t, &m)) {
					assert.Fail(t, "Range shows something else")
				}
			},
		})
	})
}

func TestLoadAllocatesNothing(t *testing.T) {
	var m valueMap
	v := &value{path: "environments/production/billing/database"}
	m.LoadOrStore(v.path, v)
	assert.Zero(t, testing.AllocsPerRun(100, func() { m.Load(v.path); m.LoadOrStore(v.path, v) }))
}
