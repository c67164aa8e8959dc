// SPDX-License-Identifier: Apache-2.0

package scaivault

import "time"

// A Trace is told what a [Store] does. Every func may be nil. They are called
// without locks, from several goroutines at once, in the caller's goroutine
// for Get and Put; so they should be fast. They get names, counts, times and
// errors, never values.
type Trace struct {
	// Get is called at the end of each Get and Refresh.
	Get func(GetInfo)
	// Put is called at the end of each Put.
	Put func(PutInfo)
	// Compare is called at the end of each comparison of the two sides.
	Compare func(CompareInfo)
	// Mirror is called each time that a write was copied to the other side, or
	// could not be.
	Mirror func(MirrorInfo)
}

// GetInfo tells of one read.
type GetInfo struct {
	Path     string        // as it was asked of the Store
	Stage    Stage         // StageUnknown where the call failed before that
	Source   string        // who answered; empty if nobody did
	Failover bool          // as Secret.Failover
	Stale    time.Duration // as Secret.Stale
	Cached   bool          // answered from the cache, without asking
	Proxied  bool          // the rule says that ScaiVault passes this path on to Vault
	Took     time.Duration // how long the whole call took
	Attempts []Attempt     // the sources that had no value, in order
	Err      error         // what the call returned
}

// PutInfo tells of one write.
type PutInfo struct {
	Path    string        // as it was asked of the Store
	Stage   Stage         // StageUnknown where the call failed before that
	Source  string        // who took it; empty if nobody did
	Version int           // the new version at Source; 0 where it did not say
	Took    time.Duration // how long the whole call took
	Err     error         // what the call returned
	Mirror  error         // as Written.Mirror
}

// CompareInfo tells of one comparison.
type CompareInfo struct {
	Path    string // the ScaiVault path
	Stage   Stage  // at which it was compared
	Outcome CompareOutcome
	Fields  []string // the names of the top-level fields that differ: at most 100, and of each at most 256 bytes
	Err     error    // why a side could not be read
}

// A MirrorOutcome is what became of a write that was to be copied to the other
// side.
type MirrorOutcome string

// The outcomes of a mirror.
const (
	MirrorDone    MirrorOutcome = "done"     // both sides hold the authority's value
	MirrorWaiting MirrorOutcome = "waiting"  // it will be tried again
	MirrorDropped MirrorOutcome = "dropped"  // the path's stage does not copy that way any more
	MirrorGivenUp MirrorOutcome = "given_up" // the other side keeps an older value
)

// MirrorInfo tells of one try to copy a write to the other side.
type MirrorInfo struct {
	Path    string // the ScaiVault path
	Stage   Stage
	Mirror  string // the name of the side that is copied to
	Outcome MirrorOutcome
	Tries   int   // so far, of this write
	Err     error // why it could not be done
}

func (t *Trace) mirror(i MirrorInfo) {
	if t != nil && t.Mirror != nil {
		t.Mirror(i)
	}
}

func (t *Trace) get(i GetInfo) {
	if t != nil && t.Get != nil {
		t.Get(i)
	}
}

func (t *Trace) put(i PutInfo) {
	if t != nil && t.Put != nil {
		t.Put(i)
	}
}

func (t *Trace) compare(i CompareInfo) {
	if t != nil && t.Compare != nil {
		t.Compare(i)
	}
}
