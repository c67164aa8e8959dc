// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"net/http"
	"time"
)

// An Identity is who a token belongs to. Only ID, Type, TenantID, PartnerID and
// Scopes are always told.
type Identity struct {
	ID             string    `json:"identity_id"`
	Type           string    `json:"identity_type"`
	DisplayName    string    `json:"display_name"`
	TenantID       string    `json:"tenant_id"`
	PartnerID      string    `json:"partner_id"`
	Scopes         []string  `json:"scopes"`
	Groups         []string  `json:"groups"`
	Roles          []string  `json:"roles"`
	TokenExpiresAt time.Time `json:"-"`
}

// WhoAmI tells whose token this client uses, by GET /v1/auth/whoami.
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
