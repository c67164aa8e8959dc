// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"container/heap"
	"time"
)

// An expiryQueue is a heap of the records that will expire, by when.
type expiryQueue []*record

func (q expiryQueue) Len() int           { return len(q) }
func (q expiryQueue) Less(i, j int) bool { return q[i].expires.Before(q[j].expires) }

func (q expiryQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].queued, q[j].queued = i+1, j+1
}

// Push implements heap.Interface.
func (q *expiryQueue) Push(x any) {
	rec, ok := x.(*record)
	if !ok {
		return // cannot be: schedule is the only caller
	}
	*q = append(*q, rec)
	rec.queued = len(*q)
}

// Pop implements heap.Interface.
func (q *expiryQueue) Pop() any {
	last := len(*q) - 1
	rec := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	rec.queued = 0
	return rec
}

// schedule has the end of rec told when it comes; the caller holds mu.
func (s *secretStore) schedule(rec *record) {
	switch {
	case s.events == nil:
		return
	case rec.expires.IsZero():
		s.unschedule(rec)
	case rec.queued > 0:
		heap.Fix(&s.expiries, rec.queued-1)
	default:
		heap.Push(&s.expiries, rec)
	}
	s.events.nudge() // a poll that waits may have to end earlier
}

func (s *secretStore) unschedule(rec *record) {
	if rec.queued > 0 {
		heap.Remove(&s.expiries, rec.queued-1)
	}
}

// lock takes mu for a change, and tells before what has expired, so that events are in
// the order of time. It returns the time of the change.
func (s *secretStore) lock() time.Time {
	s.mu.Lock()
	now := time.Now()
	for len(s.expiries) > 0 && !now.Before(s.expiries[0].expires) {
		rec := s.expiries[0]
		s.unschedule(rec)
		if rec.deleted.IsZero() {
			s.tellExpired(rec)
		}
	}
	return now
}

// expire tells what has expired, and returns when the next secret will; zero is never.
func (s *secretStore) expire() (next time.Time) {
	s.lock()
	defer s.mu.Unlock()
	if len(s.expiries) > 0 {
		next = s.expiries[0].expires
	}
	return next
}
