// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"net"
	"net/http"
)

// A Cut says where a [Fault] breaks the connection. An answer that can have no body
// is cut before it begins.
type Cut uint8

const (
	// CutNone breaks nothing.
	CutNone Cut = iota
	// CutBeforeAnswer breaks the connection without an answer. Note that net/http
	// sends a GET again, once and by itself, when this happens on a connection that
	// was used before; in memory every request has a connection of its own.
	CutBeforeAnswer
	// CutInBody sends the head and half of the body that its Content-Length
	// promises, then breaks the connection.
	CutInBody
	// CutBeforeBody sends the head, whose Content-Length promises a body, and none of it.
	CutBeforeBody
	// CutAfterBody sends all of the body, without a Content-Length, and breaks the
	// connection before it says that this was all.
	CutAfterBody
)

// A Break says how a connection breaks at a [Cut].
type Break uint8

const (
	// BreakClose closes the connection, as a server does that ends (a TCP FIN).
	BreakClose Break = iota
	// BreakReset resets the connection, as a server does that crashed (a TCP RST). What
	// was sent just before may be lost with it, as in any network.
	BreakReset
	// BreakSilent leaves the connection half open, as when the host or the network is
	// gone: nothing more is read, nothing is sent, and nothing is closed. With
	// CutBeforeAnswer the request's body is not read either, unless the fault is After.
	// Over a socket the server keeps the connection, also when the client has left,
	// until it goes down or is closed.
	BreakSilent
)

// breakOff breaks the connection of w, and never returns. A writer that has no
// connection to give away, such as one of HTTP/2, is aborted.
func breakOff(up context.Context, w http.ResponseWriter, r *http.Request, how Break) {
	if how == BreakClose {
		panic(http.ErrAbortHandler)
	}
	if memory := memoryOf(w); memory != nil {
		memory.breakWith(resetRead(r.Host))
	} else if conn := takeConn(w); conn != nil {
		defer reset(conn)
	}
	if how == BreakSilent {
		wait(up, r, -1)
	}
	panic(http.ErrAbortHandler)
}

// memoryOf returns the answer in memory that w writes to, or nil.
func memoryOf(w http.ResponseWriter) *memoryAnswer {
	for {
		switch inner := w.(type) {
		case *memoryAnswer:
			return inner
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return nil
		}
	}
}

// takeConn takes the connection away from net/http, and returns nil if there is none.
func takeConn(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil
	}
	return conn
}

// reset closes conn with a RST instead of a FIN.
func reset(conn net.Conn) {
	inner := conn
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		inner = secure.NetConn() // the end of a TLS session would be said, too
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = inner.Close()
}

// sendSurplus sends what comes after the end of an answer, and closes the connection.
// In memory nobody would see it.
func sendSurplus(w http.ResponseWriter, surplus []byte) {
	flush(w)
	if memoryOf(w) != nil {
		return
	}
	if conn := takeConn(w); conn != nil {
		_, _ = conn.Write(surplus) // a client that left is no error of the fault
		_ = conn.Close()
	}
}
