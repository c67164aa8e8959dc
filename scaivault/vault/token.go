// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/scaivault"
)

// token returns the token for a request.
func (s *Source) token(ctx context.Context, t target) (string, error) {
	if s.session != nil {
		return s.sessionToken(ctx, t)
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
	if s.session == nil {
		if fresh := s.owner.Token(); fresh != used && fresh != "" && printableToken(fresh) {
			return fresh, nil // it was renewed while the request was under way
		}
		return "", nil
	}
	now, ok := s.session.get()
	switch {
	case ok && now.token != used:
		return now.token, nil
	case ok && !env.refusesToken() && s.alive(ctx, t, now):
		return "", nil
	}
	s.session.forget(used)
	return s.sessionToken(ctx, t)
}

// A session holds the token that Config.Auth got.
type session struct {
	auth   api.AuthMethod
	logins flights[lease]

	mu      sync.Mutex // guards all below
	current *lease
	tried   time.Time        // when it was last tried to replace a token that was still good
	refused *scaivault.Error // the last login's refusal, or nil
	at      time.Time        // when that was
}

// A lease is a token and how long it is good.
type lease struct {
	token    string
	issued   time.Time // before the login was sent, so that it never seems younger
	renew    time.Time // when to log in again; zero: never
	end      time.Time // zero: never
	verified time.Time // when Vault last said that it is good
}

const (
	// renewBefore is how long before its end a token is replaced, at most: of
	// short leases it is a quarter.
	renewBefore = 30 * time.Second
	// loginPause is between two attempts to replace a token that is still good,
	// and after a refused login: others must not be locked out by our trying.
	loginPause = time.Second
	// verifiedFor is how long Vault's word that a token is good counts.
	verifiedFor = 10 * time.Second
	// freshFor is how long a new token is above doubt.
	freshFor = time.Minute
)

func (n *session) get() (lease, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.current == nil {
		return lease{}, false
	}
	return *n.current, true
}

func (n *session) set(l lease) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.current, n.refused = &l, nil
}

// refuse takes note of a refused login.
func (n *session) refuse(e *scaivault.Error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refused, n.at = e, time.Now()
}

// resting returns the refusal of a login that was a moment ago, or nil.
func (n *session) resting() *scaivault.Error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refused != nil && time.Since(n.at) < loginPause {
		return n.refused
	}
	return nil
}

// forget drops a token that Vault no longer knows.
func (n *session) forget(token string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.current != nil && n.current.token == token {
		n.current = nil
	}
}

func (n *session) verify(token string, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.current != nil && n.current.token == token {
		n.current.verified = at
	}
}

// mayTry tells whether a good token should be replaced now, and takes note of
// the attempt.
func (n *session) mayTry(l lease, now time.Time) bool {
	if l.renew.IsZero() || now.Before(l.renew) {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Sub(n.tried) < loginPause {
		return false
	}
	n.tried = now
	return true
}

// sessionToken returns the session's token. It waits for a login only where
// there is no good token; one that nears its end is replaced in the background.
func (s *Source) sessionToken(ctx context.Context, t target) (string, error) {
	now := time.Now()
	l, ok := s.session.get()
	if ok && (l.end.IsZero() || now.Before(l.end)) {
		if s.session.mayTry(l, now) {
			s.joinLogin(ctx) // if it fails, the token still serves
		}
		return l.token, nil
	}
	l, err := s.joinLogin(ctx).wait(ctx)
	if err != nil {
		return "", s.sharedError(ctx, t, err)
	}
	return l.token, nil
}

// joinLogin starts a login unless one is under way.
func (s *Source) joinLogin(ctx context.Context) *flight[lease] {
	fl, _ := s.session.logins.join("", s.spawner(ctx), s.login)
	return fl
}

// login logs in and keeps the token. There is one login at a time.
func (s *Source) login(ctx context.Context) (lease, error) {
	if e := s.session.resting(); e != nil {
		return lease{}, e
	}
	start := time.Now()
	// A shallow copy: what the method sets on it, such as a token, stays there.
	client := s.client.WithNamespace(s.client.Namespace())
	secret, err := s.session.auth.Login(ctx, client)
	if err != nil {
		e := s.loginError(ctx, err)
		if errors.Is(e, scaivault.ErrUnauthenticated) {
			s.session.refuse(e)
		}
		return lease{}, e
	}
	if secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "" || !printableToken(secret.Auth.ClientToken) {
		return lease{}, s.failure(target{op: "log in"}, scaivault.ErrUnavailable, "the login was answered without a token")
	}
	l := lease{token: secret.Auth.ClientToken, issued: start}
	if seconds := secret.Auth.LeaseDuration; seconds > 0 {
		duration := time.Duration(seconds) * time.Second
		l.end = start.Add(duration)
		l.renew = l.end.Add(-min(renewBefore, duration/4))
	}
	s.session.set(l)
	return l, nil
}

// loginError is for a login without a token. Vault answers wrong credentials
// with 400.
func (s *Source) loginError(ctx context.Context, err error) *scaivault.Error {
	t := target{op: "log in"}
	if ended := s.ended(ctx, t); ended != nil {
		return ended
	}
	var refused *api.ResponseError
	if !errors.As(err, &refused) {
		reason, shown := s.explain(err)
		kind := scaivault.ErrUnavailable
		if reason == "" {
			reason = "the login failed"
		}
		e := s.failure(t, kind, reason)
		e.Err = shown
		return e
	}
	kind := kindOf(refused.StatusCode, !refused.RawError)
	reason := "the login was refused; check the credentials of Config.Auth"
	switch {
	case errors.Is(kind, scaivault.ErrUnavailable), errors.Is(kind, scaivault.ErrRateLimited):
		reason = "the login got no usable answer"
	default:
		kind = scaivault.ErrUnauthenticated
	}
	e := s.failure(t, kind, reason)
	e.Status = refused.StatusCode
	return e
}

const (
	apiLookupSelf = "auth/token/lookup-self"
	apiRevokeSelf = "auth/token/revoke-self"
)

// alive tells whether the token is good and only the policy refused. A look
// that is refused without saying why counts as good while the token is young,
// so that such tokens are replaced now and then, not at each refusal.
func (s *Source) alive(ctx context.Context, t target, l lease) bool {
	now := time.Now()
	if now.Sub(l.verified) < verifiedFor {
		return true
	}
	a, err := s.send(ctx, request{target: t, method: http.MethodGet, api: apiLookupSelf}, l.token)
	if err != nil || a.status != http.StatusForbidden {
		if err == nil && a.success() {
			s.session.verify(l.token, now)
		}
		return true
	}
	env, wellFormed := a.envelope()
	if !wellFormed {
		return true
	}
	return !env.refusesToken() && now.Sub(l.issued) < freshFor
}

// revoke ends the session's token.
func (s *Source) revoke(ctx context.Context) error {
	l, ok := s.session.get()
	if !ok || !l.end.IsZero() && time.Now().After(l.end) {
		return nil
	}
	s.session.forget(l.token)
	t := target{op: "revoke token"}
	a, err := s.send(ctx, request{target: t, method: http.MethodPut, api: apiRevokeSelf}, l.token)
	if err != nil {
		return err
	}
	env, _ := a.envelope()
	if a.success() || a.status == http.StatusForbidden && env.refusesToken() || a.status == http.StatusBadRequest && env.says("batch token") {
		return nil // gone, or gone before, or of the kind that cannot be revoked
	}
	return s.refusal(t, a)
}
