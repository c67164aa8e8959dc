// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
)

// memoryBuffer is how much a handler writes before the head of the answer leaves, if
// it does not flush: as much as net/http's server holds back.
const memoryBuffer = 4 << 10

var (
	errHandlerPanicked = errors.New("scaivaulttest: the handler panicked")
	// errReadAfterClose has the words of net/http's own, which is not exported.
	errReadAfterClose = errors.New("http: read on closed response body")
)

// A memoryAnswer is an answer on its way through memory: a http.ResponseWriter for
// the handler, the body of the response for the client. The handler never waits for
// the client, just as small answers vanish in a socket's buffer.
type memoryAnswer struct {
	req    *http.Request
	up     context.Context // ends when the server goes down
	cancel context.CancelFunc
	header http.Header

	started chan struct{} // closed when the head leaves, or will never
	wake    chan struct{} // holds one signal for a waiting Read

	mu       sync.Mutex // guards all below
	left     bool       // started is closed
	status   int
	sent     http.Header
	length   int64 // as declared, or -1
	body     []byte
	read     int
	finished bool
	failure  error // why it ended early
	broken   error // what a handler that aborts wants the client to see
	closed   bool  // by the client
}

func newMemoryAnswer(req *http.Request, up context.Context, cancel context.CancelFunc) *memoryAnswer {
	return &memoryAnswer{
		req: req, up: up, cancel: cancel, header: http.Header{}, length: -1,
		started: make(chan struct{}), wake: make(chan struct{}, 1),
	}
}

// run calls the handler and completes the answer, whichever way it ends.
func (a *memoryAnswer) run(handler func()) {
	var failure error
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler: //nolint:errorlint // a panic value, compared as net/http does
			failure = a.breakage()
		default:
			failure = errHandlerPanicked
			if err, ok := p.(error); ok {
				failure = fmt.Errorf("%w: %w", errHandlerPanicked, err)
			}
		}
		a.finish(failure)
	}()
	handler()
}

// breakWith has the client see failure when the handler aborts.
func (a *memoryAnswer) breakWith(failure error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = failure
}

// breakage is what the client sees of a handler that aborted.
func (a *memoryAnswer) breakage() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return a.broken
	}
	return io.ErrUnexpectedEOF
}

func (a *memoryAnswer) finish(failure error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if failure != nil && !a.left {
		a.sent = nil // what was not flushed is lost with the connection
	}
	if failure == nil {
		a.writeHeader(http.StatusOK)
		if !a.left && a.length < 0 {
			a.length = int64(len(a.body))
			if bodyAllowed(a.status) {
				a.sent.Set("Content-Length", strconv.Itoa(len(a.body)))
			}
		}
		if int64(len(a.body)) < a.length && a.req.Method != http.MethodHead {
			failure = io.ErrUnexpectedEOF
		}
	}
	a.finished, a.failure = true, failure
	a.leave()
}

// leave lets the head go, and wakes the reader. The caller holds mu.
func (a *memoryAnswer) leave() {
	if !a.left {
		a.left = true
		close(a.started)
	}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// await waits for the head.
func (a *memoryAnswer) await() (*http.Response, error) {
	ctx := a.req.Context()
	select {
	case <-a.started:
	case <-ctx.Done():
		_ = a.Close()
		return nil, context.Cause(ctx)
	case <-a.up.Done():
		_ = a.Close()
		return nil, resetRead(a.req.URL.Host)
	}
	a.mu.Lock()
	status, length, failure := a.status, a.length, a.failure
	aborted := a.finished && failure != nil && a.sent == nil
	a.mu.Unlock()
	switch {
	case a.up.Err() != nil:
		_ = a.Close()
		return nil, resetRead(a.req.URL.Host)
	case aborted && errors.Is(failure, io.ErrUnexpectedEOF):
		return nil, io.EOF // what net/http says of a connection closed before the answer
	case aborted:
		return nil, failure
	}
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	return response(a.req, status, a.sent, length, a), nil
}

// Header implements http.ResponseWriter.
func (a *memoryAnswer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *memoryAnswer) WriteHeader(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.writeHeader(status)
}

// writeHeader fixes the head; the caller holds mu.
func (a *memoryAnswer) writeHeader(status int) {
	if a.status != 0 || status < 200 {
		return
	}
	a.status = status
	a.sent = a.header.Clone()
	if declared, err := strconv.ParseInt(a.sent.Get("Content-Length"), 10, 64); err == nil && declared >= 0 {
		a.length = declared
	}
}

// Write implements http.ResponseWriter.
func (a *memoryAnswer) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.writeHeader(http.StatusOK)
	switch {
	case a.closed:
		return 0, io.ErrClosedPipe
	case !bodyAllowed(a.status):
		return 0, http.ErrBodyNotAllowed
	case a.req.Method == http.MethodHead:
		return len(p), nil
	case a.length >= 0 && int64(len(a.body)+len(p)) > a.length:
		return 0, http.ErrContentLength
	}
	a.body = append(a.body, p...)
	if a.left || len(a.body) > memoryBuffer {
		a.leave()
	}
	return len(p), nil
}

// Flush implements http.Flusher.
func (a *memoryAnswer) Flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.writeHeader(http.StatusOK)
	a.leave()
}

// Read implements the body of the response.
func (a *memoryAnswer) Read(p []byte) (int, error) {
	ctx := a.req.Context()
	for {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if n, done, err := a.take(p); done {
			return n, err
		}
		select {
		case <-a.wake:
		case <-ctx.Done():
		case <-a.up.Done():
			return 0, resetRead(a.req.URL.Host)
		}
	}
}

// take reads what is there; done is false when the reader has to wait.
func (a *memoryAnswer) take(p []byte) (n int, done bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return 0, true, errReadAfterClose
	case len(p) == 0:
		return 0, true, nil
	case a.read < len(a.body):
		n = copy(p, a.body[a.read:])
		a.read += n
		return n, true, nil
	case !a.finished:
		return 0, false, nil
	case a.failure != nil:
		return 0, true, a.failure
	}
	return 0, true, io.EOF
}

// Close implements the body of the response: the client has seen enough.
func (a *memoryAnswer) Close() error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.cancel()
	return nil
}
