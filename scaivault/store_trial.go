// SPDX-License-Identifier: Apache-2.0

package scaivault

import "time"

// A trial is how a path stands at canary and freeze: whether its two sides were
// compared equal. The mutex of its pathState guards it.
type trial struct {
	generation uint64 // moves with every write and every no
	compared   bool   // a first comparison was tried
	clean      bool
	cleanAt    time.Time
	comparing  bool      // a comparison is under way
	notBefore  time.Time // of the next comparison, while the path is not clean
	patience   time.Duration
}

// The first and the largest pause between comparisons of a path that is not
// clean.
const (
	minPatience = 250 * time.Millisecond
	maxPatience = 30 * time.Second
)

func (s Stage) comparesFirst() bool { return s == StageCanary || s == StageFreeze }

// A standing is what a read at canary needs to know of its path.
type standing struct {
	generation uint64
	clean      bool // ScaiVault may answer
	first      bool // compare before answering
}

// tried returns the trial, which begins here if there is none. Its generation
// is none that an earlier trial of the path had. Callers hold mu.
func (st *pathState) tried() *trial {
	if st.trial == nil {
		st.trial = &trial{generation: (uint64(st.edition) + 1) << 32}
	}
	return st.trial
}

// stand tells how a path stands. Only one caller is told to compare first.
func (st *pathState) stand(now time.Time, maxAge time.Duration) standing {
	st.mu.Lock()
	defer st.mu.Unlock()
	t := st.tried()
	w := standing{generation: t.generation, clean: t.clean && st.writing == 0 && now.Sub(t.cleanAt) < maxAge}
	if !w.clean && !t.compared && st.writing == 0 {
		w.first = true
		t.compared, t.comparing = true, true
	}
	return w
}

// due tells whether a comparison in the background should begin now: for a
// clean path in the second half of its time, for another after a pause that
// grows while the sides stay different.
func (st *pathState) due(now time.Time, maxAge time.Duration) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	t := st.tried()
	if t.comparing || st.writing > 0 {
		return false
	}
	if t.clean && now.Sub(t.cleanAt) < maxAge/2 || !t.clean && now.Before(t.notBefore) {
		return false
	}
	t.compared, t.comparing = true, true
	return true
}

// settle records a comparison, unless the path was written or changed its stage
// since the comparison began. A difference ends what ScaiVault has answered.
func (st *pathState) settle(generation uint64, outcome CompareOutcome, now time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	t := st.trial
	if t == nil || generation != t.generation {
		return
	}
	t.comparing = false
	switch outcome {
	case CompareEqual:
		if st.writing == 0 {
			t.clean, t.cleanAt, t.patience = true, now, 0
		}
		return
	case CompareUnreadable, CompareDropped:
		// Says nothing; what was clean stays so until it is too old.
	default:
		t.clean = false
		st.distrust()
	}
	t.patience = min(max(2*t.patience, minPatience), maxPatience)
	t.notBefore = now.Add(t.patience)
}

// soil makes the path dirty. Callers hold the mutex of its pathState.
func (t *trial) soil() {
	if t != nil {
		t.generation++
		t.clean, t.comparing = false, false
	}
}

// distrust ends what ScaiVault answered while Vault is the authority. Callers
// hold mu.
func (st *pathState) distrust() {
	if e := st.kept; e != nil && e.side == SideScaiVault && st.last.vaultRules() {
		st.kept = nil
		st.turn()
	}
}

// endWrite ends a write and what was read meanwhile: it may be what the mirror
// held before. The path is clean again if the mirror is known to be equal and
// nobody else is writing.
func (st *pathState) endWrite(mirrored bool, now time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.writing--
	st.turn()
	if mirrored {
		st.caughtUp()
	}
	t := st.trial
	if t == nil {
		if !mirrored || !st.last.comparesFirst() {
			return
		}
		t = st.tried()
	}
	t.generation++
	t.notBefore, t.patience = time.Time{}, 0
	if mirrored && st.writing == 0 && st.last.comparesFirst() {
		t.compared, t.clean, t.cleanAt = true, true, now
	}
}

// current is the generation that a comparison begun now belongs to; zero where
// the path is not at canary.
func (st *pathState) current() uint64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.trial == nil {
		return 0
	}
	return st.trial.generation
}
