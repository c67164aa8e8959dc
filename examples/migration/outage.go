// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
)

// A wire is a local proxy in front of a server that is not ours: cutting it is
// the server's outage, as far as the services can see.
type wire struct {
	listener net.Listener
	target   string
	down     atomic.Bool
	done     sync.WaitGroup

	mu    sync.Mutex // guards conns
	conns map[net.Conn]bool
}

// newWire listens on loopback and forwards to the host of address.
func newWire(address string) (*wire, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{listener: listener, target: net.JoinHostPort(u.Hostname(), port), conns: map[net.Conn]bool{}}
	w.done.Go(w.accept)
	return w, nil
}

// through makes a transport that reaches every host by the wire. TLS still
// checks the host's own name.
func (w *wire) through(t *http.Transport) *http.Transport {
	t = t.Clone()
	t.Proxy = nil
	t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, w.listener.Addr().String())
	}
	return t
}

// SetDown cuts all connections and every new one, until it is up again.
func (w *wire) SetDown(down bool) {
	w.down.Store(down)
	if !down {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		c.Close()
	}
}

func (w *wire) accept() {
	for {
		conn, err := w.listener.Accept()
		if err != nil {
			return // closed
		}
		w.done.Go(func() { w.forward(conn) })
	}
}

func (w *wire) forward(conn net.Conn) {
	defer conn.Close()
	server, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !w.keep(conn, server) {
		return
	}
	defer w.forget(conn, server)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{conn, server}, {server, conn}} {
		both.Go(func() {
			// The copy ends when either side does; there is nobody to tell.
			_, _ = io.Copy(way[0], way[1])
			way[0].Close()
			way[1].Close()
		})
	}
	both.Wait()
}

// keep remembers connections to cut, unless the wire is down.
func (w *wire) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down.Load() {
		return false
	}
	for _, c := range conns {
		w.conns[c] = true
	}
	return true
}

func (w *wire) forget(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		delete(w.conns, c)
	}
}

// Close ends the wire and all that goes over it.
func (w *wire) Close() {
	w.listener.Close()
	w.SetDown(true)
	w.done.Wait()
}
