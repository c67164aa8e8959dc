// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
)

// handleSecretID makes secret ids, and lists the accessors of a role's.
func (b *appRoleBackend) handleSecretID(c *vaultCall, name string) (*vaultAnswer, *vaultRefusal) {
	custom := strings.HasSuffix(c.rest, "/custom-secret-id")
	switch {
	case c.op == opList && !custom:
		return b.listSecrets(name)
	case c.op != opUpdate:
		return nil, unsupportedOperation()
	}
	f := c.validatedFields()
	id := newUUID()
	if custom {
		if id = f.text("secret_id"); id == "" && f.refusal == nil {
			return nil, invalid("missing secret_id")
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	role := b.roles[strings.ToLower(name)]
	if role == nil {
		return nil, noRole(name)
	}
	secret, refusal := role.newSecret(f)
	if refusal != nil {
		return nil, refusal
	}
	// It ends with the mount's longest lease, and is described with the time it was given.
	lives := min(secret.ttl, b.mount.longestLease())
	if lives > 0 {
		secret.expires = secret.created.Add(lives)
	}
	if existing := role.secrets[id]; existing != nil && !existing.expired() {
		return nil, &vaultRefusal{status: http.StatusInternalServerError, cause: "failed to store secret_id: SecretID is already registered"}
	}
	role.secrets[id] = secret
	return &vaultAnswer{data: map[string]any{
		"secret_id": id, "secret_id_accessor": secret.accessor, "secret_id_num_uses": secret.uses,
		"secret_id_ttl": int64(lives.Seconds()),
	}}, nil
}

func noRole(name string) *vaultRefusal {
	return &vaultRefusal{status: http.StatusNotFound, message: fmt.Sprintf("role %q does not exist", name), cause: "unsupported path"}
}

func (b *appRoleBackend) listSecrets(name string) (*vaultAnswer, *vaultRefusal) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	role := b.roles[strings.ToLower(name)]
	if role == nil {
		return nil, invalid("role %q does not exist", name)
	}
	accessors := []string{}
	for _, secret := range role.secrets {
		if !secret.expired() {
			accessors = append(accessors, secret.accessor)
		}
	}
	return &vaultAnswer{data: map[string]any{"keys": accessors}}, nil
}

// newSecret makes a secret id within what its role allows.
func (r *appRole) newSecret(f *vaultFields) (*appSecret, *vaultRefusal) {
	now := time.Now().UTC()
	secret := &appSecret{accessor: newUUID(), uses: r.secretUses, ttl: r.secretTTL, created: now, updated: now}
	if uses, ok := f.integer("num_uses"); ok {
		if r.secretUses > 0 && (uses == 0 || uses > r.secretUses) {
			return nil, invalid("num_uses cannot be higher than the role's secret_id_num_uses")
		}
		if secret.uses = uses; uses < 0 {
			return nil, invalid("num_uses cannot be negative")
		}
	}
	if ttl, ok := f.duration("ttl", false); ok {
		if r.secretTTL > 0 && (ttl == 0 || ttl > r.secretTTL) {
			return nil, invalid("ttl cannot be longer than the role's secret_id_ttl")
		}
		secret.ttl = ttl
	}
	for _, name := range []string{"cidr_list", "token_bound_cidrs"} {
		if blocks, _ := f.list(name, true); len(blocks) > 0 && f.refusal == nil {
			f.refusal = badRequest("%s is not obeyed by this in-memory Vault: leave it out, or test against a real one", name)
		}
	}
	text := f.text("metadata")
	if f.refusal != nil {
		return nil, f.refusal
	}
	meta, refusal := parseMetadata(text)
	secret.meta = meta
	return secret, refusal
}

// handleOneSecret looks a secret id up, or ends it, by its id or its accessor.
func (b *appRoleBackend) handleOneSecret(c *vaultCall, name, action string) (*vaultAnswer, *vaultRefusal) {
	destroy := strings.HasSuffix(action, "/destroy")
	if c.op != opUpdate && (c.op != opDelete || !destroy) {
		return nil, unsupportedOperation()
	}
	field := "secret_id"
	if strings.HasPrefix(action, "secret-id-accessor/") {
		field = "secret_id_accessor"
	}
	f := c.validatedFields()
	wanted := f.text(field)
	switch {
	case f.refusal != nil:
		return nil, f.refusal
	case wanted == "":
		return nil, invalid("missing %s", field)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	role := b.roles[strings.ToLower(name)]
	if role == nil {
		return nil, &vaultRefusal{status: http.StatusInternalServerError, cause: fmt.Sprintf("role %q does not exist", name)}
	}
	id, secret := role.find(field, wanted)
	switch {
	case secret == nil && field == "secret_id_accessor":
		text := fmt.Sprintf("failed to find accessor entry for secret_id_accessor: %q", wanted)
		return &vaultAnswer{status: http.StatusNotFound, data: map[string]any{"error": text}, unnamed: true}, nil
	case secret == nil:
		return nil, nil
	case destroy:
		delete(role.secrets, id)
		return nil, nil
	}
	return &vaultAnswer{data: secret.describe()}, nil
}

func (r *appRole) find(field, wanted string) (id string, secret *appSecret) {
	for id, secret := range r.secrets {
		if !secret.expired() && ((field == "secret_id" && id == wanted) || (field != "secret_id" && secret.accessor == wanted)) {
			return id, secret
		}
	}
	return "", nil
}

func (s *appSecret) describe() map[string]any {
	expires := "0001-01-01T00:00:00Z"
	if !s.expires.IsZero() {
		expires = stamp(s.expires)
	}
	return map[string]any{
		"cidr_list": []string{}, "token_bound_cidrs": []string{}, "creation_time": stamp(s.created), "expiration_time": expires,
		"last_updated_time": stamp(s.updated), "metadata": maps.Clone(s.meta), "secret_id_accessor": s.accessor,
		"secret_id_num_uses": s.uses, "secret_id_ttl": int64(s.ttl.Seconds()),
	}
}

// login exchanges a role id and a secret id for a token.
func (b *appRoleBackend) login(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	f := c.validatedFields()
	roleID, secretID := strings.TrimSpace(f.text("role_id")), strings.TrimSpace(f.text("secret_id"))
	switch {
	case f.refusal != nil:
		return nil, f.refusal
	case roleID == "":
		text := "failed to determine alias name from login request"
		return nil, &vaultRefusal{status: http.StatusInternalServerError, message: text, cause: text}
	case c.op != opUpdate:
		return nil, unsupportedOperation()
	}
	role, meta, entity, created, refusal := b.authenticate(roleID, secretID)
	if refusal != nil {
		return nil, refusal
	}
	return b.core.issue(c, vaultGrant{
		mount: b.mount, policies: role.policies, noDefault: role.noDefault, meta: meta, entity: entity, newEntity: created,
		kind: role.kind, limits: role.limits, uses: role.tokenUses,
		renewal: func() (tokenLimits, error) { return b.currentLimits(role.name) },
	})
}

// authenticate spends one use of the secret id. The role is a copy.
func (b *appRoleBackend) authenticate(roleID, secretID string) (role appRole, meta map[string]string, entity string, created bool, refusal *vaultRefusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.byID[roleID]
	if found == nil {
		return role, nil, "", false, invalid("invalid role or secret ID")
	}
	if b.failed[roleID].locked() {
		return role, nil, "", false, lockedOut()
	}
	if secretID == "" {
		return role, nil, "", false, invalid("missing secret_id")
	}
	secret := found.secrets[secretID]
	if secret == nil || secret.expired() {
		b.failed[roleID] = b.failed[roleID].next()
		return role, nil, "", false, &vaultRefusal{status: http.StatusBadRequest, message: "invalid role or secret ID", cause: "invalid credentials"}
	}
	delete(b.failed, roleID)
	switch secret.uses {
	case 0:
	case 1:
		delete(found.secrets, secretID)
	default:
		secret.uses--
		secret.updated = time.Now().UTC()
	}
	entity, known := b.entities[roleID]
	if !known {
		entity = newUUID()
		b.entities[roleID] = entity
	}
	meta = maps.Clone(secret.meta)
	meta["role_name"] = found.name
	return *found, meta, entity, !known, nil
}

// currentLimits is what the role allows now, for tokens that it gave before.
func (b *appRoleBackend) currentLimits(name string) (tokenLimits, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	role := b.roles[name]
	if role == nil {
		return tokenLimits{}, fmt.Errorf("failed to renew entry: role %q does not exist during renewal", name)
	}
	return role.limits, nil
}
