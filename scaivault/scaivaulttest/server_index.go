// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"slices"
	"sort"
	"strings"
	"time"
)

// A pathIndex keeps the paths sorted, so that a page of a listing costs no scan of
// the store. New paths wait in a heap until the next listing merges them in. The
// paths of records that are gone stay until half of all are such.
type pathIndex struct {
	sorted  []string
	pending []string
	gone    int
}

func (x *pathIndex) add(path string) { x.pending = append(x.pending, path) }
func (x *pathIndex) forget()         { x.gone++ }

// merge makes sorted complete.
func (x *pathIndex) merge(records map[string]*record) {
	if len(x.pending) == 0 && 2*x.gone <= len(x.sorted) {
		return
	}
	slices.Sort(x.pending)
	merged := make([]string, 0, len(x.sorted)+len(x.pending))
	i, j := 0, 0
	for i < len(x.sorted) || j < len(x.pending) {
		var next string
		if j == len(x.pending) || (i < len(x.sorted) && x.sorted[i] <= x.pending[j]) {
			next = x.sorted[i]
			i++
		} else {
			next = x.pending[j]
			j++
		}
		if records[next] == nil || (len(merged) > 0 && merged[len(merged)-1] == next) {
			continue
		}
		merged = append(merged, next)
	}
	x.sorted, x.pending, x.gone = merged, nil, 0
}

// span returns where the paths with this string at their start stand.
func (x *pathIndex) span(start string) (from, to int) {
	from = sort.SearchStrings(x.sorted, start)
	if start == "" {
		return 0, len(x.sorted)
	}
	to = from + sort.Search(len(x.sorted)-from, func(i int) bool {
		return !strings.HasPrefix(x.sorted[from+i], start)
	})
	return from, to
}

// A listing says which secrets to list.
type listing struct {
	prefix  string
	strings bool // the prefix may end within a segment
	order   ListOrder
	after   string // the last path of the page before; empty: from the start
	age     int    // the order of that path's record, for ListByAge
	limit   int
	visible func(path string) bool
}

// candidates returns the stretches of sorted that hold the listing's paths, in
// ascending order: the path that the prefix is, and those below it.
func (x *pathIndex) candidates(l *listing) [][]string {
	if l.prefix == "" || l.strings || strings.HasSuffix(l.prefix, "/") {
		from, to := x.span(l.prefix)
		return [][]string{x.sorted[from:to]}
	}
	var stretches [][]string
	if at, found := slices.BinarySearch(x.sorted, l.prefix); found {
		stretches = append(stretches, x.sorted[at:at+1])
	}
	from, to := x.span(l.prefix + "/")
	return append(stretches, x.sorted[from:to])
}

// list returns a page, and whether more follow.
func (s *secretStore) list(l *listing) (page []secretView, more bool) {
	s.mu.Lock()
	s.index.merge(s.records)
	s.mu.Unlock()

	s.mu.RLock()
	defer s.mu.RUnlock()
	stretches := s.index.candidates(l)
	switch l.order {
	case ListByAge:
		return s.page(s.byAge(stretches, l.age), l)
	case ListByPathDescending:
		slices.Reverse(stretches)
		return s.page(descending(stretches, l.after), l)
	}
	return s.page(ascending(stretches, l.after), l)
}

// ascending yields the paths after the given one.
func ascending(stretches [][]string, after string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, paths := range stretches {
			from := 0
			if after != "" {
				at, found := slices.BinarySearch(paths, after)
				if from = at; found {
					from++
				}
			}
			for _, path := range paths[from:] {
				if !yield(path) {
					return
				}
			}
		}
	}
}

// descending yields the paths before the given one, the last first.
func descending(stretches [][]string, after string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, paths := range stretches {
			to := len(paths)
			if after != "" {
				to, _ = slices.BinarySearch(paths, after)
			}
			for i := to - 1; i >= 0; i-- {
				if !yield(paths[i]) {
					return
				}
			}
		}
	}
}

// byAge yields the paths of the records after the given one, the oldest first. It sorts all of them for every
// page, which is good enough for an order that only a test asks for.
func (s *secretStore) byAge(stretches [][]string, after int) func(func(string) bool) {
	var recs []*record
	for _, paths := range stretches {
		for _, path := range paths {
			if rec := s.records[path]; rec != nil && rec.order > after {
				recs = append(recs, rec)
			}
		}
	}
	slices.SortFunc(recs, func(a, b *record) int { return a.order - b.order })
	return func(yield func(string) bool) {
		for _, rec := range recs {
			if !yield(rec.path) {
				return
			}
		}
	}
}

// page collects what is live and visible; the caller holds mu for reading.
func (s *secretStore) page(paths func(func(string) bool), l *listing) (page []secretView, more bool) {
	now := time.Now()
	for path := range paths {
		rec := s.records[path]
		if !s.live(rec, now) || !l.visible(path) {
			continue
		}
		if len(page) == l.limit {
			return page, true
		}
		page = append(page, rec.view(rec.latest()))
	}
	return page, false
}
