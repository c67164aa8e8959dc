// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// An EventType names what happened, such as "secret.updated". The vocabulary is
// open: a service may send what is not listed here.
type EventType string

// The types of events that ScaiVault documents.
const (
	EventSecretCreated  EventType = "secret.created"
	EventSecretUpdated  EventType = "secret.updated" // a new version; a rotation may send this and EventSecretRotated
	EventSecretDeleted  EventType = "secret.deleted"
	EventSecretRotated  EventType = "secret.rotated"
	EventSecretExpiring EventType = "secret.expiring"
	EventSecretExpired  EventType = "secret.expired"
	EventSecretAccessed EventType = "secret.accessed" // for every read, so there are many

	EventPolicyCreated        EventType = "policy.created"
	EventPolicyUpdated        EventType = "policy.updated"
	EventPolicyDeleted        EventType = "policy.deleted"
	EventPolicyBindingCreated EventType = "policy.binding.created"
	EventPolicyBindingDeleted EventType = "policy.binding.deleted"
	EventPolicyViolation      EventType = "policy.violation"

	EventRotationDue       EventType = "rotation.due"
	EventRotationOverdue   EventType = "rotation.overdue"
	EventRotationCompleted EventType = "rotation.completed"
	EventRotationFailed    EventType = "rotation.failed"

	EventCertificateIssued   EventType = "certificate.issued"
	EventCertificateRenewed  EventType = "certificate.renewed"
	EventCertificateRevoked  EventType = "certificate.revoked"
	EventCertificateExpiring EventType = "certificate.expiring"
)

// An Event says what happened to what. By the service's documents it tells
// names and versions, and never a secret's value. Only ID and Type are always
// told; everything else may be zero.
type Event struct {
	// ID names the event. The same event can be delivered more than once, and
	// has the same ID each time.
	ID string `json:"event_id"`
	// Type says what happened.
	Type EventType `json:"event_type"`
	// Time is when it happened.
	Time time.Time `json:"timestamp,omitzero"`
	// Path is the secret's path; empty for events of something else.
	Path string `json:"path,omitempty"`
	// TenantID and PartnerID say whose it is.
	TenantID  string `json:"tenant_id,omitempty"`
	PartnerID string `json:"partner_id,omitempty"`
	// IdentityID is who did it; the service itself as "system:…".
	IdentityID string `json:"identity_id,omitempty"`
	// RequestID is the request that caused it.
	RequestID string `json:"request_id,omitempty"`
	// Data is what else there is to say, a JSON object that depends on Type.
	// May be nil.
	Data json.RawMessage `json:"data,omitempty"`
}

// String tells the type, the path and the id in one line.
func (e Event) String() string {
	text := string(e.Type)
	if e.Path != "" {
		text += " " + e.Path
	}
	if e.ID != "" {
		text += " (" + e.ID + ")"
	}
	return wire.Printable(text)
}

// Version returns the version that the secret has since the event, or 0 where
// the event does not say.
func (e Event) Version() int {
	var w struct {
		Version    wireInt `json:"version"`
		NewVersion wireInt `json:"new_version"`
	}
	if json.Unmarshal(e.Data, &w) != nil {
		return 0
	}
	return int(defaultTo(w.NewVersion, w.Version))
}

// wireEvent is an event as the service writes it. Poll answers leave out most
// of it.
type wireEvent struct {
	ID         lenient[string] `json:"event_id"`
	Type       lenient[string] `json:"event_type"`
	Timestamp  wireTime        `json:"timestamp"`
	Path       lenient[string] `json:"path"`
	TenantID   lenient[string] `json:"tenant_id"`
	PartnerID  lenient[string] `json:"partner_id"`
	IdentityID lenient[string] `json:"identity_id"`
	RequestID  lenient[string] `json:"request_id"`
	Data       json.RawMessage `json:"data"`
}

// parseEvent reads an event. It reports false for what is none: no object, or
// one that does not say what happened.
func parseEvent(raw json.RawMessage) (Event, bool) {
	var w wireEvent
	if json.Unmarshal(raw, &w) != nil || w.Type.value == "" {
		return Event{}, false
	}
	if !isObject(w.Data) {
		w.Data = nil
	}
	return Event{
		ID: w.ID.value, Type: EventType(w.Type.value), Time: w.Timestamp.Time, Path: w.Path.value,
		TenantID: w.TenantID.value, PartnerID: w.PartnerID.value, IdentityID: w.IdentityID.value,
		RequestID: w.RequestID.value, Data: w.Data,
	}, true
}

// ParseEvent reads the body of a webhook's request, after [VerifyWebhook] has
// accepted it. Fields that this version does not know are ignored, and fields
// of another type than documented are zero. What is no JSON object with an
// event_id and an event_type is [ErrInvalid].
func ParseEvent(body []byte) (*Event, error) {
	invalid := func(reason string) error {
		return &Error{Kind: ErrInvalid, Op: "parse event", Reason: reason}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	var raw json.RawMessage
	if dec.Decode(&raw) != nil {
		return nil, invalid("the body is not JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid("the body holds more than one JSON value")
	}
	e, ok := parseEvent(raw)
	if !ok || e.ID == "" {
		return nil, invalid("the body is not an object with event_id and event_type")
	}
	return &e, nil
}
