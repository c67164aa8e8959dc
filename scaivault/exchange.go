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
	"time"

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

// exchange makes one call: it repeats what may be repeated. Every status of
// 200 to 299 is a success. Its error is an *Error, or a sentError around one.
func (c *Client) exchange(ctx context.Context, r request) (*answer, error) {
	waits, tries := c.waits(), c.cfg.Retry.maxRetries()+len(c.urls)
	if r.once {
		tries = len(c.urls)
	}
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
		if !mayRepeat(r, err) || internalErrors > 1 || try+1 >= tries || r.once && e.RetryAfter > 0 {
			return nil, err
		}
		wait := time.Duration(0)
		if (try+1)%len(c.urls) == 0 || e.RetryAfter > 0 {
			wait = max(e.RetryAfter, waits.NextBackOff())
		}
		if !sleep(ctx, wait) {
			if ctx.Err() != nil {
				last := *e
				return nil, c.interrupted(ctx, &last)
			}
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
	var large tooLargeError
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &large) {
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
	if c.closed.Load() {
		return nil, &Error{Kind: ErrClosed, Op: r.op, Source: sourceScaiVault, Path: wire.Printable(r.path)}
	}
	if ctx.Err() != nil {
		return nil, c.interrupted(ctx, &Error{Op: r.op, Source: sourceScaiVault, Path: wire.Printable(r.path)})
	}
	if r.open {
		return c.send(ctx, r, base, "")
	}
	token, err := c.token(ctx, r)
	if err != nil {
		return nil, err
	}
	ans, err := c.send(ctx, r, base, token)
	if !errors.Is(err, ErrUnauthenticated) || *renewed {
		return ans, err
	}
	*renewed = true
	fresh, tokenErr := c.token(ctx, r)
	if tokenErr != nil || fresh == token {
		return nil, err
	}
	return c.send(ctx, r, base, fresh)
}

// send sends one HTTP request and reads the whole answer.
func (c *Client) send(ctx context.Context, r request, base *url.URL, token string) (*answer, error) {
	attemptCtx, cancel := context.WithTimeout(ctx, defaultTo(r.wait, c.cfg.attemptTimeout()))
	defer cancel()
	sent := &sentTrace{}
	req, err := c.newRequest(httptrace.WithClientTrace(attemptCtx, sent.hooks()), r, base, token)
	if err != nil {
		return nil, &Error{Kind: ErrInvalid, Op: r.op, Source: sourceScaiVault, Path: wire.Printable(r.path), Err: err}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, sent.mark(r, c.transportError(ctx, r, err), err)
	}
	defer resp.Body.Close()
	body, err := readBody(resp, c.cfg.maxResponseBytes())
	if err != nil {
		return nil, c.brokenAnswer(ctx, r, resp, err)
	}
	scrub := func(e *Error) { scrubWords(e, token, r.secret) }
	if resp.StatusCode/100 != 2 && !r.anyStatus {
		e := answerError(r.op, r.path, resp.StatusCode, resp.Header, body)
		scrub(e)
		if leavesOpen(e) && !r.reads {
			return nil, sentError{e}
		}
		return nil, e
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body, scrub: scrub}, nil
}

// scrubWords takes a token and a secret's data out of the server's words.
func scrubWords(e *Error, token string, secret []byte) {
	e.Message = wire.Scrub(e.Message, token, secret)
	if e.Details == nil {
		return
	}
	e.Details = json.RawMessage(wire.Scrub(string(e.Details), token, secret))
	if !json.Valid(e.Details) { // a number was taken out
		e.Details = nil
	}
}

// brokenAnswer is the error of an answer whose head came and whose body did
// not. A status that refuses counts without its body.
func (c *Client) brokenAnswer(ctx context.Context, r request, resp *http.Response, cause error) error {
	e := c.transportError(ctx, r, cause)
	e.Status, e.RequestID = resp.StatusCode, wire.Identifier(resp.Header.Get("X-Request-ID"))
	if ctx.Err() == nil {
		e.Kind = kindOf(resp.StatusCode, "", false)
		e.RetryAfter = wire.RetryAfter(resp.Header, time.Now())
	}
	if resp.StatusCode/100 == 2 || leavesOpen(e) {
		if !r.reads {
			return sentError{e}
		}
	}
	return e
}

func (c *Client) newRequest(ctx context.Context, r request, base *url.URL, token string) (*http.Request, error) {
	u := *base
	decoded, err := url.PathUnescape(r.apiPath)
	if err != nil {
		return nil, errors.New("the API path is malformed") // the cause quotes it
	}
	u.Path, u.RawPath = base.Path+decoded, base.EscapedPath()+r.apiPath
	u.RawQuery = r.query.Encode()
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, errors.New("the request is malformed") // the cause quotes the URL
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	if !r.open {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("User-Agent", c.userAgent)
	if c.cfg.TenantID != "" && !r.open {
		req.Header.Set(headerTenant, c.cfg.TenantID)
	}
	return req, nil
}

// A tooLargeError says that an answer has more bytes than it is.
type tooLargeError int64

func (e tooLargeError) Error() string {
	return fmt.Sprintf("the answer is larger than %d bytes; raise ClientConfig.MaxResponseBytes if that is right", int64(e))
}

// readBody reads a body up to a limit and tells when it stops too early.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	if resp.ContentLength > limit {
		return nil, tooLargeError(limit)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, tooLargeError(limit)
	}
	return body, nil
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
	return a.malformed(r, "the answer is not the JSON that was expected; "+describe(a.status, a.header, a.body))
}

func (a *answer) malformed(r request, reason string) *Error {
	return &Error{
		Kind: ErrUnavailable, Op: r.op, Source: sourceScaiVault, Path: wire.Printable(r.path),
		Status: a.status, RequestID: wire.Identifier(a.header.Get("X-Request-ID")), Reason: reason,
	}
}
