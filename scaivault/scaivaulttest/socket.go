// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"
)

// A socket is one listener with the server behind it.
type socket struct {
	server *http.Server
	done   chan struct{} // closed when Serve has returned
}

// URL returns the base URL of the server, such as "http://127.0.0.1:40001". The
// first call opens a socket on the loopback interface and starts to serve; later
// ones return the same address, also while the server is down. If no socket can be
// had the test fails. On a closed server that never had a socket it is empty.
func (h *host) URL() string {
	h.turn.Lock()
	defer h.turn.Unlock()
	if err := h.listen("127.0.0.1:0"); err != nil {
		h.test().Helper()
		h.fail("scaivaulttest: open a socket: %v", err)
		return ""
	}
	if h.tls != nil {
		return "https://" + h.address
	}
	return "http://" + h.address
}

// secured is ln, with TLS on it if the host speaks that.
func (h *host) secured(ln net.Listener) net.Listener {
	if h.tls == nil {
		return ln
	}
	config := h.tls.Clone()
	config.NextProtos = []string{"http/1.1"} // the faults of a connection need one for each request
	if h.http2 {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	return tls.NewListener(ln, config)
}

// listen opens the socket at address, unless there is one. The caller holds turn.
func (h *host) listen(address string) error {
	if h.address != "" {
		return nil
	}
	h.mu.Lock()
	closed, down := h.closed, h.down
	h.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	if err := h.openSocket(address); err != nil {
		return err
	}
	if down {
		h.closeSocket()
	}
	return nil
}

// openSocket listens at address and serves. The caller holds turn.
func (h *host) openSocket(address string) error {
	ln, err := h.bindAddress(address)
	if err != nil {
		return err
	}
	h.address = ln.Addr().String()
	if h.pin == nil {
		if h.pin, err = pinPort(ln); err != nil {
			_ = ln.Close()
			return err
		}
	}
	h.mu.Lock()
	up := h.up
	h.mu.Unlock()
	s := &socket{done: make(chan struct{})}
	s.server = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: time.Minute,
		ConnState:         h.countConn,
		BaseContext:       func(net.Listener) context.Context { return up },
	}
	h.socket = s
	served := h.secured(ln)
	go func() {
		defer close(s.done)
		_ = s.server.Serve(served) // always ErrServerClosed: closeSocket is what ends it
	}()
	return nil
}

// closeSocket stops to listen and cuts every connection. The caller holds turn.
func (h *host) closeSocket() {
	if h.socket == nil {
		return
	}
	_ = h.socket.server.Close()
	<-h.socket.done
	h.socket = nil
}

// countConn lets Close wait for the goroutines of connections.
func (h *host) countConn(_ net.Conn, state http.ConnState) {
	if state == http.StateActive || state == http.StateIdle {
		return // with each request, and of no interest
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch state {
	case http.StateNew:
		h.conns++
	case http.StateClosed, http.StateHijacked:
		h.conns--
		if h.conns == 0 {
			h.idle.Broadcast()
		}
	}
}

// bindAddress listens. For an address that was the server's own before it tries for a
// while: the system may need a moment to give back a port that was just closed.
func (h *host) bindAddress(address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	for tries := 0; err != nil && h.address != "" && tries < 100; tries++ {
		time.Sleep(10 * time.Millisecond)
		ln, err = net.Listen("tcp", address)
	}
	return ln, err
}

// pinPort connects ln with itself and returns both ends. While they are open no
// other program is given the port by chance, so a server that is down, with its
// listener closed so that calls are really refused, gets the same port back.
func pinPort(ln net.Listener) ([]net.Conn, error) {
	near, err := net.DialTimeout("tcp", ln.Addr().String(), 10*time.Second)
	if err != nil {
		return nil, fmt.Errorf("pin the port: %w", err)
	}
	for {
		far, err := ln.Accept()
		if err != nil {
			_ = near.Close()
			return nil, fmt.Errorf("pin the port: %w", err)
		}
		if far.RemoteAddr().String() == near.LocalAddr().String() {
			return []net.Conn{near, far}, nil
		}
		_ = far.Close() // somebody else, too early
	}
}

func (h *host) unpin() {
	for _, conn := range h.pin {
		_ = conn.Close()
	}
	h.pin = nil
}
