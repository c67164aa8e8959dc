// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// maxEndpoints is how many addresses a Client takes.
const maxEndpoints = 16

// probeTimeout bounds the request that tries an endpoint again, as there is
// another one that works.
const probeTimeout = 2 * time.Second

// softFailures are how many failures in a row make an endpoint left alone that
// can be reached. One that cannot be is left alone at once.
const softFailures = 3

// An endpoint is one address of the service. If there are several, each has a
// breaker.
type endpoint struct {
	url     *url.URL
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}] // nil for the only endpoint
	// hard says that the last failure was no connection, or no answer in time.
	hard atomic.Bool
	// revived says that it answered although its breaker did not let anything
	// through, and has not failed since.
	revived atomic.Bool
	// http2 says what the last connection spoke.
	http2              atomic.Bool
	requests, failures atomic.Uint64
}

// A fault is what an attempt says about its endpoint.
type fault uint8

const (
	faultNone fault = iota // it works, whatever it answered
	faultSoft              // it has no answer that counts
	faultHard              // it can't be reached, or does not answer in time
	faultOpen              // the caller went away first
)

// Errors that stand for a fault at the breaker.
var (
	errFault     = errors.New("endpoint fault")
	errFaultOpen = errors.New("endpoint unknown")
)

// endpoints are in the order of preference.
type endpoints []*endpoint

func newEndpoints(urls []*url.URL, pause time.Duration) endpoints {
	all := make(endpoints, 0, len(urls))
	for _, u := range urls {
		e := &endpoint{url: u}
		if len(urls) > 1 {
			e.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
				Name: u.Host, MaxRequests: 1, Timeout: pause,
				ReadyToTrip: func(counts gobreaker.Counts) bool {
					return e.hard.Load() || counts.ConsecutiveFailures >= softFailures
				},
				IsExcluded: func(err error) bool { return errors.Is(err, errFaultOpen) },
			})
		}
		all = append(all, e)
	}
	return all
}

// A choice is an endpoint for one attempt.
type choice struct {
	*endpoint
	index int
	probe bool            // nobody knows whether it works
	done  func(err error) // tells the breaker; nil for none
}

// pick chooses the first endpoint in order that was not tried and whose breaker
// allows it; for a write one that is known to work, if there is one.
func (es endpoints) pick(tried uint32, write bool) (choice, bool) {
	if write {
		if c, ok := es.allowed(tried, gobreaker.StateClosed); ok {
			return c, true
		}
	}
	return es.allowed(tried, gobreaker.StateClosed, gobreaker.StateHalfOpen)
}

func (es endpoints) allowed(tried uint32, states ...gobreaker.State) (choice, bool) {
	for i, e := range es {
		if tried&(1<<i) != 0 {
			continue
		}
		if e.breaker == nil {
			return choice{endpoint: e, index: i}, true
		}
		state := e.breaker.State()
		for _, s := range states {
			if s != state {
				continue
			}
			if done, err := e.breaker.Allow(); err == nil {
				return choice{endpoint: e, index: i, probe: s == gobreaker.StateHalfOpen, done: done}, true
			}
		}
		if e.revived.Load() {
			return choice{endpoint: e, index: i}, true
		}
	}
	return choice{}, false
}

// anyone chooses an endpoint that was not tried whatever its breaker says,
// rather one that could be reached. It is for when no other is left: the one
// that failed may have come back.
func (es endpoints) anyone(tried uint32) (choice, bool) {
	for _, hard := range []bool{false, true} {
		for i, e := range es {
			if tried&(1<<i) == 0 && e.hard.Load() == hard {
				return choice{endpoint: e, index: i, probe: tried != 0}, true
			}
		}
	}
	return choice{}, false
}

// works tells whether any endpoint is thought to work.
func (es endpoints) works() bool {
	for _, e := range es {
		if e.state() == gobreaker.StateClosed.String() {
			return true
		}
	}
	return false
}

// report tells the endpoint's breaker how the attempt went.
func (c *choice) report(f fault) {
	var err error
	switch f {
	case faultSoft, faultHard:
		c.failures.Add(1)
		c.hard.Store(f == faultHard)
		c.revived.Store(false)
		err = errFault
	case faultOpen:
		err = errFaultOpen
	case faultNone:
		c.hard.Store(false)
		if c.done == nil && c.breaker != nil {
			c.revived.Store(true)
		}
	}
	if c.done != nil {
		c.done(err)
	}
}

// timeout bounds an attempt. Where others could be asked after this one, it
// leaves them a fair part of the time that ctx has.
func (es endpoints) timeout(ctx context.Context, c choice, tried uint32, whole time.Duration) time.Duration {
	others := 0
	for i := range es {
		if tried&(1<<i) == 0 {
			others++
		}
	}
	if c.probe && len(es) > 1 {
		whole = min(whole, probeTimeout)
	}
	if others == 0 {
		return whole
	}
	if deadline, ok := ctx.Deadline(); ok {
		whole = min(whole, time.Until(deadline)/time.Duration(others+1))
	}
	return whole
}

// state is closed, open or half-open.
func (e *endpoint) state() string {
	if e.breaker == nil || e.revived.Load() {
		return gobreaker.StateClosed.String()
	}
	return e.breaker.State().String()
}
