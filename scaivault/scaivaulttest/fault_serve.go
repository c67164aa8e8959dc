// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"time"
)

// serveFault answers r as f wants it. up is the span in which the server is up.
func (h *host) serveFault(up context.Context, f *hit, w http.ResponseWriter, r *http.Request) {
	if f.Delay > 0 || f.Hang || f.Trickle.Every > 0 {
		holdBody(r)
	}
	if f.Delay > 0 {
		wait(up, r, f.Delay)
	}
	answer := h.heldFor(f, r)
	if f.Hang {
		wait(up, r, -1)
	}
	if f.Cut == CutBeforeAnswer {
		breakOff(up, w, r, f.Break)
	}
	switch {
	case answer != nil && f.shapes():
		answer.sendShaped(up, w, r, f)
	case answer != nil:
		answer.copyTo(w)
	default:
		h.handler.ServeHTTP(w, r)
	}
}

// heldFor carries the request out, if f needs that, and returns the answer that f
// has something done to; nil if f leaves the real one alone.
func (h *host) heldFor(f *hit, r *http.Request) *heldAnswer {
	var answer *heldAnswer
	if f.After || (f.changes() && !f.answers() && !f.Hang && f.Cut != CutBeforeAnswer) {
		if f.Spoil != SpoilNone {
			r = r.Clone(r.Context())
			r.Header.Del("Accept-Encoding") // what is spoiled is the JSON, not its packing
		}
		answer = newHeldAnswer()
		h.handler.ServeHTTP(answer, r)
	}
	if f.answers() {
		answer = newHeldAnswer()
		h.writeFault(answer, f)
	}
	if answer != nil {
		for name, values := range f.Header {
			answer.header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
		}
	}
	return answer
}

// writeFault writes the fault's own answer.
func (h *host) writeFault(w http.ResponseWriter, f *hit) {
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
