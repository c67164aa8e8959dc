// SPDX-License-Identifier: Apache-2.0

// Package coarse tells the time to those who ask for it more often than it has
// to be read.
package coarse

import (
	"sync"
	"sync/atomic"
	"time"
)

// awakeFor is how long a Clock runs after a reader woke it. Then it sleeps, read
// or not: to be woken once in a while costs readers less than to tell the clock
// each time that they are there, for which they would have to write to memory.
const awakeFor = time.Second

// A Clock is a monotonic clock whose hands are moved by a timer, so that to look
// at it costs one atomic load. While nobody looks at it there is no timer and no
// goroutine. Make one with New. It is safe for concurrent use. In a test with a
// bubble of testing/synctest, make it and use it inside.
type Clock struct {
	start      time.Time
	resolution time.Duration
	now        atomic.Int64 // nanoseconds since start; 0: asleep, the next reader wakes it
	stopped    atomic.Bool  // changed with mu held

	// The fields above are read by all, those below are changed by few.
	_ [64]byte

	mu         sync.Mutex
	timer      *time.Timer // moves the hands; nil before the first waking
	sleepAfter int64       // the time from which on the next tick puts the clock to sleep
}

// New returns a Clock that starts now and moves its hands every resolution. If
// resolution is not positive, each look at it reads the real clock. It starts
// no timer: the first reader does.
func New(resolution time.Duration) *Clock {
	c := &Clock{start: time.Now(), resolution: resolution}
	c.stopped.Store(resolution <= 0)
	return c
}

// Now returns the nanoseconds since New, never less than 1 and never less than an
// earlier Now or Exact returned. It is late by no more than the resolution and
// the time for which the program did not get a processor. It allocates nothing,
// and blocks no longer than it takes to start a timer.
func (c *Clock) Now() int64 {
	if now := c.now.Load(); now != 0 {
		return now
	}
	return c.wake()
}

// Exact returns the nanoseconds since New as the real clock has them, and sets
// this one by it if it runs. It never returns less than 1.
func (c *Clock) Exact() int64 {
	now := c.read()
	c.advance(now)
	return now
}

// Close stops the clock for ever. Now reads the real clock from then on. It may
// be called more than once, and always returns nil.
func (c *Clock) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped.Store(true)
	c.now.Store(0)
	if c.timer != nil {
		c.timer.Stop()
	}
	return nil
}

// read returns the real time since New. It adds the one nanosecond that keeps it
// apart from 0, which is a sleeping clock.
func (c *Clock) read() int64 { return int64(time.Since(c.start)) + 1 }

// advance moves the hands forward, never back, and not those of a sleeping clock.
func (c *Clock) advance(now int64) {
	for {
		shown := c.now.Load()
		if shown == 0 || shown >= now || c.now.CompareAndSwap(shown, now) {
			return
		}
	}
}

func (c *Clock) wake() int64 {
	if c.stopped.Load() {
		return c.read()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if shown := c.now.Load(); shown != 0 {
		return shown // somebody else woke it
	}
	now := c.read()
	if c.stopped.Load() {
		return now
	}
	c.sleepAfter = now + int64(awakeFor)
	if c.timer == nil {
		c.timer = time.AfterFunc(c.resolution, c.tick)
	} else {
		c.timer.Reset(c.resolution)
	}
	c.now.Store(now)
	return now
}

// tick is what the timer calls.
func (c *Clock) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped.Load() {
		return
	}
	now := c.read()
	if now >= c.sleepAfter {
		c.now.Store(0)
		return
	}
	c.advance(now)
	c.timer.Reset(c.resolution)
}
