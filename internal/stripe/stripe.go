// SPDX-License-Identifier: Apache-2.0

// Package stripe counts what many goroutines do at once, without making them
// wait for each other: a count is kept in many parts, each in a cache line of
// its own, and the parts are summed when somebody asks.
package stripe

import (
	"sync/atomic"
	"unsafe"
)

const (
	stripeBits = 6
	stripes    = 1 << stripeBits
)

// line is no less than the size of a cache line on the processors that matter.
const line = 64

// A Counter is one count. Its zero value is zero and ready. It takes 4 KiB, is
// safe for concurrent use and must not be copied.
type Counter struct {
	parts [stripes]struct {
		n atomic.Int64
		_ [line - 8]byte
	}
}

// Add adds n, which may be negative. It never blocks.
func (c *Counter) Add(n int64) { c.parts[own()].n.Add(n) }

// Load returns the sum of all that was added before the call. What is added
// during it may be in the sum or not. It reads every part: it is for reports,
// not for hot paths.
func (c *Counter) Load() int64 {
	var sum int64
	for i := range c.parts {
		sum += c.parts[i].n.Load()
	}
	return sum
}

// Width is how many counts a Set holds.
const Width = 8

// A Set is several counts that lie side by side, so that one who adds to two of
// them touches one cache line. Its zero value is all zeros and ready. It takes
// 8 KiB for all, is safe for concurrent use and must not be copied.
type Set struct {
	// Parts stand two lines apart, as Go aligns a Set to 8 bytes only: at one
	// line apart the end of a part could share a line with the next.
	parts [stripes]struct {
		n [Width]atomic.Uint64
		_ [2*line - 8*Width]byte
	}
}

// Add adds one to count i. It never blocks. It panics if i is not below Width.
func (s *Set) Add(i int) { s.parts[own()].n[i].Add(1) }

// AddN adds n to count i. It never blocks. It panics if i is not below Width.
func (s *Set) AddN(i int, n uint64) { s.parts[own()].n[i].Add(n) }

// Load returns the sum of all that was added to count i before the call, as
// that of a Counter does. It panics if i is not below Width.
func (s *Set) Load(i int) uint64 {
	var sum uint64
	for j := range s.parts {
		sum += s.parts[j].n[i].Load()
	}
	return sum
}

// own returns the part that the calling goroutine uses. Go tells nobody on
// which core he runs, but a goroutine's stack is its own, so that the address
// of a variable there tells goroutines apart at the price of a multiplication.
// A stack is 2 KiB or more, hence the shift; stacks that lie side by side, as
// those of goroutines that start together do, get different parts by the
// multiplication with the golden ratio. Two goroutines may still share a part,
// and one whose stack moves gets another: both cost time, never a count.
func own() uint64 {
	var local byte
	address := uint64(uintptr(unsafe.Pointer(&local)))
	return (address >> 11) * 0x9e3779b97f4a7c15 >> (64 - stripeBits)
}
