// SPDX-License-Identifier: Apache-2.0

// Package endpoint chooses among the addresses of one service, by their order
// and by what was learnt of them, and watches how far a request has come.
package endpoint

import (
	"context"
	"errors"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Max is how many addresses a Set takes.
const Max = 16

// probeTimeout bounds the request that tries an endpoint again, as there is
// another one that works.
const probeTimeout = 2 * time.Second

// softFailures are how many failures in a row make an endpoint left alone that
// can be reached. One that cannot be is left alone at once.
const softFailures = 3

// An Endpoint is one address of the service. If there are several, each has a
// breaker.
type Endpoint struct {
	URL *url.URL
	// HTTP2 says what the last connection spoke.
	HTTP2 atomic.Bool
	// Requests were sent to it; Failures of them were reported as a fault.
	Requests, Failures atomic.Uint64

	breaker *gobreaker.TwoStepCircuitBreaker[struct{}] // nil for the only endpoint
	// hard says that the last failure was no connection, or no answer in time.
	hard atomic.Bool
	// revived says that it answered although its breaker did not let anything
	// through, and has not failed since.
	revived atomic.Bool
}

// A Fault is what an attempt says about its endpoint.
type Fault uint8

// The faults.
const (
	FaultNone Fault = iota // it works, whatever it answered
	FaultSoft              // it has no answer that counts
	FaultHard              // it can't be reached, or does not answer in time
	FaultOpen              // the caller went away first
)

// Errors that stand for a fault at the breaker.
var (
	errFault     = errors.New("endpoint fault")
	errFaultOpen = errors.New("endpoint unknown")
)

// A Set is the addresses of one service, in the order of preference.
type Set []*Endpoint

// NewSet makes a Set of 1 to [Max] addresses. An endpoint that is left alone is
// tried again after pause.
func NewSet(urls []*url.URL, pause time.Duration) Set {
	all := make(Set, 0, len(urls))
	for _, u := range urls {
		e := &Endpoint{URL: u}
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

// A Choice is an endpoint for one attempt, which ends with [Choice.Report].
type Choice struct {
	*Endpoint
	// Index is its place in the Set.
	Index int
	probe bool            // nobody knows whether it works
	done  func(err error) // tells the breaker; nil for none
}

// Pick chooses the first endpoint in order that was not tried and whose breaker
// allows it; for a write one that is known to work, if there is one.
func (es Set) Pick(tried uint32, write bool) (Choice, bool) {
	if write {
		if c, ok := es.allowed(tried, gobreaker.StateClosed); ok {
			return c, true
		}
	}
	return es.allowed(tried, gobreaker.StateClosed, gobreaker.StateHalfOpen)
}

func (es Set) allowed(tried uint32, states ...gobreaker.State) (Choice, bool) {
	for i, e := range es {
		if tried&(1<<i) != 0 {
			continue
		}
		if e.breaker == nil {
			return Choice{Endpoint: e, Index: i}, true
		}
		state := e.breaker.State()
		for _, s := range states {
			if s != state {
				continue
			}
			if done, err := e.breaker.Allow(); err == nil {
				return Choice{Endpoint: e, Index: i, probe: s == gobreaker.StateHalfOpen, done: done}, true
			}
		}
		if e.revived.Load() {
			return Choice{Endpoint: e, Index: i}, true
		}
	}
	return Choice{}, false
}

// Anyone chooses an endpoint that was not tried whatever its breaker says,
// rather one that could be reached. It is for when no other is left: the one
// that failed may have come back.
func (es Set) Anyone(tried uint32) (Choice, bool) {
	for _, hard := range []bool{false, true} {
		for i, e := range es {
			if tried&(1<<i) == 0 && e.hard.Load() == hard {
				return Choice{Endpoint: e, Index: i, probe: tried != 0}, true
			}
		}
	}
	return Choice{}, false
}

// Chosen is the endpoint at an index, whatever its breaker says.
func (es Set) Chosen(index int) Choice { return Choice{Endpoint: es[index], Index: index} }

// Works tells whether any endpoint is thought to work.
func (es Set) Works() bool {
	for _, e := range es {
		if e.Usable() {
			return true
		}
	}
	return false
}

// Report tells the endpoint's breaker how the attempt went.
func (c *Choice) Report(f Fault) {
	var err error
	switch f {
	case FaultSoft, FaultHard:
		c.Failures.Add(1)
		c.hard.Store(f == FaultHard)
		c.revived.Store(false)
		err = errFault
	case FaultOpen:
		err = errFaultOpen
	case FaultNone:
		c.hard.Store(false)
		if c.done == nil && c.breaker != nil {
			c.revived.Store(true)
		}
	}
	if c.done != nil {
		c.done(err)
	}
}

// Timeout bounds an attempt. Where others could be asked after this one, it
// leaves them a fair part of the time that ctx has.
func (es Set) Timeout(ctx context.Context, c Choice, tried uint32, whole time.Duration) time.Duration {
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

// Usable tells whether the endpoint is thought to work.
func (e *Endpoint) Usable() bool { return e.State() == gobreaker.StateClosed.String() }

// State is closed, open or half-open.
func (e *Endpoint) State() string {
	if e.breaker == nil || e.revived.Load() {
		return gobreaker.StateClosed.String()
	}
	return e.breaker.State().String()
}
