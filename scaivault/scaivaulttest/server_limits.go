// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A Category is a group of endpoints with a rate limit of its own. The names are those
// of package scaivault.
type Category string

// The categories of the endpoints that the server has.
const (
	CategoryRead          Category = "read"
	CategoryWrite         Category = "write"
	CategoryDelete        Category = "delete"
	CategoryList          Category = "list"
	CategoryBatchRead     Category = "batch_read"
	CategoryBatchMetadata Category = "batch_metadata"
	CategoryAudit         Category = "audit"
	CategoryPolicy        Category = "policy"
	CategoryPolicyTest    Category = "policy_test"
	CategorySubscription  Category = "subscription"
	CategoryPoll          Category = "poll"
	CategoryFederation    Category = "federation"
	CategoryIdentity      Category = "identity"
)

// DocumentedLimits returns the limits of the managed service, in units per minute and
// identity. The map is the caller's own.
func DocumentedLimits() map[Category]int {
	return map[Category]int{
		CategoryRead:          1000,
		CategoryWrite:         100,
		CategoryDelete:        100,
		CategoryList:          100,
		CategoryBatchRead:     100,
		CategoryBatchMetadata: 100,
		CategoryAudit:         50,
		CategoryPolicy:        50,
		CategoryPolicyTest:    200,
		CategorySubscription:  20,
		CategoryPoll:          240,
		CategoryFederation:    20,
		CategoryIdentity:      300,
	}
}

// A limiter has one token bucket per identity and category. A bucket holds a minute's
// units, which is the burst, and fills continuously.
type limiter struct {
	limits map[Category]int // nil: no limits

	mu      sync.Mutex // guards all below
	buckets map[bucketKey]*bucket
}

type bucketKey struct {
	identityID string
	category   Category
}

type bucket struct {
	units float64
	at    time.Time // when units was right
}

func newLimiter(opts ServerOptions) *limiter {
	if opts.NoLimits {
		return &limiter{}
	}
	limits := DocumentedLimits()
	for category, limit := range opts.Limits {
		limits[category] = limit
	}
	return &limiter{limits: limits, buckets: map[bucketKey]*bucket{}}
}

// A quota is the state of a bucket after a request.
type quota struct {
	limit     int // zero: there is none
	remaining int
	full      time.Time     // when the bucket is full again
	wait      time.Duration // until the units that were missing are there
}

// take takes n units, or none, and tells which.
func (l *limiter) take(identityID string, category Category, n int) (quota, bool) {
	limit := l.limits[category]
	if limit <= 0 {
		return quota{}, true
	}
	now := time.Now()
	perSecond := float64(limit) / 60
	l.mu.Lock()
	defer l.mu.Unlock()
	key := bucketKey{identityID, category}
	b := l.buckets[key]
	if b == nil {
		b = &bucket{units: float64(limit), at: now}
		l.buckets[key] = b
	}
	b.units = math.Min(float64(limit), b.units+now.Sub(b.at).Seconds()*perSecond)
	b.at = now
	// What rounding took away must not refuse a unit that is due.
	const rounding = 1e-9
	ok := b.units+rounding >= float64(n)
	q := quota{limit: limit}
	if ok {
		b.units = math.Max(0, b.units-float64(n))
	} else {
		q.wait = seconds((float64(n) - b.units) / perSecond)
	}
	q.remaining = int(b.units + rounding)
	q.full = now.Add(seconds((float64(limit) - b.units) / perSecond))
	return q, ok
}

// seconds rounds up, so that whoever waits that long finds the unit there.
func seconds(s float64) time.Duration {
	return time.Duration(math.Ceil(s * float64(time.Second)))
}

// limit takes n units of a category for the caller, and tells the caller what is left.
func (c *serverCall) limit(category Category, n int) *refusal {
	q, ok := c.server.limits.take(c.grant.identityID, category, n)
	c.tellQuota(q)
	if ok {
		return nil
	}
	return q.refusal(category)
}

// showQuota tells the caller what is left, and takes nothing: every answer to a known
// caller has the headers, also a refusal that costs no unit.
func (c *serverCall) showQuota(category Category) {
	q, _ := c.server.limits.take(c.grant.identityID, category, 0)
	c.tellQuota(q)
}

// refusal is the answer to who asked for more than there is.
func (q *quota) refusal(category Category) *refusal {
	refusal := refuse(http.StatusTooManyRequests, "rate_limited", "more than %d %s units per minute", q.limit, category).
		with("category", string(category)).with("limit", q.limit)
	refusal.retryAfter = q.wait
	return refusal
}

// tellQuota sets the headers that tell of a limit.
func (c *serverCall) tellQuota(q quota) {
	if q.limit == 0 {
		return
	}
	prefix, reset := "X-RateLimit-", q.full.Add(time.Second-1).Unix()
	switch c.server.quirks.LimitHeaders {
	case LimitHeadersIETF:
		prefix, reset = "RateLimit-", int64((time.Until(q.full)+time.Second-1)/time.Second)
	case LimitHeadersDashed:
		prefix = "X-Rate-Limit-"
	}
	header := c.w.Header()
	header.Set(prefix+"Limit", strconv.Itoa(q.limit))
	header.Set(prefix+"Remaining", strconv.Itoa(q.remaining))
	header.Set(prefix+"Reset", strconv.FormatInt(reset, 10))
}
