// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// ScopePartnerAdmin makes a token that of a partner admin, who writes the secrets below
// /v1/partner/secrets, when it is among the scopes that IssueToken is given. It is no
// scope of ScaiVault, whose documents do not say what makes a partner admin, and so a
// token with all scopes has it not.
const ScopePartnerAdmin = "partner:admin"

// cutPartner cuts what leads to the partner's secrets, and notes that they are meant.
func (c *serverCall) cutPartner(rest string) string {
	below, ok := strings.CutPrefix(rest, "partner/")
	if !ok || (below != "secrets" && !strings.HasPrefix(below, "secrets/")) {
		return rest
	}
	c.partner = true
	return below
}

// secrets is the namespace that the call is about. The one of the partner has no
// federation, and nobody is told of what happens in it.
func (c *serverCall) secrets() *secretStore {
	if c.partner {
		return c.server.partner
	}
	return c.server.secrets
}

// lookup reads a secret from wherever it is.
func (c *serverCall) lookup(ctx context.Context, path string, version int) (secretView, *refusal) {
	if c.partner {
		return c.server.partner.read(path, version)
	}
	view, refusal := c.server.lookup(ctx, path, version)
	if c.server.quirks.PartnerSecrets == PartnerSecretsFallback && refusal != nil && refusal.code == "secret_not_found" {
		if theirs, none := c.server.partner.read(path, version); none == nil {
			return theirs, nil
		}
	}
	return view, refusal
}

// proxied reports whether reads of the path go to a backend.
func (c *serverCall) proxied() bool { return !c.partner && c.server.federation.proxied(c.path) }

// refuseFederated refuses a write that belongs to a backend.
func (c *serverCall) refuseFederated() *refusal {
	if c.partner {
		return nil
	}
	return c.server.federation.refuseWrite(c.path)
}

// authorizeWrite is authorize for a change: those of the partner's secrets are for
// partner admins alone.
func (c *serverCall) authorizeWrite() *refusal {
	if refusal := c.authorize(c.path); refusal != nil {
		return refusal
	}
	if c.partner && !slices.Contains(c.grant.scopes, ScopePartnerAdmin) {
		return refuse(http.StatusForbidden, "access_denied", "only partner admins write the partner's secrets").with("path", c.path)
	}
	return nil
}
