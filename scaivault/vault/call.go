// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"sync"
	"time"
)

// A call is a call under way, and the context of its work. It ends with the
// caller's context, at its own deadline, and when the Source is closed.
//
// Most calls are one request, and a context with a timer for each of the two
// costs as much as the reading of the answer. So the request's is made of the
// caller's, with the nearer deadline, and the call has one of its own only when
// somebody waits for its end, in a pause or for work that is shared, or derives
// another from it.
type call struct {
	context.Context // the caller's
	calls           *calls
	deadline        time.Time // zero where the caller's has one

	mu      sync.Mutex              // guards all below
	own     context.Context         // nil until it is needed
	cancel  context.CancelCauseFunc // ends own
	stop    context.CancelFunc      // stops the timer of own; nil for none
	request context.Context         // of the last attempt that is not derived from own; nil for none
	abort   context.CancelFunc      // ends request
}

var _ context.Context = (*call)(nil)

// Deadline implements context.Context.
func (c *call) Deadline() (time.Time, bool) {
	if c.deadline.IsZero() {
		return c.Context.Deadline()
	}
	return c.deadline, true
}

// Done implements context.Context.
func (c *call) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.whole().Done()
}

// Err implements context.Context.
func (c *call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own == nil && c.Context.Err() == nil && (c.deadline.IsZero() || time.Now().Before(c.deadline)) {
		return nil
	}
	return c.whole().Err()
}

// Value implements context.Context. Package context finds by it what to derive
// from, after it has asked for Done.
func (c *call) Value(key any) any {
	c.mu.Lock()
	own := c.own
	c.mu.Unlock()
	if own != nil {
		return own.Value(key)
	}
	return c.Context.Value(key)
}

// whole makes the call a context of its own. The caller holds mu.
func (c *call) whole() context.Context {
	if c.own == nil {
		c.own, c.cancel = context.WithCancelCause(c.Context)
		if !c.deadline.IsZero() {
			c.own, c.stop = context.WithDeadline(c.own, c.deadline)
		}
	}
	return c.own
}

// attempt returns the context of a request that takes no longer than limit. The
// func must be called when the request is over.
func (c *call) attempt(limit time.Duration) (context.Context, context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own != nil || c.request != nil && c.request.Err() == nil { // another one is under way
		return context.WithTimeout(c.whole(), limit)
	}
	deadline := time.Now().Add(limit)
	if !c.deadline.IsZero() && c.deadline.Before(deadline) {
		deadline = c.deadline
	}
	c.request, c.abort = context.WithDeadline(c.Context, deadline) // without a timer where the caller's is nearer
	return c.request, c.abort
}

// end is for when the work is done.
func (c *call) end() {
	defer c.calls.group.Done()
	c.calls.forget(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own != nil {
		c.finish(nil)
	}
}

// close ends the work, which finds out why.
func (c *call) close(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole()
	c.finish(cause)
	if c.abort != nil {
		c.abort()
	}
}

// finish ends own. The caller holds mu.
func (c *call) finish(cause error) {
	c.cancel(cause)
	if c.stop != nil {
		c.stop()
	}
}
