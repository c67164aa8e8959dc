// SPDX-License-Identifier: Apache-2.0

package scaivault

import "sync/atomic"

// Stats are the counts of a [Store] since it was made.
type Stats struct {
	Reads      uint64 // calls of Get and Refresh
	ReadErrors uint64 // those that returned an error
	Failovers  uint64 // those that the other source answered in place of the first

	Writes       uint64 // calls of Put
	WriteErrors  uint64 // those that returned an error
	Mirrors      uint64 // writes that were to be copied to the other side
	MirrorErrors uint64 // those that could not

	Compared    uint64 // comparisons that were begun: the sum of the next five
	Equal       uint64
	Different   uint64
	Missing     uint64 // one side has the secret, the other says that there is none
	Unreadable  uint64 // one side gave no answer
	Dropped     uint64 // too many were under way
	FlagUnknown uint64 // calls for which the flag could not say a stage
	FlagPanics  uint64 // those of them in which it panicked
}

type counters struct {
	reads, readErrors, failovers                            atomic.Uint64
	writes, writeErrors, mirrors, mirrorErrors              atomic.Uint64
	equal, different, missing, unreadable, dropped, sampled atomic.Uint64
	flagUnknown, flagPanics                                 atomic.Uint64
}

func (c *counters) outcome(o CompareOutcome) {
	switch o {
	case CompareEqual:
		c.equal.Add(1)
	case CompareDifferent:
		c.different.Add(1)
	case CompareMissingVault, CompareMissingScaiVault:
		c.missing.Add(1)
	case CompareDropped:
		c.dropped.Add(1)
	default:
		c.unreadable.Add(1)
	}
}

// Stats returns a snapshot of the counts. Each is exact; they are not taken at
// one instant.
func (s *Store) Stats() Stats {
	c := &s.count
	out := Stats{
		Reads: c.reads.Load(), ReadErrors: c.readErrors.Load(), Failovers: c.failovers.Load(),
		Writes: c.writes.Load(), WriteErrors: c.writeErrors.Load(), Mirrors: c.mirrors.Load(), MirrorErrors: c.mirrorErrors.Load(),
		Equal: c.equal.Load(), Different: c.different.Load(), Missing: c.missing.Load(),
		Unreadable: c.unreadable.Load(), Dropped: c.dropped.Load(),
		FlagUnknown: c.flagUnknown.Load(), FlagPanics: c.flagPanics.Load(),
	}
	out.Compared = out.Equal + out.Different + out.Missing + out.Unreadable + out.Dropped
	return out
}
