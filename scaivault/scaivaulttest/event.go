// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"time"
)

// An Event is something that happened, as subscriptions tell it. The server makes its
// own for secrets of the tenant: secret.created, secret.updated, secret.deleted,
// secret.expired and, with [RestoreEventRestored], secret.restored. All others are for
// tests to emit.
type Event struct {
	// ID is the event's id. If empty, a new one. Two events of one id are one event
	// that is delivered twice.
	ID string
	// Type is, for instance, "secret.rotated". It is required.
	Type string
	// Time is when it happened. If zero, now.
	Time time.Time
	// IdentityID is who did it. If empty, "system:test".
	IdentityID string
	// Path is that of the secret. An event without a path matches the paths of every
	// subscription.
	Path string
	// Data are the members that the type of event has. If nil, none.
	Data map[string]any
	// RequestID is the request that did it. If empty, a new one.
	RequestID string
}

// Emit puts the event into every subscription that asks for it and whose owner may see
// the path, and returns the event's id. Data that are no JSON, and an event without a
// Type, fail the test; without a test the id is then empty.
func (s *Server) Emit(e Event) (id string) {
	if e.Type == "" {
		s.test().Helper()
		s.fail("scaivaulttest: emit: the event has no type")
		return ""
	}
	if _, err := encodeJSON(e.Data); err != nil {
		s.test().Helper()
		s.fail("scaivaulttest: emit %s: data is not JSON", e.Type)
		return ""
	}
	e.IdentityID = orDefault(e.IdentityID, "system:test")
	s.secrets.expire() // so that events stay in the order of time
	return s.events.publish(&e)
}

// DropSubscriptions forgets every subscription with its events, so that its owner
// meets subscription_not_found. Polls that wait are answered with it.
func (s *Server) DropSubscriptions() { s.events.removeAll() }

// envelope is the event as the API tells it.
func (e *Event) envelope(s *Server) json.RawMessage {
	data := e.Data
	if data == nil {
		data = map[string]any{}
	}
	members := map[string]any{
		"event_id": e.ID, "event_type": e.Type, "timestamp": timestamp(e.Time), "data": data,
	}
	if e.Path != "" {
		members["path"] = e.Path
	}
	if s.quirks.EventForm == EventWhole {
		members["tenant_id"], members["partner_id"] = s.opts.TenantID, s.opts.PartnerID
		members["identity_id"], members["request_id"] = e.IdentityID, e.RequestID
	}
	body, err := encodeJSON(members)
	if err != nil { // cannot be: Emit has tried the data, and the server's own are JSON
		return json.RawMessage(`{}`)
	}
	return body
}
