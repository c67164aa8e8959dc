// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"
)

const (
	modeProxy = "proxy"
	modeSync  = "sync"
	typeVault = "hashicorp-vault"
)

// backendTypes is the documented vocabulary; only typeVault really works here.
var backendTypes = [...]string{typeVault, "aws-secrets-manager", "azure-key-vault", "google-secret-manager"}

// The conflict resolutions. Documented is local_wins alone; a conflict under manual,
// which is the default, is listed, and the local value is served meanwhile.
const (
	resolveManual  = "manual"
	resolveLocal   = "local_wins"
	resolveBackend = "backend_wins"
)

// backendSettings are a backend's settings. They never change; new ones replace them.
type backendSettings struct {
	Name               string
	Type               string
	Config             map[string]json.RawMessage
	PathMapping        map[string]string
	Mode               string
	SyncInterval       string
	ConflictResolution string

	updated  time.Time
	patterns []mappedPattern
	interval time.Duration
	link     *vaultLink // nil: of a type that does not work here
}

// A backendBody is the body of a POST or a PATCH. What is nil was left out.
type backendBody struct {
	Name               *string           `json:"name"`
	Type               *string           `json:"type"`
	Config             json.RawMessage   `json:"config"`
	PathMapping        map[string]string `json:"path_mapping"`
	Mode               *string           `json:"mode"`
	SyncInterval       *string           `json:"sync_interval"`
	ConflictResolution *string           `json:"conflict_resolution"`
}

// merged returns the settings with the body's members put over them. Of config the
// given members are replaced, and those that are null removed.
func (old *backendSettings) merged(body *backendBody) (*backendSettings, *refusal) {
	s := &backendSettings{
		Name: old.Name, Type: old.Type, Config: maps.Clone(old.Config), PathMapping: old.PathMapping,
		Mode: old.Mode, SyncInterval: old.SyncInterval, ConflictResolution: old.ConflictResolution,
	}
	for _, member := range [...]struct {
		given *string
		field *string
	}{
		{body.Name, &s.Name},
		{body.Type, &s.Type},
		{body.Mode, &s.Mode},
		{body.SyncInterval, &s.SyncInterval},
		{body.ConflictResolution, &s.ConflictResolution},
	} {
		if member.given != nil {
			*member.field = *member.given
		}
	}
	if body.PathMapping != nil {
		s.PathMapping = body.PathMapping
	}
	if absent(body.Config) {
		return s, nil
	}
	var config map[string]json.RawMessage
	if err := json.Unmarshal(body.Config, &config); err != nil {
		return nil, wrongField("config", "must be an object")
	}
	if s.Config == nil {
		s.Config = map[string]json.RawMessage{}
	}
	for name, value := range config {
		if absent(value) {
			delete(s.Config, name)
		} else {
			s.Config[name] = value
		}
	}
	return s, nil
}

// check refuses settings that no backend can have, and works out the rest of them.
func (s *backendSettings) check() *refusal {
	switch {
	case s.Name == "":
		return wrongField("name", "is required")
	case !slices.Contains(backendTypes[:], s.Type):
		return wrongField("type", "must be one of %q", backendTypes)
	case s.Config == nil:
		return wrongField("config", "is required")
	case len(s.PathMapping) == 0:
		return wrongField("path_mapping", "must map at least one pattern")
	case s.Mode != modeProxy && s.Mode != modeSync:
		return wrongField("mode", "must be proxy or sync")
	case s.Mode == modeSync && s.SyncInterval == "":
		return wrongField("sync_interval", "is required for mode sync")
	case !slices.Contains([]string{"", resolveManual, resolveLocal, resolveBackend}, s.ConflictResolution):
		return wrongField("conflict_resolution", "must be manual, local_wins or backend_wins")
	}
	if s.SyncInterval != "" {
		var refusal *refusal
		if s.interval, refusal = parseDuration(s.SyncInterval); refusal != nil {
			return refusal
		}
	}
	for _, local := range slices.Sorted(maps.Keys(s.PathMapping)) {
		p, refusal := parsePattern(local, s.PathMapping[local])
		if refusal != nil {
			return refusal
		}
		s.patterns = append(s.patterns, p)
	}
	return nil
}

// prepare checks new settings of b and connects them.
func (b *backend) prepare(body *backendBody) (*backendSettings, *refusal) {
	old := b.settings.Load()
	settings, refusal := old.merged(body)
	if refusal != nil {
		return nil, refusal
	}
	if refusal = settings.check(); refusal != nil {
		return nil, refusal
	}
	settings.updated = time.Now()
	if settings.Type != typeVault {
		return settings, nil
	}
	if old.link != nil && absent(body.Config) && body.Type == nil {
		settings.link = old.link
		return settings, nil
	}
	settings.link, refusal = b.hub.newVaultLink(settings.Config)
	return settings, refusal
}

// createBackend answers POST /v1/federation/backends.
func (c *serverCall) createBackend() *refusal {
	var body backendBody
	if refusal := readBody(c.r, c.server.opts.MaxBodyBytes, &body); refusal != nil {
		return refusal
	}
	hub := c.server.federation
	b := &backend{hub: hub, id: "fed_" + randomID()[:16], created: time.Now(), syncing: make(chan struct{}, 1)}
	b.settings.Store(&backendSettings{})
	settings, refusal := b.prepare(&body)
	if refusal != nil {
		return refusal
	}
	if refusal = hub.install(b, settings); refusal != nil {
		return refusal
	}
	b.check(c.r.Context())
	if settings.Mode == modeSync {
		c.firstSync(b)
	}
	c.replyJSON(http.StatusCreated, b.body())
	return nil
}

// firstSync fills the local copies, so that a path is there when its mode has
// changed. That it failed is seen in the status.
func (c *serverCall) firstSync(b *backend) {
	if b.awaitSync(c.r.Context()) != nil {
		return // the caller left
	}
	report, refusal := b.sync(c.r.Context())
	c.enterTrail(c.trailCall("federation_sync", b.trailData(report)), "", refusal == nil)
}

// check connects to the backend and notes whether it is well.
func (b *backend) check(ctx context.Context) (took time.Duration, refusal *refusal) {
	link := b.settings.Load().link
	if link == nil {
		return 0, unavailable("backends of this type cannot be reached from here")
	}
	inTime, cancel := context.WithTimeout(ctx, b.hub.server.opts.BackendTimeout)
	defer cancel()
	began := time.Now()
	refusal = link.check(inTime)
	b.note(ctx, refusal)
	return time.Since(began), refusal
}

// body is the backend as the API shows it.
func (b *backend) body() map[string]any {
	s := b.settings.Load()
	body := map[string]any{
		"id": b.id, "name": s.Name, "type": s.Type, "config": s.Config, "path_mapping": s.PathMapping,
		"mode": s.Mode, "status": b.status(), "created_at": timestamp(b.created), "updated_at": timestamp(s.updated),
	}
	if s.SyncInterval != "" {
		body["sync_interval"] = s.SyncInterval
	}
	if s.ConflictResolution != "" {
		body["conflict_resolution"] = s.ConflictResolution
	}
	return body
}

// listBackends answers GET /v1/federation/backends.
func (c *serverCall) listBackends() *refusal {
	all := []map[string]any{}
	for _, b := range c.server.federation.list() {
		all = append(all, b.body())
	}
	key := "backends"
	if c.server.quirks.BackendsKey == BackendsKeyData {
		key = "data"
	}
	c.replyJSON(http.StatusOK, map[string]any{key: all})
	return nil
}

// getBackend answers GET /v1/federation/backends/{id}.
func (c *serverCall) getBackend() *refusal {
	b, refusal := c.server.federation.find(c.id)
	if refusal != nil {
		return refusal
	}
	c.replyJSON(http.StatusOK, b.body())
	return nil
}

// patchBackend answers PATCH /v1/federation/backends/{id}.
func (c *serverCall) patchBackend() *refusal {
	hub := c.server.federation
	b, refusal := hub.find(c.id)
	if refusal != nil {
		return refusal
	}
	var body backendBody
	if refusal = readBody(c.r, c.server.opts.MaxBodyBytes, &body); refusal != nil {
		return refusal
	}
	if body.Type != nil && *body.Type != b.settings.Load().Type {
		return wrongField("type", "cannot be changed")
	}
	settings, refusal := b.prepare(&body)
	if refusal != nil {
		return refusal
	}
	relinked := settings.link != b.settings.Load().link
	if refusal = hub.install(b, settings); refusal != nil {
		return refusal
	}
	if relinked {
		b.check(c.r.Context())
	}
	if settings.Mode == modeSync {
		c.firstSync(b)
	}
	c.replyJSON(http.StatusOK, b.body())
	return nil
}

// deleteBackend answers DELETE /v1/federation/backends/{id}.
func (c *serverCall) deleteBackend() *refusal {
	b, refusal := c.server.federation.find(c.id)
	if refusal != nil {
		return refusal
	}
	c.server.federation.remove(b)
	c.reply(http.StatusNoContent, nil)
	return nil
}
