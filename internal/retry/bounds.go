// SPDX-License-Identifier: Apache-2.0

// Package retry bounds the repetition of requests.
package retry

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Bounds are what scaivault.RetryConfig says, which explains them; its fields
// are these.
type Bounds struct {
	MaxRetries       int
	MinWait, MaxWait time.Duration
	Budget           int
}

func (b Bounds) minWait() time.Duration { return defaultTo(b.MinWait, 100*time.Millisecond) }
func (b Bounds) maxWait() time.Duration { return defaultTo(b.MaxWait, 2*time.Second) }

// NewBudget returns the budget.
func (b Bounds) NewBudget() *Budget { return NewBudget(defaultTo(b.Budget, 50)) }

// Repeats is how many requests may follow the first.
func (b Bounds) Repeats() int {
	if b.MaxRetries < 0 {
		return 0
	}
	return defaultTo(b.MaxRetries, 2)
}

// Waits has full jitter: the library takes its interval as the middle, so half
// of each bound makes everything between zero and the bound equally likely.
func (b Bounds) Waits() backoff.BackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(b.minWait()/2),
		backoff.WithMultiplier(2),
		backoff.WithMaxInterval(max(b.minWait(), b.maxWait())/2),
		backoff.WithRandomizationFactor(1),
		backoff.WithMaxElapsedTime(0))
}

func defaultTo[T comparable](v, byDefault T) T {
	var zero T
	if v == zero {
		return byDefault
	}
	return v
}

// Sleep waits, unless ctx ends or would end first.
func Sleep(ctx context.Context, d time.Duration) bool {
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
