// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"golang.org/x/time/rate"
)

const (
	// defaultTokenLife is the documented validity of a token.
	defaultTokenLife = time.Hour
	// minTokenLife keeps an issuer from being asked at every call.
	minTokenLife = time.Second
	// pastTokenLife is for a token that is expired when it comes: somebody's
	// clock is wrong, and the service may well take it.
	pastTokenLife = 10 * time.Second
	// maxTokenMargin bounds how long before its end a token is renewed.
	maxTokenMargin = 5 * time.Minute
	// maxTokenWait bounds how long an issuer's Retry-After can keep us away.
	maxTokenWait = 10 * time.Minute
	// maxTokenFlight bounds what a fetcher does, whatever bounds it has itself.
	maxTokenFlight = time.Minute
	// stormBurst and stormEvery bound how often a refused token is renewed: a
	// service that refuses each token is not helped by more of them.
	stormBurst, stormEvery = 5, 10 * time.Second
)

// An issuedToken is a token and when it expires; the zero time: unknown.
type issuedToken struct {
	reveal  func() string // nil: no token
	expires time.Time
}

func (t issuedToken) validAt(now time.Time) bool { return t.reveal != nil && now.Before(t.expires) }

// A tokenFetcher gets a new token from its issuer at each call.
type tokenFetcher interface {
	fetch(ctx context.Context) (issuedToken, error)
}

// A tokenCache keeps the token of a tokenFetcher and renews it before it
// expires: in the background, while calls go on with the old one, and only as
// long as there are calls. One request serves all who wait for it, and does not
// end because one of them gives up.
type tokenCache struct {
	fetcher tokenFetcher
	lane    *lane
	storms  *rate.Limiter

	mu       sync.Mutex // guards what is below; not held across I/O
	token    issuedToken
	renewAt  time.Time
	used     bool // the token, since it came
	flight   *tokenFlight
	failures backoff.BackOff
	retryAt  time.Time // the issuer is not asked before
	lastErr  *Error    // why the last request failed; nil: it did not
	timer    *time.Timer
	closed   bool
}

var _ TokenRenewer = (*tokenCache)(nil)

// A tokenFlight is one request under way. Its result is set before done closes.
type tokenFlight struct {
	done  chan struct{}
	asked bool // somebody waits; guarded by the cache's mu
	token issuedToken
	err   error
}

func newTokenCache(f tokenFetcher) *tokenCache {
	return &tokenCache{
		fetcher: f, lane: newLane(0), storms: rate.NewLimiter(rate.Every(stormEvery), stormBurst),
		failures: backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(250*time.Millisecond), backoff.WithMultiplier(2),
			backoff.WithMaxInterval(time.Minute), backoff.WithRandomizationFactor(0.5),
			backoff.WithMaxElapsedTime(0)),
	}
}

// Token returns the token at once while it is valid. Without one it waits for
// a request, or returns the last error while it is too early for another.
func (c *tokenCache) Token(ctx context.Context) (string, error) {
	c.mu.Lock()
	now := time.Now()
	if !c.closed && c.token.validAt(now) {
		defer c.mu.Unlock()
		c.used = true
		c.renewIfDue(now)
		return c.token.reveal(), nil
	}
	return c.waitUnlocking(ctx, now)
}

// Renew returns a token other than the refused one. It returns the refused one
// when so many were refused that another request would not help.
func (c *tokenCache) Renew(ctx context.Context, refused string) (string, error) {
	c.mu.Lock()
	now := time.Now()
	if !c.closed && c.token.validAt(now) {
		token := c.token.reveal()
		early := c.flight == nil && !now.Before(c.retryAt) // else there is nothing to count
		if token != refused || early && !c.storms.AllowN(now, 1) {
			c.used = true
			c.mu.Unlock()
			return token, nil
		}
	}
	return c.waitUnlocking(ctx, now)
}

// Format prints the same under every verb, and looks at nothing that another
// call may be changing.
func (c *tokenCache) Format(f fmt.State, _ rune) {
	// A printer that cannot print has nobody to tell.
	_, _ = io.WriteString(f, "cache of tokens")
}

// close cancels the request under way and waits for its end.
func (c *tokenCache) close() {
	c.mu.Lock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.lane.close()
}

// waitUnlocking waits for the request under way, or for a new one. It is called
// with mu locked.
func (c *tokenCache) waitUnlocking(ctx context.Context, now time.Time) (string, error) {
	if c.flight == nil && !c.closed && now.Before(c.retryAt) {
		defer c.mu.Unlock()
		return "", c.stillFailed(now)
	}
	if c.flight == nil {
		c.start()
	}
	f := c.flight
	if f == nil {
		c.mu.Unlock()
		return "", errTokenClosed()
	}
	f.asked = true
	c.mu.Unlock()
	select {
	case <-f.done:
		if f.err != nil {
			return "", f.err
		}
		return f.token.reveal(), nil
	case <-c.lane.ctx.Done():
		return "", errTokenClosed()
	case <-ctx.Done():
		return "", tokenInterrupted(ctx, opGetToken)
	}
}

// stillFailed is the last error while no new request is made.
func (c *tokenCache) stillFailed(now time.Time) error {
	last := *c.lastErr
	if last.RetryAfter > 0 {
		last.RetryAfter = c.retryAt.Sub(now)
	}
	return &last
}

// start starts a request, unless the cache is closed.
func (c *tokenCache) start() {
	f := &tokenFlight{done: make(chan struct{})}
	if !c.closed && c.lane.run(func() { c.fly(f) }) {
		c.flight = f
	}
}

// renewIfDue starts a request that nobody waits for.
func (c *tokenCache) renewIfDue(now time.Time) {
	if c.flight == nil && !now.Before(c.renewAt) && !now.Before(c.retryAt) {
		c.start()
	}
}

// fly makes the request. What a source does in here that it should not, such as
// a panic, is an error of the request and no end of the process.
func (c *tokenCache) fly(f *tokenFlight) {
	var token issuedToken
	failure := &Error{Kind: ErrUnauthenticated, Op: opGetToken, Reason: "the token source did not return"}
	defer func() {
		if p := recover(); p != nil { // its text can hold anything
			failure = &Error{Kind: ErrUnauthenticated, Op: opGetToken, Reason: fmt.Sprintf("the token source panicked with a %T", p)}
		}
		c.land(f, token, failure)
	}()
	ctx, cancel := context.WithTimeout(c.lane.ctx, maxTokenFlight)
	defer cancel()
	var err error
	switch token, err = c.fetcher.fetch(ctx); {
	case err == nil:
		failure = nil
	case ctx.Err() != nil: // which is not the ctx of any call
		failure = &Error{Kind: ErrUnavailable, Op: opGetToken, Reason: fmt.Sprintf("the token source gave none within %v", maxTokenFlight)}
	default:
		failure = asTokenError(err)
	}
}

func (c *tokenCache) land(f *tokenFlight, token issuedToken, failure *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(f.done)
	c.flight = nil
	switch now := time.Now(); {
	case c.closed:
		f.err = errTokenClosed()
	case failure != nil:
		c.failed(failure, now)
		f.err = failure
	default:
		c.take(token, now)
		c.used, f.token = f.asked, token
	}
}

// take makes a token the current one.
func (c *tokenCache) take(token issuedToken, now time.Time) {
	life := token.expires.Sub(now)
	switch {
	case token.expires.IsZero():
		life = defaultTokenLife
	case life <= 0:
		life = pastTokenLife
	}
	life = max(life, minTokenLife)
	token.expires = now.Add(life)
	margin := min(life/5, maxTokenMargin)
	margin -= rand.N(margin/5 + 1) // many instances start at the same time
	c.token, c.renewAt = token, token.expires.Add(-margin)
	c.lastErr, c.retryAt = nil, time.Time{}
	c.failures.Reset()
	c.schedule(c.renewAt, now)
}

// failed remembers an error, and how long to leave the issuer alone.
func (c *tokenCache) failed(e *Error, now time.Time) {
	wait := c.failures.NextBackOff()
	if left := c.token.expires.Sub(now); left > 0 { // the last minutes are not waited away
		wait = min(wait, max(left/2, time.Second))
	}
	wait = max(wait, min(e.RetryAfter, maxTokenWait))
	c.lastErr, c.retryAt = e, now.Add(wait)
	if c.token.validAt(c.retryAt) {
		c.schedule(c.retryAt, now)
	}
}

// schedule looks at the token again at a time without a call: else a service
// with few calls would meet an expired one, and whatever ails its issuer.
func (c *tokenCache) schedule(at, now time.Time) {
	if c.timer != nil {
		c.timer.Stop()
	}
	c.timer = time.AfterFunc(at.Sub(now), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if now := time.Now(); c.used && c.token.validAt(now) {
			c.renewIfDue(now)
		}
	})
}

func errTokenClosed() error { return &Error{Kind: ErrClosed, Op: opGetToken} }

// asTokenError keeps the category of an error that has one.
func asTokenError(err error) *Error {
	if e, ok := err.(*Error); ok && e.Kind != nil { //nolint:errorlint // a wrapped one says more than what it wraps
		return e
	}
	e := &Error{Kind: ErrUnauthenticated, Op: opGetToken, Err: err}
	var cause *Error
	switch {
	case errors.As(err, &cause) && cause.Kind != nil:
		e.Kind, e.RetryAfter = cause.Kind, cause.RetryAfter
	default:
		e.Reason, e.Err = "the token source has no token", aside(err)
	}
	return e
}

// aside keeps the cause out of the chain where it speaks of something else than
// the call that needed the token: a secret that the token itself is made with,
// or a context that is not the caller's.
func aside(err error) error {
	for _, other := range []error{context.Canceled, context.DeadlineExceeded, ErrNotFound, ErrPermission, ErrConflict, ErrInvalid} {
		if errors.Is(err, other) {
			return errors.New(err.Error())
		}
	}
	return err
}
