// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/endpoint"
	"github.com/scailabs/scaivault-go/internal/wire"
	"github.com/scailabs/scaivault-go/scaivault"
)

// The headers of Vault that this package sets.
const (
	headerToken     = "X-Vault-Token"
	headerIndex     = "X-Vault-Index"
	headerNoForward = "X-Vault-No-Request-Forwarding"
)

// An attempt is one HTTP request to one endpoint.
type attempt struct {
	x       *exchanger
	at      *endpoint.Endpoint
	timeout time.Duration
	connect time.Duration // bounds the wait for a connection; 0 for timeout alone
	direct  bool          // a standby is to name the leader, not to pass the request on
}

// send sends the request once and reads the whole answer.
func (d *attempt) send(ctx context.Context) (*answer, error) {
	x := d.x
	bounded, cancel := d.bounded(ctx) // what fails by our own bound is not the caller's doing
	defer cancel()
	sent := endpoint.Watch(d.at)
	req := d.request(httptrace.WithClientTrace(bounded, sent.Hooks(cancel)))
	if !x.r.reads {
		sent.Guard(req)
	}
	if d.connect > 0 {
		defer time.AfterFunc(d.connect, sent.GiveUpDialling(cancel)).Stop()
	}
	d.at.Requests.Add(1)
	resp, err := x.http.Do(req)
	if err != nil {
		e := d.failed(ctx, err)
		if sent.GaveUp() && ctx.Err() == nil {
			e.Reason, x.fault = fmt.Sprintf("no connection within %v", d.connect.Round(time.Millisecond)), endpoint.FaultHard
		}
		return &answer{left: sent.Possible(err)}, e
	}
	defer resp.Body.Close()
	if x.r.method != http.MethodGet {
		x.index.record(resp.Header)
	}
	a := &answer{status: resp.StatusCode, header: resp.Header, left: true, unsent: d.direct}
	if err := a.readBody(resp, x.r.lists, x.maxBytes); err != nil {
		e := d.failed(ctx, err)
		e.Status = a.status
		return a, e
	}
	return a, nil
}

// readBody reads the answer to its end, a listing without keeping its names in
// memory.
func (a *answer) readBody(resp *http.Response, lists bool, limit int64) (err error) {
	if !lists || !a.success() {
		a.body, err = wire.ReadBody(resp, limit)
		return err
	}
	var r namesReader
	if err = wire.ReadBodyTo(&r, resp, limit); err != nil {
		r.names.discard()
		return err
	}
	a.body = r.Bytes()
	if _, ok := a.envelope(); !ok {
		r.names.discard() // it may well be asked for again
		return nil
	}
	a.names = &r.names
	return nil
}

// bounded ends ctx with the attempt.
func (d *attempt) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if c, ok := ctx.(*call); ok {
		return c.attempt(d.timeout)
	}
	return context.WithTimeout(ctx, d.timeout)
}

// request makes the HTTP request.
func (d *attempt) request(ctx context.Context) *http.Request {
	r, base := &d.x.r, d.at.URL
	req := (&http.Request{
		Method: r.method, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: base.Host,
		URL: &url.URL{Scheme: base.Scheme, Host: d.x.resolved(ctx, base), Path: base.Path + "/v1/" + r.api, RawQuery: r.query},
	}).WithContext(ctx)
	if r.body != nil {
		req.ContentLength = int64(len(r.body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.body)), nil }
		req.Body = io.NopCloser(bytes.NewReader(r.body))
	}
	req.Header = d.header()
	return req
}

// header returns the headers that the request goes out with.
func (d *attempt) header() http.Header {
	if d.x.r.header != nil {
		return d.x.r.header.Clone()
	}
	shared := d.x.header()
	header := make(http.Header, len(shared)+4)
	maps.Copy(header, shared)
	header[headerToken] = []string{d.x.token}
	if d.x.r.body != nil {
		header["Content-Type"] = []string{"application/json"}
	}
	if states := d.x.index.required(); states != nil {
		header[headerIndex] = states
	}
	if d.direct {
		header[headerNoForward] = []string{"true"}
	}
	return header
}

// failed is the error of a request without a whole answer.
func (d *attempt) failed(ctx context.Context, cause error) *scaivault.Error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		d.x.fault = endpoint.FaultOpen
	case errors.Is(cause, wire.ErrTooLarge):
		d.x.fault = endpoint.FaultNone
	case ctx.Err() == nil && (isTimeout(cause) || isDial(cause)):
		d.x.fault = endpoint.FaultHard
	default:
		d.x.fault = endpoint.FaultSoft
	}
	return d.x.transportError(ctx, d.x.r.target, cause)
}

func isTimeout(err error) bool {
	var timed net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timed) && timed.Timeout()
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// resolved is the host to connect to: where the caller's client looks for SRV
// records, what the first of them says.
func (s *Source) resolved(ctx context.Context, u *url.URL) string {
	if !s.srv || u.Port() != "" {
		return u.Host
	}
	_, all, err := net.DefaultResolver.LookupSRV(ctx, "http", "tcp", u.Hostname())
	if err != nil || len(all) == 0 {
		return u.Host
	}
	return net.JoinHostPort(strings.TrimSuffix(all[0].Target, "."), fmt.Sprint(all[0].Port))
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
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(cause, &cert):
		return "the certificate is not trusted; give Config.Client the authority that signed it, by VAULT_CACERT or api.TLSConfig", cert
	case errors.Is(cause, context.DeadlineExceeded):
		return "no answer in time", context.DeadlineExceeded
	case errors.Is(cause, wire.ErrTooLarge):
		return fmt.Sprintf("the answer is larger than %d bytes; raise Config.MaxResponseBytes if that is right", s.maxBytes), wire.ErrTooLarge
	case errors.Is(cause, http.ErrSchemeMismatch):
		return "the server speaks plain http; is its address http:// or the port another?", nil
	case errors.Is(cause, io.ErrUnexpectedEOF):
		return "the answer stopped in the middle", nil
	case errors.Is(cause, io.EOF):
		return "the connection was closed without an answer", nil
	}
	return "", quieten(cause)
}
