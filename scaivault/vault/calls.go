// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

// calls are the calls under way, so that Close can end them and wait. The zero
// value is ready.
type calls struct {
	group sync.WaitGroup

	mu      sync.Mutex // guards all below
	closed  bool
	running map[*call]struct{}
}

// begin enters a call, which takes no longer than limit where ctx has no
// deadline. It reports false after close.
func (c *calls) begin(ctx context.Context, limit time.Duration) (*call, bool) {
	one := &call{Context: ctx, calls: c}
	if _, ok := ctx.Deadline(); !ok {
		one.deadline = time.Now().Add(limit)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, false
	}
	if c.running == nil {
		c.running = map[*call]struct{}{}
	}
	c.running[one] = struct{}{}
	c.group.Add(1)
	return one, true
}

func (c *calls) forget(one *call) {
	c.mu.Lock()
	delete(c.running, one)
	c.mu.Unlock()
}

// spawn runs work as a call of its own, which does not end with ctx but after
// limit. It reports false after close.
func (c *calls) spawn(ctx context.Context, limit time.Duration, work func(context.Context)) bool {
	one, ok := c.begin(context.WithoutCancel(ctx), limit)
	if !ok {
		return false
	}
	go func() {
		defer one.end()
		work(one)
	}()
	return true
}

// close ends all calls and waits for them. It reports whether it was the first.
func (c *calls) close() bool {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	for one := range c.running {
		one.close(scaivault.ErrClosed)
	}
	c.mu.Unlock()
	c.group.Wait()
	return first
}

// flights is work by key that all who want its result at the same time share.
// Each of them waits no longer than its own ctx. The zero value is ready.
type flights[T any] struct {
	mu      sync.Mutex // guards running
	running map[string]*flight[T]
}

type flight[T any] struct {
	landed chan struct{} // closed when value and err stand
	value  T
	err    error
}

// errNoResult is what is left when work ended its goroutine.
var errNoResult = errors.New("ended without a result")

// join starts work unless it is under way. It reports whether somebody else had
// started it.
func (f *flights[T]) join(key string, spawn func(func(context.Context)) bool,
	work func(context.Context) (T, error),
) (fl *flight[T], joined bool) {
	f.mu.Lock()
	fl, joined = f.running[key]
	if !joined {
		fl = &flight[T]{landed: make(chan struct{}), err: errNoResult}
		if f.running == nil {
			f.running = map[string]*flight[T]{}
		}
		f.running[key] = fl
	}
	f.mu.Unlock()
	if joined {
		return fl, true
	}
	started := spawn(func(ctx context.Context) {
		defer f.land(key, fl)
		fl.value, fl.err = work(ctx)
	})
	if !started {
		fl.err = scaivault.ErrClosed
		f.land(key, fl)
	}
	return fl, false
}

// wait returns the result, or the error of ctx.
func (fl *flight[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-fl.landed:
		return fl.value, fl.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (f *flights[T]) land(key string, fl *flight[T]) {
	f.mu.Lock()
	delete(f.running, key)
	f.mu.Unlock()
	close(fl.landed)
}
