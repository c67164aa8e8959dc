// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// An eventHub hands events to the subscriptions. It is called with the lock of the
// secrets held, so that events are in the order of what they tell, and never calls
// back into them.
type eventHub struct {
	server *Server
	heard  atomic.Bool // there is a subscription

	mu            sync.Mutex // guards all below, and the subscriptions
	subscriptions []*subscription
	told          int           // how many events ever were
	wake          chan struct{} // closed when a poll has to look again; nil: none waits
}

func newEventHub(s *Server) *eventHub { return &eventHub{server: s} }

// publish hands e to the subscriptions that ask for it, and returns its id.
func (h *eventHub) publish(e *Event) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told++
	if e.ID == "" {
		e.ID = fmt.Sprintf("evt_%s%010d", h.server.requestTag, h.told)
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if e.RequestID == "" {
		e.RequestID = h.server.nextRequestID()
	}
	var entry *queuedEvent
	for _, sub := range h.subscriptions {
		if !sub.wants(e) || h.server.policies.denied(sub.owner, e.Path) {
			continue
		}
		if entry == nil {
			entry = &queuedEvent{id: e.ID, body: e.envelope(h.server)}
		}
		sub.push(*entry, h.server.quirks.Overflow)
	}
	if entry != nil {
		h.rouse()
	}
	return e.ID
}

// rouse has the waiting polls look again; the caller holds mu.
func (h *eventHub) rouse() {
	if h.wake != nil {
		close(h.wake)
		h.wake = nil
	}
}

// nudge is rouse for those who do not hold mu.
func (h *eventHub) nudge() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rouse()
}

// waiting returns the channel that rouse closes; the caller holds mu.
func (h *eventHub) waiting() <-chan struct{} {
	if h.wake == nil {
		h.wake = make(chan struct{})
	}
	return h.wake
}

func noSubscription() *refusal {
	return refuse(http.StatusNotFound, "subscription_not_found", "no subscription of that id")
}

// with calls f on a subscription, under the lock.
func (h *eventHub) with(id string, f func(*subscription) *refusal) *refusal {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, sub := range h.subscriptions {
		if sub.id == id {
			return f(sub)
		}
	}
	return noSubscription()
}

func (h *eventHub) add(sub *subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subscriptions = append(h.subscriptions, sub)
	h.heard.Store(true)
}

// bodies are all subscriptions as the API shows them, oldest first.
func (h *eventHub) bodies() []map[string]any {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]map[string]any, len(h.subscriptions))
	for i, sub := range h.subscriptions {
		all[i] = sub.body()
	}
	return all
}

func (h *eventHub) remove(id string) *refusal {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := slices.IndexFunc(h.subscriptions, func(sub *subscription) bool { return sub.id == id })
	if at < 0 {
		return noSubscription()
	}
	h.subscriptions = slices.Delete(h.subscriptions, at, at+1)
	h.heard.Store(len(h.subscriptions) > 0)
	h.rouse()
	return nil
}

func (h *eventHub) removeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subscriptions = nil
	h.heard.Store(false)
	h.rouse()
}
