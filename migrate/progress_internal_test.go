// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A run that was fast in the beginning and is slow now says how long it takes
// at the speed that it has now.
func TestSpeedometerTellsTheRateOfLate(t *testing.T) {
	t.Parallel()
	started := time.Now()
	var s speedometer
	var p Progress
	for second := 1; second <= 120; second++ {
		p = Progress{Done: 100 * second, Total: 20_000}
		if second > 60 {
			p.Done = 6000 + second - 60
		}
		s.fill(&p, started, started.Add(time.Duration(second)*time.Second))
		if second == 60 {
			assert.InDelta(t, 100, p.Rate, 1)
		}
	}
	assert.InDelta(t, 1, p.Rate, 0.1)
	assert.InDelta(t, float64(20_000-6060), p.TimeLeft.Seconds(), 1500)
}
