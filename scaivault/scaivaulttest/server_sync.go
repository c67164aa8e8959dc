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
	id        string
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
	if time.Now().UnixNano() < b.nextSync.Load() || !b.beginSync() {
		return
	}
	report, refusal := b.sync(ctx)
	b.hub.server.trail.enter(trailEntry{at: time.Now(), success: refusal == nil, took: report.took, trailCall: &trailCall{
		action: "federation_sync", identityID: "system:federation",
		requestID: b.hub.server.nextRequestID(), extra: b.trailData(report),
	}})
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

// beginSync takes the turn to sync, unless one runs already. Whoever has it calls sync.
func (b *backend) beginSync() bool {
	select {
	case b.syncing <- struct{}{}:
		b.syncID.Store("syn_" + randomID()[:16])
		return true
	default:
		return false
	}
}

// awaitSync waits for the turn to sync. It refuses if ctx ends before.
func (b *backend) awaitSync(ctx context.Context) *refusal {
	select {
	case b.syncing <- struct{}{}:
		b.syncID.Store("syn_" + randomID()[:16])
		return nil
	case <-ctx.Done():
		return unavailable("the sync was broken off")
	}
}

// joinSync waits for the sync that runs, and returns what it did.
func (b *backend) joinSync(ctx context.Context) (*syncReport, *refusal) {
	select {
	case b.syncing <- struct{}{}:
		<-b.syncing
	case <-ctx.Done():
		return nil, unavailable("the sync was broken off")
	}
	report := b.report.Load()
	if report.failure != "" {
		return report, unavailable("%s", report.failure)
	}
	return report, nil
}

// sync pulls every mapped secret, and gives the turn back.
func (b *backend) sync(ctx context.Context) (*syncReport, *refusal) {
	defer func() { <-b.syncing }()
	settings := b.settings.Load()
	report := &syncReport{id: b.currentSync(), began: time.Now(), seen: map[string]bool{}}
	refusal := b.pull(ctx, settings, report)
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

// pull pulls every mapped secret, until one refuses.
func (b *backend) pull(ctx context.Context, settings *backendSettings, report *syncReport) *refusal {
	if settings.link == nil {
		return unavailable("backends of this type cannot be reached from here")
	}
	take := func(path, remote string) *refusal { return b.syncSecret(ctx, settings, path, remote, report) }
	for i := range settings.patterns {
		if refusal := b.eachSecret(ctx, settings, &settings.patterns[i], take); refusal != nil {
			return refusal
		}
	}
	return nil
}

// eachSecret calls f for every secret that the backend lists for a pattern, until f
// refuses. A pattern without a wildcard is one secret, which is not looked for.
func (b *backend) eachSecret(ctx context.Context, settings *backendSettings, p *mappedPattern, f func(path, remote string) *refusal) *refusal {
	if !p.subtree {
		return f(p.local, p.remote)
	}
	folders := []string{""} // below the pattern's base, each with a slash at its end
	for len(folders) > 0 {
		folder := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		if err := ctx.Err(); err != nil {
			return unavailable("the listing of the backend was broken off")
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
			if refusal = f(join(p.local, tail), join(p.remote, tail)); refusal != nil {
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
