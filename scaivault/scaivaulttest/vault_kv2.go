// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// A kv2Backend is KV version 2: versions, soft deletion and metadata. As in Vault, numbers pass through float64 on their way out.
type kv2Backend struct {
	mu      sync.RWMutex // guards all below, and what the secrets hold
	config  kv2Config
	secrets pathTree[*kv2Secret]
	seeder  *kv2Actor // who wrote what was seeded; nil: nothing was yet
}

type kv2Config struct {
	maxVersions uint32
	casRequired bool
	deleteAfter time.Duration // negative: never, whatever the secrets say
}

type kv2Secret struct {
	versions    map[uint64]*kv2Version
	current     uint64
	oldest      uint64
	created     time.Time
	updated     time.Time
	maxVersions uint32
	casRequired bool
	deleteAfter time.Duration
	custom      map[string]string
	updatedBy   *kv2Actor
}

type kv2Version struct {
	version   uint64
	data      json.RawMessage // nil once destroyed
	created   time.Time
	deleted   time.Time // zero: not deleted; may lie in the future
	destroyed bool
	createdBy *kv2Actor
	deletedBy *kv2Actor
}

// A kv2Actor says who did something, in the metadata.
type kv2Actor struct {
	Actor     string `json:"actor,omitempty"`
	Operation string `json:"operation,omitempty"`
	EntityID  string `json:"entity_id,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
}

func (c *vaultCall) actor() *kv2Actor {
	return &kv2Actor{
		Actor: c.token.displayName, Operation: c.op, EntityID: c.token.entityID,
		ClientID: c.token.clientID(),
	}
}

// gone tells whether the version can no longer be read. Deletion counts from its own instant on, so that it also holds where time stands still.
func (k *kv2Version) gone() bool {
	return k.destroyed || k.isDeleted()
}

func (k *kv2Version) isDeleted() bool {
	return !k.deleted.IsZero() && !k.deleted.After(time.Now())
}

func (b *kv2Backend) place(c *vaultCall) vaultPlace {
	if !c.writes() || c.op == opPatch {
		return vaultPlace{}
	}
	folder, key, _ := strings.Cut(c.rest, "/")
	if (folder != "data" && folder != "metadata") || key == "" {
		return vaultPlace{}
	}
	f := c.fields()
	if folder == "data" {
		f.object("data")
		f.object("options")
	} else {
		readKV2Settings(f, false)
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	_, exists := b.secrets.get(key)
	return vaultPlace{creates: !exists, refusal: f.refusal}
}

func (b *kv2Backend) handle(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	folder, key, _ := strings.Cut(c.rest, "/")
	switch {
	case c.rest == "config":
		return b.handleConfig(c)
	case folder == "data" && key != "" && !strings.HasSuffix(key, "/"):
		return b.handleData(c, key)
	case folder == "metadata" && strings.Contains(c.rest, "/"):
		return b.handleMetadata(c, key)
	case (folder == "delete" || folder == "undelete" || folder == "destroy") && strings.Contains(c.rest, "/"):
		if c.op != opUpdate {
			return nil, unsupportedOperation()
		}
		return nil, b.handleVersions(c, folder, key)
	}
	return notKV2(c)
}

// notKV2 answers what is no path of a versioned engine, and says what it may have been meant for.
func notKV2(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	warning := "Non-listing operations on the root of a K/V v2 mount are not supported."
	switch c.rest {
	case "metadata", "data", "delete", "undelete", "destroy":
	default:
		command := map[string]string{
			opCreate: "put", opUpdate: "put", opPatch: "patch", opRead: "get", opList: "list", opDelete: "delete",
		}[c.op]
		warning = "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. " +
			"If using the Vault CLI, use 'vault kv " + command + "' for this operation."
	}
	return &vaultAnswer{status: http.StatusNotFound, warnings: []string{warning}, unnamed: true}, nil
}

func (b *kv2Backend) handleData(c *vaultCall, key string) (*vaultAnswer, *vaultRefusal) {
	switch c.op {
	case opRead:
		return b.read(c, key)
	case opCreate, opUpdate:
		return b.writeCall(c, key)
	case opPatch:
		return b.patchCall(c, key)
	case opDelete:
		b.deleteLatest(key, c.actor())
		return nil, nil
	}
	return nil, unsupportedOperation()
}

func (b *kv2Backend) read(c *vaultCall, key string) (*vaultAnswer, *vaultRefusal) {
	f := c.validatedFields()
	asked, _ := f.integer("version")
	if f.refusal != nil {
		return nil, f.refusal
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	secret, ok := b.secrets.get(key)
	if !ok {
		return nil, nil
	}
	number := secret.current
	if asked > 0 {
		number = uint64(asked)
	}
	version := secret.versions[number]
	if version == nil {
		return nil, nil
	}
	answer := &vaultAnswer{data: map[string]any{"data": nil, "metadata": version.describe(secret)}}
	if version.gone() {
		answer.status = http.StatusNotFound
		answer.unnamed = true
		return answer, nil
	}
	answer.data["data"] = version.data
	return answer, nil
}

// latest is what a read would return, without the metadata.
func (b *kv2Backend) latest(key string) (json.RawMessage, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	secret, ok := b.secrets.get(key)
	if !ok {
		return nil, false
	}
	version := secret.versions[secret.current]
	if version == nil || version.gone() {
		return nil, false
	}
	return version.data, true
}

func (k *kv2Version) describe(secret *kv2Secret) map[string]any {
	return map[string]any{
		"version": k.version, "created_time": stamp(k.created), "deletion_time": stamp(k.deleted),
		"destroyed": k.destroyed, "custom_metadata": secret.custom,
	}
}

func (b *kv2Backend) writeCall(c *vaultCall, key string) (*vaultAnswer, *vaultRefusal) {
	f := c.fields()
	data, given := f.object("data")
	options, _ := f.object("options")
	if f.refusal != nil {
		return nil, f.refusal
	}
	if !given {
		return nil, badRequest("no data provided")
	}
	if refusal := kv2KeyRefusal(key); refusal != nil {
		return nil, refusal
	}
	encoded, err := encodeKV2(data)
	if err != nil {
		return nil, &vaultRefusal{status: http.StatusInternalServerError, cause: "json encoding failed"}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	secret, _ := b.secrets.get(key)
	if refusal := b.checkAndSet(secret, options); refusal != nil {
		return nil, refusal
	}
	version, secret := b.writeLocked(key, encoded, c.actor())
	return &vaultAnswer{data: version.describe(secret)}, nil
}

// kv2KeyRefusal refuses the names that Vault cannot keep.
func kv2KeyRefusal(key string) *vaultRefusal {
	if utf8.ValidString(key) {
		return nil
	}
	return &vaultRefusal{status: http.StatusInternalServerError, cause: "string field contains invalid UTF-8"}
}

func (b *kv2Backend) checkAndSet(secret *kv2Secret, options map[string]any) *vaultRefusal {
	var current uint64
	required := b.config.casRequired
	if secret != nil {
		current = secret.current
		required = required || secret.casRequired
	}
	raw, given := options["cas"]
	if !given {
		if required {
			return badRequest("check-and-set parameter required for this call")
		}
		return nil
	}
	expected, err := weakInt(raw, "")
	if err != nil {
		return badRequest("error parsing check-and-set parameter")
	}
	if uint64(expected) != current {
		return badRequest("check-and-set parameter did not match the current version")
	}
	return nil
}

// seed adds a version without looking at check-and-set, as the root token would.
func (b *kv2Backend) seed(key string, data map[string]any) (version int, err error) {
	encoded, err := encodeKV2(data)
	if err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seeder == nil {
		b.seeder = &kv2Actor{Actor: "root", Operation: opCreate, ClientID: clientID([]string{"root"}, "root")}
	}
	written, _ := b.writeLocked(key, encoded, b.seeder)
	return int(written.version), nil
}

func (b *kv2Backend) writeLocked(key string, data json.RawMessage, by *kv2Actor) (*kv2Version, *kv2Secret) {
	now := time.Now().UTC()
	secret, ok := b.secrets.get(key)
	if !ok {
		secret = &kv2Secret{versions: map[uint64]*kv2Version{}}
		b.secrets.put(key, secret)
	}
	secret.current++
	version := &kv2Version{version: secret.current, data: data, created: now, deleted: b.expiry(secret, now), createdBy: by}
	secret.versions[secret.current] = version
	secret.updated = now
	if secret.created.IsZero() {
		secret.created = now
	}
	secret.updatedBy = by
	b.forget(secret)
	return version, secret
}

// forget drops the versions beyond the number to keep.
func (b *kv2Backend) forget(secret *kv2Secret) {
	keep := max(secret.maxVersions, b.config.maxVersions)
	if keep == 0 {
		keep = 10
	}
	if secret.current-secret.oldest < uint64(keep) {
		return
	}
	last := secret.current - uint64(keep)
	for number := secret.oldest; number <= last; number++ {
		delete(secret.versions, number)
	}
	secret.oldest = last + 1
}

// expiry is when a version that begins to live now will be deleted by itself; zero: never.
func (b *kv2Backend) expiry(secret *kv2Secret, now time.Time) time.Time {
	after := secret.deleteAfter
	switch {
	case b.config.deleteAfter < 0:
		return time.Time{}
	case after == 0, b.config.deleteAfter != 0 && b.config.deleteAfter < after:
		after = b.config.deleteAfter
	}
	if after == 0 {
		return time.Time{}
	}
	return now.Add(after)
}

func (b *kv2Backend) deleteLatest(key string, by *kv2Actor) {
	b.mu.Lock()
	defer b.mu.Unlock()
	secret, ok := b.secrets.get(key)
	if !ok {
		return
	}
	version := secret.versions[secret.current]
	if version == nil || version.gone() {
		return
	}
	version.deleted = time.Now().UTC()
	version.deletedBy = by
	secret.updatedBy = by
}

// roundNumbers sends an object through float64, as KV version 2 does: 9007199254740993 becomes 9007199254740992, and 1.10 becomes 1.1.
func roundNumbers(data json.RawMessage) json.RawMessage {
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		return data // a number beyond float64, which a request cannot bring: it is refused when it is read
	}
	rounded, err := json.Marshal(object)
	if err != nil {
		return data
	}
	return rounded
}

// stamp writes a time as Vault does; the zero time is "".
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
