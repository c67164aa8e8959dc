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
// counts, and the next refusal after a few answers halves what may come at once.
func TestThrottleLearnsHowManyMayComeAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		th := &throttle{}
		th.refused(time.Second)
		for range 40 {
			th.answered()
		}
		time.Sleep(2 * time.Second)
		th.refused(time.Second)
		require.Equal(t, 38, th.bucket.Burst(), "a little less than was let through")
		th.refused(time.Second)
		require.Equal(t, 38, th.bucket.Burst(), "it was under way when the other was refused")
		time.Sleep(2 * time.Second)
		th.refused(time.Second)
		require.Equal(t, 19, th.bucket.Burst())
	})
}
