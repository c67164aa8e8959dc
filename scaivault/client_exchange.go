// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/scailabs/scaivault-go/internal/endpoint"
	"github.com/scailabs/scaivault-go/internal/retry"
	"github.com/scailabs/scaivault-go/internal/wire"

	"github.com/cenkalti/backoff/v4"
)

// A request is one call of the API, before it has a host and a token.
type request struct {
	op      string // for errors
	path    string // for errors: the secret's path
	method  string
	apiPath string
	query   url.Values
	body    []byte // nil for none
	secret  []byte // what of the body is confidential: a secret's data, or nil
	reads   bool   // may be repeated whatever happened
	// anyStatus makes every whole answer a success.
	anyStatus bool
	// once asks each address at most once and waits for nothing.
	once bool
	// open needs no token and belongs to no tenant.
	open bool
	// category is whose rate limit the request counts against; empty for none.
	category Category
	// units is how many reads it counts as beside, as a batch does.
	units int
	// wait bounds an attempt in place of ClientConfig.AttemptTimeout; 0 for that.
	wait time.Duration
}

// An answer is a success with its whole body.
type answer struct {
	status int
	header http.Header
	body   []byte
	scrub  func(*Error) // takes what the request carried out of the server's words
}

// A sentError marks an error after which it is open whether the service did
// what was asked.
type sentError struct{ cause *Error }

func (e sentError) Error() string { return e.cause.Error() }
func (e sentError) Unwrap() error { return e.cause }

// exchange makes one call: it repeats what may be repeated, and goes on to the
// next endpoint where one has no answer. Every status of 200 to 299 is a
// success. Its error is an *Error, or a sentError around one.
func (c *Client) exchange(ctx context.Context, r request) (*answer, error) {
	if size := int64(len(r.body)); size > c.cfg.maxRequestBytes() {
		return nil, c.invalid(r.op, r.path, fmt.Sprintf("the request has %d bytes; the bound is %d, see ClientConfig.MaxRequestBytes", size, c.cfg.maxRequestBytes()))
	}
	x := exchanger{Client: c, r: r}
	at := x.first()
	for {
		ans, err := x.attempt(ctx, at)
		if err == nil {
			c.budget.Succeeded()
			return ans, nil
		}
		var e *Error
		if !errors.As(err, &e) || ctx.Err() != nil || !x.mayRepeat(err) {
			return nil, err
		}
		if next, ok := x.elsewhere(e); ok {
			at = next
			continue
		}
		if wait, ok := x.wait(ctx, e); !ok || !retry.Sleep(ctx, wait) {
			if ctx.Err() != nil {
				last := *e
				return nil, c.interrupted(ctx, &last)
			}
			if at, ok = x.anyone(e); !ok {
				return nil, err
			}
			continue
		}
		c.stats.retries.Add(1)
		x.tried = 0
		at = x.first()
	}
}

// An exchanger is one call under way.
type exchanger struct {
	*Client
	r       request
	tried   uint32 // endpoints asked since the last wait, as bits
	repeats int
	onces   int // repeats of what may be repeated once
	renewed bool
	final   bool // the error did not come from an endpoint
	waits   backoff.BackOff
}

// first chooses an endpoint to begin with, or to begin again with.
func (x *exchanger) first() endpoint.Choice {
	at, ok := x.endpoints.Pick(0, !x.r.reads)
	if !ok {
		at, _ = x.endpoints.Anyone(0)
	}
	return at
}

// mayRepeat: a read when it has no answer, a write only when it is certain that
// it was not done.
func (x *exchanger) mayRepeat(err error) bool {
	var sent sentError
	var e *Error
	if x.final || errors.As(err, &sent) || !errors.As(err, &e) {
		return false
	}
	return x.r.reads || errors.Is(e.Kind, ErrRateLimited) || e.Status == 0
}

// elsewhere chooses another endpoint, at once, where one has no answer that is
// the service's. It does not count against the budget: each is asked once. If
// none is thought to work, all are asked.
func (x *exchanger) elsewhere(e *Error) (endpoint.Choice, bool) {
	if faultOf(e, false) == endpoint.FaultNone {
		return endpoint.Choice{}, false
	}
	if next, ok := x.endpoints.Pick(x.tried, !x.r.reads); ok {
		return next, true
	}
	if x.endpoints.Works() {
		return endpoint.Choice{}, false
	}
	return x.anyone(e)
}

// anyone chooses one more endpoint when the call would fail otherwise.
func (x *exchanger) anyone(e *Error) (endpoint.Choice, bool) {
	if faultOf(e, false) == endpoint.FaultNone {
		return endpoint.Choice{}, false
	}
	return x.endpoints.Anyone(x.tried)
}

// wait tells whether the request may be repeated, and how long to wait before.
func (x *exchanger) wait(ctx context.Context, e *Error) (time.Duration, bool) {
	class := retryClassOf(e)
	told := errors.Is(e.Kind, ErrRateLimited) && e.RetryAfter > 0
	if class == retryNever || errors.Is(e.Kind, ErrRateLimited) && retry.IsPaced(ctx) {
		return 0, false
	}
	inBudget := told || x.budget.Failed() // what is not repeated is a failure, too
	if x.r.once || x.repeats >= x.cfg.Retry.bounds().Repeats() || class == retryOnce && x.onces > 0 {
		return 0, false
	}
	if !inBudget {
		x.stats.denied.Add(1)
		return 0, false
	}
	x.repeats++
	if class == retryOnce {
		x.onces++
	}
	if x.waits == nil {
		x.waits = x.cfg.Retry.bounds().Waits()
	}
	return e.RetryAfter + x.waits.NextBackOff(), true
}

// attempt asks one endpoint, once, and once more with a new token after a 401.
func (x *exchanger) attempt(ctx context.Context, at endpoint.Choice) (*answer, error) {
	x.tried |= 1 << at.Index
	said := endpoint.FaultOpen
	defer func() { at.Report(said) }()
	x.final = true // until something was sent
	if x.closed.Load() {
		return nil, &Error{Kind: ErrClosed, Op: x.r.op, Source: sourceScaiVault, Path: wire.Printable(x.r.path)}
	}
	if ctx.Err() != nil {
		return nil, x.interrupted(ctx, &Error{Op: x.r.op, Source: sourceScaiVault, Path: wire.Printable(x.r.path)})
	}
	if err := x.pace.wait(ctx, &x.r); err != nil {
		if ctx.Err() != nil {
			return nil, x.interrupted(ctx, err)
		}
		return nil, err
	}
	token, err := x.token(ctx, x.r)
	if err != nil {
		return nil, err
	}
	x.final = false
	a := attempt{Client: x.Client, r: &x.r, at: at.Endpoint, timeout: defaultTo(x.r.wait, x.cfg.attemptTimeout())}
	if x.r.reads {
		a.timeout = x.endpoints.Timeout(ctx, at, x.tried, a.timeout)
	} else if len(x.endpoints) > 1 { // nothing is sent before there is a connection
		a.connect = x.endpoints.Timeout(ctx, at, x.tried, a.timeout)
	}
	ans, err := a.send(ctx, token)
	said = a.fault
	if errors.Is(err, ErrUnauthenticated) && !x.renewed && !x.r.open {
		x.renewed = true
		fresh, tokenErr := x.renew(ctx, x.r, token)
		if tokenErr != nil || fresh == token {
			return nil, err
		}
		ans, err = a.send(ctx, fresh)
		said = a.fault
	}
	return ans, err
}

// faultOf tells what an error says about the endpoint. What ScaiVault itself
// answers is no fault, but for the statuses of a gateway.
func faultOf(e *Error, unreached bool) endpoint.Fault {
	var large tooLargeError
	switch {
	case !errors.Is(e.Kind, ErrUnavailable) || errors.As(e.Err, &large):
		return endpoint.FaultNone
	case e.Code != "" && !isGatewayStatus(e.Status):
		return endpoint.FaultNone
	case unreached:
		return endpoint.FaultHard
	default:
		return endpoint.FaultSoft
	}
}

// decode reads an answer's JSON. What it cannot read is ErrUnavailable: no
// answer that counts.
func (a *answer) decode(r request, into any) *Error {
	dec := json.NewDecoder(bytes.NewReader(a.body))
	dec.UseNumber()
	if dec.Decode(into) == nil {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return nil
		}
	}
	return a.malformed(r, notJSON+describe(a.status, a.header, a.body))
}

// unsupported is the error of an answer that shows that the service does not
// offer something.
func (a *answer) unsupported(r request, what string) *Error {
	e := a.malformed(r, "")
	return unsupported(r.op, r.path, what, e)
}

const notJSON = "the answer is not the JSON that was expected; "

func (a *answer) malformed(r request, reason string) *Error {
	e := &Error{
		Kind: ErrUnavailable, Op: r.op, Source: sourceScaiVault, Path: wire.Printable(r.path),
		Status: a.status, RequestID: wire.RequestID(a.header), Reason: reason,
	}
	a.scrub(e)
	return e
}
