// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestAPartOfTheReadsIsExactlyThatPart, at each point on the way, and the samples
// stand at the same distance but for one.
func TestAPartOfTheReadsIsExactlyThatPart(t *testing.T) {
	t.Parallel()
	for _, percent := range []uint64{1, 3, 7, 10, 29, 33, 57, 99, 100} {
		samples, last := uint64(0), uint64(0)
		for n := uint64(1); n <= 100_000; n++ {
			if chosen(n, float64(percent)/100) {
				if last > 0 {
					assert.InDelta(t, 100/float64(percent), n-last, 1)
				}
				samples, last = samples+1, n
			}
			if n%100 == 0 && samples != n/100*percent {
				assert.Fail(t, "not that part", "%d%% of %d is not %d", percent, n, samples)
			}
		}
	}
}
