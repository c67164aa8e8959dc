// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// A RetryConfig bounds the repetition of a call. Reads are repeated as the
// service's own table of retry classes says: rate_limited and
// service_unavailable, internal_error once, and no answer at all; no other code.
// Writes are repeated only when nothing was sent or the rate was limited.
type RetryConfig struct {
	// MaxRetries is how many requests may follow the first. Going on to another
	// of ClientConfig.URLs is not one. If zero, 2. Negative disables.
	MaxRetries int
	// MinWait bounds the first wait, MaxWait all of them. Each is random between
	// zero and a bound that doubles (full jitter); the service's own Retry-After
	// comes on top of it. If zero, 100 milliseconds and 2 seconds.
	MinWait, MaxWait time.Duration
	// Budget is how many failed requests of the Client may be repeated before
	// one succeeds; every success gives a tenth of a request back. So in an
	// outage the Client soon sends each call once. It is the token bucket of
	// gRPC's proposal A6 with twice as many tokens. What the service told to
	// come back at a certain time because of its rate limit does not count. If
	// zero, 50. Negative means no bound.
	Budget int
}

func (r RetryConfig) minWait() time.Duration { return defaultTo(r.MinWait, 100*time.Millisecond) }
func (r RetryConfig) maxWait() time.Duration { return defaultTo(r.MaxWait, 2*time.Second) }
func (r RetryConfig) budget() int            { return defaultTo(r.Budget, 50) }

func (r RetryConfig) maxRetries() int {
	if r.MaxRetries < 0 {
		return 0
	}
	return defaultTo(r.MaxRetries, 2)
}

// waits has full jitter: the library takes its interval as the middle, so half
// of each bound makes everything between zero and the bound equally likely.
func (r RetryConfig) waits() backoff.BackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(r.minWait()/2),
		backoff.WithMultiplier(2),
		backoff.WithMaxInterval(max(r.minWait(), r.maxWait())/2),
		backoff.WithRandomizationFactor(1),
		backoff.WithMaxElapsedTime(0))
}

// A retryClass says how often a request may be repeated after a failure.
type retryClass uint8

const (
	retryNever retryClass = iota
	retryOnce
	retryAgain
)

// retryClassOf is the service's documented table for its codes. Where there is
// no code, nobody has answered that says no: again, but for an answer 500, which
// is like internal_error, and a redirect, which would come again.
func retryClassOf(e *Error) retryClass {
	var large tooLargeError
	switch {
	case errors.Is(e.Kind, ErrRateLimited) || e.Code == codeServiceUnavailable:
		return retryAgain
	case e.Code == codeInternalError:
		return retryOnce
	case e.Code != "" || !errors.Is(e.Kind, ErrUnavailable) || errors.As(e.Err, &large):
		return retryNever
	case e.Status/100 == 3:
		return retryNever
	case e.Status/100 == 5 && !isGatewayStatus(e.Status):
		return retryOnce
	default:
		return retryAgain
	}
}

// isGatewayStatus tells of a status by which an endpoint says that it, or what
// stands before it, is not there.
func isGatewayStatus(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// A retryBudget is a token bucket as in gRPC's proposal A6: a failure takes a
// token, a success gives a tenth back, and requests are repeated only while it
// is more than half full.
type retryBudget struct {
	mu     sync.Mutex // guards tokens
	tokens float64
	full   float64 // 0: no bound
}

// tokenRatio is what a success gives back.
const tokenRatio = 0.1

func newRetryBudget(size int) *retryBudget {
	full := float64(2 * max(0, size))
	return &retryBudget{tokens: full, full: full}
}

func (b *retryBudget) succeeded() {
	if b.full == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.full, b.tokens+tokenRatio)
}

// failed counts a failure and tells whether it may be repeated.
func (b *retryBudget) failed() bool {
	if b.full == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = max(0, b.tokens-1)
	return b.tokens >= b.full/2
}

// left is how many failures in a row may still be repeated.
func (b *retryBudget) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int(max(0, b.tokens-b.full/2))
}

// sleep waits, unless ctx ends or would end first.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
