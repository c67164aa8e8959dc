// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import "net/http"

// syncBackend answers POST /v1/federation/backends/{id}/sync.
func (c *serverCall) syncBackend() *refusal {
	b, refusal := c.server.federation.find(c.id)
	if refusal != nil {
		return refusal
	}
	if b.settings.Load().Mode != modeSync {
		return refuse(http.StatusBadRequest, "invalid_request", "the backend is in mode proxy: there is nothing to sync")
	}
	running := !b.beginSync()
	if running && c.server.quirks.SyncAgain == SyncAgainRefused {
		return refuse(http.StatusConflict, "sync_in_progress", "a sync of the backend is running")
	}
	if c.server.quirks.Sync == SyncAccepted {
		return c.syncLater(b, running)
	}
	report, refusal := c.syncNow(b, running)
	if refusal != nil {
		return refusal
	}
	c.replyJSON(http.StatusOK, map[string]any{
		"sync_id": report.id, "status": "completed", "secrets_synced": report.synced, "skipped": report.skipped,
		"conflicts": len(report.conflicts), "duration_ms": report.took.Milliseconds(),
	})
	return nil
}

// syncNow syncs before the answer: in this call's own turn, or where another sync is
// running, as the quirk wants it.
func (c *serverCall) syncNow(b *backend, running bool) (*syncReport, *refusal) {
	ctx := c.r.Context()
	if running {
		if c.server.quirks.SyncAgain == SyncAgainJoined {
			return b.joinSync(ctx)
		}
		if refusal := b.awaitSync(ctx); refusal != nil {
			return nil, refusal
		}
	}
	report, refusal := b.sync(ctx)
	c.enterTrail(c.trailCall("federation_sync", b.trailData(report)), "", refusal == nil)
	return report, refusal
}

// syncLater syncs in the background, as a request of the server's own: Close waits
// for it, and SetDown breaks it off.
func (c *serverCall) syncLater(b *backend, running bool) *refusal {
	answer := map[string]any{"sync_id": b.currentSync(), "status": "running"}
	if running && c.server.quirks.SyncAgain == SyncAgainJoined {
		c.replyJSON(http.StatusAccepted, answer)
		return nil
	}
	if running { // the id of one that has no turn yet is nobody's
		answer = map[string]any{"status": "queued"}
	}
	up, ok := c.server.enter()
	if !ok {
		if !running {
			<-b.syncing
		}
		return unavailable("the server is going down")
	}
	go func() {
		defer c.server.leave()
		if running && b.awaitSync(up) != nil {
			return
		}
		report, refusal := b.sync(up)
		c.enterTrail(c.trailCall("federation_sync", b.trailData(report)), "", refusal == nil)
	}()
	c.replyJSON(http.StatusAccepted, answer)
	return nil
}

// currentSync is the id of the sync that runs, or ran last.
func (b *backend) currentSync() string {
	id, _ := b.syncID.Load().(string)
	return id
}

// backendStatus answers GET /v1/federation/backends/{id}/status. It asks the backend.
func (c *serverCall) backendStatus() *refusal {
	b, refusal := c.server.federation.find(c.id)
	if refusal != nil {
		return refusal
	}
	took, failed := b.check(c.r.Context())
	connection := map[string]any{"latency_ms": took.Milliseconds()}
	if failed != nil {
		connection["error"] = failed.message
	}
	if b.settings.Load().link == nil {
		connection["status"] = "unknown"
	} else if _, word := c.server.quirks.BackendWords.of(failed == nil); word != "" {
		connection["status"] = word
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
