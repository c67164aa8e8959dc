// SPDX-License-Identifier: Apache-2.0

package realvault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

const (
	// reopenFor is how long a shut door tries to take its port again. Between
	// the two a passing connection of some other program may sit on it.
	reopenFor   = 5 * time.Second
	reopenEvery = 10 * time.Millisecond
)

// A door is the server's listener. It can be shut, and opened again at the
// address it had.
type door struct {
	addr string

	mu       sync.Mutex // guards what follows, and is held while it changes
	listener net.Listener
	server   *http.Server
	served   chan struct{}
	closed   bool
}

// openDoor takes the address. Connections wait until serve is called.
func openDoor(ctx context.Context, addr string) (*door, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another program, choose another address: %w", addr, err)
	}
	if err != nil {
		return nil, err
	}
	return &door{addr: listener.Addr().String(), listener: listener}, nil
}

// serve answers requests with h. A door that serves already is left as it is.
func (d *door) serve(h http.Handler) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errors.New("the server is closed")
	}
	if d.server != nil {
		return nil
	}
	if d.listener == nil {
		listener, err := reopen(d.addr)
		if err != nil {
			return fmt.Errorf("listen on %s again: %w", d.addr, err)
		}
		d.listener = listener
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func(listener net.Listener) {
		defer close(served)
		// It always ends with an error, which is ErrServerClosed: shut is the
		// only one to end it.
		_ = server.Serve(listener)
	}(d.listener)
	d.server, d.served = server, served
	return nil
}

func reopen(addr string) (net.Listener, error) {
	deadline := time.Now().Add(reopenFor)
	for {
		listener, err := net.Listen("tcp", addr)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			return listener, err
		}
		time.Sleep(reopenEvery)
	}
}

// shut ends every connection and refuses new ones.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shutLocked()
}

func (d *door) shutLocked() {
	if d.server != nil {
		// Its error is that of closing sockets, of which there is nothing to do.
		_ = d.server.Close()
		<-d.served
	} else if d.listener != nil {
		_ = d.listener.Close()
	}
	d.server, d.listener, d.served = nil, nil, nil
}

// close shuts the door for good.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shutLocked()
	d.closed = true
}
