// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/time/rate"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A session holds the token that Config.Auth got, and keeps it good.
type session struct {
	src      *Source
	auth     api.AuthMethod
	client   *api.Client // what auth gets, as a copy
	logins   flights[*lease]
	replaced *rate.Limiter // logins because a token was refused
	current  atomic.Pointer[lease]

	mu       sync.Mutex // guards all below
	closed   bool
	timer    *time.Timer      // for the next renewal; nil before the first login
	failed   int              // logins in a row
	refused  *scaivault.Error // the last login's refusal, or nil
	failedAt time.Time        // when the last login failed
	delay    time.Duration    // of the renewal that failed last; zero after one that did not
}

// How often a login may be made that nobody but a refusal asks for.
const (
	replaceEvery = 10 * time.Second
	replaceBurst = 3
)

func newSession(s *Source, auth api.AuthMethod, client *api.Client) *session {
	return &session{src: s, auth: auth, client: client, replaced: rate.NewLimiter(rate.Every(replaceEvery), replaceBurst)}
}

// token returns the session's token. It waits for a login only where there is
// no good one.
func (n *session) token(ctx context.Context, t target) (string, error) {
	if l := n.current.Load(); l.good() {
		return l.token, nil
	}
	l, err := n.join(ctx).wait(ctx)
	if err != nil {
		return "", n.src.sharedError(ctx, t, err)
	}
	return l.token, nil
}

// join starts a login unless one is under way.
func (n *session) join(ctx context.Context) *flight[*lease] {
	fl, _ := n.logins.join("", n.src.spawner(ctx), func(ctx context.Context) (*lease, error) {
		if l := n.current.Load(); l.good() {
			return l, nil // somebody else's login has landed in between
		}
		return n.login(ctx, "there is no token, or none that is good")
	})
	return fl
}

// proved takes note that a token was accepted.
func (n *session) proved(token string) {
	if n == nil {
		return
	}
	if l := n.current.Load(); l != nil && l.token == token && !l.proved.Load() {
		l.proved.Store(true)
	}
}

// keep makes a lease the current one and plans its renewal.
func (n *session) keep(l *lease) {
	n.current.Store(l)
	n.mu.Lock()
	n.failed, n.refused, n.delay = 0, nil, 0
	n.mu.Unlock()
	if !l.end.IsZero() {
		n.plan(l.renewAfter())
	}
}

// plan has the lease renewed after a while.
func (n *session) plan(after time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
	case n.timer == nil:
		n.timer = time.AfterFunc(after, func() { n.src.inBackground(n.refresh) })
	default:
		n.timer.Reset(after)
	}
}

// refresh renews the lease, or logs in anew. While that fails the token still
// serves, and it is tried again, so that no call has to wait for a login: to the
// end of the lease, and beyond it while Vault gives no answer. After a refusal
// the next call logs in.
func (n *session) refresh(ctx context.Context) {
	l := n.current.Load()
	if l == nil {
		return // closed, or a call logs in
	}
	err := n.extend(ctx, l)
	if err == nil {
		return
	}
	n.mu.Lock()
	n.delay = max(loginPause, min(2*n.delay, maxLoginPause))
	delay := n.delay
	n.mu.Unlock()
	switch left := time.Until(l.end); {
	case left > minRenewal:
		n.plan(min(delay, left/2))
	case !errors.Is(err, scaivault.ErrUnauthenticated):
		n.plan(delay)
	}
}

// extend makes one attempt to renew or to replace a lease. A renewal without an
// answer is no reason to replace it until the lease is near its end: then a
// login may be answered nevertheless.
func (n *session) extend(ctx context.Context, l *lease) error {
	why := "the token cannot be renewed any longer"
	switch {
	case !l.good():
		why = "the lease of the token has ended"
	case l.renewable:
		next, err := n.tryRenewal(ctx, l)
		switch {
		case err == nil && n.current.Load() == l:
			n.keep(next)
			return nil
		case err == nil:
			return nil // another token is in use by now
		case !isLost(err) && !l.nearEnd():
			return err
		}
		why = "the token was not renewed"
	}
	return n.replace(ctx, l, why)
}

// tryRenewal asks for a renewal once, and tells the trace. It leaves time for a
// login before the lease ends.
func (n *session) tryRenewal(ctx context.Context, l *lease) (*lease, error) {
	start := time.Now()
	bounded, cancel := context.WithTimeout(ctx, min(n.src.timeout/2, time.Until(l.end)/3))
	defer cancel()
	next, err := n.renew(bounded, l)
	info := RenewalInfo{Took: time.Since(start), Err: err}
	if err == nil {
		info.Lease = next.end.Sub(start)
	}
	n.src.trace.renewal(info)
	return next, err
}

// replace logs in, unless somebody has, and gives the token of before back.
func (n *session) replace(ctx context.Context, l *lease, why string) error {
	fl, _ := n.logins.join("", n.src.spawner(ctx), func(ctx context.Context) (*lease, error) {
		if now := n.current.Load(); now != l && now.good() {
			return now, nil // a call's login has landed in between
		}
		return n.login(ctx, why)
	})
	next, err := fl.wait(ctx)
	if err == nil && next.token != l.token && l.good() {
		// Requests under way with it are sent again with the new one.
		_ = n.revoke(ctx, l) // the trace has it; the token ends by itself
	}
	return err
}

const (
	// minRenewal is what a lease must have left for another attempt to renew it.
	minRenewal = 100 * time.Millisecond
	// loginPause is the first pause after a refused login. It doubles, to
	// maxLoginPause: others must not be locked out by our trying.
	loginPause    = time.Second
	maxLoginPause = time.Minute
	// outagePause is the first pause after a login without an answer. It
	// doubles, to maxOutagePause.
	outagePause    = 100 * time.Millisecond
	maxOutagePause = time.Second
)

// rest returns the refusal of a login that was a moment ago, or how long to
// wait before the next login.
func (n *session) rest() (time.Duration, *scaivault.Error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failed == 0 {
		return 0, nil
	}
	first, most := outagePause, maxOutagePause
	if n.refused != nil {
		first, most = loginPause, maxLoginPause
	}
	pause := min(first<<min(n.failed-1, 10), most) - time.Since(n.failedAt)
	if pause <= 0 {
		return 0, nil
	}
	return pause, n.refused
}

// fail takes note of a login that failed.
func (n *session) fail(e *scaivault.Error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	refused := errors.Is(e, scaivault.ErrUnauthenticated)
	if refused != (n.refused != nil) {
		n.failed = 0
	}
	n.refused = nil
	if refused {
		n.refused = e
	}
	n.failed, n.failedAt = n.failed+1, time.Now()
}

// close ends the renewal and gives the token back.
func (n *session) close(ctx context.Context) error {
	n.mu.Lock()
	n.closed = true
	if n.timer != nil {
		n.timer.Stop()
	}
	n.mu.Unlock()
	if l := n.current.Swap(nil); l.good() {
		return n.revoke(ctx, l)
	}
	return nil
}
