// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// A Spoil says what becomes of the body of an answer. The head is right, and tells
// the length of what is sent. It changes nothing about an answer without a body.
type Spoil uint8

const (
	// SpoilNone leaves the body as it is.
	SpoilNone Spoil = iota
	// SpoilTruncate sends the first half: JSON that ends too early.
	SpoilTruncate
	// SpoilGarbage sends as many bytes as the body has, none of them right: no JSON, and
	// not even text.
	SpoilGarbage
)

// A Trickle is a speed. The zero Trickle is none.
type Trickle struct {
	// Every is the time before each part of the body. If zero, the parts follow each
	// other at once.
	Every time.Duration
	// Bytes are sent at a time. If zero, 1.
	Bytes int
}

// A heldAnswer keeps an answer back, to be changed, replaced or sent later.
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

// sendShaped sends the answer as f would have it.
func (a *heldAnswer) sendShaped(up context.Context, w http.ResponseWriter, r *http.Request, f *hit) {
	a.head(w)
	if r.Method == http.MethodHead || !bodyAllowed(a.status) {
		if f.Cut != CutNone {
			breakOff(up, w, r, f.Break)
		}
		w.WriteHeader(a.status)
		return
	}
	body := f.spoiled(a.body.Bytes())
	sent, declared := body, max(len(body)+f.WrongLength, 0)
	switch f.Cut {
	case CutBeforeBody:
		sent, declared = nil, max(declared, 1)
	case CutInBody:
		sent, declared = body[:len(body)/2], max(declared, 1)
	}
	w.Header().Del("Content-Length")
	if f.Cut != CutAfterBody || f.WrongLength != 0 { // else the end is what is missing
		w.Header().Set("Content-Length", strconv.Itoa(declared))
	}
	w.WriteHeader(a.status)
	f.trickle(up, w, r, sent[:min(len(sent), declared)])
	if f.Cut != CutNone {
		flush(w)
		breakOff(up, w, r, f.Break)
	}
	if surplus := sent[min(len(sent), declared):]; len(surplus) > 0 {
		sendSurplus(w, surplus)
	}
}

// spoiled is what is sent in place of body.
func (f *hit) spoiled(body []byte) []byte {
	switch f.Spoil {
	case SpoilTruncate:
		return body[:len(body)/2]
	case SpoilGarbage:
		luck := rand.New(rand.NewPCG(f.Seed, f.seed))
		garbage := make([]byte, len(body))
		for i, right := range body {
			if garbage[i] = byte(0x80 + luck.IntN(0x80)); garbage[i] == right {
				garbage[i] ^= 1
			}
		}
		return garbage
	}
	return body
}

// trickle writes the body at the speed of f.
func (f *hit) trickle(up context.Context, w http.ResponseWriter, r *http.Request, body []byte) {
	if (f.Trickle == Trickle{}) {
		_, _ = w.Write(body) // a client that left is no error of the fault
		return
	}
	flush(w)
	for len(body) > 0 {
		if f.Trickle.Every > 0 {
			wait(up, r, f.Trickle.Every)
		}
		n := min(max(f.Trickle.Bytes, 1), len(body))
		if _, err := w.Write(body[:n]); err != nil {
			panic(http.ErrAbortHandler) // the client left
		}
		flush(w)
		body = body[n:]
	}
}

// flush sends what was written. Without it nothing would leave before the end.
func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// bodyAllowed reports whether an answer with this status can have a body.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
