// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/scailabs/scaivault-go/scaivault"
)

// The pace of WaitHealthy keeps it well below the 20 operations that the managed
// service allows in a minute.
const (
	firstWait = time.Second
	longWait  = 30 * time.Second
)

// WaitHealthy asks for the status until the backend is healthy, as [Status.Healthy]
// has it, at growing intervals of up to 30 seconds. It goes on while the service is unavailable or limits the
// rate, and ends with any other error.
//
// It has no time limit but ctx, and takes no word that it does not know for healthy: give
// it a deadline. When ctx ends, the error matches that of ctx and says
// what the last status was, or why there was none.
func (c *Client) WaitHealthy(ctx context.Context, id string) error {
	op := "wait for federation backend " + printable(id)
	if err := checkID(op, id); err != nil {
		return err
	}
	pace := newPace()
	last, lastErr := "", error(nil)
	look := func() error {
		s, err := c.Status(ctx, id)
		if ctx.Err() != nil && err != nil {
			return backoff.Permanent(ctx.Err())
		}
		pace.atLeast = retryAfter(err)
		switch lastErr = err; {
		case err != nil && !passing(err):
			return backoff.Permanent(err)
		case err != nil:
			return err
		case !s.Healthy():
			last = s.String()
			return errNotHealthy
		}
		return nil
	}
	err := backoff.Retry(look, backoff.WithContext(pace, ctx))
	if err == nil || ctx.Err() == nil {
		return err
	}
	return interrupted(op, ctx.Err(), last, lastErr)
}

var errNotHealthy = errors.New("not healthy yet")

func interrupted(op string, cause error, last string, lastErr error) error {
	reason := "no status was read"
	if last != "" {
		reason = "the last answer was " + last
	}
	if lastErr != nil {
		cause = fmt.Errorf("%w; the last attempt: %w", cause, lastErr)
	}
	return &scaivault.Error{Op: op, Source: source, Reason: reason, Err: cause}
}

// passing tells whether an error can go away by itself.
func passing(err error) bool {
	return errors.Is(err, scaivault.ErrUnavailable) || errors.Is(err, scaivault.ErrRateLimited)
}

func retryAfter(err error) time.Duration {
	var e *scaivault.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// A pace grows, and waits longer where the service asks for it.
type pace struct {
	*backoff.ExponentialBackOff
	atLeast time.Duration
}

func newPace() *pace {
	return &pace{ExponentialBackOff: backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(firstWait),
		backoff.WithMultiplier(2),
		backoff.WithMaxInterval(longWait),
		backoff.WithRandomizationFactor(0.2),
		backoff.WithMaxElapsedTime(0))}
}

// NextBackOff is how long to wait.
func (p *pace) NextBackOff() time.Duration {
	return max(p.ExponentialBackOff.NextBackOff(), p.atLeast)
}
