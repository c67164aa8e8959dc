// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"net/http"
	"time"
)

// An Identity is who a token belongs to. Only ID, Type, TenantID, PartnerID and
// Scopes are always told; everything else may be zero.
type Identity struct {
	// ID is such as "sa:billing-prod" or "user:ops".
	ID string `json:"identity_id"`
	// Type is "user", "service_account" or "group"; the vocabulary is open.
	Type string `json:"identity_type"`
	// DisplayName is for people.
	DisplayName string `json:"display_name"`
	// TenantID and PartnerID say whose the identity is.
	TenantID  string `json:"tenant_id"`
	PartnerID string `json:"partner_id"`
	// Scopes are what the token is good for, such as "secrets:read".
	Scopes []string `json:"scopes"`
	// Groups and Roles are the identity's own.
	Groups []string `json:"groups"`
	Roles  []string `json:"roles"`
	// TokenExpiresAt is when the token ends; zero where the service does not
	// tell.
	TokenExpiresAt time.Time `json:"-"`
}

// WhoAmI tells whose token this client uses, by GET /v1/auth/whoami. It is a way
// to see that a token is good: [ErrUnauthenticated] says that it is not.
func (c *Client) WhoAmI(ctx context.Context) (*Identity, error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: "who am I", method: http.MethodGet, apiPath: apiWhoAmI, reads: true, category: CategoryIdentity}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, plain(err)
	}
	var w wireIdentity
	if err := ans.decode(r, &w); err != nil {
		return nil, err
	}
	if w.ID == "" {
		return nil, ans.malformed(r, "the answer names no identity")
	}
	return &Identity{
		ID: w.ID, Type: w.Type.value, DisplayName: w.DisplayName.value, TenantID: w.TenantID.value, PartnerID: w.PartnerID.value,
		Scopes: w.Scopes.value, Groups: w.Groups.value, Roles: w.Roles.value, TokenExpiresAt: w.Expires.Time,
	}, nil
}

type wireIdentity struct {
	ID          string            `json:"identity_id"`
	Type        lenient[string]   `json:"identity_type"`
	DisplayName lenient[string]   `json:"display_name"`
	TenantID    lenient[string]   `json:"tenant_id"`
	PartnerID   lenient[string]   `json:"partner_id"`
	Scopes      lenient[[]string] `json:"scopes"`
	Groups      lenient[[]string] `json:"groups"`
	Roles       lenient[[]string] `json:"roles"`
	Expires     wireTime          `json:"token_expires_at"`
}
