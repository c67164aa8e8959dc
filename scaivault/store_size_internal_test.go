// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// TestWhatACachedGetReadsLiesTogether: an object of 64 bytes is one cache line,
// one of 96 begins at a multiple of 32, and what is read of it must not cross one.
func TestWhatACachedGetReadsLiesTogether(t *testing.T) {
	t.Parallel()
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the sizes are those of 64 bits")
	}
	var st pathState
	var e entry
	assert.EqualValues(t, 96, unsafe.Sizeof(st))
	assert.LessOrEqual(t, unsafe.Offsetof(st.used)+unsafe.Sizeof(st.used), uintptr(32))
	assert.EqualValues(t, 64, unsafe.Sizeof(e))
}
