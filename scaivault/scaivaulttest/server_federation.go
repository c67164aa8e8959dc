// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A federationHub knows the backends.
type federationHub struct {
	server *Server
	table  atomic.Pointer[mappingTable] // read by every request

	mu         sync.Mutex // guards all below, and every change of a backend's settings
	backends   []*backend // in the order of creation
	transports []*http.Transport
}

// A backend is one federated store.
type backend struct {
	hub     *federationHub
	id      string
	created time.Time

	healthy  atomic.Bool
	nextSync atomic.Int64  // Unix nanoseconds; a read, a listing or a poll after it syncs first
	syncing  chan struct{} // holds one while a sync runs
	syncID   atomic.Value  // a string: the id of the sync that runs, or ran last

	settings atomic.Pointer[backendSettings]
	report   atomic.Pointer[syncReport] // of the latest sync; nil: there was none
}

func newFederationHub(s *Server) *federationHub {
	h := &federationHub{server: s}
	h.table.Store(newMappingTable(nil))
	return h
}

// proxied reports whether reads of path go to a backend.
func (h *federationHub) proxied(path string) bool {
	p := h.table.Load().find(path)
	return p != nil && p.proxy
}

// refuseWrite refuses a write that belongs to a backend.
func (h *federationHub) refuseWrite(path string) *refusal {
	p := h.table.Load().find(path)
	if p == nil || (!p.proxy && h.server.quirks.SyncedWrites == SyncedWritesAllowed) {
		return nil
	}
	mode := "proxy"
	if !p.proxy {
		mode = "sync"
	}
	status, code := h.server.quirks.FederatedWrite.refusal()
	return refuse(status, code,
		"%s is federated to backend %s in mode %s and cannot be written here: write it there", path, p.backend.id, mode).
		with("path", path).with("backend_id", p.backend.id)
}

func (f FederatedWrite) refusal() (status int, code string) {
	switch f {
	case FederatedWrite400:
		return http.StatusBadRequest, "invalid_request"
	case FederatedWrite405:
		return http.StatusMethodNotAllowed, "method_not_allowed"
	case FederatedWrite409:
		return http.StatusConflict, "federation_read_only"
	}
	return http.StatusForbidden, "forbidden"
}

// told is the refusal of a read whose backend failed, as callers are told of it.
func (f BackendFailure) told(r *refusal) *refusal {
	if r == nil || r.status != http.StatusServiceUnavailable {
		return r
	}
	switch f {
	case BackendFailure502:
		return refuse(http.StatusBadGateway, "backend_unavailable", "%s", r.message)
	case BackendFailure504:
		return refuse(http.StatusGatewayTimeout, "backend_timeout", "%s", r.message)
	case BackendFailure424:
		return refuse(http.StatusFailedDependency, "backend_unavailable", "%s", r.message)
	}
	return r
}

// lookup reads a secret from wherever it is. It holds no lock while it asks a backend.
func (s *Server) lookup(ctx context.Context, path string, version int) (secretView, *refusal) {
	p := s.federation.table.Load().find(path)
	switch {
	case p == nil:
	case p.proxy:
		view, refusal := p.backend.read(ctx, p.remotePath(path), path, version)
		return view, s.quirks.BackendFailure.told(refusal)
	default:
		p.backend.syncIfDue(ctx)
	}
	return s.secrets.read(path, version)
}

// read reads a secret live.
func (b *backend) read(ctx context.Context, remote, path string, version int) (secretView, *refusal) {
	link := b.settings.Load().link
	if link == nil {
		return secretView{}, unavailable("backends of this type cannot be reached from here")
	}
	inTime, cancel := context.WithTimeout(ctx, b.hub.server.opts.BackendTimeout)
	defer cancel()
	view, refusal := link.read(inTime, remote, version, b.hub.server.quirks.ProxiedData)
	b.note(ctx, refusal)
	if refusal != nil && refusal.status == http.StatusNotFound {
		if version != 0 {
			return secretView{}, noVersion(path, version)
		}
		return secretView{}, noSecret(path)
	}
	view.path = path
	return view, refusal
}

// note keeps the health that an answer of the backend shows. A caller that left says
// nothing about it.
func (b *backend) note(ctx context.Context, refusal *refusal) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	b.healthy.Store(refusal == nil || refusal.status != http.StatusServiceUnavailable)
}

// status is the backend's health, as the API words it.
func (b *backend) status() string {
	if b.settings.Load().link == nil {
		return "unknown"
	}
	word, _ := b.hub.server.quirks.BackendWords.of(b.healthy.Load())
	return word
}

// find returns a backend by its id.
func (h *federationHub) find(id string) (*backend, *refusal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range h.backends {
		if b.id == id {
			return b, nil
		}
	}
	return nil, refuse(http.StatusNotFound, "backend_not_found", "no federation backend of that id")
}

// list returns the backends, oldest first.
func (h *federationHub) list() []*backend {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.backends)
}

// install makes settings those of b, and adds b if it is new. A pattern that another
// backend has already is refused.
func (h *federationHub) install(b *backend, settings *backendSettings) *refusal {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, other := range h.backends {
		if other == b {
			continue
		}
		for local := range settings.PathMapping {
			if _, taken := other.settings.Load().PathMapping[local]; taken {
				return refuse(http.StatusBadRequest, "invalid_config", "path_mapping: the pattern belongs to backend %s", other.id).with("pattern", local)
			}
		}
	}
	b.settings.Store(settings)
	if !slices.Contains(h.backends, b) {
		h.backends = append(h.backends, b)
	}
	h.rebuild()
	return nil
}

// remove takes b out of service.
func (h *federationHub) remove(b *backend) {
	h.mu.Lock()
	h.backends = slices.DeleteFunc(h.backends, func(other *backend) bool { return other == b })
	h.rebuild()
	h.mu.Unlock()
	if h.server.quirks.BackendDelete == BackendDeleteRemovesCopies {
		h.server.secrets.removeCopies(b.id, func(string) bool { return true })
	}
}

// rebuild makes the table anew; the caller holds mu.
func (h *federationHub) rebuild() {
	var patterns []mappedPattern
	for _, b := range h.backends {
		settings := b.settings.Load()
		for _, p := range settings.patterns {
			p.backend, p.proxy = b, settings.Mode == modeProxy
			patterns = append(patterns, p)
		}
	}
	h.table.Store(newMappingTable(patterns))
}

// keep has the transport's idle connections closed with the server.
func (h *federationHub) keep(t *http.Transport) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.transports = append(h.transports, t)
}

func (h *federationHub) closeIdle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.transports {
		t.CloseIdleConnections()
	}
}
