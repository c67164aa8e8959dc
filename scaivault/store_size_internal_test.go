// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// TestWhatACachedGetReadsLiesTogether: an object of 80 or 96 bytes begins at a
// multiple of 16 or 32, and what is read of it must not cross a cache line.
func TestWhatACachedGetReadsLiesTogether(t *testing.T) {
	t.Parallel()
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the sizes are those of 64 bits")
	}
	var st pathState
	var e entry
	assert.EqualValues(t, 96, unsafe.Sizeof(st))
	assert.LessOrEqual(t, unsafe.Offsetof(st.used)+unsafe.Sizeof(st.used), uintptr(32))
	assert.LessOrEqual(t, unsafe.Offsetof(e.side)+unsafe.Sizeof(e.side), uintptr(32))
	assert.LessOrEqual(t, unsafe.Sizeof(e), uintptr(96))
}
