// SPDX-License-Identifier: Apache-2.0

package scaivault

// MaxSeen is how many events a watch remembers at least.
const MaxSeen = maxSeen

// SeenEvents is what a watch remembers of the events that it has told.
type SeenEvents struct{ seen seenEvents }

// Told reports whether an event was told before, and remembers it.
func (s *SeenEvents) Told(id string) bool {
	key := keyOfEvent(Event{ID: id}, nil)
	known := s.seen.has(key)
	if !known {
		s.seen.add(key)
	}
	return known
}

// Len is how many events are kept.
func (s *SeenEvents) Len() int { return len(s.seen.young) + len(s.seen.old) }
