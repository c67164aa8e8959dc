// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/scailabs/scaivault-go/internal/retry"
	"github.com/scailabs/scaivault-go/internal/wire"
)

// A PaceConfig keeps a [Client] below the service's rate limits, so that it
// waits instead of being refused. The zero value does not: then the Client
// learns of a limit by 429, and waits as the service says.
type PaceConfig struct {
	// Enabled lets each request wait for its turn, within its ctx. A call that
	// could not get it in time fails at once with ErrRateLimited.
	Enabled bool
	// Share is the part of each limit to use, above 0 and up to 1; give less
	// where several clients share an identity. If zero, 0.9.
	Share float64
	// PerMinute are the limits of a service of your own, in units per minute,
	// by category, in place of the managed service's documented ones. What the
	// service says in its answers replaces both: to use less of a limit than
	// there is, lower Share. Zero or less means no limit. May be nil.
	PerMinute map[Category]int
}

func (p PaceConfig) share() float64 { return defaultTo(p.Share, 0.9) }

// A pacer learns the limits from the answers, and may keep below them.
type pacer struct {
	cfg PaceConfig

	mu      sync.Mutex // guards all below
	told    map[Category]RateLimit
	buckets map[Category]*bucket
}

// A bucket is the limiter of one category.
type bucket struct {
	limit  int
	tokens *rate.Limiter
	until  time.Time // the service told not to come before
}

func newPacer(cfg PaceConfig) *pacer {
	cfg.PerMinute = maps.Clone(cfg.PerMinute)
	return &pacer{cfg: cfg, told: map[Category]RateLimit{}, buckets: map[Category]*bucket{}}
}

// learn reads what an answer says about its category's limit.
func (p *pacer) learn(r *request, resp *http.Response) {
	if r.category == "" {
		return
	}
	now := time.Now()
	// A request that counts in two categories has headers of either.
	if quota, ok := wire.RateLimit(resp.Header, now); ok && r.units == 0 {
		p.tell(r.category, RateLimit{Limit: quota.Limit, Remaining: quota.Remaining, Reset: quota.Reset, At: now})
	}
	if resp.StatusCode == http.StatusTooManyRequests && p.cfg.Enabled {
		p.pause(r, now.Add(max(wire.RetryAfter(resp.Header, now), time.Second)))
	}
}

// tell keeps what the service said, and goes by it.
func (p *pacer) tell(category Category, told RateLimit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told[category] = told
	if !p.cfg.Enabled {
		return
	}
	b := p.bucket(category)
	if b == nil {
		return
	}
	if told.Limit > 0 && told.Limit != b.limit {
		b.resize(told.Limit, p.cfg.units(told.Limit), told.At)
	}
	// Others may use the same identity: never think that more is left than is.
	if spare := int(b.tokens.TokensAt(told.At)) - told.Remaining; spare > 0 {
		b.tokens.AllowN(told.At, spare)
	}
}

// pause keeps everything of the request's categories back for a while.
func (p *pacer) pause(r *request, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	categories := []Category{r.category}
	if r.units > 0 {
		categories = append(categories, CategoryRead)
	}
	for _, category := range categories {
		if b := p.bucket(category); b != nil {
			b.until = until
		}
	}
}

// bucket returns the limiter of a category, or nil where there is no limit.
func (p *pacer) bucket(category Category) *bucket {
	if b, ok := p.buckets[category]; ok {
		return b
	}
	limit, ok := p.cfg.PerMinute[category]
	if !ok {
		limit = documentedLimits[category]
	}
	if told := p.told[category].Limit; told > 0 {
		limit = told
	}
	if limit <= 0 {
		return nil // until the service tells one
	}
	units := p.cfg.units(limit)
	b := &bucket{limit: limit, tokens: rate.NewLimiter(perSecond(units), units)}
	p.buckets[category] = b
	return b
}

// units is how much of a limit is used; a minute's units are also the burst, as
// they are at the service.
func (p PaceConfig) units(limit int) int { return int(max(1, float64(limit)*p.share())) }

func perSecond(units int) rate.Limit { return rate.Limit(float64(units) / 60) }

func (b *bucket) resize(limit, units int, now time.Time) {
	b.limit = limit
	b.tokens.SetLimitAt(now, perSecond(units))
	b.tokens.SetBurstAt(now, units)
}

// wait waits for the request's turn.
func (p *pacer) wait(ctx context.Context, r *request) *Error {
	if !p.cfg.Enabled {
		return nil
	}
	if err := p.turn(ctx, r, r.category, 1); err != nil {
		return err
	}
	return p.turn(ctx, r, CategoryRead, r.units)
}

func (p *pacer) turn(ctx context.Context, r *request, category Category, units int) *Error {
	if category == "" || units == 0 {
		return nil
	}
	now := time.Now()
	p.mu.Lock()
	b := p.bucket(category)
	if b == nil {
		p.mu.Unlock()
		return nil
	}
	reservation := b.tokens.ReserveN(now, min(units, b.tokens.Burst()))
	delay := max(reservation.DelayFrom(now), b.until.Sub(now))
	p.mu.Unlock()
	if delay <= 0 {
		return nil
	}
	if r.once || !retry.Sleep(ctx, delay) {
		reservation.Cancel()
		return &Error{
			Kind: ErrRateLimited, Op: r.op, Source: sourceScaiVault, Path: wire.Printable(r.path), RetryAfter: delay,
			Reason: "the Client keeps below the limit of category " + string(category) + ", and it would be this call's turn too late",
		}
	}
	return nil
}

// known returns a copy of what the service said.
func (p *pacer) known() map[Category]RateLimit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.told)
}
