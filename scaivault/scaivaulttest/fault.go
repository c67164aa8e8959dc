// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A Cut says where a [Fault] breaks the connection.
type Cut uint8

const (
	// CutNone breaks nothing.
	CutNone Cut = iota
	// CutBeforeAnswer closes the connection without an answer. Note that net/http
	// sends a GET again, once and by itself, when this happens on a connection that
	// was used before; in memory every request has a connection of its own.
	CutBeforeAnswer
	// CutInBody sends the head and half of the body that its Content-Length
	// promises, then closes the connection. An answer that can have no body is cut
	// before it begins.
	CutInBody
)

// A Fault makes a server misbehave for the requests that it matches. Its parts add
// up, in this order: Delay; the request itself, if After; Hang; then Cut and Status.
// The zero Fault matches everything and changes nothing.
type Fault struct {
	// Method is the HTTP method. If empty, any.
	Method string
	// Path is a glob on the URL's path, for instance "/v1/secrets/**": "**" is any
	// number of segments, also none, "*" any characters within one, "?" one of them.
	// If empty, any.
	Path string
	// Count is how many requests it hits. If zero, all until it is removed.
	Count int

	// Delay is waited first, or until the client leaves. If zero, nothing is waited.
	Delay time.Duration
	// Hang leaves the request without an answer, until the client leaves, or the
	// server goes down or is closed.
	Hang bool
	// After has the request carried out first; the fault then takes the place of its
	// answer: done on the server, lost on the way. Without a Status, Hang or Cut the
	// real answer is sent.
	After bool
	// Cut breaks the connection. CutInBody cuts the answer of Status, or else the real
	// one. If zero, CutNone.
	Cut Cut

	// Status is answered in place of the real answer. If zero: 500 with a Code, 200
	// with a Body, and with neither the real answer.
	Status int
	// Code and Message go into the server's own error envelope. If Code is empty, Body
	// is sent as it is.
	Code, Message string
	// Body is sent when there is no Code, with ContentType. If ContentType is empty,
	// "text/plain; charset=utf-8".
	Body        string
	ContentType string
	// Header is set on the answer, the fault's own or the real one.
	Header http.Header
}

// A faultSet holds the injected faults, oldest first.
type faultSet struct {
	mu     sync.Mutex // guards all below
	faults []*injected
}

type injected struct {
	Fault
	paths glob
	left  int // hits to go; negative: no end
}

// Inject has the server apply f to the requests that come from now on. Of several
// faults that match a request the latest is applied, alone. The returned func takes
// the fault away again and may be called more than once.
func (h *host) Inject(f Fault) (remove func()) {
	in := &injected{Fault: f, paths: parseGlob(f.Path), left: f.Count}
	in.Header = f.Header.Clone()
	if f.Count <= 0 {
		in.left = -1
	}
	h.faults.mu.Lock()
	defer h.faults.mu.Unlock()
	h.faults.faults = append(h.faults.faults, in)
	return func() { h.faults.remove(in) }
}

func (s *faultSet) remove(in *injected) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(other *injected) bool { return other == in })
}

// take returns the fault for a request, if any, and counts the hit.
func (s *faultSet) take(method, path string) *injected {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.faults) - 1; i >= 0; i-- {
		in := s.faults[i]
		if in.Method != "" && in.Method != method || !in.paths.match(path) {
			continue
		}
		if in.left > 0 {
			if in.left--; in.left == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return in
	}
	return nil
}

// answers reports whether the fault has an answer of its own.
func (f *Fault) answers() bool { return f.Status != 0 || f.Code != "" || f.Body != "" }

// serveFault answers r as f wants it. up is the span in which the server is up.
func (h *host) serveFault(up context.Context, f *injected, w http.ResponseWriter, r *http.Request) {
	if f.Delay > 0 || f.Hang {
		holdBody(r)
	}
	if f.Delay > 0 {
		wait(up, r, f.Delay)
	}
	var real *heldAnswer
	if f.After || (f.Cut == CutInBody && !f.answers() && !f.Hang) {
		real = newHeldAnswer()
		h.handler.ServeHTTP(real, r)
	}
	if f.Hang {
		wait(up, r, -1)
	}
	if f.Cut == CutBeforeAnswer {
		panic(http.ErrAbortHandler)
	}
	for name, values := range f.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	switch {
	case f.answers() && f.Cut == CutInBody:
		own := newHeldAnswer()
		h.writeFault(own, f)
		own.cutTo(w, r)
	case f.answers():
		h.writeFault(w, f)
	case f.Cut == CutInBody:
		real.cutTo(w, r)
	case real != nil:
		real.copyTo(w)
	default:
		h.handler.ServeHTTP(w, r)
	}
}

// writeFault writes the fault's own answer.
func (h *host) writeFault(w http.ResponseWriter, f *injected) {
	if f.Code != "" {
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		h.envelope(w, status, f.Code, f.Message)
		return
	}
	status, contentType := f.Status, f.ContentType
	if status == 0 {
		status = http.StatusOK
	}
	if contentType == "" {
		contentType = "text/plain; charset=utf-8"
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, f.Body) // a client that left is no error of the fault
}

// wait waits for d, or without end if d is negative, and aborts the answer if the
// client leaves or the server goes down.
func wait(up context.Context, r *http.Request, d time.Duration) {
	var expired <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-expired:
		return
	case <-r.Context().Done():
	case <-up.Done():
	}
	panic(http.ErrAbortHandler)
}

// maxHeldBody is how much of a request's body is taken from the wire before a wait.
const maxHeldBody = 16 << 20

// holdBody reads r's body into memory: net/http notices that a client has left only
// once the body was read.
func holdBody(r *http.Request) {
	if r.Body == nil {
		return
	}
	held, err := io.ReadAll(io.LimitReader(r.Body, maxHeldBody))
	rest := io.Reader(r.Body)
	if err != nil {
		rest = failingReader{err}
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(held), rest), r.Body}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// A heldAnswer keeps an answer back, to be cut, replaced or sent later.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newHeldAnswer() *heldAnswer { return &heldAnswer{header: http.Header{}} }

func (a *heldAnswer) Header() http.Header { return a.header }

func (a *heldAnswer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

func (a *heldAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

func (a *heldAnswer) head(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	a.WriteHeader(http.StatusOK)
}

// copyTo sends the whole answer.
func (a *heldAnswer) copyTo(w http.ResponseWriter) {
	a.head(w)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // a client that left is no error of the fault
}

// cutTo sends the head and half of the body, and breaks the connection.
func (a *heldAnswer) cutTo(w http.ResponseWriter, r *http.Request) {
	a.head(w)
	if r.Method == http.MethodHead || !bodyAllowed(a.status) {
		panic(http.ErrAbortHandler)
	}
	body := a.body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(max(len(body), 1)))
	w.WriteHeader(a.status)
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush() // without it nothing would leave before the cut
	panic(http.ErrAbortHandler)
}

// bodyAllowed reports whether an answer with this status can have a body.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
