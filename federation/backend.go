// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"encoding/json"
	"maps"
	"time"
)

// A Mode says whether ScaiVault asks the backend or keeps copies. The vocabulary is
// open in what the service answers; a backend is made in one of the two modes here.
type Mode string

// The modes.
const (
	// ModeProxy passes each read on to the backend. Nothing is stored, writes are
	// refused, and when the backend is down so are the paths below it.
	ModeProxy Mode = "proxy"
	// ModeSync copies the secrets every SyncInterval and serves the copies.
	ModeSync Mode = "sync"
)

// A ConflictResolution says whose value counts in [ModeSync] where ScaiVault and the
// backend hold different ones. The vocabulary is open: any word is sent as it is.
type ConflictResolution string

// LocalWins lets ScaiVault's value count. It is the one resolution that is documented.
const LocalWins ConflictResolution = "local_wins"

// A Backend is another secret store that ScaiVault reads from. ID, Status and the two
// times are the service's; the rest is what [Client.Create] sends.
type Backend struct {
	// ID is the service's name for the backend, such as fed_example.
	ID string
	// Name is the name for people. Required.
	Name string
	// Config says where the backend is. Required. Where an answer leaves it out, it
	// has its type and nothing else; nil where the answer leaves that out too.
	Config Config
	// PathMapping leads from ScaiVault path patterns to names in the backend, as in
	// {"external/hashicorp/**": "kv/data/**"}. A pattern without the trailing "**"
	// is one secret. At least one is required.
	PathMapping map[string]string
	// Mode is required.
	Mode Mode
	// SyncInterval is how old the copies of [ModeSync] may get, in whole seconds. It
	// is required there and refused in [ModeProxy].
	SyncInterval time.Duration
	// ConflictResolution is for [ModeSync]. If empty, the service's own choice; in an
	// answer, empty where the service does not tell.
	ConflictResolution ConflictResolution
	// Status is the backend's state at the time of the answer; empty where the
	// service does not tell.
	Status State
	// CreatedAt and UpdatedAt are zero where the service does not tell.
	CreatedAt, UpdatedAt time.Time
	// Extra holds the fields that this version does not know, as one object. Create
	// sends them too, so clear it in a backend that was read from another tenant.
	Extra Opaque
}

// An Update says what to change of a backend. What has its zero value stays as it is.
type Update struct {
	// Name is the new name for people. If empty, unchanged.
	Name string
	// Config gives all settings of the config anew. Whether one that is left out of it,
	// such as an empty Namespace, goes or stays is for the service to say: look at the
	// backend that Update returns. If nil, unchanged.
	Config Config
	// PathMapping replaces the whole mapping. If nil, unchanged.
	PathMapping map[string]string
	// Mode is the new mode. If empty, unchanged.
	Mode Mode
	// SyncInterval is the new interval, in whole seconds. If zero, unchanged.
	SyncInterval time.Duration
	// ConflictResolution is the new resolution. If empty, unchanged.
	ConflictResolution ConflictResolution
	// Extra holds further fields to change, as one object. If zero, none.
	Extra Opaque
}

// The names of a backend's fields.
const (
	keyID                 = "id"
	keyName               = "name"
	keyType               = "type"
	keyConfig             = "config"
	keyPathMapping        = "path_mapping"
	keyMode               = "mode"
	keySyncInterval       = "sync_interval"
	keyConflictResolution = "conflict_resolution"
	keyStatus             = "status"
	keyCreatedAt          = "created_at"
	keyUpdatedAt          = "updated_at"
)

// change is the part of a backend that can be changed.
func (b *Backend) change() Update {
	return Update{
		Name: b.Name, Config: b.Config, PathMapping: b.PathMapping, Mode: b.Mode,
		SyncInterval: b.SyncInterval, ConflictResolution: b.ConflictResolution, Extra: b.Extra,
	}
}

// body is what goes over the wire: the fields that are set.
func (u *Update) body() map[string]any {
	named := map[string]any{}
	if u.Name != "" {
		named[keyName] = u.Name
	}
	if u.Config != nil {
		named[keyConfig] = u.Config.settings()
	}
	if u.PathMapping != nil {
		named[keyPathMapping] = u.PathMapping
	}
	if u.Mode != "" {
		named[keyMode] = u.Mode
	}
	if u.SyncInterval != 0 {
		// What cannot be written was refused before.
		named[keySyncInterval], _ = formatDuration(u.SyncInterval)
	}
	if u.ConflictResolution != "" {
		named[keyConflictResolution] = u.ConflictResolution
	}
	return merge(u.Extra, named)
}

// clone copies what the caller can still change.
func (u *Update) clone() Update {
	c := *u
	c.PathMapping = maps.Clone(u.PathMapping)
	if u.Config != nil {
		c.Config = u.Config.clone()
	}
	return c
}

// fill sets what b does not have yet. It is for answers that say less than what is
// known to be so.
func (u *Update) fill(b *Backend) {
	if b.Name == "" {
		b.Name = u.Name
	}
	if b.Config == nil {
		b.Config = u.Config
	}
	if b.PathMapping == nil {
		b.PathMapping = u.PathMapping
	}
	if b.Mode == "" {
		b.Mode = u.Mode
	}
	if b.SyncInterval == 0 {
		b.SyncInterval = u.SyncInterval
	}
	if b.ConflictResolution == "" {
		b.ConflictResolution = u.ConflictResolution
	}
}

// parseBackend reads a backend, as it is or within an envelope. It reports false
// where the answer is no object. What the answer leaves out is zero, the config too,
// also where the type is told.
func parseBackend(raw json.RawMessage) (*Backend, Type, bool) {
	f, ok := parseFields(unwrap(raw, keyID, "backend", "data"))
	if !ok {
		return nil, "", false
	}
	b, t := &Backend{}, Type("")
	takeText(f, &b.ID, keyID, "backend_id")
	take(f, keyName, &b.Name)
	take(f, keyPathMapping, &b.PathMapping)
	take(f, keyMode, &b.Mode)
	takeDuration(f, keySyncInterval, &b.SyncInterval)
	take(f, keyConflictResolution, &b.ConflictResolution)
	take(f, keyStatus, &b.Status)
	takeTime(f, keyCreatedAt, &b.CreatedAt)
	takeTime(f, keyUpdatedAt, &b.UpdatedAt)
	var config json.RawMessage
	if take(f, keyType, &t) && take(f, keyConfig, &config) {
		b.Config = parseConfig(t, config)
	}
	b.Extra = f.rest()
	return b, t, true
}

// readBackend is parseBackend for an answer that is all there is to know. It reports
// false also where that is nothing.
func readBackend(raw json.RawMessage) (*Backend, bool) {
	b, t, ok := parseBackend(raw)
	if !ok || b.Name == "" && t == "" && b.Mode == "" {
		return nil, false
	}
	if b.Config == nil && t != "" {
		b.Config = parseConfig(t, json.RawMessage("{}"))
	}
	return b, true
}

// whole tells whether an answer held all that a backend must have.
func (b *Backend) whole() bool {
	return b.ID != "" && b.Name != "" && b.Config != nil && b.PathMapping != nil && b.Mode != ""
}
