// SPDX-License-Identifier: Apache-2.0

package pathmap

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

const (
	slots     = 7   // of a group, which with its head is one cache line
	maxGroups = 128 // of a table, which is then 8 KiB; a full one is split
	fill      = 6   // entries to a group, on average, at which a table is full
)

// Each byte of a group's head but the uppermost is the tag of a slot: 0 for a
// free one, else the upper bit and seven bits of the hash. The uppermost byte
// is not 0 once an entry had to go past the group because that was full.
const (
	taken      = 0x80
	ones       = 0x0001010101010101
	tops       = ones * taken
	overflowed = 1 << 56
)

// A group is what a search looks at in one go.
type group[V any] struct {
	head    atomic.Uint64
	entries [slots]atomic.Pointer[V]
}

// A table is a hash table of few groups. One writer at a time changes it, under
// the lock of the map, while readers look.
//
// An entry is there from the moment its pointer is stored until the pointer is
// cleared: its tag, and the marks of the groups that it went past, are set
// before, and its tag is cleared after. So who reads a head that is out of date
// finds no more and no less than who reads the new one: what he finds is there,
// and what he misses was not there when he read the head.
type table[V any, P Keyed[V]] struct {
	groups []group[V] // a power of two of them
	depth  uint8      // how many upper bits of the hash all entries share

	// Writers only.
	used int // entries
	past int // groups that are marked as overflowed
}

func newTable[V any, P Keyed[V]](depth uint8, groups int) *table[V, P] {
	return &table[V, P]{groups: make([]group[V], groups), depth: depth}
}

// at returns the group where the search for a hash starts. Its bits lie between
// those of the tag and those of the directory.
func (t *table[V, P]) at(hash uint64) uint64 { return hash >> 7 & uint64(len(t.groups)-1) }

// match has the upper bit of each byte set whose tag is that of the hash, and
// perhaps of a byte above such a one: a candidate more, never one less.
func match(head, hash uint64) uint64 {
	x := head ^ (taken|hash&0x7f)*ones
	return (x - ones) & ^x & tops
}

// slot returns the first slot of a match.
func slot(match uint64) int { return bits.TrailingZeros64(match) / 8 }

// find returns the entry of a path, or nil. Nearly always the first candidate is
// the answer: it looks at that one before it sets out to search.
func (t *table[V, P]) find(hash uint64, path string) *V {
	g := &t.groups[t.at(hash)]
	head := g.head.Load()
	if m := match(head, hash); m != 0 {
		if v := g.entries[slot(m)].Load(); v != nil && P(v).Path() == path {
			return v
		}
	} else if head < overflowed {
		return nil
	}
	return t.search(hash, path)
}

func (t *table[V, P]) search(hash uint64, path string) *V {
	groups := t.groups
	i := t.at(hash)
	for range groups {
		g := &groups[i&uint64(len(groups)-1)]
		head := g.head.Load()
		for m := match(head, hash); m != 0; m &= m - 1 {
			if v := g.entries[slot(m)].Load(); v != nil && P(v).Path() == path {
				return v
			}
		}
		if head < overflowed {
			return nil
		}
		i++
	}
	return nil
}

// insert adds an entry that is not there. There must be a free slot.
func (t *table[V, P]) insert(hash uint64, v *V) {
	mask := uint64(len(t.groups) - 1)
	for i := t.at(hash); ; i++ {
		g := &t.groups[i&mask]
		head := g.head.Load()
		if free := ^head & tops; free != 0 {
			s := slot(free)
			g.head.Store(head | (taken|hash&0x7f)<<(8*s))
			g.entries[s].Store(v)
			t.used++
			return
		}
		if head < overflowed {
			g.head.Store(head | overflowed)
			t.past++
		}
	}
}

// remove takes an entry out and tells whether it was there. The marks of the
// groups that it went past stay.
func (t *table[V, P]) remove(hash uint64, v *V) bool {
	i := t.at(hash)
	for range t.groups {
		g := &t.groups[i&uint64(len(t.groups)-1)]
		head := g.head.Load()
		for m := match(head, hash); m != 0; m &= m - 1 {
			if s := slot(m); g.entries[s].Load() == v {
				g.entries[s].Store(nil)
				g.head.Store(head &^ (0xff << (8 * s)))
				t.used--
				return true
			}
		}
		if head < overflowed {
			return false
		}
		i++
	}
	return false
}

// all calls yield with each entry until that returns false.
func (t *table[V, P]) all(yield func(*V) bool) {
	for i := range t.groups {
		for j := range t.groups[i].entries {
			if v := t.groups[i].entries[j].Load(); v != nil && !yield(v) {
				return
			}
		}
	}
}

// full tells whether a new table must be made before an insert. Entries that
// came and went leave marks, which make searches long: these end it, too.
func (t *table[V, P]) full() bool {
	return t.used >= fill*len(t.groups) || t.crossed()
}

func (t *table[V, P]) crossed() bool { return len(t.groups) > 1 && 4*t.past > 3*len(t.groups) }

// sparse tells whether a table keeps much more room than it needs. It is far
// from full then, so that entries that come and go do not resize it each time.
func (t *table[V, P]) sparse() bool { return len(t.groups) > 1 && t.used <= len(t.groups)/2 }

// splits tells whether a full table becomes two, not a larger or a clean one.
func (t *table[V, P]) splits() bool {
	return len(t.groups) >= maxGroups && 2*t.used > fill*len(t.groups) && t.depth < 48
}

// resized returns a table of the same entries, which fill it by no more than a
// half, and without marks unless chance will have them.
func (t *table[V, P]) resized(seed maphash.Seed) *table[V, P] {
	groups := 1
	for 2*t.used > fill*groups {
		groups *= 2
	}
	to := newTable[V, P](t.depth, groups)
	for v := range t.all {
		to.insert(maphash.String(seed, P(v).Path()), v)
	}
	return to
}

// split returns two tables that share the entries, by the next bit of the hash.
func (t *table[V, P]) split(seed maphash.Seed) (low, high *table[V, P]) {
	low, high = newTable[V, P](t.depth+1, maxGroups), newTable[V, P](t.depth+1, maxGroups)
	for v := range t.all {
		hash := maphash.String(seed, P(v).Path())
		if hash<<t.depth>>63 == 0 {
			low.insert(hash, v)
		} else {
			high.insert(hash, v)
		}
	}
	return low, high
}
