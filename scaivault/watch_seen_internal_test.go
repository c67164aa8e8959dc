// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSeenEventsAreRememberedInBoundedMemory: the last 100,000 always, twice as
// many at most, and longer what comes again.
func TestSeenEventsAreRememberedInBoundedMemory(t *testing.T) {
	t.Parallel()
	key := func(n int) eventKey { return keyOfEvent(Event{ID: strconv.Itoa(n)}, nil) }
	var s seenEvents
	for n := range 3 * maxSeen {
		require.False(t, s.has(key(n)))
		s.add(key(n))
		require.True(t, s.has(key(0)), "it came again")
		if n >= maxSeen && n%1000 == 0 {
			require.True(t, s.has(key(n-maxSeen+1)))
			require.LessOrEqual(t, len(s.young)+len(s.old), 2*maxSeen)
		}
	}
	require.False(t, s.has(key(1)))
}
