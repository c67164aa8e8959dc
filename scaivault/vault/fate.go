// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
	"github.com/scailabs/scaivault-go/scaivault"
)

// lookUpTimeout bounds the look for a write whose answer was lost. The caller's
// own deadline may have passed by then.
const lookUpTimeout = 2 * time.Second

// A lost write is one that was not answered with a plain success.
type lost struct {
	answer *answer
	err    error // why there is no whole answer
	start  time.Time
	cas    *int
}

// open tells whether the write may have been carried out all the same.
func (l *lost) open() bool {
	switch {
	case l.answer.status >= 400 && l.answer.status <= 499:
		return false // refused, whether or not the reason could be read
	case l.err != nil:
		return l.answer.left
	default:
		return !l.answer.provesNothingDone()
	}
}

// cause is why there is no plain success.
func (l *lost) cause(s *Source, t target) *scaivault.Error {
	var e *scaivault.Error
	switch {
	case errors.As(l.err, &e):
		return e
	case l.answer.success():
		return s.strange(t, l.answer, "the answer to the write is not one of Vault's")
	default:
		return s.refusal(t, l.answer)
	}
}

// settle finds out what has become of a write. It never writes.
func (s *Source) settle(ctx context.Context, w *write, p place, l lost) (*scaivault.Written, error) {
	cause := l.cause(s, w.target)
	cause.Message = wire.Scrub(cause.Message, "", w.raw)
	if !l.open() {
		return nil, cause
	}
	look, cancel := s.lookUp(ctx)
	defer cancel()
	if p.mount.version == 1 {
		return s.settleV1(look, w, p, cause)
	}
	return s.settleV2(look, w, p, l, cause)
}

// lookUp gives the look a time of its own: ctx may have ended.
func (s *Source) lookUp(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), min(lookUpTimeout, s.timeout))
}

// settleV1: without versions, our data being there is what was asked for.
func (s *Source) settleV1(look context.Context, w *write, p place, cause *scaivault.Error) (*scaivault.Written, error) {
	a, err := s.fetch(look, w.target, p.api(partData), 0)
	if err != nil {
		return nil, uncertain(cause, reasonNoLook)
	}
	now, err := s.parseV1(w.target, a)
	if err != nil || !sameAsSent(w.raw, now.JSON()) {
		return nil, uncertain(cause, reasonNotThere)
	}
	return &scaivault.Written{Source: s.name}, nil
}

// settleV2: a write by check-and-set makes exactly the next version; any other
// write is known by its data and by being no older than the call.
func (s *Source) settleV2(look context.Context, w *write, p place, l lost, cause *scaivault.Error) (*scaivault.Written, error) {
	version := 0
	if l.cas != nil {
		version = *l.cas + 1
	}
	a, err := s.fetch(look, w.target, p.api(partData), version)
	if err != nil {
		return nil, uncertain(cause, reasonNoLook)
	}
	now, _, err := s.parseV2(w.target, a)
	switch {
	case err != nil:
		return nil, uncertain(cause, reasonNotThere)
	case !sameAsSent(w.raw, now.JSON()):
		return nil, uncertain(cause, "another write is there")
	case l.cas == nil && !since(l.start, now.Info().CreatedAt, a.header):
		return nil, uncertain(cause, "the same data is there, but from before or from an unknown time")
	default:
		return &scaivault.Written{Version: now.Version(), Source: s.name}, nil
	}
}

// since tells whether something was created after start, by the server's own
// clock as its header Date tells it. That has whole seconds, cut off, so that
// the start may be taken for up to a second earlier than it was.
func since(start, created time.Time, header http.Header) bool {
	serverNow, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return false
	}
	return !created.Before(serverNow.Add(-time.Since(start)))
}

const (
	reasonNoLook   = "reading it back failed too"
	reasonNotThere = "it is not there yet"
)

// uncertain makes a lost answer into ErrUncertain. Of the cause it keeps what
// it wraps, so that a caller finds his ctx's error, and drops the category:
// nobody should take this for "not done".
func uncertain(cause *scaivault.Error, finding string) *scaivault.Error {
	e := *cause
	e.Kind = scaivault.ErrUncertain
	e.Reason = joinReasons(e.Reason, finding+"; read the secret before you write again")
	e.RetryAfter = 0
	return &e
}
