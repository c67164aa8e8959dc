// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxTries is how often one job is begun when a service says that it is
	// asked too often.
	maxTries = 6
	// firstWait is how long to wait where it does not say how long; each
	// further try doubles it.
	firstWait = time.Second
)

// A pacer spaces the secrets of a run, and makes all workers wait when one of
// them was told to ask later.
type pacer struct {
	limiter *rate.Limiter // nil: no limit

	mu    sync.Mutex
	quiet time.Time // nobody asks before; guarded by mu
}

func newPacer(perSecond float64) *pacer {
	if perSecond == 0 {
		return &pacer{}
	}
	return &pacer{limiter: rate.NewLimiter(rate.Limit(perSecond), 1)}
}

// turn waits until the next secret may begin. Its error is that of ctx.
func (p *pacer) turn(ctx context.Context) error {
	if p.limiter == nil {
		return ctx.Err()
	}
	// Not Wait: that fails at once where the deadline is nearer than the turn.
	r := p.limiter.Reserve()
	return sleep(ctx, r.Delay())
}

// calm waits until no service asks for quiet. Its error is that of ctx.
func (p *pacer) calm(ctx context.Context) error {
	for {
		p.mu.Lock()
		left := time.Until(p.quiet)
		p.mu.Unlock()
		if left <= 0 {
			return ctx.Err()
		}
		if err := sleep(ctx, left); err != nil {
			return err
		}
	}
}

// again tells whether to try once more after err, the given number of tries
// having been made: only where the service asked for it. It makes everybody
// wait as long as the service asks.
func (p *pacer) again(ctx context.Context, err error, tries int) bool {
	if !isLimited(err) || tries >= maxTries {
		return false
	}
	wait := askedWait(err, tries)
	p.mu.Lock()
	if until := time.Now().Add(wait); until.After(p.quiet) {
		p.quiet = until
	}
	p.mu.Unlock()
	return p.calm(ctx) == nil
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
