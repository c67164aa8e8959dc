// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// A syncReport is what one sync did.
type syncReport struct {
	began     time.Time
	took      time.Duration
	synced    int             // secrets that are the same on both sides now
	skipped   int             // secrets that cannot be here, or could not be read
	seen      map[string]bool // the paths that the backend has
	conflicts []syncConflict
	failure   string // empty: it was completed
}

// A syncConflict is a path where both sides have values that differ.
type syncConflict struct {
	Path           string  `json:"path"`
	BackendPath    string  `json:"backend_path"`
	LocalVersion   int     `json:"local_version"`
	BackendVersion int     `json:"backend_version"`
	DetectedAt     *string `json:"detected_at"`
}

// A syncOutcome is what became of one secret.
type syncOutcome uint8

const (
	syncedHere syncOutcome = iota
	keptLocal              // the local value, or its deletion, stays
	inConflict             // likewise, and somebody has to decide
)

// take makes w the value at path, if the sync of a backend may.
func (s *secretStore) take(path string, w *writing, resolution string) (syncOutcome, int) {
	now := s.lock()
	defer s.mu.Unlock()
	rec := s.records[path]
	if rec != nil && !rec.deleted.IsZero() {
		if now.Before(rec.deleted.Add(s.retention)) {
			return keptLocal, 0
		}
		rec = nil
	}
	if rec == nil {
		s.apply(s.add(path, now), w, now)
		return syncedHere, 0
	}
	same := sameJSON(rec.latest().data, w.data)
	switch {
	case same:
		return syncedHere, 0
	case rec.origin == w.origin || resolution == resolveBackend:
		s.apply(rec, w, now)
		return syncedHere, 0
	case resolution == resolveLocal:
		return keptLocal, 0
	}
	return inConflict, rec.latest().number
}

// removeCopies soft-deletes the secrets that a backend's sync wrote last.
func (s *secretStore) removeCopies(origin string, gone func(path string) bool) {
	now := s.lock()
	defer s.mu.Unlock()
	for path := range s.paths.from("") {
		rec := s.records[path]
		if rec.origin != origin || !rec.deleted.IsZero() || !gone(path) {
			continue
		}
		rec.deleted = now
		s.tellDeleted(rec, author{identityID: "system:federation"}, now, now.Add(s.retention))
	}
}

// syncIfDue syncs when the interval has passed and nobody else does.
func (b *backend) syncIfDue(ctx context.Context) {
	if time.Now().UnixNano() < b.nextSync.Load() {
		return
	}
	report, refusal := b.sync(ctx)
	if report == nil {
		return
	}
	b.hub.server.trail.enter(trailEntry{
		at: time.Now(), action: "federation_sync", identityID: "system:federation", success: refusal == nil,
		took: report.took, requestID: b.hub.server.nextRequestID(), extra: b.trailData(report),
	})
}

// syncDue syncs every backend whose interval has passed, and returns when the next one
// is due; zero: none is, or another call sees to it.
func (h *federationHub) syncDue(ctx context.Context) time.Time {
	var next time.Time
	for _, b := range h.list() {
		if b.settings.Load().Mode != modeSync {
			continue
		}
		b.syncIfDue(ctx)
		if due := time.Unix(0, b.nextSync.Load()); due.After(time.Now()) {
			next = earliest(next, due)
		}
	}
	return next
}

// sync pulls every mapped secret. Where one runs already it refuses and has no report.
func (b *backend) sync(ctx context.Context) (*syncReport, *refusal) {
	select {
	case b.syncing <- struct{}{}:
		defer func() { <-b.syncing }()
	default:
		return nil, refuse(http.StatusConflict, "sync_in_progress", "a sync of the backend is running")
	}
	settings := b.settings.Load()
	report := &syncReport{began: time.Now(), seen: map[string]bool{}}
	var refusal *refusal
	if settings.link == nil {
		refusal = unavailable("backends of this type cannot be reached from here")
	}
	for i := range settings.patterns {
		if refusal == nil {
			refusal = b.syncPattern(ctx, settings, &settings.patterns[i], report)
		}
	}
	b.note(ctx, refusal)
	if refusal == nil && b.hub.server.quirks.SyncedDeletions == SyncedDeletionsFollow {
		b.hub.server.secrets.removeCopies(b.id, func(path string) bool { return !report.seen[path] })
	}
	report.seen = nil
	if refusal != nil {
		report.failure = refusal.message
	}
	report.took = time.Since(report.began)
	b.report.Store(report)
	if !errors.Is(ctx.Err(), context.Canceled) { // a caller that left leaves the sync to the next one
		b.nextSync.Store(time.Now().Add(settings.interval).UnixNano())
	}
	return report, refusal
}

func (b *backend) syncPattern(ctx context.Context, settings *backendSettings, p *mappedPattern, report *syncReport) *refusal {
	if !p.subtree {
		return b.syncSecret(ctx, settings, p.local, p.remote, report)
	}
	folders := []string{""} // below the pattern's base, each with a slash at its end
	for len(folders) > 0 {
		folder := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		if err := ctx.Err(); err != nil {
			return unavailable("the sync was broken off")
		}
		names, refusal := b.names(ctx, settings, join(listPath(p.remote), strings.TrimSuffix(folder, "/")))
		if refusal != nil {
			return refusal
		}
		for _, name := range names {
			if strings.HasSuffix(name, "/") {
				folders = append(folders, folder+name)
				continue
			}
			tail := folder + name
			if refusal = b.syncSecret(ctx, settings, join(p.local, tail), join(p.remote, tail), report); refusal != nil {
				return refusal
			}
		}
	}
	return nil
}

func (b *backend) names(ctx context.Context, settings *backendSettings, remote string) ([]string, *refusal) {
	ctx, cancel := context.WithTimeout(ctx, b.hub.server.opts.BackendTimeout)
	defer cancel()
	return settings.link.list(ctx, remote+"/")
}

// syncSecret pulls one secret. It refuses only what ends the whole sync.
func (b *backend) syncSecret(ctx context.Context, settings *backendSettings, path, remote string, report *syncReport) *refusal {
	if checkPath(path) != nil {
		report.skipped++ // the backend's names may have more characters
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, b.hub.server.opts.BackendTimeout)
	defer cancel()
	view, refusal := settings.link.read(ctx, remote, 0, ProxiedDataUnwrapped)
	switch {
	case refusal != nil && refusal.status == http.StatusServiceUnavailable:
		return refusal
	case refusal != nil:
		report.seen[path] = refusal.status != http.StatusNotFound // denied is not gone
		report.skipped++
		return nil
	}
	report.seen[path] = true
	w := &writing{data: view.data, secretType: &view.secretType, metadata: view.metadata, origin: b.id, author: author{identityID: "system:federation"}}
	outcome, local := b.hub.server.secrets.take(path, w, settings.ConflictResolution)
	switch outcome {
	case syncedHere:
		report.synced++
	case inConflict:
		report.conflicts = append(report.conflicts, syncConflict{
			Path: path, BackendPath: remote, LocalVersion: local, BackendVersion: view.version, DetectedAt: timestamp(time.Now()),
		})
	}
	return nil
}

// trailData is what the audit log says of a sync.
func (b *backend) trailData(report *syncReport) map[string]any {
	data := map[string]any{"backend_id": b.id}
	if report != nil {
		data["secrets_synced"], data["conflicts"] = report.synced, len(report.conflicts)
	}
	return data
}

// syncBackend answers POST /v1/federation/backends/{id}/sync.
func (c *serverCall) syncBackend() *refusal {
	b, refusal := c.server.federation.find(c.id)
	if refusal != nil {
		return refusal
	}
	if b.settings.Load().Mode != modeSync {
		return refuse(http.StatusBadRequest, "invalid_request", "the backend is in mode proxy: there is nothing to sync")
	}
	syncID := "syn_" + randomID()[:16]
	if c.server.quirks.Sync == SyncAccepted {
		return c.syncLater(b, syncID)
	}
	report, refusal := b.sync(c.r.Context())
	c.enterTrail("federation_sync", "", refusal == nil, b.trailData(report))
	if refusal != nil {
		return refusal
	}
	c.replyJSON(http.StatusOK, map[string]any{
		"sync_id": syncID, "status": "completed", "secrets_synced": report.synced, "skipped": report.skipped,
		"conflicts": len(report.conflicts), "duration_ms": report.took.Milliseconds(),
	})
	return nil
}

// syncLater syncs in the background, as a request of the server's own: Close waits
// for it, and SetDown breaks it off.
func (c *serverCall) syncLater(b *backend, syncID string) *refusal {
	up, ok := c.server.enter()
	if !ok {
		return unavailable("the server is going down")
	}
	go func() {
		defer c.server.leave()
		report, refusal := b.sync(up)
		c.enterTrail("federation_sync", "", refusal == nil, b.trailData(report))
	}()
	c.replyJSON(http.StatusAccepted, map[string]any{"sync_id": syncID, "status": "running"})
	return nil
}

// backendStatus answers GET /v1/federation/backends/{id}/status. It asks the backend.
func (c *serverCall) backendStatus() *refusal {
	b, refusal := c.server.federation.find(c.id)
	if refusal != nil {
		return refusal
	}
	took, failed := b.check(c.r.Context())
	connection := map[string]any{"status": "connected", "latency_ms": took.Milliseconds()}
	switch {
	case b.settings.Load().link == nil:
		connection["status"] = "unknown"
	case failed != nil:
		connection["status"], connection["error"] = "disconnected", failed.message
	}
	body := map[string]any{
		"id": b.id, "name": b.settings.Load().Name, "status": b.status(), "connection": connection, "secrets_synced": 0,
	}
	if report := b.report.Load(); report != nil {
		body["last_sync"] = timestamp(report.began)
		body["last_sync_duration_ms"] = report.took.Milliseconds()
		body["secrets_synced"] = report.synced
		body["conflicts"] = len(report.conflicts)
		if report.failure != "" {
			body["last_error"] = report.failure
		}
	}
	c.replyJSON(http.StatusOK, body)
	return nil
}

// backendConflicts answers GET /v1/federation/backends/{id}/conflicts.
func (c *serverCall) backendConflicts() *refusal {
	b, refusal := c.server.federation.find(c.id)
	if refusal != nil {
		return refusal
	}
	conflicts := []syncConflict{}
	if report := b.report.Load(); report != nil {
		conflicts = append(conflicts, report.conflicts...)
	}
	key := "conflicts"
	if c.server.quirks.ConflictsKey == ConflictsKeyData {
		key = "data"
	}
	c.replyJSON(http.StatusOK, map[string]any{key: conflicts, "total": len(conflicts)})
	return nil
}
