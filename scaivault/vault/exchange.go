// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/scailabs/scaivault-go/internal/endpoint"
	"github.com/scailabs/scaivault-go/internal/retry"
	"github.com/scailabs/scaivault-go/internal/wire"
	"github.com/scailabs/scaivault-go/scaivault"
)

// exchange makes one call with one token: it repeats what may be repeated, goes
// on to the next address where one has no answer, and waits for a cluster that
// elects a leader. Without a whole answer there is an error, and the answer says
// how far the request came.
func (s *Source) exchange(ctx context.Context, r *request, token string) (*answer, error) {
	x := exchanger{Source: s, r: *r, token: token}
	a, err := x.run(ctx)
	if x.untrusted != "" {
		x.tellUntrusted(a, err)
	}
	return a, err
}

func (x *exchanger) run(ctx context.Context) (*answer, error) {
	at := x.first()
	for {
		a, err := x.attempt(ctx, at)
		what := x.judge(a, err)
		at.Report(x.fault)
		x.note(at, what, err)
		if what == isAnswer {
			x.budget.Succeeded()
		}
		if what <= isFinal || ctx.Err() != nil {
			return a, err
		}
		if next, ok := x.elsewhere(a, at); ok {
			at = next
			continue
		}
		if wait, ok := x.wait(ctx, what, a); !ok || !retry.Sleep(ctx, wait) {
			if e := x.ended(ctx, x.r.target); e != nil {
				return &answer{}, e // what was refused, or read, has left nothing
			}
			next, ok := x.endpoints.Anyone(x.tried)
			if !ok || x.fault == endpoint.FaultNone {
				return a, err
			}
			at = next
			continue
		}
		x.tried = 0
		at = x.first()
	}
}

// An exchanger is one call under way.
type exchanger struct {
	*Source
	r       request
	token   string
	tried   uint32         // endpoints asked since the last wait, as bits
	fault   endpoint.Fault // what the last attempt says about its endpoint
	final   bool           // nothing was asked, and nothing may be
	forward bool           // a standby may pass the request on, though it is a write
	repeats int
	onces   int // repeats of what may be repeated once
	waits   backoff.BackOff
	waiting time.Time // since when there is no leader

	asked     string // host and port of the last attempt
	untrusted string // of an attempt, what is wrong with the certificate there; empty for nothing
}

// What an attempt says about the call.
type verdict uint8

const (
	isAnswer    verdict = iota // Vault's answer, whatever it says
	isFinal                    // no answer, and no other attempt may be made
	mayOnce                    // once more
	mayAgain                   // as often as Config.Retry says
	awaitLeader                // for Config.LeaderWait: it passes by itself
)

// first chooses an endpoint to begin with, or to begin again with: for a write
// the one that was the leader last.
func (x *exchanger) first() endpoint.Choice {
	if leader := int(x.leader.Load()); !x.r.reads && leader >= 0 && x.endpoints[leader].Usable() {
		return x.endpoints.Chosen(leader)
	}
	at, ok := x.endpoints.Pick(0, !x.r.reads)
	if !ok {
		at, _ = x.endpoints.Anyone(0)
	}
	return at
}

// attempt asks one endpoint once.
func (x *exchanger) attempt(ctx context.Context, at endpoint.Choice) (*answer, error) {
	x.tried |= 1 << at.Index
	x.fault = endpoint.FaultOpen
	if x.limiter != nil {
		if err := x.limiter.Wait(ctx); err != nil {
			x.final = true
			return &answer{}, x.limited(ctx, x.r.target)
		}
	}
	d := attempt{x: x, at: at.Endpoint, timeout: x.attemptTimeout}
	several := len(x.endpoints) > 1
	switch {
	case x.r.reads:
		d.timeout = x.endpoints.Timeout(ctx, at, x.tried, x.attemptTimeout)
	case several: // nothing is sent before there is a connection
		d.connect = x.endpoints.Timeout(ctx, at, x.tried, x.attemptTimeout)
	}
	d.direct = !x.r.reads && several && !x.forward
	return d.send(ctx)
}

// judge tells what an attempt says about the call and about its endpoint.
func (x *exchanger) judge(a *answer, err error) verdict {
	switch {
	case x.final, errors.Is(err, wire.ErrTooLarge):
		return isFinal
	case err != nil:
		if !x.r.reads && (a.left || a.status != 0) {
			return isFinal
		}
		return mayAgain
	}
	what := a.verdict()
	if a.status == http.StatusTemporaryRedirect && len(x.endpoints) == 1 {
		what = mayAgain // by whatever stands at the one address; there is no other to go to
	}
	switch {
	case what == isAnswer:
		x.fault = endpoint.FaultNone
	case a.status == http.StatusTooManyRequests:
		x.fault = endpoint.FaultNone // of the limit, not of the node
	default:
		x.fault = endpoint.FaultSoft
	}
	if what != isAnswer && !x.r.reads && !a.refusedForNow() {
		return isFinal
	}
	return what
}

// refusedForNow tells whether Vault has refused a write for a reason that
// passes, and is certain not to have carried it out.
func (a *answer) refusedForNow() bool {
	switch a.status {
	case http.StatusTemporaryRedirect:
		return a.unsent
	case http.StatusPreconditionFailed, http.StatusTooManyRequests, 472, 473:
		return true
	}
	env, ok := a.envelope()
	return ok && (env.says(textSealed) || env.says(textNoLeader) || env.says(textUpgrading) || env.says(textSecondary) ||
		a.unsent && (env.says(textNoActive) || env.says(textNotActive)))
}

// verdict tells what an answer says about the call, were it a read.
func (a *answer) verdict() verdict {
	env, wellFormed := a.envelope()
	switch {
	case a.success():
		if wellFormed || a.status == http.StatusNoContent {
			return isAnswer
		}
		return mayAgain
	case a.status == http.StatusTemporaryRedirect, env.says(textNoLeader), env.says(textNoActive), env.says(textNotActive), env.says(textUpgrading):
		return awaitLeader
	case a.status/100 == 3:
		return isFinal // it would come again
	}
	kind := kindOf(a.status, wellFormed)
	if meaning, ok := meaningOf(a.status, env); ok && wellFormed {
		kind = meaning.kind
	}
	switch {
	case errors.Is(kind, scaivault.ErrRateLimited):
		return mayAgain
	case !errors.Is(kind, scaivault.ErrUnavailable):
		return isAnswer
	case a.status == http.StatusInternalServerError && wellFormed:
		return mayOnce
	default:
		return mayAgain
	}
}

// elsewhere chooses another endpoint, at once, where one has no answer that is
// Vault's. It does not count against the budget: each is asked once. If none is
// thought to work, all are asked.
func (x *exchanger) elsewhere(a *answer, at endpoint.Choice) (endpoint.Choice, bool) {
	if x.fault == endpoint.FaultNone {
		return endpoint.Choice{}, false
	}
	if a.status == http.StatusTemporaryRedirect {
		if next, ok := x.redirected(a, at); ok {
			return next, true
		}
	}
	if next, ok := x.endpoints.Pick(x.tried, !x.r.reads); ok {
		return next, true
	}
	if x.endpoints.Works() {
		return endpoint.Choice{}, false
	}
	return x.endpoints.Anyone(x.tried)
}

// redirected chooses the endpoint that a standby says is the leader. The token
// goes to none that the caller has not named. If the leader is not among them,
// the standby may pass the request on.
func (x *exchanger) redirected(a *answer, at endpoint.Choice) (endpoint.Choice, bool) {
	to, err := url.Parse(a.header.Get("Location"))
	for i, e := range x.endpoints {
		if err != nil || e.URL.Scheme != to.Scheme || e.URL.Host != to.Host {
			continue
		}
		x.leader.Store(int32(i)) //nolint:gosec // one of 16
		if x.tried&(1<<i) == 0 {
			return x.endpoints.Chosen(i), true
		}
		return endpoint.Choice{}, false
	}
	if !x.r.reads && !x.forward && len(x.endpoints) > 1 {
		x.forward = true
		return x.endpoints.Chosen(at.Index), true
	}
	return endpoint.Choice{}, false
}

// leaderPoll bounds the waits for a leader: an election takes half a second, or
// some.
const leaderPoll = 500 * time.Millisecond

// wait tells whether the request may be repeated, and how long to wait before.
func (x *exchanger) wait(ctx context.Context, what verdict, a *answer) (time.Duration, bool) {
	if x.waits == nil {
		x.waits = x.retry.Waits()
	}
	if what == awaitLeader {
		if x.waiting.IsZero() {
			x.waiting = time.Now()
		}
		if time.Since(x.waiting) >= x.leaderWait {
			return 0, false
		}
		return min(x.waits.NextBackOff(), leaderPoll), true
	}
	var told time.Duration
	if a.status == http.StatusTooManyRequests {
		if retry.IsPaced(ctx) {
			return 0, false
		}
		told = wire.RetryAfter(a.header, time.Now())
	}
	inBudget := told > 0 || x.budget.Failed() // what is not repeated is a failure, too
	if !inBudget || x.repeats >= x.retry.Repeats() || what == mayOnce && x.onces > 0 {
		return 0, false
	}
	x.repeats++
	if what == mayOnce {
		x.onces++
	}
	return told + x.waits.NextBackOff(), true
}
