// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"strings"
	"sync"
	"sync/atomic"
)

// A pathState is what a Store knows of one path: the last stage, what the cache
// holds, the read that is under way, and how the path stands at canary.
//
// There can be a million. What a Get from the cache reads comes first, and all
// of it is 96 bytes, so that Go's allocator lets that part begin at a multiple of
// 32 bytes and lie in one cache line.
type pathState struct {
	path string
	// value is what Get may answer at once: kept, spare, or that there is no
	// such secret. It is written under mu, and read without.
	value atomic.Pointer[entry]
	// used says that it was read since the cache last looked for room.
	used atomic.Bool

	// All below is guarded by mu, which is never held across I/O.
	last Stage
	dead bool // it made room; another pathState has its path
	// behind is the side that is known to hold an older value, or zero.
	behind Side
	mu     sync.Mutex
	// holders are the calls and the work in the background that have it. While
	// there is one, it makes no room.
	holders int32
	writing int32 // writes under way
	// edition moves with every change of stage, every write and every
	// Invalidate. What was read under another one is not kept.
	edition uint32
	flights uint32  // how many reads have begun
	flight  *flight // the read that a caller may join
	kept    *entry  // the last value, but for failover answers
	spare   *entry  // the last failover answer
	trial   *trial  // how it stands at canary; nil before it was there
	mirror  chan struct{}
}

// Path is the ScaiVault path.
func (st *pathState) Path() string { return st.path }

// hold returns the state of a path, for as long as it is not released.
func (s *Store) hold(path string) *pathState {
	for {
		st := s.paths.Load(path)
		if st == nil {
			st = s.newState(path)
		}
		st.mu.Lock()
		alive := !st.dead
		if alive {
			st.holders++
		}
		st.mu.Unlock()
		if alive {
			return st
		}
	}
}

func (s *Store) newState(path string) *pathState {
	path = strings.Clone(path) // not the large text that it may be a part of
	st, loaded := s.paths.LoadOrStore(path, &pathState{path: path, last: s.ring.recall(path)})
	if !loaded {
		s.ring.admit(s, st)
	}
	return st
}

// again holds a state once more, for work that outlives the call.
func (st *pathState) again() {
	st.mu.Lock()
	st.holders++
	st.mu.Unlock()
}

func (s *Store) release(st *pathState) {
	st.mu.Lock()
	st.holders--
	st.mu.Unlock()
	if s.ring.crowded.Load() {
		s.ring.shrink(s)
	}
}

func (st *pathState) editionNow() uint32 {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.edition
}

func (st *pathState) lastStage() Stage {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.last
}

// enter remembers the stage. What was compared holds only while the path stays
// at canary and freeze: elsewhere writes go other ways. What was read at one
// stage does not answer at another.
func (st *pathState) enter(stage Stage) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.last == stage {
		return
	}
	if !st.last.comparesFirst() || !stage.comparesFirst() {
		st.trial = nil
	}
	if stage != StageFreeze && st.behind == stage.authority() {
		st.behind = 0 // what it holds is the truth now
	}
	st.last = stage
	st.turn()
}

// turn ends what was read so far: nobody joins a read that began before, and
// nothing answers from the cache. Callers hold mu.
func (st *pathState) turn() {
	st.edition++
	st.flight = nil
	st.value.Store(nil)
}

// beginWrite makes the path dirty for as long as the write is under way.
func (st *pathState) beginWrite() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.writing++
	st.turn()
	st.trial.soil()
}

// wrote says that the authority has answered, and whether it took the write.
// written is what stands there now, or nil where that is not kept. From here on
// every read begins anew.
func (st *pathState) wrote(done bool, written *entry) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.turn()
	if !done {
		return
	}
	if written != nil {
		written.seq = st.flights + 1 // what a read says that began before is older
	}
	st.kept, st.spare = written, nil
}
