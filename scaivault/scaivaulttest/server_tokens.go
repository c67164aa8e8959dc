// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// allScopes are what a token without scopes of its own has.
var allScopes = [...]string{
	"secrets:read", "secrets:write", "secrets:delete", "secrets:list", "secrets:rotate",
	"policies:read", "policies:write", "audit:read", "audit:export", "pki:issue", "pki:admin",
	"dynamic:read", "dynamic:manage", "federation:read", "federation:write",
	"subscriptions:read", "subscriptions:write", "identity:read", "identity:admin", "admin",
}

// A grant is what one token stands for. It does not change but for its end, which
// the ring's lock guards.
type grant struct {
	identityID string
	scopes     []string
	expires    time.Time
	revoked    bool
}

// A tokenRing knows the tokens that were issued.
type tokenRing struct {
	mu     sync.RWMutex // guards all below
	grants map[string]*grant
}

func newTokenRing() *tokenRing { return &tokenRing{grants: map[string]*grant{}} }

// IssueToken returns a new personal access token ("skt_…") for the identity, such as
// "sa:billing-prod" or "user:ops", with these scopes, or with all if none is given.
// It lives for ServerOptions.TokenTTL. An identity may have many tokens; its rate
// limits are shared by all of them. ScopePartnerAdmin may be among the scopes.
func (s *Server) IssueToken(identityID string, scopes ...string) string {
	return s.tokens.issue("skt_", identityID, scopes, s.opts.TokenTTL)
}

// issue makes a token that begins with prefix; no scopes are all.
func (t *tokenRing) issue(prefix, identityID string, scopes []string, ttl time.Duration) string {
	if len(scopes) == 0 {
		scopes = allScopes[:]
	}
	token := prefix + randomID()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.grants[token] = &grant{
		identityID: identityID,
		scopes:     slices.Clone(scopes),
		expires:    time.Now().Add(ttl),
	}
	return token
}

// RevokeToken has the token refused as token_revoked. An unknown token is ignored.
func (s *Server) RevokeToken(token string) {
	s.tokens.change(token, func(g *grant) { g.revoked = true })
}

// ExpireToken has the token refused as token_expired. An unknown token is ignored.
func (s *Server) ExpireToken(token string) {
	s.tokens.change(token, func(g *grant) { g.expires = time.Now() })
}

func (t *tokenRing) change(token string, f func(*grant)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.grants[token]; g != nil {
		f(g)
	}
}

// authenticate returns what the bearer of r was granted.
func (t *tokenRing) authenticate(r *http.Request) (grant, *refusal) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return grant{}, refuse(http.StatusUnauthorized, "authentication_required", "the Authorization header has no bearer token")
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	g := t.grants[token]
	switch {
	case g == nil:
		return grant{}, refuse(http.StatusUnauthorized, "token_invalid", "the token is not known here")
	case g.revoked:
		return grant{}, refuse(http.StatusUnauthorized, "token_revoked", "the token was revoked")
	case !time.Now().Before(g.expires):
		return grant{}, refuse(http.StatusUnauthorized, "token_expired", "the token has expired")
	}
	return *g, nil
}

// allow refuses a grant without the scope; the empty scope is everybody's.
func (g *grant) allow(scope string) *refusal {
	if scope == "" || slices.Contains(g.scopes, scope) {
		return nil
	}
	return refuse(http.StatusForbidden, "insufficient_scope", "the token has no scope %s", scope).
		with("required_scope", scope)
}

// identityType is the kind of an identity, by the prefix of its id.
func identityType(id string) string {
	switch kind, _, _ := strings.Cut(id, ":"); kind {
	case "sa":
		return "service_account"
	case "group", "system":
		return kind
	}
	return "user"
}

type whoamiBody struct {
	IdentityID     string   `json:"identity_id"`
	IdentityType   string   `json:"identity_type"`
	DisplayName    string   `json:"display_name"`
	TenantID       string   `json:"tenant_id"`
	PartnerID      string   `json:"partner_id"`
	Scopes         []string `json:"scopes"`
	Groups         []string `json:"groups"`
	Roles          []string `json:"roles"`
	TokenExpiresAt *string  `json:"token_expires_at"`
}

// whoami answers GET /v1/auth/whoami.
func (c *serverCall) whoami() *refusal {
	_, name, _ := strings.Cut(c.grant.identityID, ":")
	c.replyJSON(http.StatusOK, &whoamiBody{
		IdentityID:     c.grant.identityID,
		IdentityType:   identityType(c.grant.identityID),
		DisplayName:    orDefault(name, c.grant.identityID),
		TenantID:       c.server.opts.TenantID,
		PartnerID:      c.server.opts.PartnerID,
		Scopes:         c.grant.scopes,
		Groups:         []string{},
		Roles:          []string{},
		TokenExpiresAt: timestamp(c.grant.expires),
	})
	return nil
}
