// SPDX-License-Identifier: Apache-2.0

package retry

import "sync"

// A Budget is a token bucket as in gRPC's proposal A6: a failure takes a token,
// a success gives a tenth back, and requests are repeated only while it is more
// than half full. It is safe for concurrent use, and comes from NewBudget.
type Budget struct {
	mu     sync.Mutex // guards tokens
	tokens float64
	full   float64 // 0: no bound
}

// tokenRatio is what a success gives back.
const tokenRatio = 0.1

// NewBudget allows size failures in a row to be repeated; a negative size any
// number.
func NewBudget(size int) *Budget {
	full := float64(2 * max(0, size))
	return &Budget{tokens: full, full: full}
}

// Bounded tells whether there is a bound at all.
func (b *Budget) Bounded() bool { return b.full > 0 }

// Succeeded counts a success.
func (b *Budget) Succeeded() {
	if b.full == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.full, b.tokens+tokenRatio)
}

// Failed counts a failure and tells whether it may be repeated.
func (b *Budget) Failed() bool {
	if b.full == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = max(0, b.tokens-1)
	return b.tokens >= b.full/2
}

// Left is how many failures in a row may still be repeated.
func (b *Budget) Left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int(max(0, b.tokens-b.full/2))
}
