// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// units of the durations on the wire, the longest first.
var units = [...]struct {
	suffix string
	length time.Duration
}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}

// formatDuration writes a whole number of the longest unit that divides d, such as
// "15m", "1h" or "7d". It reports false where d is not a whole number of seconds, or
// not positive.
func formatDuration(d time.Duration) (string, bool) {
	if d <= 0 {
		return "", false
	}
	for _, u := range units {
		if d%u.length == 0 {
			return strconv.FormatInt(int64(d/u.length), 10) + u.suffix, true
		}
	}
	return "", false
}

// parseDuration reads one or more whole numbers with a unit, such as "15m", "7d" or
// "1d12h". It reports false for anything else, and for what no Duration can hold.
func parseDuration(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	var sum time.Duration
	for text != "" {
		digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
		n, err := strconv.ParseInt(text[:digits], 10, 64)
		if err != nil || digits == len(text) {
			return 0, false
		}
		unit := unitLength(text[digits : digits+1])
		if unit == 0 || n > int64((math.MaxInt64-sum)/unit) {
			return 0, false
		}
		sum += time.Duration(n) * unit
		text = text[digits+1:]
	}
	return sum, true
}

func unitLength(suffix string) time.Duration {
	for _, u := range units {
		if u.suffix == suffix {
			return u.length
		}
	}
	return 0
}
