// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"sync"
)

// A repairLine is what waits for one mirror. One repair is tried at a time, and
// while the mirror gives no answer all wait. Its Store's repairs guard it.
type repairLine struct {
	due     []*repair // a heap, the one that is due first on top
	byPath  map[string]*repair
	working bool
	wake    chan struct{} // says that the head may have changed
}

func (l *repairLine) Len() int           { return len(l.due) }
func (l *repairLine) Less(i, j int) bool { return l.due[i].due.Before(l.due[j].due) }
func (l *repairLine) Swap(i, j int) {
	l.due[i], l.due[j] = l.due[j], l.due[i]
	l.due[i].place, l.due[j].place = i, j
}

// Push is for heap.Push.
func (l *repairLine) Push(x any) {
	r, _ := x.(*repair)
	r.place = len(l.due)
	l.due = append(l.due, r)
}

// Pop is for heap.Pop.
func (l *repairLine) Pop() any {
	last := len(l.due) - 1
	r := l.due[last]
	l.due[last], r.place = nil, -1
	l.due = l.due[:last]
	return r
}

// repairs are all paths whose mirror is behind.
type repairs struct {
	mu      sync.Mutex // guards all; taken before that of a pathState
	lines   map[*breaker]*repairLine
	waiting int
}

func (q *repairs) line(mirror *breaker) *repairLine {
	if q.lines == nil {
		q.lines = map[*breaker]*repairLine{}
	}
	l := q.lines[mirror]
	if l == nil {
		l = &repairLine{byPath: map[string]*repair{}, wake: make(chan struct{}, 1)}
		q.lines[mirror] = l
	}
	return l
}

// forget ends a repair that is not in the heap any more. Callers hold mu.
func (q *repairs) forget(s *Store, line *repairLine, r *repair) {
	if line.byPath[r.route.path] != r {
		return // a later write has taken its place
	}
	delete(line.byPath, r.route.path)
	q.waiting--
	s.release(r.route.state)
}

func (q *repairs) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}

// matching counts the paths that wait and match a pattern.
func (q *repairs) matching(pattern string) int {
	prefix, tail := splitPattern(pattern)
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, line := range q.lines {
		for path := range line.byPath {
			if matches(prefix, tail, path) {
				n++
			}
		}
	}
	return n
}

func (l *repairLine) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
