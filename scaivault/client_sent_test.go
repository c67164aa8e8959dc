// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// The types of HTTP/2's frames, two flags, and its codes, by RFC 9113.
const (
	frameData, frameHeaders, frameReset, frameSettings, frameGoAway = 0x0, 0x1, 0x3, 0x4, 0x7

	flagEnd, flagEndHeaders = 0x1, 0x4

	codeProtocolError, codeInternal, codeRefusedStream = 0x1, 0x2, 0x7
)

// Heads of answers: one byte, an entry of the static table of RFC 7541.
const head204, head404 = "\x89", "\x8d"

// An http2Conn is a connection of a server that says what it wants.
type http2Conn struct{ net.Conn }

func (c http2Conn) write(kind, flags byte, stream uint32, payload string) {
	b := []byte{0, 0, byte(len(payload)), kind, flags}
	b = binary.BigEndian.AppendUint32(b, stream)
	_, _ = c.Write(append(b, payload...))
}

func (c http2Conn) reset(stream, code uint32) {
	c.write(frameReset, 0, stream, string(binary.BigEndian.AppendUint32(nil, code)))
}

// goAway says that no stream was looked at.
func (c http2Conn) goAway() { c.write(frameGoAway, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00") }

// serve calls read and written when a request without, and with, a body is
// there as a whole.
func (c http2Conn) serve(read, written func(c http2Conn, stream uint32)) {
	defer c.Close()
	_, _ = io.CopyN(io.Discard, c, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	c.write(frameSettings, 0, 0, "")
	for {
		var h [9]byte
		if _, err := io.ReadFull(c, h[:]); err != nil {
			return
		}
		size := int64(h[0])<<16 | int64(h[1])<<8 | int64(h[2])
		if _, err := io.CopyN(io.Discard, c, size); err != nil {
			return
		}
		stream, ends := binary.BigEndian.Uint32(h[5:]), h[4]&flagEnd != 0
		switch {
		case h[3] == frameSettings && !ends:
			c.write(frameSettings, flagEnd, 0, "")
		case h[3] == frameHeaders && ends:
			read(c, stream)
		case h[3] == frameData && ends:
			written(c, stream)
		}
	}
}

// serveHTTP2 makes a client of a server on which written decides what becomes of
// the n-th write, and read of each read.
func serveHTTP2(t *testing.T, read func(c http2Conn, stream uint32), written func(c http2Conn, stream uint32, n int64)) (_ *scaivault.Client, reads, writes *atomic.Int64) {
	t.Helper()
	srv, pool := secure(t, http.NotFoundHandler(), nil) // for its certificate
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: srv.TLS.Certificates, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	reads, writes = &atomic.Int64{}, &atomic.Int64{}
	var conns sync.WaitGroup
	end := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); close(end); conns.Wait() })
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { <-end; _ = c.Close() })
			conns.Go(func() {
				http2Conn{c}.serve(func(c http2Conn, stream uint32) {
					reads.Add(1)
					read(c, stream)
				}, func(c http2Conn, stream uint32) {
					written(c, stream, writes.Add(1))
				})
			})
		}
	})
	return newTestClient(t, "https://"+l.Addr().String(), trusting(&tls.Config{RootCAs: pool}), retries(2)), reads, writes
}

func notThere(c http2Conn, stream uint32) {
	c.write(frameHeaders, flagEnd|flagEndHeaders, stream, head404)
}

// TestHTTP2WriteIsSentOnce, but for what the endpoint gave back unseen: not by
// net/http either, which sends it again after a PROTOCOL_ERROR too.
func TestHTTP2WriteIsSentOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end   func(c http2Conn, stream uint32)
		again bool
	}{
		"protocol error": {end: func(c http2Conn, stream uint32) { c.reset(stream, codeProtocolError) }},
		"internal error": {end: func(c http2Conn, stream uint32) { c.reset(stream, codeInternal) }},
		"closed":         {end: func(c http2Conn, _ uint32) { _ = c.Close() }},
		"refused stream": {end: func(c http2Conn, stream uint32) { c.reset(stream, codeRefusedStream) }, again: true},
		"go away":        {end: func(c http2Conn, _ uint32) { c.goAway() }, again: true},
	} {
		for _, known := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				client, _, writes := serveHTTP2(t, notThere, func(conn http2Conn, stream uint32, n int64) {
					if n > 1 {
						conn.write(frameHeaders, flagEnd|flagEndHeaders, stream, head204)
						return
					}
					c.end(conn, stream)
				})
				if known { // that the endpoint speaks HTTP/2
					require.Error(t, getOf("a")(t.Context(), client))
				}
				err := putOf(map[string]any{"k": "v"}, nil)(t.Context(), client)
				if c.again && known {
					require.NoError(t, err)
					require.EqualValues(t, 2, writes.Load())
					return
				}
				requireMatches(t, err, scaivault.ErrUncertain)
				require.EqualValues(t, 1, writes.Load())
			})
		}
	}
}

// TestHTTP2ConnectionsAreNotUsedUp by an endpoint that gives back each one, for
// which net/http would open hundreds in a second.
func TestHTTP2ConnectionsAreNotUsedUp(t *testing.T) {
	t.Parallel()
	for _, end := range []func(c http2Conn, stream uint32){
		func(c http2Conn, _ uint32) { c.goAway() },
		func(c http2Conn, stream uint32) { c.reset(stream, codeProtocolError) },
	} {
		client, reads, _ := serveHTTP2(t, end, nil)
		for range 2 {
			requireMatches(t, getOf("a")(context.WithoutCancel(t.Context()), client), scaivault.ErrUnavailable)
		}
		require.LessOrEqual(t, reads.Load(), int64(2*3*4), "calls, attempts of each, connections of each")
	}
}
