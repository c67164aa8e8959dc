// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"cmp"
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/scailabs/scaivault-go/internal/retry"
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
	told func() scaivault.RateLimit // nil: the service tells nothing
	line chan struct{}              // holds who is next
	less chan struct{}              // holds that fewer requests are under way

	first    int                 // how many may be under way in the beginning
	mu       sync.Mutex          // guards all below
	quiet    time.Time           // nobody asks before
	bucket   *rate.Limiter       // nil while no limit is known
	limit    int                 // what the service told, per minute; 0 for none
	heard    time.Time           // when it said what is known
	window   scaivault.RateLimit // the first that it said with this Reset
	underWay int                 // requests that were sent and not answered
	learnt   yield               // where it tells nothing
	accepted int                 // since the refusal at the time since
	since    time.Time           // of the last refusal that counts; zero for none
	inRow    int                 // refusals that count, and no answer since
	stalled  time.Time           // the first of those; zero for none
	over     bool                // nobody asks any more
}

const (
	// firstAtOnce is how many requests are under way in the beginning, while
	// nothing is known of a limit.
	firstAtOnce = 8
	// maxStall is how long to wait for a service that takes nothing at all.
	maxStall = time.Hour
	// untilLess stands for the time until fewer requests are under way.
	untilLess = -1
)

// newThrottle keeps the requests below the limit of a category, or of any kind
// where that is empty. Where the caller says how many workers there are, all may
// ask from the beginning.
func newThrottle(service any, category scaivault.Category, workers int) *throttle {
	t := &throttle{line: make(chan struct{}, 1), less: make(chan struct{}, 1), first: cmp.Or(workers, firstAtOnce)}
	if s, ok := service.(teller); ok && category != "" {
		t.told = func() scaivault.RateLimit { return s.Stats().Limits[category] }
	}
	return t
}

// do makes a request when it is its turn, and again while the service says that
// it is asked too often, maxTries times at most. Its error is that of the last
// request, or of ctx.
func (t *throttle) do(ctx context.Context, request func(context.Context) error) error {
	paced := retry.Paced(ctx)
	for try := 1; ; try++ {
		if err := t.turn(ctx); err != nil {
			return err
		}
		err := request(paced)
		if !isLimited(err) {
			t.answered()
			return err
		}
		t.refused(err)
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
	if wait := toldWait(err); wait > 0 {
		return wait
	}
	return firstWait << (tries - 1)
}

// toldWait is how long the service asks to wait, or 0.
func toldWait(err error) time.Duration {
	var e *scaivault.Error
	if !errors.As(err, &e) {
		return 0
	}
	return max(0, e.RetryAfter)
}

// turn waits until a request may be sent. Its error is that of ctx. Those who
// wait stand in line, so that what is learnt meanwhile counts for all but the
// first of them.
func (t *throttle) turn(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case t.line <- struct{}{}:
		defer func() { <-t.line }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		wait, err := t.begin()
		switch {
		case wait == 0 || err != nil:
			return err
		case wait > 0:
			_ = sleep(ctx, wait)
		default:
			select {
			case <-t.less:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// begin begins a request and returns 0, or it returns how long it is until one
// may begin: untilLess where that is when another one ends.
func (t *throttle) begin() (time.Duration, error) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told != nil {
		t.learn(t.told())
	}
	switch left := t.quiet.Sub(now); {
	case t.over:
		return 0, &scaivault.Error{
			Kind: scaivault.ErrRateLimited, RetryAfter: max(0, left),
			Reason: "the service takes nothing because of its rate limit, and is not asked any more; run again later",
		}
	case left > 0:
		return left, nil
	case t.full():
		return untilLess, nil
	case t.bucket != nil && !t.bucket.AllowN(now, 1):
		lacking := (1 - t.bucket.TokensAt(now)) / float64(t.bucket.Limit())
		return max(time.Microsecond, time.Duration(lacking*float64(time.Second))), nil
	}
	t.underWay++
	return 0, nil
}

// full tells whether nothing may begin before something ends, where no limit is
// known: all that is under way when the first request is refused will be refused,
// so there is not much at first; and to find the limit, one at a time is sent.
// The caller holds mu.
func (t *throttle) full() bool {
	switch {
	case t.bucket != nil:
		return false
	case t.since.IsZero():
		return t.underWay >= t.first+t.accepted/16
	default:
		return t.underWay > t.accepted/128
	}
}

// ended notes that a request is not under way any more. The caller holds mu.
func (t *throttle) ended() {
	t.underWay--
	select {
	case t.less <- struct{}{}:
	default:
	}
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

// A yield is how many requests a service took in a time at both ends of which
// it had nothing left: what it gives, however much it gives at once.
type yield struct{ requests, seconds float64 }

// muchAtOnce is how many requests a service must take at once, each time that
// there was a wait, so that nothing needs to be spread over that time.
const muchAtOnce = 100

// maxYield is how many requests are remembered, so that a limit that changes is
// learnt anew.
const maxYield = 1000

// and adds what came since. Where that is far less than was to be expected, or
// more than before for a good while, what was before counts less or not at all.
func (y yield) and(requests int, d time.Duration) yield {
	since := yield{float64(requests), max(d.Seconds(), 0.001)}
	switch {
	case since.requests >= y.requests/2 && since.perSecond() >= y.perSecond():
		return since
	case since.requests < y.requests/8:
		y = yield{y.requests / 2, y.seconds / 2}
	}
	y = yield{y.requests + since.requests, y.seconds + since.seconds}
	if y.requests > maxYield {
		y = yield{maxYield, maxYield / y.perSecond()}
	}
	return y
}

func (y yield) perSecond() float64 {
	if y.seconds == 0 {
		return 0
	}
	return y.requests / y.seconds
}

// A limit that nobody tells is sought from the first refusal on: by one request
// after the other, as fast as they are answered, until the next refusal. That
// tells the yield, by one request more or less. So one more is asked for than
// that, until the next refusal tells it better; where none comes, a little more
// still.
func (t *throttle) answered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended()
	t.inRow, t.stalled = 0, time.Time{}
	t.accepted++
	if n := t.learnt.requests; t.bucket != nil && t.limit == 0 && t.accepted%max(10, int(n)) == 0 {
		t.bucket.SetLimit(t.bucket.Limit() * rate.Limit(1+max(0.05, 1/math.Sqrt(n))))
	}
}

// refused makes everybody wait, for as long as the service has told, and learns.
// Of several that were under way, the first counts.
func (t *throttle) refused(err error) {
	told, now := toldWait(err), time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended()
	first := !now.Before(t.quiet)
	wait := told
	if first && (told <= 0 || t.inRow > 0) { // it has told too little, or nothing
		wait = max(told, t.patience())
	}
	if until := now.Add(wait); until.After(t.quiet) {
		t.quiet = until
	}
	if t.stalled.IsZero() {
		t.stalled = now
	}
	t.over = t.over || t.quiet.Sub(t.stalled) > maxStall
	if !first {
		return
	}
	t.inRow++
	switch {
	case t.limit > 0:
		return
	case t.since.IsZero():
	case t.accepted == 0:
		return // it had nothing left then, and has nothing now
	case t.bucket == nil && t.accepted >= muchAtOnce:
	default:
		t.learnt = t.learnt.and(t.accepted, now.Sub(t.since))
		t.bucket = rate.NewLimiter(rate.Limit(t.learnt.perSecond()*(1+1/t.learnt.requests)), 1)
	}
	t.since, t.accepted = now, 0
}

// patience is how long to wait where the service does not say it: until one more
// request will be taken, and twice as long each time that none is. The caller
// holds mu.
func (t *throttle) patience() time.Duration {
	wait := firstWait
	if pace := t.learnt.perSecond(); pace > 0 {
		wait = max(time.Duration(float64(time.Second)/pace), 10*time.Millisecond)
	}
	return min(wait<<min(t.inRow, 6), time.Minute)
}
