// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// A trustBook knows which foreign tokens stand for which identities.
type trustBook struct {
	mu      sync.RWMutex // guards all below
	trusted map[string]trust
}

type trust struct {
	identityID string
	scopes     []string
}

// TrustToken has POST /v1/auth/exchange trade the foreign token, for instance that of
// a Kubernetes service account, for tokens of the identity with these scopes, or with
// all if none is given. It may be traded any number of times. The tokens that it gives
// live for ServerOptions.ExchangeTTL.
func (s *Server) TrustToken(foreign, identityID string, scopes ...string) {
	s.trust.mu.Lock()
	defer s.trust.mu.Unlock()
	if s.trust.trusted == nil {
		s.trust.trusted = map[string]trust{}
	}
	s.trust.trusted[foreign] = trust{identityID, slices.Clone(scopes)}
}

// exchange answers POST /v1/auth/exchange. The names of the members are not documented
// on either side, so it takes the likely ones.
func (c *serverCall) exchange() *refusal {
	var body struct {
		Token        string `json:"token"`
		SubjectToken string `json:"subject_token"`
		JWT          string `json:"jwt"`
		Role         string `json:"role"`
	}
	if refusal := readBody(c.r, c.server.opts.MaxBodyBytes, &body); refusal != nil {
		return refusal
	}
	foreign := orDefault(orDefault(body.Token, body.SubjectToken), body.JWT)
	if foreign == "" {
		return wrongField("token", "is required")
	}
	c.server.trust.mu.RLock()
	known, ok := c.server.trust.trusted[foreign]
	c.server.trust.mu.RUnlock()
	switch {
	case !ok:
		return refuse(http.StatusUnauthorized, "token_invalid", "the token is not trusted here")
	case body.Role != "" && body.Role != known.identityID:
		return refuse(http.StatusForbidden, "access_denied", "the token does not stand for that role")
	}
	ttl := c.server.opts.ExchangeTTL
	token := c.server.tokens.issue("eyJ", known.identityID, known.scopes, ttl)
	if c.server.quirks.ExchangeForm == ExchangeToken {
		c.replyJSON(http.StatusOK, map[string]any{"token": token, "expires_at": timestamp(time.Now().Add(ttl))})
		return nil
	}
	c.replyJSON(http.StatusOK, map[string]any{
		"access_token": token, "token_type": "Bearer", "expires_in": int64(ttl / time.Second),
	})
	return nil
}
