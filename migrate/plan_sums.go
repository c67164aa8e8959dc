// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"strings"
	"time"
)

// What ScaiVault's managed service allows one identity in a minute. A batch of
// 100 counts as 100 reads.
const (
	writesPerMinute = 100
	readsPerMinute  = 1000
)

// PlanSums say how long a plan takes and what reading its secrets will cost,
// against the limits of ScaiVault. All limits are for one identity.
type PlanSums struct {
	// Writes is how many secrets are to be written, WritesPerMinute the limit,
	// and WriteTime how long that takes at least. Vault has no such limit:
	// there WritesPerMinute is 0 unless it was given, and then so is
	// WriteTime.
	Writes          int           `json:"writes"`
	WritesPerMinute int           `json:"writes_per_minute,omitempty"`
	WriteTime       time.Duration `json:"write_time_ns,omitempty"`
	// Secrets is how many secrets ScaiVault will have that services read, and
	// ReadsPerMinute the limit.
	Secrets        int `json:"secrets"`
	ReadsPerMinute int `json:"reads_per_minute"`
	// Instances is how many instances of services read all of them, each with
	// a cache of this TTL; both 0 where they were not given. Reads is how
	// many reads a minute that would be.
	Instances int           `json:"instances,omitempty"`
	TTL       time.Duration `json:"ttl_ns,omitempty"`
	Reads     int           `json:"reads,omitempty"`
}

// sums does the plan's arithmetic.
func (o *PlanOptions) sums(writes, secrets int, toScaiVault bool) PlanSums {
	s := PlanSums{Writes: writes, WritesPerMinute: o.WritesPerMinute, Secrets: secrets, ReadsPerMinute: o.ReadsPerMinute}
	if s.WritesPerMinute == 0 && toScaiVault {
		s.WritesPerMinute = writesPerMinute
	}
	if s.ReadsPerMinute == 0 {
		s.ReadsPerMinute = readsPerMinute
	}
	if s.WritesPerMinute > 0 {
		s.WriteTime = minutes(writes, s.WritesPerMinute)
	}
	if o.Instances > 0 && o.TTL > 0 {
		s.Instances, s.TTL = o.Instances, o.TTL
		s.Reads = int(float64(o.Instances) * float64(secrets) / o.TTL.Minutes())
	}
	return s
}

// minutes is how long n requests take at a limit, rounded up to seconds.
func minutes(n, perMinute int) time.Duration {
	d := time.Duration(float64(n) / float64(perMinute) * float64(time.Minute))
	if rest := d % time.Second; rest > 0 {
		d += time.Second - rest
	}
	return d
}

// shortestTTL is the TTL at which the reads just keep the limit.
func (s PlanSums) shortestTTL() time.Duration {
	return minutes(s.Instances*s.Secrets, s.ReadsPerMinute)
}

// String says the sums aloud, one in a line.
func (s PlanSums) String() string {
	var b strings.Builder
	if s.WritesPerMinute > 0 {
		fmt.Fprintf(&b, "%d writes ÷ %d a minute = %s at least\n", s.Writes, s.WritesPerMinute, s.WriteTime)
	} else {
		fmt.Fprintf(&b, "%d writes\n", s.Writes)
	}
	if s.Instances == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, "%d instances × %d secrets ÷ a TTL of %s = %d reads a minute; the limit is %d", s.Instances, s.Secrets, s.TTL, s.Reads, s.ReadsPerMinute)
	if s.Reads <= s.ReadsPerMinute {
		b.WriteString(": it is kept\n")
		return b.String()
	}
	fmt.Fprintf(&b, ": TOO MANY on one service account; with a TTL of %s it is kept, or give every service its own account and let it read its own secrets alone\n", s.shortestTTL())
	return b.String()
}
