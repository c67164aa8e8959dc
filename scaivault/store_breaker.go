// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/sony/gobreaker/v2"
)

// A breaker knows whether a source answers, from the reads that were made of it.
// A nil one lets everything through.
type breaker struct {
	name string
	// failing says that the last read that was told to two has failed. While it
	// is not set, a read that succeeds need not be told.
	failing atomic.Bool
	two     *gobreaker.TwoStepCircuitBreaker[struct{}]
}

// breakers has one for each source of a Store.
type breakers struct {
	scaiVault, vault *breaker
	vaults           map[string]*breaker
}

func newBreakers(cfg *StoreConfig) breakers {
	b := breakers{vaults: map[string]*breaker{}}
	if cfg.ScaiVault != nil {
		b.scaiVault = newBreaker(sourceScaiVault, cfg.Failover.Breaker)
	}
	if cfg.Vault != nil {
		b.vault = newBreaker(sourceVault, cfg.Failover.Breaker)
	}
	for name := range cfg.Vaults {
		b.vaults[name] = newBreaker(name, cfg.Failover.Breaker)
	}
	return b
}

func (b *breakers) vaultOf(cluster string) *breaker {
	if cluster == "" {
		return b.vault
	}
	return b.vaults[cluster]
}

// errNeutral stands at a breaker for a read that says nothing about the source.
var errNeutral = errors.New("says nothing")

func newBreaker(name string, cfg BreakerConfig) *breaker {
	b := &breaker{name: name}
	if cfg.Failures < 0 {
		return b
	}
	b.two = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, MaxRequests: 1, Timeout: cfg.openFor(),
		ReadyToTrip: func(c gobreaker.Counts) bool { return int64(c.ConsecutiveFailures) >= int64(cfg.failures()) },
		IsExcluded:  func(err error) bool { return errors.Is(err, errNeutral) },
	})
	return b
}

// state is "closed" while the source is asked, "open" while it is left alone,
// and "half-open" when the next read tries it again.
func (b *breaker) state() gobreaker.State {
	if b == nil || b.two == nil {
		return gobreaker.StateClosed
	}
	return b.two.State()
}

func (b *breaker) closed() bool { return b.state() == gobreaker.StateClosed }

// allow asks for a read. The func that it returns takes how the read ended; it
// is nil if the source is to be left alone.
func (b *breaker) allow() func(error) {
	if b == nil || b.two == nil {
		return func(error) {}
	}
	done, err := b.two.Allow()
	if err != nil {
		return nil
	}
	return done
}

// record tells how a read ended that was made while the breaker was closed.
func (b *breaker) record(verdict error) {
	if b == nil || b.two == nil || verdict == nil && !b.failing.Load() || errors.Is(verdict, errNeutral) {
		return
	}
	done := b.allow()
	if done == nil {
		return
	}
	// In this order, so that two never counts a failure while failing is not set.
	if verdict == nil {
		b.failing.Store(false)
	}
	done(verdict)
	if verdict != nil {
		b.failing.Store(true)
	}
}

// errOverdue stands at a breaker for a read that has not returned, though its
// context ended long ago.
var errOverdue = errors.New("does not return")

// errPanicked stands at a breaker for a read in which the source panicked.
var errPanicked = errors.New("panicked")

// trialVerdict is verdictOf for a source that is tried again: there a 429 shows
// that it is back, and to go on asking is not what it wants.
func trialVerdict(err error) error {
	if errors.Is(err, ErrRateLimited) {
		return nil
	}
	return verdictOf(err, false)
}

// verdictOf tells a breaker what a read says about its source.
func verdictOf(err error, slow bool) error {
	switch {
	case err == nil || isNo(err):
		return nil
	case slow:
		return err
	case errors.Is(err, ErrRateLimited), errors.Is(err, context.Canceled), errors.Is(err, ErrClosed):
		return errNeutral
	default:
		return err
	}
}
