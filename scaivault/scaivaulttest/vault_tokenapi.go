// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A tokenBackend answers at auth/token.
type tokenBackend struct{ core *vaultCore }

func (b *tokenBackend) place(c *vaultCall) vaultPlace {
	return vaultPlace{sudo: c.rest == "revoke-orphan" || c.rest == "accessors/"}
}

func (b *tokenBackend) handle(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	var handler func(*vaultCall) (*vaultAnswer, *vaultRefusal)
	reads := false
	switch c.rest {
	case "create", "create-orphan":
		handler = b.create
	case "lookup", "lookup-self":
		handler, reads = b.lookup, true
	case "lookup-accessor":
		handler = b.lookupAccessor
	case "renew", "renew-self":
		handler = b.renew
	case "revoke", "revoke-self":
		handler = b.revoke
	case "revoke-accessor":
		handler = b.revokeAccessor
	case "accessors/":
		return b.listAccessors(c)
	default:
		return nil, unsupportedPath()
	}
	if c.op == opUpdate || (reads && c.op == opRead) {
		return handler(c)
	}
	return nil, unsupportedOperation()
}

// subject is the token that the call is about: its own, or one named in the body.
func (b *tokenBackend) subject(c *vaultCall) (*vaultToken, string, *vaultRefusal) {
	f := c.validatedFields()
	id := f.text("token")
	if f.refusal != nil {
		return nil, "", f.refusal
	}
	if strings.HasSuffix(c.rest, "-self") || (c.rest == "lookup" && id == "") {
		return c.token, c.tokenID, nil
	}
	if id == "" {
		return nil, "", badRequest("missing token ID")
	}
	return b.core.tokens.find(id), id, nil
}

func (b *tokenBackend) lookup(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	token, id, refusal := b.subject(c)
	if refusal != nil {
		return nil, refusal
	}
	if token == nil {
		return nil, &vaultRefusal{status: http.StatusForbidden, message: "bad token", cause: "permission denied"}
	}
	return b.describe(token, id), nil
}

func (b *tokenBackend) lookupAccessor(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	token, refusal := b.byAccessor(c)
	if refusal != nil {
		return nil, refusal
	}
	return b.describe(token, ""), nil
}

func (b *tokenBackend) listAccessors(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	if c.op != opList {
		return nil, unsupportedOperation()
	}
	b.core.tokens.mu.RLock()
	defer b.core.tokens.mu.RUnlock()
	accessors := slices.Sorted(maps.Keys(b.core.tokens.byAccessor))
	return &vaultAnswer{data: map[string]any{"keys": accessors}}, nil
}

const invalidAccessor = "invalid accessor"

func (b *tokenBackend) byAccessor(c *vaultCall) (*vaultToken, *vaultRefusal) {
	f := c.validatedFields()
	accessor := f.text("accessor")
	switch {
	case f.refusal != nil:
		return nil, f.refusal
	case accessor == "":
		return nil, &vaultRefusal{status: http.StatusBadRequest, cause: "missing accessor"}
	}
	token := b.core.tokens.findAccessor(accessor)
	if token == nil {
		return nil, &vaultRefusal{status: http.StatusBadRequest, cause: invalidAccessor}
	}
	return token, nil
}

func (b *tokenBackend) describe(t *vaultToken, id string) *vaultAnswer {
	b.core.tokens.mu.RLock()
	defer b.core.tokens.mu.RUnlock()
	data := map[string]any{
		"id": id, "accessor": t.accessor, "policies": t.policies, "path": t.path, "meta": t.meta,
		"display_name": t.displayName, "num_uses": t.uses, "orphan": t.orphan, "creation_time": t.issued.Unix(),
		"creation_ttl": int64(t.ttl.Seconds()), "expire_time": nil, "ttl": int64(0),
		"explicit_max_ttl": int64(t.explicitMax.Seconds()), "entity_id": t.entityID, "type": t.kind,
	}
	if t.kind == "batch" && len(t.policies) == 0 {
		data["policies"] = nil // a batch token holds itself, and no empty lists
	}
	if t.kind == "batch" {
		data["num_uses"] = 0
	}
	if t.limited() && t.uses == 0 {
		data["num_uses"] = -1 // the last use is under way
	}
	if t.period > 0 {
		data["period"] = int64(t.period.Seconds())
	}
	if t.ns.path != "" {
		data["namespace_path"] = t.ns.path
	}
	if !t.expires.IsZero() {
		data["expire_time"] = stamp(t.expires)
		data["ttl"] = int64(time.Until(t.expires).Seconds())
	}
	if t.id != b.core.rootToken {
		data["issue_time"] = stamp(t.issued)
		data["renewable"] = t.renewable
	}
	if !t.renewed.IsZero() {
		data["last_renewal"] = stamp(t.renewed)
		data["last_renewal_time"] = t.renewed.Unix()
	}
	return &vaultAnswer{data: data}
}

func (b *tokenBackend) renew(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	f := c.validatedFields()
	increment, _ := f.duration("increment", false)
	if f.refusal != nil {
		return nil, f.refusal
	}
	token, id, refusal := b.subject(c)
	switch {
	case refusal != nil:
		return nil, refusal
	case token == nil, b.core.tokens.spent(token):
		return nil, badRequest("token not found")
	case token.kind == "batch":
		return nil, invalid("batch tokens cannot be renewed")
	case token.id == b.core.rootToken: // which alone has no lease
		return nil, badRequest("invalid lease ID")
	case token.ttl == 0, !token.renewable:
		return nil, badRequest("lease is not renewable")
	}
	limits := tokenLimits{ttl: b.core.tokens.leaseOf(token), explicitMax: token.explicitMax, period: token.period}
	if token.limits != nil {
		var err error
		if limits, err = token.limits(); err != nil {
			return nil, &vaultRefusal{status: http.StatusInternalServerError, cause: err.Error()}
		}
	}
	usual, longest := cmp.Or(token.lease, defaultLease), cmp.Or(token.maxLease, maxLease)
	ttl, warnings, err := leaseTime(token.issued, increment, limits, usual, longest)
	if err != nil {
		return nil, &vaultRefusal{status: http.StatusInternalServerError, cause: err.Error()}
	}
	b.core.tokens.extend(token, ttl)
	return &vaultAnswer{auth: token.auth(id, ttl), warnings: warnings}, nil
}

func (s *tokenStore) extend(t *vaultToken, ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.renewed, t.lastTTL = time.Now(), ttl
	t.expires = t.renewed.Add(ttl)
}

// leaseOf is the time to live that the token had last.
func (s *tokenStore) leaseOf(t *vaultToken) time.Duration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t.lastTTL > 0 {
		return t.lastTTL
	}
	return t.ttl
}

// auth is the token as its owner is told when it is made or renewed.
func (t *vaultToken) auth(id string, ttl time.Duration) *vaultAuth {
	return &vaultAuth{
		ClientToken: id, Accessor: t.accessor, Policies: t.policies, TokenPolicies: t.policies, Metadata: t.meta,
		LeaseDuration: int(ttl.Seconds()), Renewable: t.renewable, EntityID: t.entityID, TokenType: t.kind,
		Orphan: t.orphan, NumUses: t.numUses, displayName: t.displayName,
	}
}

func (b *tokenBackend) revoke(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	token, _, refusal := b.subject(c)
	switch {
	case refusal != nil:
		return nil, refusal
	case token == nil:
		return nil, nil
	case token.kind == "batch":
		return nil, invalid("batch tokens cannot be revoked")
	}
	b.core.tokens.revoke(token)
	return nil, nil
}

func (b *tokenBackend) revokeAccessor(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	token, refusal := b.byAccessor(c)
	switch {
	case refusal != nil && refusal.cause == invalidAccessor:
		return &vaultAnswer{warnings: []string{"No token found with this accessor"}}, nil
	case refusal != nil:
		return nil, refusal
	}
	b.core.tokens.revoke(token)
	return nil, nil
}
