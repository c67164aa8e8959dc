// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"errors"
	"net/http"
	"time"

	"github.com/scailabs/scaivault-go/internal/retry"
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

func (r RetryConfig) bounds() retry.Bounds { return retry.Bounds(r) }

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
