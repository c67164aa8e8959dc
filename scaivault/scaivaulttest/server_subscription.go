// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The documented numbers of subscriptions.
const (
	defaultBuffer = 1000
	maxBuffer     = 100_000
	defaultPoll   = 30 * time.Second
	maxPoll       = 60 * time.Second
	defaultEvents = 100
)

// redeliverAfter is how long an event that was not acknowledged stays away under
// UnackedLater.
const redeliverAfter = 30 * time.Second

// The ways of delivery. Of the two only polling works here: a webhook is never called.
const (
	deliverPolling = "polling"
	deliverWebhook = "webhook"
)

// A subscription is a queue of events. The hub's lock guards it.
type subscription struct {
	id      string
	owner   string
	created time.Time
	updated time.Time
	settings
	globs []glob

	queue   []queuedEvent // oldest first, also the latest of the acknowledged
	unacked int           // how many of them were not acknowledged
}

// settings are what the owner chooses.
type settings struct {
	name     string
	paths    []string
	events   []string
	delivery deliveryBody
	filters  json.RawMessage // kept, and not applied
}

// A queuedEvent waits in one subscription.
type queuedEvent struct {
	id        string
	body      json.RawMessage
	delivered time.Time // zero: not yet
	acked     bool
}

type deliveryBody struct {
	Type       *string `json:"type,omitempty"`
	URL        *string `json:"url,omitempty"`
	Secret     *string `json:"secret,omitempty"`
	BufferSize *int    `json:"buffer_size,omitempty"`
}

// A subscriptionBody is the body of a POST or a PATCH. What is nil was left out.
type subscriptionBody struct {
	Name     *string         `json:"name"`
	Paths    []string        `json:"paths"`
	Events   []string        `json:"events"`
	Delivery *deliveryBody   `json:"delivery"`
	Filters  json.RawMessage `json:"filters"`
}

// merged returns the settings with the body's members put over them.
func (s settings) merged(body *subscriptionBody) settings {
	set(&s.name, body.Name)
	if body.Paths != nil {
		s.paths = body.Paths
	}
	if body.Events != nil {
		s.events = body.Events
	}
	if !absent(body.Filters) {
		s.filters = body.Filters
	}
	if d := body.Delivery; d != nil {
		over := [...]struct{ field, given **string }{
			{&s.delivery.Type, &d.Type}, {&s.delivery.URL, &d.URL}, {&s.delivery.Secret, &d.Secret},
		}
		for _, member := range over {
			if *member.given != nil {
				*member.field = *member.given
			}
		}
		if d.BufferSize != nil {
			s.delivery.BufferSize = d.BufferSize
		}
	}
	return s
}

// check refuses settings that no subscription can have, and completes the others.
func (s *settings) check() *refusal {
	switch {
	case strings.TrimSpace(s.name) == "":
		return wrongField("name", "is required")
	case len(s.paths) == 0:
		return wrongField("paths", "must hold at least one pattern")
	case len(s.events) == 0:
		return wrongField("events", "must hold at least one type of event")
	case !absent(s.filters) && !isObject(s.filters):
		return wrongField("filters", "must be an object")
	}
	for _, pattern := range s.paths {
		if refusal := checkGlob(pattern); refusal != nil {
			return refusal
		}
	}
	for _, event := range s.events {
		if !isEventType(event) {
			return wrongField("events", "must be names like secret.updated")
		}
	}
	return s.delivery.check()
}

func (d *deliveryBody) check() *refusal {
	switch {
	case d.Type == nil:
		return wrongField("delivery.type", "is required")
	case *d.Type == deliverWebhook:
		if target, err := url.Parse(*orZero(d.URL)); err != nil || target.Scheme != "https" || target.Host == "" {
			return wrongField("delivery.url", "must be an https URL")
		}
		return nil
	case *d.Type != deliverPolling:
		return wrongField("delivery.type", "must be webhook or polling")
	}
	size := defaultBuffer
	set(&size, d.BufferSize)
	if size < 1 || size > maxBuffer {
		return wrongField("delivery.buffer_size", "must be from 1 to %d", maxBuffer)
	}
	d.BufferSize = &size
	return nil
}

// orZero is p, or a pointer to a zero value.
func orZero[T any](p *T) *T {
	if p == nil {
		p = new(T)
	}
	return p
}

// isEventType reports whether name looks like a type of event. The documented list is
// cut off, so all of that form are taken.
func isEventType(name string) bool {
	words := strings.Split(name, ".")
	return len(words) > 1 && !slices.ContainsFunc(words, func(word string) bool {
		return word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz_") != ""
	})
}

// configure gives the subscription its settings, which were checked.
func (s *subscription) configure(chosen settings) {
	s.settings, s.updated = chosen, time.Now()
	s.globs = nil
	for _, pattern := range chosen.paths {
		s.globs = append(s.globs, parseGlob(pattern))
	}
}

// wants reports whether the subscription asks for an event.
func (s *subscription) wants(e *Event) bool {
	return *s.delivery.Type == deliverPolling && slices.Contains(s.events, e.Type) &&
		(e.Path == "" || slices.ContainsFunc(s.globs, func(g glob) bool { return g.match(e.Path) }))
}

// body is the subscription as the API shows it.
func (s *subscription) body() map[string]any {
	delivery := s.delivery
	delivery.Secret = nil
	body := map[string]any{
		"id": s.id, "name": s.name, "status": "active", "identity_id": s.owner, "paths": s.paths, "events": s.events,
		"delivery": delivery, "created_at": timestamp(s.created), "updated_at": timestamp(s.updated),
	}
	if !absent(s.filters) {
		body["filters"] = s.filters
	}
	return body
}

// push adds an event, and drops one when there are too many.
func (s *subscription) push(entry queuedEvent, overflow Overflow) {
	s.queue = append(s.queue, entry)
	s.unacked++
	for s.unacked > *s.delivery.BufferSize {
		s.drop(overflow)
	}
	// Acknowledged events stay for a while, so that since_event_id may name them.
	over := len(s.queue) - 2**s.delivery.BufferSize
	if over <= 0 {
		return
	}
	s.queue = slices.DeleteFunc(s.queue, func(e queuedEvent) bool {
		if !e.acked || over == 0 {
			return false
		}
		over--
		return true
	})
}

func (s *subscription) drop(overflow Overflow) {
	at := slices.IndexFunc(s.queue, func(e queuedEvent) bool { return !e.acked })
	if overflow == OverflowNewest {
		for at = len(s.queue) - 1; s.queue[at].acked; at-- {
		}
	}
	s.queue = slices.Delete(s.queue, at, at+1)
	s.unacked--
}

// ack acknowledges events and returns how many of them wait no more.
func (s *subscription) ack(ids []string) int {
	named := make(map[string]bool, len(ids))
	for _, id := range ids {
		named[id] = true
	}
	n := 0
	for i := range s.queue {
		if e := &s.queue[i]; !e.acked && named[e.id] {
			e.acked = true
			n++
		}
	}
	s.unacked -= n
	return n
}
