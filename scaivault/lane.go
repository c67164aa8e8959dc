// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A lane owns every goroutine of a Store, or of a cache of tokens; those of a crew
// it counts while they are at work. Comparisons on it are bounded in number and
// end with Close; work that must be finished is waited for.
type lane struct {
	ctx    context.Context //nolint:containedctx // the lifetime of the Store's own work
	cancel context.CancelFunc
	slots  chan struct{}
	caught func(panicked any) // what becomes of a panic in the work; nil: it ends the process
	ended  atomic.Bool

	mu   sync.Mutex // guards done, and the Add of wg against its Wait
	done bool
	wg   sync.WaitGroup
}

func newLane(parallel int) *lane {
	// The Store's own lifetime, which no caller's ctx can stand for.
	ctx, cancel := context.WithCancel(context.Background())
	return &lane{ctx: ctx, cancel: cancel, slots: make(chan struct{}, parallel)}
}

func (l *lane) closed() bool { return l.ended.Load() }

// run starts work that Close waits for. It reports false after Close.
func (l *lane) run(work func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return false
	}
	l.wg.Add(1)
	go func() {
		defer l.wg.Done()
		if l.caught != nil {
			defer func() {
				if p := recover(); p != nil {
					l.caught(p)
				}
			}()
		}
		work()
	}()
	return true
}

// enter counts work that somebody else starts, until it leaves. It reports
// false after Close.
func (l *lane) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return false
	}
	l.wg.Add(1)
	return true
}

func (l *lane) leave() { l.wg.Done() }

// try starts work in one of the lane's slots, or reports false at once if
// there is none.
func (l *lane) try(work func()) bool {
	select {
	case l.slots <- struct{}{}:
	default:
		return false
	}
	started := l.run(func() {
		defer func() { <-l.slots }()
		work()
	})
	if !started {
		<-l.slots
	}
	return started
}

// stop refuses new work and cancels what may be cancelled.
func (l *lane) stop() {
	l.mu.Lock()
	l.done = true
	l.ended.Store(true)
	l.mu.Unlock()
	l.cancel()
}

// close stops and waits for the rest.
func (l *lane) close() {
	l.stop()
	l.wg.Wait()
}

// closeWithin is close with a limit. It reports false if work goes on.
func (l *lane) closeWithin(limit time.Duration) bool {
	l.stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.wg.Wait()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
