// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"sync/atomic"
)

// maxFreshConns is how many new connections one attempt may use up. Package
// net/http goes on to the next at once, and without end, where an endpoint
// gives back each one by HTTP/2's GOAWAY or PROTOCOL_ERROR.
const maxFreshConns = 3

// A Sent watches what the transport does with the request of one attempt:
// whether it can have left, and whether it may be sent again below us.
type Sent struct {
	at         *Endpoint
	asked, got atomic.Bool
	fresh      atomic.Int32
	gaveUp     atomic.Bool // there was no connection in time
	stop       func()      // ends the attempt
	trace      httptrace.ClientTrace
}

// Watch watches a request to an endpoint.
func Watch(at *Endpoint) *Sent { return &Sent{at: at} }

// GaveUp tells whether GiveUpDialling has ended the attempt.
func (s *Sent) GaveUp() bool { return s.gaveUp.Load() }

// GiveUpDialling ends an attempt for which there is no connection yet.
func (s *Sent) GiveUpDialling(stop func()) func() {
	return func() {
		if s.asked.Load() && !s.got.Load() {
			s.gaveUp.Store(true)
			stop()
		}
	}
}

// Hooks watches a request; stop ends its attempt.
func (s *Sent) Hooks(stop func()) *httptrace.ClientTrace {
	s.stop = stop
	s.trace.GetConn, s.trace.GotConn = s.getConn, s.gotConn
	return &s.trace
}

func (s *Sent) getConn(string) {
	s.asked.Store(true)
	if s.fresh.Load() >= maxFreshConns {
		s.stop()
	}
}

func (s *Sent) gotConn(info httptrace.GotConnInfo) {
	s.got.Store(true)
	c, ok := info.Conn.(*tls.Conn)
	s.at.HTTP2.Store(ok && c.ConnectionState().NegotiatedProtocol == "h2")
	if !info.Reused {
		s.fresh.Add(1)
	}
}

// errSentBefore keeps the transport from sending a write again.
var errSentBefore = errors.New("the request was sent before")

// Guard keeps the transport from sending a write again by itself where that is
// more than to begin anew. On HTTP/1 it does so only where it had written
// nothing. On HTTP/2 it does so after an end of the stream that says that
// nothing was done, and after a PROTOCOL_ERROR, which says no such thing. A
// request that can't be sent again ends with an error that tells the two apart.
func (s *Sent) Guard(r *http.Request) {
	body := r.GetBody
	switch {
	case body == nil:
	case s.at.HTTP2.Load():
		r.GetBody = nil
	default:
		r.GetBody = func() (io.ReadCloser, error) {
			if s.at.HTTP2.Load() { // as we know only now
				return nil, errSentBefore
			}
			return body()
		}
	}
}

// Possible tells of a request that ended with cause whether it can have reached
// the service. It can't where a connection was asked for and not given, or
// where the endpoint says that it did not look at the request. A transport that
// calls no hooks proves nothing, and a dial of its own that failed may have been
// its second.
func (s *Sent) Possible(cause error) bool {
	return !(s.asked.Load() && !s.got.Load() || GivenBack(cause))
}

// givenBackText is what package net/http says of a request that it does not
// send again and that the endpoint has not looked at, as RFC 9113 section 8.7
// has it: a stream above the last one of a GOAWAY, or a REFUSED_STREAM.
var givenBackText = regexp.MustCompile(`^http2: Transport: cannot retry err \[(http2: Transport received Server's graceful shutdown GOAWAY|` +
	`stream error: stream ID \d+; REFUSED_STREAM; received from peer)\] after Request\.Body was written;`)

// GivenBack tells whether an endpoint said that it has not looked at a request.
// There is no other way to know than the text; if it changes, less is certain.
func GivenBack(err error) bool {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return err != nil && givenBackText.MatchString(err.Error())
}
