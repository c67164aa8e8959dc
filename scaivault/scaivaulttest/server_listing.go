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
	depth   ListDepth
	deleted ListDeleted
	after   string // the last path of the page before; empty: from the start
	age     int    // the order of that path's record, for ListByAge
	limit   int
	visible func(path string) bool

	leftOut map[string]bool    // the backends whose copies are not shown
	proxied map[string]*record // what is shown of backends in mode proxy, by path
}

// A stretch is a run of neighbours in the order of paths: one path, or all with a prefix.
type stretch struct {
	prefix string
	alone  bool // only the path that the prefix is
}

// stretches are where the listing's paths stand, ascending.
func (l *listing) stretches() []stretch {
	if l.prefix == "" || l.strings || isFolder(l.prefix) {
		return []stretch{{prefix: l.prefix}}
	}
	return []stretch{{prefix: l.prefix, alone: true}, {prefix: l.prefix + "/"}}
}

// isFolder tells the path of a folder from that of a secret.
func isFolder(path string) bool { return strings.HasSuffix(path, "/") }

// item is what the listing shows of a path: the path, or the folder where it lies.
func (l *listing) item(path string) string {
	if l.depth == ListDepthAll {
		return path
	}
	base := len(l.prefix)
	if !l.strings && l.prefix != "" && !isFolder(l.prefix) {
		base++ // the slash behind it
	}
	if base >= len(path) {
		return path
	}
	if cut := strings.IndexByte(path[base:], '/'); cut >= 0 {
		return path[:base+cut+1]
	}
	return path
}

// list returns a page, and whether more follow.
func (s *secretStore) list(l *listing) (page []secretView, more bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch l.order {
	case ListByAge:
		return s.page(s.byAge(l), l)
	case ListByPathDescending:
		return s.page(s.sorted(l).descending(l), l)
	}
	return s.page(s.sorted(l).ascending(l), l)
}

// ascending yields the listing's paths behind its after.
func (s *sortedPaths) ascending(l *listing) iter.Seq[string] {
	return func(yield func(string) bool) {
		after := l.after
		if isFolder(after) {
			after = behind(after) // and what lies in it
		}
		for _, part := range l.stretches() {
			if part.alone {
				if part.prefix > after && s.has(part.prefix) && !yield(part.prefix) {
					return
				}
				continue
			}
			for path := range s.from(max(part.prefix, after)) {
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

// byAge yields the listing's paths, the oldest first, but for what the pages before have
// shown. It sorts all of them for every page, which is good enough for an order that
// only a test asks for.
func (s *secretStore) byAge(l *listing) iter.Seq[string] {
	all := *l
	all.after = ""
	var recs []*record
	for path := range s.sorted(l).ascending(&all) {
		recs = append(recs, s.record(l, path))
	}
	slices.SortFunc(recs, func(a, b *record) int { return a.order - b.order })
	return func(yield func(string) bool) {
		shown := map[string]bool{}
		for _, rec := range recs {
			item := l.item(rec.path)
			if shown[item] || !l.visible(rec.path) || !s.listed(rec, l, time.Now()) {
				continue
			}
			shown[item] = true
			if rec.order > l.age && !yield(rec.path) {
				return
			}
		}
	}
}

// listed reports whether a listing shows rec; the caller holds mu.
func (s *secretStore) listed(rec *record, l *listing, now time.Time) bool {
	if l.leftOut[rec.origin] {
		return false
	}
	if s.live(rec, now) {
		return true
	}
	if l.deleted == ListDeletedLeftOut {
		return false
	}
	return rec.deleted.IsZero() || now.Before(rec.deleted.Add(s.retention))
}

// page collects what is there and visible; the caller holds mu for reading.
func (s *secretStore) page(paths iter.Seq[string], l *listing) (page []secretView, more bool) {
	now := time.Now()
	page = make([]secretView, 0, min(l.limit, len(s.records)))
	for path := range paths {
		rec, item := s.record(l, path), l.item(path)
		if len(page) > 0 && page[len(page)-1].path == item && item != path {
			continue // the folder is there already
		}
		if !s.listed(rec, l, now) || !l.visible(path) {
			continue
		}
		if len(page) == l.limit {
			return page, true
		}
		if item != path {
			page = append(page, secretView{path: item, order: rec.order})
			continue
		}
		if l.proxied[path] != nil {
			page = append(page, secretView{path: path, origin: rec.origin, order: rec.order})
			continue
		}
		view := rec.view(rec.latest())
		if l.deleted == ListDeletedMarked {
			view.deleted = rec.deleted
		}
		page = append(page, view)
	}
	return page, false
}
