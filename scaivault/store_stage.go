// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// state returns what the Store remembers of a path. There is one small record
// for each path that was asked for and is well-formed.
func (s *Store) state(path string) *pathState {
	if st, ok := s.paths.Load(path); ok {
		return st.(*pathState)
	}
	st, _ := s.paths.LoadOrStore(path, &pathState{})
	return st.(*pathState)
}

// stage asks the flag. Where it cannot say, the last known stage of the path
// holds, and before the first one InitialStage.
func (s *Store) stage(ctx context.Context, path string, st *pathState) Stage {
	stage := s.askFlag(ctx, path)
	if stage.known() {
		st.enter(stage)
		return stage
	}
	s.count.flagUnknown.Add(1)
	if last := st.lastStage(); last != StageUnknown {
		return last
	}
	return s.cfg.InitialStage
}

// askFlag calls the flag, which is not ours: a panic is no answer.
func (s *Store) askFlag(ctx context.Context, path string) (stage Stage) {
	defer func() {
		if p := recover(); p != nil {
			stage = StageUnknown
			s.count.flagPanics.Add(1)
			s.log.LogAttrs(ctx, slog.LevelError, "the flag panicked; the last known stage holds", slog.String("path", path))
		}
	}()
	return s.flag.Stage(ctx, path)
}

// A pathState is what a Store remembers of one path: the last stage, and at
// canary and freeze whether the two sides were compared equal.
type pathState struct {
	mu   sync.Mutex // guards all below; never held across I/O
	last Stage

	generation uint64 // moves with every write and every change of stage
	writing    int    // writes under way
	compared   bool   // a first comparison was tried
	clean      bool
	cleanAt    time.Time
	comparing  bool      // a comparison is under way
	notBefore  time.Time // of the next comparison, while the path is not clean
	patience   time.Duration
	mirror     chan struct{} // holds a token while a mirror is under way
}

// The first and the largest pause between comparisons of a path that is not
// clean.
const (
	minPatience = 250 * time.Millisecond
	maxPatience = 30 * time.Second
)

func (st *pathState) lastStage() Stage {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.last
}

// enter remembers the stage. What was compared holds only while the path stays
// at canary and freeze: elsewhere writes go other ways.
func (st *pathState) enter(stage Stage) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.last == stage {
		return
	}
	if !st.last.comparesFirst() || !stage.comparesFirst() {
		st.forget()
	}
	st.last = stage
}

func (s Stage) comparesFirst() bool { return s == StageCanary || s == StageFreeze }

// forget takes the path back to before its first comparison. Callers hold mu.
func (st *pathState) forget() {
	st.generation++
	st.compared, st.clean, st.comparing = false, false, false
	st.notBefore, st.patience = time.Time{}, 0
}

// A standing is what a read at canary needs to know of its path.
type standing struct {
	generation uint64
	clean      bool // ScaiVault may answer
	first      bool // compare before answering
}

// stand tells how a path stands. Only one caller is told to compare first.
func (st *pathState) stand(now time.Time, maxAge time.Duration) standing {
	st.mu.Lock()
	defer st.mu.Unlock()
	w := standing{generation: st.generation, clean: st.clean && st.writing == 0 && now.Sub(st.cleanAt) < maxAge}
	if !w.clean && !st.compared && st.writing == 0 {
		w.first = true
		st.compared, st.comparing = true, true
	}
	return w
}

// due tells whether a comparison in the background should begin now: for a
// clean path in the second half of its time, for another after a pause that
// grows while the sides stay different.
func (st *pathState) due(now time.Time, maxAge time.Duration) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.comparing || st.writing > 0 {
		return false
	}
	if st.clean && now.Sub(st.cleanAt) < maxAge/2 || !st.clean && now.Before(st.notBefore) {
		return false
	}
	st.compared, st.comparing = true, true
	return true
}

// settle records how a comparison went, unless the path was written or changed
// its stage since the comparison began.
func (st *pathState) settle(generation uint64, outcome CompareOutcome, now time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if generation != st.generation {
		return
	}
	st.comparing = false
	switch outcome {
	case CompareEqual:
		if st.writing == 0 {
			st.clean, st.cleanAt, st.patience = true, now, 0
		}
		return
	case CompareUnreadable, CompareDropped:
		// Says nothing; what was clean stays so until it is too old.
	default:
		st.clean = false
	}
	st.patience = min(max(2*st.patience, minPatience), maxPatience)
	st.notBefore = now.Add(st.patience)
}

// soil makes the path dirty: Vault first until the sides are equal again.
func (st *pathState) soil() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.generation++
	st.clean, st.comparing = false, false
}

// beginWrite makes the path dirty for as long as the write is under way.
func (st *pathState) beginWrite() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.writing++
	st.generation++
	st.clean, st.comparing = false, false
}

// endWrite ends a write. The path is clean again if the mirror is known to be
// equal and nobody else is writing.
func (st *pathState) endWrite(mirrored bool, now time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.writing--
	st.generation++
	st.notBefore, st.patience = time.Time{}, 0
	if mirrored && st.writing == 0 && st.last.comparesFirst() {
		st.compared, st.clean, st.cleanAt = true, true, now
	}
}

// current is the generation that a comparison begun now belongs to.
func (st *pathState) current() uint64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.generation
}
