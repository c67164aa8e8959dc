// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"time"
)

// heard reports whether anybody wants to be told. To seed a large estate costs nothing
// for events that nobody hears.
func (s *secretStore) heard() bool { return s.events != nil && s.events.heard.Load() }

// tell publishes an event about rec; the caller holds mu. What was documented of the
// members of data stands in tellWritten and tellDeleted; the others are inferred.
func (s *secretStore) tell(kind string, rec *record, by author, at time.Time, data map[string]any) {
	s.events.publish(&Event{
		Type: kind, Time: at, IdentityID: by.identityID, Path: rec.path, Data: data, RequestID: by.requestID,
	})
}

// tellWritten tells of the latest version of rec.
func (s *secretStore) tellWritten(rec *record, by author) {
	if !s.heard() {
		return
	}
	v := rec.latest()
	if v.number > 1 {
		s.tell("secret.updated", rec, by, v.written, map[string]any{
			"old_version": v.number - 1, "new_version": v.number, "updated_by": by.identityID, "is_rotation": false,
		})
		return
	}
	s.tellCreated(rec, by, v.written)
}

func (s *secretStore) tellCreated(rec *record, by author, at time.Time) {
	s.tell("secret.created", rec, by, at, map[string]any{
		"version": rec.latest().number, "secret_type": rec.secretType, "created_by": by.identityID,
		"tags": rec.tags(), "expires_at": timestamp(rec.expires),
	})
}

// tags are those in the metadata, if they are what is documented.
func (rec *record) tags() []string {
	var metadata struct {
		Tags []string `json:"tags"`
	}
	if json.Unmarshal(rec.metadata, &metadata) != nil || metadata.Tags == nil {
		return []string{}
	}
	return metadata.Tags
}

// tellDeleted tells of a deletion; until is when a soft one can be taken back.
func (s *secretStore) tellDeleted(rec *record, by author, at, until time.Time) {
	if !s.heard() {
		return
	}
	data := map[string]any{"version_count": len(rec.versions), "deleted_by": by.identityID, "permanent": until.IsZero()}
	if !until.IsZero() {
		data["recoverable_until"] = timestamp(until)
	}
	s.tell("secret.deleted", rec, by, at, data)
}

func (s *secretStore) tellRestored(rec *record, by author, at time.Time) {
	switch {
	case !s.heard() || s.quirks.RestoreEvent == RestoreEventNone:
	case s.quirks.RestoreEvent == RestoreEventCreated:
		s.tellCreated(rec, by, at)
	default:
		s.tell("secret.restored", rec, by, at, map[string]any{"version": rec.latest().number, "restored_by": by.identityID})
	}
}

func (s *secretStore) tellExpired(rec *record) {
	if !s.heard() {
		return
	}
	s.tell("secret.expired", rec, author{identityID: "system:expiry"}, rec.expires, map[string]any{
		"version": rec.latest().number, "expires_at": timestamp(rec.expires),
	})
}
