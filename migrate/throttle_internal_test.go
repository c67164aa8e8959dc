// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// What a service says is left was said before it counted the requests that are
// under way.
func TestThrottleCountsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for underWay, want := range map[int]float64{0: 48, 10: 38, 50: 0} { // two of a hundred are spared
		th := &throttle{underWay: underWay}
		th.learn(scaivault.RateLimit{Limit: 100, Remaining: 50, At: now})
		require.InDelta(t, want, max(0, th.bucket.TokensAt(now)), 1, "%d under way", underWay)
	}
}

// Where nobody tells the limit: of several that are refused at once the first
// counts, a second refusal in a row makes everybody wait twice as long, and the
// next one behind some that were taken tells the yield.
func TestThrottleLearnsTheYield(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(nil, "", 0)
		for range 3 {
			require.NoError(t, th.turn(t.Context()))
		}
		start := time.Now()
		th.refused(nil)
		th.refused(nil)
		require.Equal(t, firstWait, th.quiet.Sub(start), "it was under way when the other was refused")
		th.answered()
		require.Zero(t, th.inRow)
		time.Sleep(firstWait)
		th.refused(nil)
		th.accepted = 0
		time.Sleep(firstWait)
		th.refused(nil)
		require.Equal(t, 2*firstWait, time.Until(th.quiet))
		for range 30 {
			th.answered()
		}
		time.Sleep(time.Until(th.quiet))
		th.refused(nil)
		require.InDelta(t, 30, th.learnt.requests, 0)
		pace := 31 / th.learnt.seconds
		require.InDelta(t, pace, float64(th.bucket.Limit()), 0.001, "one more than the yield")
		for range 30 {
			th.answered()
		}
		require.Greater(t, float64(th.bucket.Limit()), pace, "nothing was refused for longer than was to be expected")
	})
}

// Not all workers are refused by a limit that nobody knew of.
func TestThrottleBeginsWithFew(t *testing.T) {
	t.Parallel()
	th := newThrottle(nil, "", 0)
	begun := 0
	for {
		if wait, _ := th.begin(); wait != 0 {
			break
		}
		begun++
	}
	require.Equal(t, 8, begun)
	begun = 0
	for th := newThrottle(nil, "", 20); ; begun++ {
		if wait, _ := th.begin(); wait != 0 {
			break
		}
	}
	require.Equal(t, 20, begun, "as the caller has said")
	th.accepted = 16 * 100
	wait, err := th.begin()
	require.NoError(t, err)
	require.Zero(t, wait)
}

// A yield that was learnt long ago gives way to what is seen now.
func TestYieldFollowsALimitThatChanges(t *testing.T) {
	t.Parallel()
	y := yield{}.and(1000, 10*time.Second)
	require.InDelta(t, 100, y.perSecond(), 0.01)
	for range 12 { // it gives a quarter by now
		y = y.and(25, time.Second)
	}
	require.InDelta(t, 25, y.perSecond(), 10)
	y = y.and(1000, 5*time.Second)
	require.InDelta(t, 200, y.perSecond(), 0.01, "it gives more")
	y = y.and(900, 10*time.Second)
	require.LessOrEqual(t, y.requests, float64(maxYield))
}
