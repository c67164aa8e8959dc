// SPDX-License-Identifier: Apache-2.0

package migrate

import "time"

// A Progress says how far a run has come.
type Progress struct {
	// Done is how many secrets are dealt with.
	Done int
	// Total is how many there are; 0 until all listings are read.
	Total int
	// Rate is how many secrets are dealt with in a second, of late; 0 until
	// that can be said.
	Rate float64
	// TimeLeft is how long the rest takes at that rate; 0 where that can't be
	// said, and at the end.
	TimeLeft time.Duration
}

// speedometerSpan is how far back the rate looks, at least where a run is that
// old, and at most twice as far.
const speedometerSpan = 15 * time.Second

// A speedometer tells the rate of late. The zero value is ready.
type speedometer struct{ before, now milestone }

type milestone struct {
	at   time.Time
	done int
}

// fill adds what follows from how much is done.
func (s *speedometer) fill(p *Progress, started, now time.Time) {
	if s.now.at.IsZero() {
		s.before, s.now = milestone{at: started}, milestone{at: started}
	}
	if now.Sub(s.now.at) >= speedometerSpan {
		s.before, s.now = s.now, milestone{now, p.Done}
	}
	if took := now.Sub(s.before.at).Seconds(); took > 0 {
		p.Rate = float64(p.Done-s.before.done) / took
	}
	if left := p.Total - p.Done; left > 0 && p.Rate > 0 {
		p.TimeLeft = min(time.Duration(float64(left)/p.Rate*float64(time.Second)), 100*365*24*time.Hour).Round(time.Second)
	}
}
