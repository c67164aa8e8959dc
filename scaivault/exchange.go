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
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

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
	reads   bool   // may be repeated whatever happened
	// anyStatus makes every whole answer a success.
	anyStatus bool
}

// An answer is a success with its whole body.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// A sentError marks an error after which it is open whether the service did
// what was asked.
type sentError struct{ cause *Error }

func (e sentError) Error() string { return e.cause.Error() }
func (e sentError) Unwrap() error { return e.cause }

// exchange makes one call: it repeats what may be repeated. Every status of
// 200 to 299 is a success. Its error is an *Error, or a sentError around one.
func (c *Client) exchange(ctx context.Context, r request) (*answer, error) {
	waits := c.waits()
	renewed, internalErrors := false, 0
	for try := 0; ; try++ {
		ans, err := c.attempt(ctx, r, c.urls[try%len(c.urls)], &renewed)
		if err == nil {
			return ans, nil
		}
		var e *Error
		if !errors.As(err, &e) {
			return nil, err
		}
		if e.Code == codeInternalError {
			internalErrors++
		}
		if !mayRepeat(r, err) || internalErrors > 1 || try >= c.cfg.Retry.maxRetries()+len(c.urls)-1 {
			return nil, err
		}
		wait := time.Duration(0)
		if (try+1)%len(c.urls) == 0 || e.RetryAfter > 0 {
			wait = max(e.RetryAfter, waits.NextBackOff())
		}
		if !sleep(ctx, wait) {
			return nil, err
		}
	}
}

func (c *Client) waits() backoff.BackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(c.cfg.Retry.minWait()),
		backoff.WithMaxInterval(c.cfg.Retry.maxWait()),
		backoff.WithRandomizationFactor(0.5),
		backoff.WithMaxElapsedTime(0))
}

// mayRepeat: a read when there was no answer, a write only when it is certain
// that it was not done. Codes that say "no" are answers.
func mayRepeat(r request, err error) bool {
	if errors.Is(err, ErrRateLimited) {
		return true
	}
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var sent sentError
	var e *Error
	if r.reads {
		return true
	}
	return !errors.As(err, &sent) && errors.As(err, &e) && e.Status == 0
}

// sleep waits, unless ctx ends or would end first.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// attempt sends the request once, and once more with a new token after a 401.
func (c *Client) attempt(ctx context.Context, r request, base *url.URL, renewed *bool) (*answer, error) {
	token, err := c.token(ctx, r.op)
	if err != nil {
		return nil, err
	}
	ans, err := c.send(ctx, r, base, token)
	if !errors.Is(err, ErrUnauthenticated) || *renewed {
		return ans, err
	}
	*renewed = true
	fresh, tokenErr := c.token(ctx, r.op)
	if tokenErr != nil || fresh == token {
		return nil, err
	}
	return c.send(ctx, r, base, fresh)
}

// send sends one HTTP request and reads the whole answer.
func (c *Client) send(ctx context.Context, r request, base *url.URL, token string) (*answer, error) {
	if c.closed.Load() {
		return nil, &Error{Kind: ErrClosed, Op: r.op, Source: sourceScaiVault, Path: printable(r.path)}
	}
	attemptCtx, cancel := context.WithTimeout(ctx, c.cfg.attemptTimeout())
	defer cancel()
	sent := &sentTrace{}
	req, err := c.newRequest(httptrace.WithClientTrace(attemptCtx, sent.hooks()), r, base, token)
	if err != nil {
		return nil, &Error{Kind: ErrInvalid, Op: r.op, Source: sourceScaiVault, Path: printable(r.path), Err: err}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, sent.mark(r, c.transportError(ctx, r, err))
	}
	defer resp.Body.Close()
	body, err := readBody(resp, c.cfg.maxResponseBytes())
	if err != nil {
		e := c.transportError(ctx, r, err)
		e.Status, e.RequestID = resp.StatusCode, identifier(resp.Header.Get("X-Request-ID"))
		if resp.StatusCode/100 == 4 {
			e.Kind = kindOf(resp.StatusCode, "", false)
			return nil, e
		}
		return nil, sent.mark(r, e)
	}
	if resp.StatusCode/100 != 2 && !r.anyStatus {
		e := answerError(r.op, r.path, resp.StatusCode, resp.Header, body)
		if resp.StatusCode >= 500 || resp.StatusCode == http.StatusRequestTimeout || resp.StatusCode/100 == 1 {
			return nil, sent.mark(r, e)
		}
		return nil, e
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

func (c *Client) newRequest(ctx context.Context, r request, base *url.URL, token string) (*http.Request, error) {
	u := *base
	u.Path += r.apiPath
	u.RawQuery = r.query.Encode()
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, errors.New("the request's URL is malformed") // the cause quotes it
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("User-Agent", c.userAgent)
	if c.cfg.TenantID != "" {
		req.Header.Set(headerTenant, c.cfg.TenantID)
	}
	return req, nil
}

var errTooLarge = errors.New("too large")

// readBody reads a body up to a limit and tells when it stops too early.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	if resp.ContentLength > limit {
		return nil, errTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, errTooLarge
	}
	return body, nil
}

// transportError is for everything but a complete answer. The caller's own
// context shows through; a timeout of ours is ErrUnavailable alone.
func (c *Client) transportError(ctx context.Context, r request, cause error) *Error {
	e := &Error{Kind: ErrUnavailable, Op: r.op, Source: sourceScaiVault, Path: printable(r.path)}
	var wrapped *url.Error
	if errors.As(cause, &wrapped) {
		cause = wrapped.Err // the wrapper quotes the whole URL
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Kind, e.Err = nil, ctx.Err()
	case ctx.Err() != nil:
		e.Err = ctx.Err()
	case errors.Is(cause, context.DeadlineExceeded):
		e.Reason = fmt.Sprintf("no answer within %v", c.cfg.attemptTimeout())
	case errors.Is(cause, errTooLarge):
		e.Reason = fmt.Sprintf("the answer is larger than %d bytes; raise ClientConfig.MaxResponseBytes if that is right", c.cfg.maxResponseBytes())
	case errors.Is(cause, io.ErrUnexpectedEOF):
		e.Reason = "the answer stopped in the middle"
	case errors.Is(cause, io.EOF):
		e.Reason = "the connection was closed without an answer"
	default:
		e.Err = cause
	}
	return e
}

// A sentTrace measures whether a request can have left.
type sentTrace struct{ asked, got atomic.Bool }

func (s *sentTrace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { s.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { s.got.Store(true) },
	}
}

// mark wraps the error of a write in a sentError, unless it is certain that
// there was no connection. A transport that calls no hooks proves nothing.
func (s *sentTrace) mark(r request, e *Error) error {
	if r.reads || s.asked.Load() && !s.got.Load() {
		return e
	}
	return sentError{e}
}

// decode reads an answer's JSON. What it cannot read is ErrUnavailable: no
// answer that counts.
func (a *answer) decode(r request, into any) *Error {
	dec := json.NewDecoder(bytes.NewReader(a.body))
	dec.UseNumber()
	err := dec.Decode(into)
	if err == nil {
		return nil
	}
	return a.malformed(r, "the answer is not the JSON that was expected; "+describe(a.status, a.header, a.body))
}

func (a *answer) malformed(r request, reason string) *Error {
	return &Error{Kind: ErrUnavailable, Op: r.op, Source: sourceScaiVault, Path: printable(r.path),
		Status: a.status, RequestID: identifier(a.header.Get("X-Request-ID")), Reason: reason}
}
