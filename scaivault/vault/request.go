// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A request is one request to Vault, before it has a token.
type request struct {
	target
	method string // GET, PUT or DELETE
	api    string // below /v1/
	query  url.Values
	body   []byte
}

// An answer is a whole answer, whatever its status. Where there was none, it
// still says how far the request came.
type answer struct {
	status int
	header http.Header
	body   []byte
	left   bool // the request, or some of it, may have reached Vault

	parsed, isVault bool // what follows is read from body
	env             envelope
}

func (a *answer) success() bool { return a.status >= 200 && a.status <= 299 }

// do sends a request with the token of the moment, and once more with a newer
// one if Vault refused that token. A refused request was not carried out, so
// this holds for writes too.
func (s *Source) do(ctx context.Context, r request) (*answer, error) {
	token, err := s.token(ctx, r.target)
	if err != nil {
		return &answer{}, err
	}
	a, err := s.send(ctx, r, token)
	if err != nil || a.status != http.StatusForbidden {
		return a, err
	}
	fresh, err := s.tokenAfter(ctx, r.target, token, a)
	if err != nil || fresh == "" {
		return a, err
	}
	return s.send(ctx, r, fresh)
}

// send sends a request once and reads the whole answer. Without a whole answer
// there is an error, and the answer says how far the request came.
func (s *Source) send(ctx context.Context, r request, token string) (*answer, error) {
	if s.limiter != nil {
		if err := s.limiter.Wait(ctx); err != nil {
			return &answer{}, s.limited(ctx, r.target)
		}
	}
	bounded := ctx // what fails by our own bound is not the caller's doing
	if s.attempt > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, s.attempt)
		defer cancel()
	}
	reach := &reach{}
	client := s.client.WithRequestCallbacks(func(req *api.Request) { req.ClientToken = token })
	resp, err := perform(httptrace.WithClientTrace(bounded, reach.hooks()), client.Logical(), r)
	if resp == nil {
		return &answer{left: reach.possible(err)}, s.transportError(ctx, r.target, err)
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header, left: true}
	var refusal *api.ResponseError // its text is the body, which is read here
	if err == nil || errors.As(err, &refusal) {
		a.body, err = io.ReadAll(resp.Body)
	}
	if err != nil {
		e := s.transportError(ctx, r.target, err)
		e.Status = a.status
		return a, e
	}
	return a, nil
}

func perform(ctx context.Context, logical *api.Logical, r request) (*api.Response, error) {
	switch r.method {
	case http.MethodGet:
		return logical.ReadRawWithDataWithContext(ctx, r.api, r.query)
	case http.MethodDelete:
		return logical.DeleteRawWithContext(ctx, r.api)
	default:
		return logical.WriteRawWithContext(ctx, r.api, r.body)
	}
}

// limited is for a request whose turn does not come in time.
func (s *Source) limited(ctx context.Context, t target) *scaivault.Error {
	if err := s.ended(ctx, t); err != nil {
		return err
	}
	e := s.failure(t, scaivault.ErrUnavailable, "the rate limit of Config.Client leaves no turn before the deadline")
	e.Err = context.DeadlineExceeded
	return e
}

// A reach measures how far a request can have come.
type reach struct{ asked, got atomic.Bool }

func (m *reach) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { m.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { m.got.Store(true) },
	}
}

// possible tells whether the request can have reached Vault. It did not where
// there was no connection; a transport that calls no hooks proves nothing but
// by a refused dial.
func (m *reach) possible(err error) bool {
	if m.got.Load() {
		return true
	}
	var op *net.OpError
	return !m.asked.Load() && !(errors.As(err, &op) && op.Op == "dial")
}

// transportError is for everything but a whole answer.
func (s *Source) transportError(ctx context.Context, t target, cause error) *scaivault.Error {
	if err := s.ended(ctx, t); err != nil {
		return err
	}
	e := s.failure(t, scaivault.ErrUnavailable, "")
	e.Reason, e.Err = s.explain(cause)
	return e
}

// explain says in our own words what a transport's error is, and what of it
// may be shown.
func (s *Source) explain(cause error) (reason string, shown error) {
	var wrapped *url.Error
	if errors.As(cause, &wrapped) {
		cause = wrapped.Err // the wrapper quotes the whole URL
	}
	switch {
	case errors.Is(cause, context.DeadlineExceeded):
		return "no answer in time", context.DeadlineExceeded
	case errors.Is(cause, errTooLarge):
		return fmt.Sprintf("the answer is larger than %d bytes; raise Config.MaxResponseBytes if that is right", s.maxBytes), nil
	case errors.Is(cause, http.ErrSchemeMismatch):
		return "the server speaks plain http; is its address http:// or the port another?", nil
	case errors.Is(cause, io.ErrUnexpectedEOF):
		return "the answer stopped in the middle", nil
	case errors.Is(cause, io.EOF):
		return "the connection was closed without an answer", nil
	}
	return "", quieten(cause)
}
