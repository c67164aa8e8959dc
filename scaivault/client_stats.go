// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"sync/atomic"
	"time"
)

// ClientStats are a [Client]'s counts since it was made, and what it knows of
// the service.
type ClientStats struct {
	// Requests were sent, Retries of them repeated an earlier one at the same
	// service after a wait.
	Requests, Retries uint64
	// RetriesDenied is how many failed requests were not repeated because
	// RetryConfig.Budget was spent.
	RetriesDenied uint64
	// RetryBudget is how many failures in a row may still be repeated; -1
	// where it has no bound.
	RetryBudget int
	// Endpoints are those of ClientConfig.URLs, in that order.
	Endpoints []EndpointStats
	// Limits has what the service said last about the rate limit of each
	// category that was used. It is empty while it says nothing.
	Limits map[Category]RateLimit
}

// EndpointStats are the counts of one address of the service.
type EndpointStats struct {
	// Host is the address's host and port.
	Host string
	// State is "closed" while the endpoint is used, "open" while it is skipped,
	// and "half-open" when the next request tries it again.
	State string
	// Requests were sent to it; Failures of them had no answer of ScaiVault's,
	// or one that says that it is not there.
	Requests, Failures uint64
}

// A RateLimit is what the service said about the limit of one category, to the
// identity of the Client's token. Of the headers that say it only
// X-RateLimit-Reset is documented; the others are read under their usual names.
type RateLimit struct {
	// Limit is in units per minute; 0 where it was not told.
	Limit int
	// Remaining is how many units were left at the time At.
	Remaining int
	// Reset is when the whole limit is there again; zero where it was not told.
	Reset time.Time
	// At is when the service said so.
	At time.Time
}

// clientCounts are the counts behind ClientStats.
type clientCounts struct{ requests, retries, denied atomic.Uint64 }

// Stats returns the counts as they are now. It does no I/O and is cheap.
func (c *Client) Stats() ClientStats {
	s := ClientStats{
		Requests: c.stats.requests.Load(), Retries: c.stats.retries.Load(), RetriesDenied: c.stats.denied.Load(),
		RetryBudget: -1, Limits: c.pace.known(),
	}
	if c.budget.Bounded() {
		s.RetryBudget = c.budget.Left()
	}
	for _, e := range c.endpoints {
		s.Endpoints = append(s.Endpoints, EndpointStats{
			Host: e.URL.Host, State: e.State(), Requests: e.Requests.Load(), Failures: e.Failures.Load(),
		})
	}
	return s
}
