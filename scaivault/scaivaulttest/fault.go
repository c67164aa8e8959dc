// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A Fault makes a server misbehave for the requests that it matches. Its parts add
// up, in this order: Delay; the request itself, if After; Hang; then the answer, with
// Status or as it really is, changed by Header, Spoil and WrongLength, sent at the
// speed of Trickle, and broken off by Cut. The zero Fault matches everything and
// changes nothing. Unless the fault has an answer of its own, a request whose answer
// is changed, slowed or cut from its head on is carried out.
type Fault struct {
	// Method is the HTTP method. If empty, any.
	Method string
	// Path is a glob on the URL's path, for instance "/v1/secrets/**": "**" is any
	// number of segments, also none, "*" any characters within one, "?" one of them.
	// If empty, any.
	Path string
	// Count is how many requests it hits. If zero, all until it is removed.
	Count int
	// Chance is the probability, from 0 to 1, with which a request that matches is hit.
	// If zero, it is hit. A request that is spared may meet a fault injected before.
	Chance float64
	// Seed makes the luck of Chance, and what SpoilGarbage sends: with the same Seed
	// the same requests, by their number among those that match, are hit in every run.
	Seed uint64

	// Delay is waited first, or until the client leaves. If zero, nothing is waited.
	Delay time.Duration
	// Hang leaves the request without an answer, until the client leaves, or the
	// server goes down or is closed.
	Hang bool
	// After has the request carried out first; the fault then takes the place of its
	// answer: done on the server, lost on the way. Without a Status, Hang or Cut the
	// real answer is sent.
	After bool
	// Cut says where the connection breaks, and Break how. CutInBody cuts the answer
	// of Status, or else the real one. If zero, CutNone and BreakClose.
	Cut   Cut
	Break Break

	// Spoil has another body sent in place of the answer's. If zero, SpoilNone.
	Spoil Spoil
	// WrongLength is added to the Content-Length, and the body stays as it is. With
	// more than zero the body ends, and the connection with it, before it is complete.
	// With less the client sees a part, and, over a socket, the rest comes after the
	// answer, where net/http's client may log it; a Content-Length below zero is zero.
	WrongLength int
	// Trickle slows the body down. If zero, it is sent at once.
	Trickle Trickle

	// Status is answered in place of the real answer. If zero: 500 with a Code, 200
	// with a Body, and with neither the real answer. It is that of a final answer,
	// from 200 to 999.
	Status int
	// Code and Message go into the server's own error envelope. If Code is empty, Body
	// is sent as it is.
	Code, Message string
	// Body is sent when there is no Code, with ContentType. If ContentType is empty,
	// "text/plain; charset=utf-8".
	Body        string
	ContentType string
	// Header is set on the answer, the fault's own or the real one, over what is there.
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
	left  int        // hits to go; negative: no end
	luck  *rand.Rand // guarded by the faultSet's mu
}

// A hit is a Fault on one request.
type hit struct {
	*injected
	seed uint64 // of what is random in the answer
}

// Inject has the server apply f to the requests that come from now on. Of several
// faults that match a request the latest is applied, alone. The returned func takes
// the fault away again and may be called more than once. A Chance, a Status, a Cut, a
// Break or a Spoil that is none fails the test; in a program nothing is injected.
func (h *host) Inject(f Fault) (remove func()) {
	if wrong := f.wrong(); wrong != "" {
		h.test().Helper()
		h.fail("scaivaulttest: inject: %s", wrong)
		return func() {}
	}
	in := &injected{Fault: f, paths: parseGlob(f.Path), left: f.Count, luck: rand.New(rand.NewPCG(f.Seed, 0))}
	in.Header = f.Header.Clone()
	if f.Count <= 0 {
		in.left = -1
	}
	h.faults.mu.Lock()
	defer h.faults.mu.Unlock()
	h.faults.faults = append(h.faults.faults, in)
	return func() { h.faults.remove(in) }
}

// wrong says what is wrong with the fault, and how to mend it; empty: nothing.
func (f *Fault) wrong() string {
	switch {
	case !(f.Chance >= 0 && f.Chance <= 1): // so that NaN is caught
		return fmt.Sprintf("Chance is %v; give a probability from 0 to 1", f.Chance)
	case f.Status != 0 && (f.Status < 200 || f.Status > 999):
		return fmt.Sprintf("Status is %d; give that of a final answer, from 200 to 999", f.Status)
	case f.Cut > CutAfterBody || f.Break > BreakSilent || f.Spoil > SpoilGarbage:
		return fmt.Sprintf("no such Cut, Break or Spoil: %d, %d, %d; use the constants", f.Cut, f.Break, f.Spoil)
	}
	return ""
}

func (s *faultSet) remove(in *injected) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(other *injected) bool { return other == in })
}

// take returns the fault for a request, if any, and counts the hit.
func (s *faultSet) take(method, path string) *hit {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.faults) - 1; i >= 0; i-- {
		in := s.faults[i]
		if in.Method != "" && in.Method != method || !in.paths.match(path) || in.spares() {
			continue
		}
		if in.left > 0 {
			if in.left--; in.left == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return &hit{injected: in, seed: in.luck.Uint64()}
	}
	return nil
}

// spares draws whether a request gets away. The caller holds the faultSet's mu.
func (in *injected) spares() bool { return in.Chance > 0 && in.luck.Float64() >= in.Chance }

// answers reports whether the fault has an answer of its own.
func (f *Fault) answers() bool { return f.Status != 0 || f.Code != "" || f.Body != "" }

// shapes reports whether the fault changes how an answer is sent, whatever it is.
func (f *Fault) shapes() bool {
	return f.Cut > CutBeforeAnswer || f.Spoil != SpoilNone || f.WrongLength != 0 || f.Trickle != Trickle{}
}

// changes reports whether the fault does something to an answer, its own or the real one.
func (f *Fault) changes() bool { return f.shapes() || len(f.Header) > 0 }
