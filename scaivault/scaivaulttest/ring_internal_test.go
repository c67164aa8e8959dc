// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRingKeepsTheLatest(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 3, ringBlock - 1, ringBlock, ringBlock + 1, 2*ringBlock + 5} {
		log := ring[int]{most: most}
		for i := range 5 * ringBlock {
			require.Equal(t, i, log.add(i))
			require.Equal(t, max(0, i+1-most), log.oldest())
			for number := log.oldest(); number < log.count; number += max(1, most/4) {
				require.Equal(t, number, *log.at(number))
			}
		}
		require.Len(t, log.blocks, (most+ringBlock-1)/ringBlock)
	}
}
