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
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/endpoint"
	"github.com/scailabs/scaivault-go/internal/wire"
)

// An attempt is one HTTP request to one endpoint.
type attempt struct {
	*Client
	r       *request
	at      *endpoint.Endpoint
	timeout time.Duration
	connect time.Duration  // bounds the wait for a connection; 0 for timeout alone
	fault   endpoint.Fault // what it says about the endpoint
}

// send sends the request and reads the whole answer.
func (a *attempt) send(ctx context.Context, token string) (*answer, error) {
	attemptCtx, cancel := context.WithTimeout(ctx, a.timeout) // sets no timer where the caller's own is nearer
	defer cancel()
	sent := endpoint.Watch(a.at)
	req, err := a.request(httptrace.WithClientTrace(attemptCtx, sent.Hooks(cancel)), token)
	if err != nil {
		a.fault = endpoint.FaultOpen
		return nil, &Error{Kind: ErrInvalid, Op: a.r.op, Source: sourceScaiVault, Path: wire.Printable(a.r.path), Err: err}
	}
	if !a.r.reads {
		sent.Guard(req)
	}
	if a.connect > 0 {
		defer time.AfterFunc(a.connect, sent.GiveUpDialling(cancel)).Stop()
	}
	a.stats.requests.Add(1)
	a.at.Requests.Add(1)
	resp, err := a.http.Do(req)
	if err != nil {
		e := a.failed(ctx, err)
		if sent.GaveUp() && ctx.Err() == nil {
			e.Reason, a.fault = fmt.Sprintf("no connection within %v", a.connect.Round(time.Millisecond)), endpoint.FaultHard
		}
		if a.r.reads || !sent.Possible(err) {
			return nil, e
		}
		return nil, sentError{e}
	}
	defer resp.Body.Close()
	a.pace.learn(a.r, resp)
	body, err := readBody(resp, a.cfg.maxResponseBytes())
	scrub := func(e *Error) { scrubWords(e, token, a.r.secret) }
	if err != nil {
		return nil, a.broken(ctx, resp, err, scrub)
	}
	return a.read(resp, body, scrub)
}

// read makes an answer, or its error, of a response.
func (a *attempt) read(resp *http.Response, body []byte, scrub func(*Error)) (*answer, error) {
	a.fault = endpoint.FaultNone
	if resp.StatusCode/100 == 2 || a.r.anyStatus {
		ans := &answer{status: resp.StatusCode, header: resp.Header, body: body, scrub: scrub}
		if a.r.reads && !a.r.anyStatus && isPage(body) {
			a.fault = endpoint.FaultSoft
			return nil, ans.malformed(*a.r, notJSON+describe(resp.StatusCode, resp.Header, body))
		}
		return ans, nil
	}
	e := answerError(a.r.op, a.r.path, resp.StatusCode, resp.Header, body)
	a.fault = faultOf(e, false)
	scrub(e)
	if leavesOpen(e) && !a.r.reads {
		return nil, sentError{e}
	}
	return nil, e
}

// failed is the error of a request without an answer.
func (a *attempt) failed(ctx context.Context, cause error) *Error {
	e := a.transportError(ctx, *a.r, a.timeout, cause)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		a.fault = endpoint.FaultOpen
	case ctx.Err() != nil:
		a.fault = endpoint.FaultSoft
	default:
		a.fault = faultOf(e, isTimeout(cause) || isDial(cause))
	}
	return e
}

// broken is the error of an answer whose head came and whose body did not. A
// status that refuses counts without its body.
func (a *attempt) broken(ctx context.Context, resp *http.Response, cause error, scrub func(*Error)) error {
	e := a.failed(ctx, cause)
	e.Status, e.RequestID = resp.StatusCode, wire.RequestID(resp.Header)
	kind := kindOf(resp.StatusCode, "", false)
	open := resp.StatusCode/100 == 2 || leavesOpen(&Error{Kind: kind, Status: resp.StatusCode}) // whoever ended the call
	scrub(e)
	if ctx.Err() == nil {
		e.Kind = kind
		e.RetryAfter = wire.RetryAfter(resp.Header, time.Now())
	}
	if open && !a.r.reads {
		return sentError{e}
	}
	return e
}

// scrubWords takes a token and a secret's data out of the server's words. An id
// that holds any of it is none; the codes that are known hold none.
func scrubWords(e *Error, token string, secret []byte) {
	if wire.Scrub(e.RequestID, token, secret) != e.RequestID {
		e.RequestID = ""
	}
	if kindOfCode[e.Code] == nil {
		e.Code = wire.Scrub(e.Code, token, secret)
	}
	e.Message = wire.Scrub(e.Message, token, secret)
	e.Reason = wire.Scrub(e.Reason, token, nil)
	details := string(e.Details)
	scrubbed := wire.Scrub(details, token, secret)
	switch {
	case scrubbed == details:
	case json.Valid([]byte(scrubbed)):
		e.Details = json.RawMessage(scrubbed)
	default: // a number was taken out
		e.Details = nil
	}
}

// request makes the HTTP request.
func (a *attempt) request(ctx context.Context, token string) (*http.Request, error) {
	apiPath := a.r.apiPath
	if a.cfg.TenantInPath && !a.r.open && !strings.HasPrefix(apiPath, apiTenant) {
		apiPath = apiTenant + a.cfg.TenantID + apiPath[len(apiPrefix)-1:]
	}
	var body io.Reader
	if a.r.body != nil {
		body = bytes.NewReader(a.r.body)
	}
	req, err := http.NewRequestWithContext(ctx, a.r.method, "", body)
	if err != nil {
		return nil, errors.New("the request is malformed") // the cause can quote it
	}
	if err := a.address(req.URL, apiPath); err != nil {
		return nil, err
	}
	req.Host = req.URL.Host
	a.setHeader(req, token)
	return req, nil
}

// address puts the endpoint, the path and the query into a URL.
func (a *attempt) address(u *url.URL, apiPath string) error {
	base := a.at.URL
	u.Scheme, u.Host = base.Scheme, base.Host
	u.Path = base.Path + apiPath
	if strings.IndexByte(apiPath, '%') >= 0 || base.RawPath != "" {
		decoded, err := url.PathUnescape(apiPath)
		if err != nil {
			return errors.New("the API path is malformed") // the cause quotes it
		}
		u.Path, u.RawPath = base.Path+decoded, base.EscapedPath()+apiPath
	}
	if len(a.r.query) > 0 {
		u.RawQuery = a.r.query.Encode()
	}
	return nil
}

func (a *attempt) setHeader(req *http.Request, token string) {
	values := make([]string, 0, 4) // one allocation for all of them
	set := func(name, value string) {
		values = append(values, value)
		req.Header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if a.r.body != nil {
		set("Content-Type", "application/json")
	}
	set("Accept", "application/json")
	set("User-Agent", a.userAgent)
	if a.r.open {
		return
	}
	set("Authorization", "Bearer "+token)
	if a.cfg.TenantID != "" && !a.cfg.TenantInPath {
		req.Header.Set(headerTenant, a.cfg.TenantID)
	}
}
