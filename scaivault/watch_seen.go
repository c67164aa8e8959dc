// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"crypto/sha256"
	"encoding/json"
)

// maxSeen is how many events are remembered at least, and half of how many at
// most.
const maxSeen = 100_000

// An eventKey stands for an event in 16 bytes, however long its id is.
type eventKey [16]byte

// keyOfEvent is that of the id. An event without one is known by its text.
func keyOfEvent(e Event, raw json.RawMessage) eventKey {
	text := append([]byte("raw "), raw...)
	if e.ID != "" {
		text = []byte("id " + e.ID)
	}
	digest := sha256.Sum256(text)
	return eventKey(digest[:16])
}

// seenEvents remembers the last events in bounded memory. The zero value is
// empty.
type seenEvents struct{ young, old map[eventKey]struct{} }

// has tells whether an event is known, and keeps it known if so.
func (s *seenEvents) has(key eventKey) bool {
	if _, ok := s.young[key]; ok {
		return true
	}
	if _, ok := s.old[key]; ok {
		s.add(key)
		return true
	}
	return false
}

func (s *seenEvents) add(key eventKey) {
	if s.young == nil || len(s.young) >= maxSeen {
		s.young, s.old = map[eventKey]struct{}{}, s.young
	}
	s.young[key] = struct{}{}
}
