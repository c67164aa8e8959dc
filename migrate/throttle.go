// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A teller says what a service has told about its rate limits, as
// *scaivault.Client does.
type teller interface{ Stats() scaivault.ClientStats }

// A throttle keeps the requests of one kind to one service below its limit: the
// one that the service tells in its answers, else one that is learnt from its
// refusals. Until either is known, nothing is held back. Where somebody was
// refused, everybody waits as long as the service asks.
type throttle struct {
	told     func() scaivault.RateLimit // nil: the service tells nothing
	mu       sync.Mutex                 // guards all below
	quiet    time.Time                  // nobody asks before
	bucket   *rate.Limiter              // nil while no limit is known
	limit    int                        // what the service told, per minute; 0 for none
	heard    time.Time                  // when it said what is known
	window   scaivault.RateLimit        // the first that it said with this Reset
	underWay int                        // requests that were begun and not answered
	accepted int                        // since the last refusal
	since    time.Time                  // the last refusal; zero for none
}

func newThrottle(service any, category scaivault.Category) *throttle {
	t := &throttle{}
	if s, ok := service.(teller); ok && category != "" {
		t.told = func() scaivault.RateLimit { return s.Stats().Limits[category] }
	}
	return t
}

// do makes a request when it is its turn, and again while the service says that
// it is asked too often, maxTries times at most. Its error is that of the last
// request, or of ctx.
func (t *throttle) do(ctx context.Context, request func() error) error {
	for try := 1; ; try++ {
		if err := t.turn(ctx); err != nil {
			return err
		}
		err := request()
		if !isLimited(err) {
			t.answered()
			return err
		}
		t.refused(askedWait(err, try))
		if try == maxTries {
			return err
		}
	}
}

// isLimited tells whether a service refused because of its rate limit, so that
// nothing was done.
func isLimited(err error) bool {
	return errors.Is(err, scaivault.ErrRateLimited) && !errors.Is(err, scaivault.ErrUncertain)
}

// askedWait is how long to wait after a refusal, the given number of tries
// having been made.
func askedWait(err error, tries int) time.Duration {
	var e *scaivault.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	return firstWait << (tries - 1)
}

// turn waits until a request may be sent. Its error is that of ctx.
func (t *throttle) turn(ctx context.Context) error {
	if err := sleep(ctx, t.reserve()); err != nil {
		t.dismiss()
		return err
	}
	for { // somebody may have been refused meanwhile
		t.mu.Lock()
		left := time.Until(t.quiet)
		t.mu.Unlock()
		if left <= 0 {
			return nil
		}
		if err := sleep(ctx, left); err != nil {
			t.dismiss()
			return err
		}
	}
}

// reserve takes the next free turn and returns how long it is until then.
func (t *throttle) reserve() time.Duration {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told != nil {
		t.learn(t.told())
	}
	t.underWay++
	if t.bucket == nil {
		return t.quiet.Sub(now)
	}
	from := now // turns come one after another behind a time of quiet, too
	if t.quiet.After(now) {
		from = t.quiet
	}
	return t.bucket.ReserveN(from, 1).DelayFrom(now)
}

func (t *throttle) dismiss() {
	t.mu.Lock()
	t.underWay--
	t.mu.Unlock()
}

// spare is how much of a limit stays unused, once and not in each minute:
// requests arrive less evenly than they were sent. It is 0.6 s' worth, and one.
func spare(limit int) int { return min(limit/2, 1+limit/100) }

// learn takes in what the service said. The caller holds mu.
func (t *throttle) learn(told scaivault.RateLimit) {
	if told.Limit <= 0 || !told.At.After(t.heard) {
		return
	}
	t.heard = told.At
	left := told.Remaining - spare(told.Limit)
	if told.Limit != t.limit {
		t.limit = told.Limit
		t.bucket = rate.NewLimiter(rate.Limit(float64(told.Limit)/60), told.Limit)
		left -= t.underWay // some of those may not be counted yet
	}
	if t.inWindow(told) && told.Remaining <= t.underWay && told.Reset.After(t.quiet) {
		t.quiet = told.Reset
	}
	// Others may use the same identity: never think that more is left than is.
	if over := int(t.bucket.TokensAt(told.At)) - left; over > 0 {
		t.bucket.ReserveN(told.At, min(over, t.bucket.Burst()))
	}
}

// inWindow tells whether the service counts in windows, at the end of which all
// is there again at once: then less is left, and the time when all is there again
// has not moved, as it does where a limit fills up evenly. The caller holds mu.
func (t *throttle) inWindow(told scaivault.RateLimit) bool {
	const rounding = 1100 * time.Millisecond // such times are whole seconds
	if told.Reset.IsZero() || told.Reset.Sub(t.window.Reset).Abs() > rounding {
		t.window = told
		return false
	}
	used := time.Duration(t.window.Remaining-told.Remaining) * time.Minute / time.Duration(told.Limit)
	return used > 2*rounding
}

// A limit that is learnt from refusals begins a little below what was let
// through between two of them, at once or evenly, shrinks with every further
// one, and grows again while there is none.
const (
	learntShare  = 0.95
	growAfter    = 100
	growthFactor = 1.02
)

func (t *throttle) answered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.underWay--
	if t.accepted++; t.bucket != nil && t.limit == 0 && t.accepted%growAfter == 0 {
		t.bucket.SetLimit(t.bucket.Limit() * growthFactor)
	}
}

// refused makes everybody wait, and learns.
func (t *throttle) refused(wait time.Duration) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.underWay--
	before := t.quiet
	if until := now.Add(wait); until.After(t.quiet) {
		t.quiet = until
	}
	if now.Before(before) || t.limit > 0 {
		return // of several that were under way, the first counts
	}
	switch {
	case t.bucket != nil && t.accepted < 2*t.bucket.Burst(): // too many at once, not too many
		t.bucket.SetBurst(max(1, t.bucket.Burst()/2))
	case t.bucket != nil:
		t.bucket.SetLimit(t.bucket.Limit() * learntShare)
	case !t.since.IsZero() && t.accepted > 0:
		perSecond := float64(t.accepted) / now.Sub(t.since).Seconds()
		t.bucket = rate.NewLimiter(rate.Limit(perSecond*learntShare), max(1, int(float64(t.accepted)*learntShare)))
	}
	t.since, t.accepted = now, 0
}
