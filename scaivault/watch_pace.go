// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
)

// The pace of a watch. Both limits leave room, within what the service allows
// an identity in one minute: 20 operations of subscriptions and 240 polls.
const (
	watchOperationEvery = 4 * time.Second // 19 in the first minute, 15 in each other
	watchOperationBurst = 4
	watchPollEvery      = time.Second
	watchPollBurst      = 4

	watchMinWait       = time.Second
	watchMaxWait       = 30 * time.Second
	watchMaxRetryAfter = 10 * time.Minute // longer is rather a proxy's page than the service's wish
)

// A watchPace keeps a watch from asking too often, whatever the service says.
type watchPace struct{ operations, polls *rate.Limiter }

func newWatchPace() watchPace {
	return watchPace{
		operations: rate.NewLimiter(rate.Every(watchOperationEvery), watchOperationBurst),
		polls:      rate.NewLimiter(rate.Every(watchPollEvery), watchPollBurst),
	}
}

// operate waits until the subscription may be made or acknowledged, and reports
// false when ctx has ended.
func (p watchPace) operate(ctx context.Context) bool {
	return pause(ctx, p.operations.Reserve().Delay())
}

// poll waits until a poll may be made, and reports false when ctx has ended.
func (p watchPace) poll(ctx context.Context) bool { return pause(ctx, p.polls.Reserve().Delay()) }

// afterFailure says how long to wait after so many failures in a row: an
// exponential time with full jitter. A no will stay one for a while, unless it
// is that the subscription is lost, which a new one helps against.
func (p watchPace) afterFailure(err error, lost bool, failures int) time.Duration {
	wait := rand.N(exponential(failures))
	if !lost && (isNo(err) || errors.Is(err, ErrUnauthenticated)) {
		wait = watchMaxWait/2 + rand.N(watchMaxWait/2)
	}
	var e *Error
	if errors.As(err, &e) {
		wait += min(e.RetryAfter, watchMaxRetryAfter)
	}
	return wait
}

// exponential is 1, 2, 4, … seconds up to the maximum.
func exponential(n int) time.Duration {
	return min(watchMaxWait, watchMinWait<<min(n-1, 10))
}

// pause waits, and reports false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
