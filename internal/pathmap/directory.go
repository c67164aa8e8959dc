// SPDX-License-Identifier: Apache-2.0

package pathmap

import (
	"hash/maphash"
	"sync/atomic"
)

// A directory finds the table of a hash by its upper bits. A table whose depth
// is less than that of the directory stands at several places in a row. Its
// length never changes: to grow, it is copied.
type directory[V any, P Keyed[V]] struct {
	seed   maphash.Seed
	shift  uint8 // 64 less the number of bits
	tables []atomic.Pointer[table[V, P]]
}

func newDirectory[V any, P Keyed[V]]() *directory[V, P] {
	d := &directory[V, P]{seed: maphash.MakeSeed(), shift: 64, tables: make([]atomic.Pointer[table[V, P]], 1)}
	d.tables[0].Store(newTable[V, P](0, 1))
	return d
}

func (d *directory[V, P]) table(hash uint64) *table[V, P] {
	return d.tables[hash>>d.shift].Load() // a shift by 64 makes 0
}

// span returns at how many places of the directory a table stands.
func (d *directory[V, P]) span(t *table[V, P]) int { return 1 << (64 - d.shift - t.depth) }

// replace puts tables of the same contents where t stands, in equal parts.
// Readers who still hold t see what it had: no writer touches it again. The last
// place comes first, so that Range, which goes upwards, meets either t or what
// replaces it, never first a part and then the whole.
func (d *directory[V, P]) replace(hash uint64, t *table[V, P], by ...*table[V, P]) {
	span := d.span(t)
	first := int(hash>>d.shift) &^ (span - 1)
	for i := span - 1; i >= 0; i-- {
		d.tables[first+i].Store(by[i*len(by)/span])
	}
}

// grow makes room in the table of a hash and returns the directory that then
// counts: d, or one twice as long.
func (d *directory[V, P]) grow(hash uint64) *directory[V, P] {
	t := d.table(hash)
	if !t.splits() {
		d.replace(hash, t, t.resized(d.seed))
		return d
	}
	if d.span(t) == 1 {
		d = d.doubled()
	}
	low, high := t.split(d.seed)
	d.replace(hash, t, low, high)
	return d
}

func (d *directory[V, P]) doubled() *directory[V, P] {
	twice := &directory[V, P]{seed: d.seed, shift: d.shift - 1, tables: make([]atomic.Pointer[table[V, P]], 2*len(d.tables))}
	for i := range twice.tables {
		twice.tables[i].Store(d.tables[i/2].Load())
	}
	return twice
}
