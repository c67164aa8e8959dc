// SPDX-License-Identifier: Apache-2.0

// Package pathmap holds a concurrent map from paths to what knows its own path.
// Reads take no lock and write to no shared memory.
package pathmap

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// Keyed is a *V that knows its path. Path must always return the same, must be
// cheap, and must be safe for concurrent use.
type Keyed[V any] interface {
	*V
	Path() string
}

// A Map maps each path to one *V. It keeps no copy of the paths: it asks the
// values for theirs, so that an entry takes the pointer and one byte of a hash,
// and the room between entries. Declare it as Map[T, *T]. Its zero value is
// empty and ready. It is safe for concurrent use and must not be copied.
//
// It is made for many reads and few writes. Reads never wait. Writes wait for
// each other, for no longer than it takes to copy one small table: the map grows
// table by table, never as a whole. It is linearizable: a Load that starts after
// a LoadOrStore or a Delete has returned sees what that did.
//
// Hashes are seeded anew in each Map, so that nobody can choose paths that
// collide.
type Map[V any, P Keyed[V]] struct {
	root atomic.Pointer[directory[V, P]] // nil: empty

	// Readers need the field above only. What writers change must not lie in the
	// same cache line.
	_ [64]byte

	mu    sync.Mutex // held by writers
	count atomic.Int64
}

// Load returns what path maps to, or nil. It never blocks and allocates nothing.
func (m *Map[V, P]) Load(path string) *V {
	root := m.root.Load()
	if root == nil {
		return nil
	}
	hash := maphash.String(root.seed, path)
	return root.table(hash).find(hash, path)
}

// LoadOrStore returns what path maps to and true, or else makes it map to v and
// returns v and false. Path must be the path of v, and v not nil.
func (m *Map[V, P]) LoadOrStore(path string, v *V) (actual *V, loaded bool) {
	if found := m.Load(path); found != nil {
		return found, true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	root := m.root.Load()
	if root == nil {
		root = newDirectory[V, P]()
		m.root.Store(root)
	}
	hash := maphash.String(root.seed, path)
	t := root.table(hash)
	if found := t.find(hash, path); found != nil {
		return found, true
	}
	for t.full() {
		root = root.grow(hash)
		m.root.Store(root)
		t = root.table(hash)
	}
	t.insert(hash, v)
	m.count.Add(1)
	return v, false
}

// Delete takes path out of the map if it maps to v, and tells whether it did.
func (m *Map[V, P]) Delete(path string, v *V) bool {
	if v == nil || m.Load(path) != v {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	root := m.root.Load()
	hash := maphash.String(root.seed, path)
	t := root.table(hash)
	if !t.remove(hash, v) {
		return false
	}
	m.count.Add(-1)
	if t.sparse() {
		root.replace(hash, t, t.resized(root.seed))
	}
	return true
}

// Range calls f for each path and value, in no order, until f returns false. An
// entry that is there from before the call until after it is passed to f exactly
// once; one that comes or goes meanwhile at most once for each time that it
// came. No lock is held while f runs: it may use the map.
func (m *Map[V, P]) Range(f func(path string, v *V) bool) {
	root := m.root.Load()
	if root == nil {
		return
	}
	for i := 0; i < len(root.tables); {
		t := root.tables[i].Load()
		for v := range t.all {
			if !f(P(v).Path(), v) {
				return
			}
		}
		i += root.span(t)
	}
}

// Len returns how many entries there are.
func (m *Map[V, P]) Len() int { return int(m.count.Load()) }
