// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/internal/retry"
	"github.com/scailabs/scaivault-go/scaivault"
)

// login logs in and keeps the token. There is one login at a time. After one
// that was refused it returns that refusal for a while, and after one without
// an answer it waits a moment.
func (n *session) login(ctx context.Context, why string) (*lease, error) {
	pause, refusal := n.rest()
	if refusal != nil {
		return nil, refusal
	}
	if pause > 0 && !retry.Sleep(ctx, pause) {
		return nil, n.src.failure(target{op: "log in"}, scaivault.ErrUnavailable, "the last login failed, and there is no time for another")
	}
	start := time.Now()
	l, e := n.logIn(ctx, start)
	info := LoginInfo{Why: why, Took: time.Since(start)}
	if e != nil {
		n.fail(e)
		info.Err = e
		n.src.trace.login(info)
		return nil, e
	}
	info.Lease, info.Renewable = l.asked, l.renewable
	n.src.trace.login(info)
	n.keep(l)
	return l, nil
}

func (n *session) logIn(ctx context.Context, start time.Time) (*lease, *scaivault.Error) {
	// A shallow copy: what the method sets on it, such as a token, stays there.
	client := n.client.WithNamespace(n.client.Namespace())
	secret, err := n.auth.Login(ctx, client)
	if err != nil {
		return nil, n.loginError(ctx, err)
	}
	if secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "" || !printableToken(secret.Auth.ClientToken) {
		return nil, n.src.failure(target{op: "log in"}, scaivault.ErrUnavailable, "the login was answered without a token")
	}
	l := &lease{token: secret.Auth.ClientToken, issued: start, renewable: secret.Auth.Renewable}
	if seconds := secret.Auth.LeaseDuration; seconds > 0 {
		l.asked = time.Duration(seconds) * time.Second
		l.end = start.Add(l.asked)
	}
	return l, nil
}

// loginError is for a login without a token. Vault answers wrong credentials
// with 400.
func (n *session) loginError(ctx context.Context, err error) *scaivault.Error {
	t := target{op: "log in"}
	if ended := n.src.ended(ctx, t); ended != nil {
		return ended
	}
	var own *scaivault.Error // of the way to Vault
	if errors.As(err, &own) {
		return own
	}
	var refused *api.ResponseError
	if !errors.As(err, &refused) {
		reason, shown := n.src.explain(err)
		if reason == "" {
			reason = "the login failed"
		}
		e := n.src.failure(t, scaivault.ErrUnavailable, reason)
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
	e := n.src.failure(t, kind, reason)
	e.Status = refused.StatusCode
	return e
}
