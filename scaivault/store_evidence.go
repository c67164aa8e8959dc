// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"sync"
	"time"
)

// A ground is the stages at which evidence for one step of a move is gathered.
type ground uint8

const (
	groundShadow  ground = iota // for canary
	groundCanary                // for freeze and cutover
	groundCutover               // for scaivault
	grounds                     // how many there are
)

// evidenceFor says where the evidence for a stage comes from.
func evidenceFor(target Stage) (g ground, needed bool) {
	switch target {
	case StageCanary:
		return groundShadow, true
	case StageFreeze, StageCutover:
		return groundCanary, true
	case StageScaiVault:
		return groundCutover, true
	default:
		return 0, false
	}
}

// groundOf says which evidence a comparison at a stage is.
func groundOf(stage Stage) (g ground, ok bool) {
	switch stage {
	case StageShadow:
		return groundShadow, true
	case StageCanary, StageFreeze:
		return groundCanary, true
	case StageCutover:
		return groundCutover, true
	default:
		return 0, false
	}
}

// A tally is what comparisons came to.
type tally struct {
	equal, unequal, unreadable uint64
	lastUnequal                time.Time
	differing                  int    // paths that were unequal when they were compared last
	example                    string // one of them
}

// A span counts the comparisons of half a window.
type span struct{ equal, unequal, unreadable uint32 }

// A record is what was seen of one path on one ground: in this half of a window,
// and in the one before.
type record struct {
	half        int64 // which half of a window now is
	now, before span
	lastUnequal time.Time
	differs     bool // when it was compared last
}

// A ledger has the evidence of all paths that were compared.
type ledger struct {
	mu    sync.Mutex // guards paths
	limit int
	half  time.Duration
	start time.Time
	paths map[string]*[grounds]record
}

func newLedger(limit int, window time.Duration) ledger {
	return ledger{limit: limit, half: max(window/2, 1), start: time.Now(), paths: map[string]*[grounds]record{}}
}

// add records a comparison.
func (l *ledger) add(path string, stage Stage, outcome CompareOutcome, now time.Time) {
	g, ok := groundOf(stage)
	if !ok || outcome == CompareDropped {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	records := l.paths[path]
	if records == nil {
		l.makeRoom()
		records = new([grounds]record)
		l.paths[path] = records
	}
	r := &records[g]
	r.turn(l.halfOf(now))
	switch outcome {
	case CompareEqual:
		r.now.equal++
		r.differs = false
	case CompareUnreadable:
		r.now.unreadable++
	default:
		r.now.unequal++
		r.lastUnequal, r.differs = now, true
	}
}

// makeRoom forgets some path, rather one that was never unequal: what speaks
// against a step is kept. Callers hold mu.
func (l *ledger) makeRoom() {
	if len(l.paths) < l.limit {
		return
	}
	const looks = 64 // so that nobody waits long
	victim, seen := "", 0
	for path, records := range l.paths {
		victim = path
		if seen++; seen == looks || !records[groundShadow].differs && !records[groundCanary].differs && !records[groundCutover].differs {
			break
		}
	}
	delete(l.paths, victim)
}

func (l *ledger) halfOf(now time.Time) int64 { return int64(now.Sub(l.start) / l.half) }

// turn lets go of what is older than a window.
func (r *record) turn(half int64) {
	switch {
	case half <= r.half:
		return
	case half == r.half+1:
		r.before = r.now
	default:
		r.before = span{}
	}
	r.half, r.now = half, span{}
}

// sum adds up what was seen on a ground of the paths that match a pattern.
func (l *ledger) sum(pattern string, g ground, now time.Time) tally {
	prefix, tail := splitPattern(pattern)
	l.mu.Lock()
	defer l.mu.Unlock()
	var t tally
	if !tail {
		if records := l.paths[prefix]; records != nil {
			t.take(prefix, &records[g], l.halfOf(now))
		}
		return t
	}
	for path, records := range l.paths {
		if matches(prefix, tail, path) {
			t.take(path, &records[g], l.halfOf(now))
		}
	}
	return t
}

func (t *tally) take(path string, r *record, half int64) {
	r.turn(half)
	t.equal += uint64(r.now.equal) + uint64(r.before.equal)
	t.unequal += uint64(r.now.unequal) + uint64(r.before.unequal)
	t.unreadable += uint64(r.now.unreadable) + uint64(r.before.unreadable)
	if r.lastUnequal.After(t.lastUnequal) {
		t.lastUnequal = r.lastUnequal
	}
	if r.differs {
		t.differing++
		if t.example == "" || path < t.example {
			t.example = path
		}
	}
}
