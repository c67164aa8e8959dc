// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// A ring is every path that a Store knows, in the order in which the cache
// looks for room: a hand goes round, passes by those that were read since it
// came last, and takes the first other one.
type ring struct {
	limit int
	seed  maphash.Seed
	mu    sync.Mutex // guards all below; taken before that of a pathState
	all   []*pathState
	hand  int
	// crowded says that there are more than limit.
	crowded atomic.Bool
	// forgotten has the last known stage of the paths that made room, by the
	// hash of their names, as a flag that cannot say keeps the last known stage.
	forgotten map[uint64]Stage
	most      int // of forgotten
	evicted   uint64
}

// maxSteps bounds how far the hand goes at once, so that nobody waits long. If
// it finds no room there, the ring grows a little past its limit, until those
// who hold the paths let go.
const maxSteps = 128

func newRing(limit int) ring {
	return ring{limit: limit, seed: maphash.MakeSeed(), forgotten: map[uint64]Stage{}, most: maxForgotten}
}

// recall returns the last known stage of a path that made room.
func (g *ring) recall(path string) Stage {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.forgotten) == 0 {
		return StageUnknown
	}
	return g.forgotten[maphash.String(g.seed, path)]
}

// admit gives a new path its place, and another path's if the ring is full.
func (g *ring) admit(s *Store, st *pathState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.all) >= g.limit && g.makeRoom(s) {
		victim := g.hand
		g.all[victim] = st
		g.hand++
		return
	}
	g.all = append(g.all, st)
	g.crowded.Store(len(g.all) > g.limit)
}

// shrink takes out a few of the paths that are too many.
func (g *ring) shrink(s *Store) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for range 4 {
		if len(g.all) <= g.limit || !g.makeRoom(s) {
			break
		}
		last := len(g.all) - 1
		g.all[g.hand], g.all[last] = g.all[last], nil
		g.all = g.all[:last]
	}
	g.crowded.Store(len(g.all) > g.limit)
}

// makeRoom leaves the hand at a place that is free now.
func (g *ring) makeRoom(s *Store) bool {
	for range min(maxSteps, 2*len(g.all)) {
		if g.hand >= len(g.all) {
			g.hand = 0
		}
		st := g.all[g.hand]
		if !st.used.Swap(false) && g.evict(s, st) {
			return true
		}
		g.hand++
	}
	return false
}

// evict forgets a path, unless somebody has it.
func (g *ring) evict(s *Store, st *pathState) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.holders > 0 {
		return false
	}
	st.dead = true
	st.turn()
	if _, constant := s.flag.(Stage); !constant && st.last != StageUnknown {
		g.forget(maphash.String(g.seed, st.path), st.last)
	}
	s.paths.Delete(st.path, st)
	g.evicted++
	return true
}

// maxForgotten bounds the stages that are kept of paths that made room. A path
// whose stage is not kept any more starts anew with what the flag says.
const maxForgotten = 1 << 20

func (g *ring) forget(path uint64, stage Stage) {
	if len(g.forgotten) >= g.most {
		for any := range g.forgotten {
			delete(g.forgotten, any)
			break
		}
	}
	g.forgotten[path] = stage
}

// counts returns how many paths are known, and how many made room.
func (g *ring) counts() (known int, evicted uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.all), g.evicted
}
