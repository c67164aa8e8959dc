// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"iter"
	"slices"
	"strings"
	"time"
)

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

// A stretch is a run of neighbours in the order of paths: one path, or all with a prefix.
type stretch struct {
	prefix string
	alone  bool // only the path that the prefix is
}

// stretches are where the listing's paths stand, ascending.
func (l *listing) stretches() []stretch {
	if l.prefix == "" || l.strings || strings.HasSuffix(l.prefix, "/") {
		return []stretch{{prefix: l.prefix}}
	}
	return []stretch{{prefix: l.prefix, alone: true}, {prefix: l.prefix + "/"}}
}

// list returns a page, and whether more follow.
func (s *secretStore) list(l *listing) (page []secretView, more bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch l.order {
	case ListByAge:
		return s.page(s.byAge(l), l)
	case ListByPathDescending:
		return s.page(s.paths.descending(l), l)
	}
	return s.page(s.paths.ascending(l), l)
}

// ascending yields the listing's paths behind its after.
func (s *sortedPaths) ascending(l *listing) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, part := range l.stretches() {
			if part.alone {
				if part.prefix > l.after && s.has(part.prefix) && !yield(part.prefix) {
					return
				}
				continue
			}
			for path := range s.from(max(part.prefix, l.after)) {
				if !strings.HasPrefix(path, part.prefix) {
					break
				}
				if path != l.after && !yield(path) {
					return
				}
			}
		}
	}
}

// descending yields the listing's paths before its after, the last first.
func (s *sortedPaths) descending(l *listing) iter.Seq[string] {
	return func(yield func(string) bool) {
		parts := l.stretches()
		slices.Reverse(parts)
		for _, part := range parts {
			if part.alone {
				if (l.after == "" || part.prefix < l.after) && s.has(part.prefix) && !yield(part.prefix) {
					return
				}
				continue
			}
			end := behind(part.prefix)
			if l.after != "" && (end == "" || l.after < end) {
				end = l.after
			}
			for path := range s.before(end) {
				if !strings.HasPrefix(path, part.prefix) {
					break
				}
				if !yield(path) {
					return
				}
			}
		}
	}
}

// byAge yields the listing's paths of records behind its age, the oldest first. It sorts
// all of them for every page, which is good enough
// for an order that only a test asks for.
func (s *secretStore) byAge(l *listing) iter.Seq[string] {
	var recs []*record
	all := *l
	all.after = ""
	for path := range s.paths.ascending(&all) {
		if rec := s.records[path]; rec != nil && rec.order > l.age {
			recs = append(recs, rec)
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
func (s *secretStore) page(paths iter.Seq[string], l *listing) (page []secretView, more bool) {
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
