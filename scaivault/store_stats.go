// SPDX-License-Identifier: Apache-2.0

package scaivault

import "sync/atomic"

// Stats are the counts of a [Store] since it was made.
type Stats struct {
	Reads      uint64 // calls of Get and Refresh
	ReadErrors uint64 // those that returned an error
	Hits       uint64 // those that the cache answered
	Joined     uint64 // those that shared the answer of a read under way
	Failovers  uint64 // those that the other source answered in place of the first
	Stale      uint64 // those that got a value past its TTL, as nobody answered
	Panics     uint64 // reads in which a source panicked, and work in the background in which a Trace or Logger did

	Renewals      uint64 // reads in the background that renew what is cached
	RenewalErrors uint64 // those that failed
	Stretched     uint64 // how often a 429 made the cache keep a value for longer
	Entries       int    // paths that the Store knows now
	Evictions     uint64 // paths that made room for others
	Invalidations uint64 // calls of Invalidate for a path that the Store knew

	Writes       uint64 // calls of Put
	WriteErrors  uint64 // those that returned an error
	Mirrors      uint64 // writes that were to be copied to the other side
	MirrorErrors uint64 // those that could not, at first

	RepairsWaiting int    // paths whose last write is still to be copied to the other side
	Repaired       uint64 // those of which it was, in the background or by a later write
	RepairsDropped uint64 // those whose stage does not copy that way any more
	RepairsGivenUp uint64 // those that will not be copied: copy them before their authority moves

	Compared    uint64 // comparisons that were begun: the sum of the next five
	Equal       uint64
	Different   uint64
	Missing     uint64 // one side has the secret, the other says that there is none
	Unreadable  uint64 // one side gave no answer
	Dropped     uint64 // too many were under way, or the path was written meanwhile
	Proxied     uint64 // reads, but for the quickest from the cache, of paths that ScaiVault passes on to Vault: no evidence for a move
	Held        uint64 // calls for which a Gate held the path back
	FlagUnknown uint64 // calls for which the flag could not say a stage
	FlagPanics  uint64 // panics of the flag
	FlagsBroken int    // files of the flag that cannot be used now; their last good content holds
}

type counters struct {
	reads, readErrors, joined, failovers, stale, panics     atomic.Uint64
	renewals, renewalErrors, stretched, invalidations       atomic.Uint64
	writes, writeErrors, mirrors, mirrorErrors              atomic.Uint64
	equal, different, missing, unreadable, dropped, sampled atomic.Uint64
	flagUnknown, flagPanics                                 atomic.Uint64
	repaired, repairsDropped, repairsGivenUp                atomic.Uint64
	proxied                                                 atomic.Uint64
}

// read counts a Get that was not answered from the cache.
func (c *counters) read(res result) {
	c.reads.Add(1)
	switch {
	case res.err != nil:
		c.readErrors.Add(1)
	case res.kind == hitStale:
		c.stale.Add(1)
	case res.failover:
		c.failovers.Add(1)
	}
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
	var hits uint64
	for kind := range hitKinds {
		hits += s.hits.Load(int(kind))
	}
	out := Stats{
		Reads: c.reads.Load() + hits, ReadErrors: c.readErrors.Load() + s.hits.Load(int(hitNo)), Hits: hits, Joined: c.joined.Load(),
		Failovers: c.failovers.Load() + s.hits.Load(int(hitFailover)), Stale: c.stale.Load() + s.hits.Load(int(hitStale)),
		Panics: c.panics.Load(), Renewals: c.renewals.Load(), RenewalErrors: c.renewalErrors.Load(), Stretched: c.stretched.Load(), Invalidations: c.invalidations.Load(),
		Writes: c.writes.Load(), WriteErrors: c.writeErrors.Load(), Mirrors: c.mirrors.Load(), MirrorErrors: c.mirrorErrors.Load(),
		Equal: c.equal.Load(), Different: c.different.Load(), Missing: c.missing.Load(),
		Unreadable: c.unreadable.Load(), Dropped: c.dropped.Load(),
		FlagUnknown: c.flagUnknown.Load(), FlagPanics: c.flagPanics.Load(),
	}
	out.RepairsWaiting, out.Repaired = s.repairs.count(), c.repaired.Load()
	out.RepairsDropped, out.RepairsGivenUp = c.repairsDropped.Load(), c.repairsGivenUp.Load()
	out.Proxied = c.proxied.Load()
	out.Held = s.gates.held.Load()
	for _, file := range s.watched {
		if file.Err() != nil {
			out.FlagsBroken++
		}
	}
	out.Entries, out.Evictions = s.ring.counts()
	out.Compared = out.Equal + out.Different + out.Missing + out.Unreadable + out.Dropped
	return out
}
