// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"runtime"
	"sync"
	"time"
)

// A crew is the goroutines in which the flights of a Store are flown. One that
// has ended a flight rests for a while and takes the next one, with the stack
// that it has grown: to begin anew with a small one costs several microseconds.
type crew struct {
	mu      sync.Mutex // guards all
	resting []chan *flight
	fewest  int         // how many rested at least since the last look
	look    *time.Timer // nil before the first rest
	looking bool        // look will ring
	ended   bool
}

// Nobody rests for longer than twice restFor, nor do more than maxResting.
const (
	restFor    = 50 * time.Millisecond
	maxResting = 64
)

// send has a flight flown. It does not block.
func (c *crew) send(f *flight) {
	if next := c.wake(); next != nil {
		next <- f // there is room for one
		return
	}
	go c.work(f)
}

// wake returns who came to rest last, as his stack is still in the processor's
// cache, or nil.
func (c *crew) wake() chan *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.resting) - 1
	if last < 0 {
		return nil
	}
	next := c.resting[last]
	c.resting[last] = nil
	c.resting = c.resting[:last]
	c.fewest = min(c.fewest, last)
	return next
}

func (c *crew) work(f *flight) {
	next := make(chan *flight, 1)
	for f != nil {
		makeRoom()
		_, _, _ = f.store.group.Do(f.key, f.fly) // what it came to is in the flight
		if !c.rest(next) {
			return
		}
		f = <-next // nil when it was closed
	}
}

// rest reports false if the goroutine is to end.
func (c *crew) rest(next chan *flight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || len(c.resting) >= maxResting {
		return false
	}
	c.resting = append(c.resting, next)
	if c.looking {
		return true
	}
	c.looking, c.fewest = true, 0
	if c.look == nil {
		c.look = time.AfterFunc(restFor, c.thin)
	} else {
		c.look.Reset(restFor)
	}
	return true
}

// thin ends those who were not needed since it last looked: who has rested for
// longest stands first.
func (c *crew) thin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.dismiss(c.fewest)
	c.fewest = len(c.resting)
	if c.looking = c.fewest > 0; c.looking {
		c.look.Reset(restFor)
	}
}

// dismiss ends the first n of those who rest. Callers hold mu.
func (c *crew) dismiss(n int) {
	for _, next := range c.resting[:n] {
		close(next)
	}
	kept := copy(c.resting, c.resting[n:])
	clear(c.resting[kept:])
	c.resting = c.resting[:kept]
}

// end ends all who rest, and the others when they have landed.
func (c *crew) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.dismiss(len(c.resting))
	if c.look != nil {
		c.look.Stop()
	}
}

// makeRoom lets the stack of a goroutine grow at once to what net/http needs,
// unless it has. Else it doubles several times on the way down, and is copied
// each time with all that lies on it. Stacks of who rests are shrunk now and then.
//
//go:noinline
func makeRoom() {
	var room [9 << 10]byte
	runtime.KeepAlive(&room)
}
