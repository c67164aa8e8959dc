// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// A host is what both servers share: it carries a handler to its callers, over a
// socket and in memory, with faults on the way, and keeps a log of the requests.
type host struct {
	handler  http.Handler
	envelope func(w http.ResponseWriter, status int, code, message string)
	tls      *tls.Config // of the socket; nil: it speaks plain HTTP
	http2    bool        // with TLS, it offers that too
	faults   faultSet
	log      *requestLog

	// turn is held by whoever opens, takes down, brings back or closes the socket.
	// A request never needs it.
	turn    sync.Mutex
	socket  *socket
	address string     // of the socket, once it was opened
	pin     []net.Conn // keeps the port ours while the socket is closed

	mu      sync.Mutex // guards all below
	idle    sync.Cond  // signalled when active or conns falls to zero
	active  int        // requests under way
	conns   int        // connections to the socket
	closed  bool
	down    bool
	up      context.Context // ends when the server goes down or closes; the parent of every request
	cut     context.CancelFunc
	onClose []func()
	tb      TB // nil in programs
}

// newHost returns a host that is up and has no socket yet. A Fault with a Code is
// answered through errorEnvelope.
func newHost(h http.Handler, errorEnvelope func(w http.ResponseWriter, status int, code, message string)) *host {
	hst := &host{handler: h, envelope: errorEnvelope, log: newRequestLog()}
	hst.idle.L = &hst.mu
	hst.rise()
	return hst
}

// rise starts a span in which the server is up; the caller holds mu or is alone.
// The span has no caller whose context it could take: a server outlives its requests.
func (h *host) rise() { h.up, h.cut = context.WithCancel(context.Background()) }

// bind ties the host to a test: closed at its end, failing it where a method has
// no other way to say that something went wrong.
func (h *host) bind(tb TB) {
	h.mu.Lock()
	h.tb = tb
	h.mu.Unlock()
	tb.Cleanup(h.Close)
}

// test is the test that the host serves; in a program one that takes no notice. What
// fails it calls Helper before, so that the failure names the line of the test.
func (h *host) test() TB {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tb == nil {
		return noTest{}
	}
	return h.tb
}

// fail ends the test, if there is one.
func (h *host) fail(format string, args ...any) {
	tb := h.test()
	tb.Helper()
	tb.Fatalf(format, args...)
}

// atClose has f called once, after the last request has ended.
func (h *host) atClose(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.onClose = append(h.onClose, f)
}

// enter lets a request in, unless the server is down or closed. It returns the span
// that the request belongs to. Whoever was let in calls leave.
func (h *host) enter() (up context.Context, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down || h.closed {
		return nil, false
	}
	h.active++
	return h.up, true
}

// span is that in which the server is up now, or was last.
func (h *host) span() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.up
}

func (h *host) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active--
	if h.active == 0 {
		h.idle.Broadcast()
	}
}

// ServeHTTP answers r, with the injected faults applied, so that the server can be
// mounted in one of the caller's own. While it is down or closed, and for a fault
// that cuts the connection, it panics with http.ErrAbortHandler, as net/http wants it.
func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	up, ok := h.enter()
	if !ok {
		panic(http.ErrAbortHandler)
	}
	defer h.leave()
	h.serve(up, w, r)
}

// serve answers a request that was let in.
func (h *host) serve(up context.Context, w http.ResponseWriter, r *http.Request) {
	fault := h.faults.take(r.Method, r.URL.Path)
	number := h.log.begin(r, fault != nil)
	sw := &statusWriter{ResponseWriter: w}
	completed := false
	defer func() {
		if completed && sw.status == 0 {
			sw.status = http.StatusOK
		}
		h.log.end(number, sw.status)
	}()
	if fault == nil {
		h.handler.ServeHTTP(sw, r)
	} else {
		h.serveFault(up, fault, sw, r)
	}
	completed = true
}

// SetDown takes the server away, and brings it back. Down: every live connection is
// cut, requests under way end without an answer, and new ones are refused as by a
// host on which nothing listens. The address and the data stay. Requests that come
// in through ServeHTTP are aborted. It does nothing on a closed server.
func (h *host) SetDown(down bool) {
	h.turn.Lock()
	defer h.turn.Unlock()
	h.mu.Lock()
	if h.closed || h.down == down {
		h.mu.Unlock()
		return
	}
	if down {
		h.down = true
		h.cut()
		h.mu.Unlock()
		h.closeSocket()
		return
	}
	h.rise()
	h.mu.Unlock()
	// The socket first: a caller that comes in between is still cut by enter.
	if h.address != "" {
		if err := h.openSocket(h.address); err != nil {
			h.fail("scaivaulttest: bring the server back: %v", err)
			return
		}
	}
	h.mu.Lock()
	h.down = false
	h.mu.Unlock()
}

// Close takes the server down for good. It releases hanging requests, waits for
// every request to end, and may be called again. NewServer and NewVault have the
// test call it.
func (h *host) Close() {
	h.turn.Lock()
	defer h.turn.Unlock()
	h.mu.Lock()
	h.closed = true
	h.cut()
	h.mu.Unlock()
	h.closeSocket()
	h.unpin()

	h.mu.Lock()
	for h.active > 0 || h.conns > 0 {
		h.idle.Wait()
	}
	last := h.onClose
	h.onClose = nil
	h.mu.Unlock()
	for _, f := range last {
		f()
	}
}
