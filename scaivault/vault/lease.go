// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A lease is a token and how long it is good.
type lease struct {
	token     string
	issued    time.Time     // before the login was sent, so that it never seems younger
	end       time.Time     // zero: never
	asked     time.Duration // the lease that the login gave, and that renewals ask for
	renewable bool

	proved   atomic.Bool               // it was accepted
	verified atomic.Pointer[time.Time] // when Vault last said that it is good
}

// good tells whether the lease has not ended.
func (l *lease) good() bool { return l != nil && (l.end.IsZero() || time.Now().Before(l.end)) }

// renewAfter is when to renew a lease, or replace it, after what part of it: in
// time for several attempts, and not for all instances of a service at once.
func (l *lease) renewAfter() time.Duration {
	left := time.Until(l.end)
	return left*6/10 + rand.N(left/10+1) //nolint:gosec // jitter
}

// nearEnd tells whether so little of the lease is left that a renewal without an
// answer is followed by a login.
func (l *lease) nearEnd() bool { return time.Until(l.end) < l.asked/5 }

// extended is the lease after a renewal that gives it so long from now on. Where
// that is little, as the token nears the end that no renewal moves, it is the
// last one.
func (l *lease) extended(start time.Time, by time.Duration, renewable bool) *lease {
	next := &lease{
		token: l.token, issued: l.issued, end: start.Add(by), asked: l.asked,
		renewable: renewable && by >= l.asked/2,
	}
	next.proved.Store(true)
	next.verified.Store(&start)
	return next
}

// renew asks Vault to let a token live longer. The error is
// [scaivault.ErrUnauthenticated] where it does not know the token.
func (n *session) renew(ctx context.Context, l *lease) (*lease, error) {
	start := time.Now()
	t := target{op: "renew token"}
	// Renewing twice does no harm.
	r := request{
		target: t, method: http.MethodPut, api: apiRenewSelf, reads: true,
		body: fmt.Appendf(nil, `{"increment":"%ds"}`, int64(l.asked/time.Second)),
	}
	a, err := n.src.exchange(ctx, &r, l.token)
	if err == nil && !a.success() {
		err = n.src.refusal(t, a)
	}
	if err != nil {
		return nil, err
	}
	var w struct {
		Auth struct {
			LeaseDuration int64 `json:"lease_duration"`
			Renewable     bool  `json:"renewable"`
		} `json:"auth"`
	}
	if json.Unmarshal(a.body, &w) != nil {
		return nil, n.src.strange(t, a, "the answer to the renewal has another shape than Vault's")
	}
	if w.Auth.LeaseDuration <= 0 {
		return nil, n.src.failure(t, scaivault.ErrUnauthenticated, "the token has come to the end that no renewal moves")
	}
	return l.extended(start, time.Duration(w.Auth.LeaseDuration)*time.Second, w.Auth.Renewable), nil
}

// revoke gives a token back.
func (n *session) revoke(ctx context.Context, l *lease) error {
	t := target{op: "revoke token"}
	r := request{target: t, method: http.MethodPut, api: apiRevokeSelf, body: []byte("{}"), reads: true}
	a, err := n.src.exchange(ctx, &r, l.token)
	if err == nil && !a.success() {
		env, _ := a.envelope()
		gone := a.status == http.StatusForbidden && env.refusesToken() || a.status == http.StatusBadRequest && env.says("batch token")
		if !gone { // not before either, nor of the kind that cannot be revoked
			err = n.src.refusal(t, a)
		}
	}
	n.src.trace.revocation(RevocationInfo{Err: err})
	return err
}

// isLost tells whether Vault has answered that it will not renew the token.
func isLost(err error) bool {
	return errors.Is(err, scaivault.ErrUnauthenticated) || errors.Is(err, scaivault.ErrPermission) || errors.Is(err, scaivault.ErrInvalid)
}
