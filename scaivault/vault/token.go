// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"net/http"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

// token returns the token for a request.
func (s *Source) token(ctx context.Context, t target) (string, error) {
	if s.session != nil {
		return s.session.token(ctx, t)
	}
	token := s.owner.Token()
	switch {
	case token == "":
		return "", s.failure(t, scaivault.ErrUnauthenticated, "Config.Client has no token; set one, or set Config.Auth")
	case !printableToken(token):
		return "", s.failure(t, scaivault.ErrUnauthenticated, "the token of Config.Client holds a line break or another character that no token has")
	}
	return token, nil
}

// tokenAfter returns a token to try once more with, after one was answered
// with 403; or none, where the refusal stands. An answer without Vault's
// envelope says nothing of the token.
func (s *Source) tokenAfter(ctx context.Context, t target, used string, a *answer) (string, error) {
	env, wellFormed := a.envelope()
	if !wellFormed {
		return "", nil
	}
	if s.session != nil {
		return s.session.tokenAfter(ctx, t, used, env.refusesToken())
	}
	if fresh := s.owner.Token(); fresh != used && fresh != "" && printableToken(fresh) {
		return fresh, nil // it was renewed while the request was under way
	}
	return "", nil
}

const (
	// verifiedFor is how long Vault's word that a token is good counts.
	verifiedFor = 10 * time.Second
	// freshFor is how long a new token is above doubt where Vault does not say
	// what it refuses.
	freshFor = time.Minute
)

// tokenAfter distinguishes a token that is no longer good, which a new login
// replaces, from a policy that refuses.
func (n *session) tokenAfter(ctx context.Context, t target, used string, aboutToken bool) (string, error) {
	now := n.current.Load()
	switch {
	case now == nil: // somebody else has found out
	case now.token != used:
		return now.token, nil
	case !aboutToken && n.alive(ctx, t, now):
		return "", nil
	case !n.mayReplace(now):
		return "", nil
	default:
		n.current.CompareAndSwap(now, nil)
	}
	return n.token(ctx, t)
}

// mayReplace tells whether a token that was refused is worth a login. Of tokens
// that are refused as soon as they are new there is no use in more, so there is
// one login in a while, not one for each refusal.
func (n *session) mayReplace(l *lease) bool {
	if !l.proved.Load() && time.Since(l.issued) < verifiedFor {
		return false
	}
	return n.replaced.Allow()
}

// alive tells whether the token is good and only the policy refused. A look
// that is refused without saying why counts as good while the token is young,
// so that such tokens are replaced now and then, not at each refusal.
func (n *session) alive(ctx context.Context, t target, l *lease) bool {
	now := time.Now()
	if verified := l.verified.Load(); verified != nil && now.Sub(*verified) < verifiedFor {
		return true
	}
	r := get(t, apiLookupSelf, "")
	a, err := n.src.exchange(ctx, &r, l.token)
	if err != nil || a.status != http.StatusForbidden {
		if err == nil && a.success() {
			l.verified.Store(&now)
		}
		return true
	}
	env, wellFormed := a.envelope()
	if !wellFormed {
		return true
	}
	return !env.refusesToken() && now.Sub(l.issued) < freshFor
}

const (
	apiLookupSelf = "auth/token/lookup-self"
	apiRenewSelf  = "auth/token/renew-self"
	apiRevokeSelf = "auth/token/revoke-self"
)
