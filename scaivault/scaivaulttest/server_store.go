// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A secretStore holds the secrets of the tenant.
type secretStore struct {
	retention   time.Duration
	maxVersions int
	quirks      Quirks
	events      *eventHub // nil: nobody is told

	mu      sync.RWMutex // guards all below
	records map[string]*record
	paths   sortedPaths // those of all records
	made    int         // how many records ever were

	expiries expiryQueue
}

// A record is one secret with its history.
type record struct {
	path             string
	secretType       string
	metadata         json.RawMessage // an object
	versions         []storedVersion // ascending, never empty
	maxVersions      int
	created          time.Time
	expires          time.Time // zero: never
	rotationPolicyID string
	deleted          time.Time // zero: it is not
	touched          time.Time // when the metadata were last changed by themselves
	origin           string    // the backend whose sync wrote the latest version
	order            int       // among all records, by age
	queued           int       // its place among the expiries, from 1; zero: none
}

// A storedVersion never changes; its data may be shared.
type storedVersion struct {
	number  int
	data    json.RawMessage
	written time.Time
	by      string // the identity that wrote it
}

// An author is who changes a secret, with which request.
type author struct {
	identityID string
	requestID  string
}

// A secretView is one version of a secret, as it was at one moment.
type secretView struct {
	path             string
	secretType       string
	version          int
	kept             int // how many versions there are
	data             json.RawMessage
	metadata         json.RawMessage
	created, updated time.Time
	expires          time.Time
	rotationPolicyID string
	order            int
	origin           string
	deleted          time.Time // in a listing that shows it
}

// A writing is what a PUT asks for; what is nil was omitted.
type writing struct {
	author           author
	data             json.RawMessage
	secretType       *string
	metadata         json.RawMessage
	maxVersions      *int
	expiresIn        *time.Duration
	rotationPolicyID *string
	origin           string // of a sync; empty: a caller
}

func newSecretStore(opts ServerOptions, events *eventHub) *secretStore {
	return &secretStore{
		retention:   opts.Retention,
		maxVersions: opts.MaxVersions,
		quirks:      opts.Quirks,
		events:      events,
		records:     map[string]*record{},
	}
}

func (rec *record) latest() *storedVersion { return &rec.versions[len(rec.versions)-1] }

// live reports whether a record is there to be read.
func (s *secretStore) live(rec *record, now time.Time) bool {
	if rec == nil || !rec.deleted.IsZero() {
		return false
	}
	return s.quirks.Expired == ExpiredServed || rec.expires.IsZero() || now.Before(rec.expires)
}

func (rec *record) view(v *storedVersion) secretView {
	updated := v.written
	if v == rec.latest() && rec.touched.After(updated) {
		updated = rec.touched
	}
	return secretView{
		path: rec.path, secretType: rec.secretType, version: v.number, kept: len(rec.versions), data: v.data, metadata: rec.metadata,
		created: rec.created, updated: updated, expires: rec.expires,
		rotationPolicyID: rec.rotationPolicyID, order: rec.order, origin: rec.origin,
	}
}

// missing is the refusal of a secret that is not live; the caller holds mu.
func (s *secretStore) missing(path string, now time.Time) *refusal {
	rec := s.records[path]
	switch {
	case rec == nil:
	case !rec.deleted.IsZero():
		if s.quirks.Deleted == DeletedGone && now.Before(rec.deleted.Add(s.retention)) {
			return refuse(http.StatusGone, "secret_deleted", "the secret at %s was deleted", path).with("path", path)
		}
	case s.quirks.Expired == ExpiredGone:
		return refuse(http.StatusGone, "secret_expired", "the secret at %s has expired", path).with("path", path)
	}
	return noSecret(path)
}

// defaultType is the type of a secret that was written without one.
func (s *secretStore) defaultType() string {
	if s.quirks.DefaultType == DefaultTypeJSON {
		return "json"
	}
	return "kv"
}

// read returns a version; zero is the latest.
func (s *secretStore) read(path string, version int) (secretView, *refusal) {
	now := time.Now()
	s.mu.RLock()
	defer s.mu.RUnlock()
	rec := s.records[path]
	if !s.live(rec, now) {
		return secretView{}, s.missing(path, now)
	}
	if version == 0 {
		return rec.view(rec.latest()), nil
	}
	// Numbers have no gaps, so the place is known.
	place := version - rec.versions[0].number
	if place < 0 || place >= len(rec.versions) {
		return secretView{}, noVersion(path, version)
	}
	return rec.view(&rec.versions[place]), nil
}

func (s *secretStore) exists(path string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live(s.records[path], time.Now())
}

// history returns the versions that are kept, oldest first.
func (s *secretStore) history(path string) ([]storedVersion, *refusal) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if now := time.Now(); !s.live(s.records[path], now) {
		return nil, s.missing(path, now)
	}
	rec := s.records[path]
	return append([]storedVersion(nil), rec.versions...), nil
}

// put appends a version.
func (s *secretStore) put(path string, w *writing) (secretView, *refusal) {
	now := s.lock()
	defer s.mu.Unlock()
	rec := s.records[path]
	if rec != nil && !rec.deleted.IsZero() {
		if now.Before(rec.deleted.Add(s.retention)) {
			return secretView{}, refuse(s.conflictStatus(), "secret_exists",
				"the secret at %s was deleted and is kept until its retention ends", path).with("path", path)
		}
		rec = nil
	}
	if rec != nil && s.quirks.Same == SameIgnored && sameJSON(rec.latest().data, w.data) {
		return rec.view(rec.latest()), nil
	}
	if rec == nil {
		rec = s.add(path, now)
	}
	s.apply(rec, w, now)
	return rec.view(rec.latest()), nil
}

func (s *secretStore) conflictStatus() int {
	switch s.quirks.ConflictStatus {
	case Conflict412:
		return http.StatusPreconditionFailed
	case Conflict400:
		return http.StatusBadRequest
	}
	return http.StatusConflict
}

// add makes an empty record; the caller holds mu and appends a version.
func (s *secretStore) add(path string, now time.Time) *record {
	s.made++
	rec := &record{
		path: path, secretType: s.defaultType(), metadata: json.RawMessage("{}"),
		maxVersions: s.maxVersions, created: now, order: s.made,
	}
	if s.records[path] == nil {
		s.paths.add(path)
	}
	s.records[path] = rec
	return rec
}

// apply appends a version to rec, and tells of it; the caller holds mu.
func (s *secretStore) apply(rec *record, w *writing, now time.Time) {
	expired := rec.expires
	if s.quirks.Omitted == OmittedReset {
		rec.secretType, rec.metadata, rec.maxVersions = s.defaultType(), json.RawMessage("{}"), s.maxVersions
		rec.expires, rec.rotationPolicyID = time.Time{}, ""
	}
	if w.secretType != nil {
		rec.secretType = *w.secretType
	}
	if w.metadata != nil {
		rec.metadata = w.metadata
	}
	if w.maxVersions != nil {
		rec.maxVersions = *w.maxVersions
	}
	if w.expiresIn != nil {
		rec.expires = now.Add(*w.expiresIn)
	}
	if w.rotationPolicyID != nil {
		rec.rotationPolicyID = *w.rotationPolicyID
	}
	rec.origin = w.origin
	rec.append(w.data, w.author, now)
	if !rec.expires.Equal(expired) {
		s.schedule(rec)
	}
	s.tellWritten(rec, w.author)
}

// append adds a version, and lets go of what is more than the history may hold.
func (rec *record) append(data json.RawMessage, by author, now time.Time) {
	number := 1
	if len(rec.versions) > 0 {
		number = rec.latest().number + 1
	}
	rec.versions = append(rec.versions, storedVersion{number: number, data: data, written: now, by: by.identityID})
	if over := len(rec.versions) - rec.maxVersions; over > 0 {
		rec.versions = slices.Delete(rec.versions, 0, over)
	}
}

// seed writes without asking whether the path was deleted.
func (s *secretStore) seed(path string, data json.RawMessage) int {
	now := s.lock()
	defer s.mu.Unlock()
	rec := s.records[path]
	if rec == nil {
		rec = s.add(path, now)
	}
	rec.deleted = time.Time{}
	s.apply(rec, &writing{data: data, author: author{identityID: "system:seed"}}, now)
	return rec.latest().number
}

// remove deletes a secret, softly or for good, and returns until when it can be
// recovered. For good it also takes one that was deleted softly before.
func (s *secretStore) remove(path string, permanent bool, by author) (until time.Time, refusal *refusal) {
	now := s.lock()
	defer s.mu.Unlock()
	rec := s.records[path]
	switch {
	case rec == nil:
		return time.Time{}, noSecret(path)
	case rec.deleted.IsZero() || permanent:
	case s.quirks.DeleteAgain == DeleteAgainAccepted && now.Before(rec.deleted.Add(s.retention)):
		return rec.deleted.Add(s.retention), nil
	default:
		return time.Time{}, s.missing(path, now)
	}
	if permanent {
		kept := rec.deleted.IsZero() || now.Before(rec.deleted.Add(s.retention))
		delete(s.records, path)
		s.paths.remove(path)
		s.unschedule(rec)
		if !kept {
			return time.Time{}, noSecret(path)
		}
		s.tellDeleted(rec, by, now, time.Time{})
		return time.Time{}, nil
	}
	rec.deleted, until = now, now.Add(s.retention)
	s.tellDeleted(rec, by, now, until)
	return until, nil
}
