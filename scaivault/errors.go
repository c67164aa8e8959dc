// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The categories of errors, each something that a caller can act on. Every
// error of this module matches one of them by errors.Is, but for the errors of
// a context that the caller ended.
var (
	// ErrNotFound says that there is no such secret or version, or that it
	// was deleted.
	ErrNotFound = errors.New("not found")
	// ErrPermission says that the identity is known and may not do this.
	ErrPermission = errors.New("permission denied")
	// ErrUnauthenticated says that the service did not accept the token.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrConflict says that the state of the secret does not allow this write.
	ErrConflict = errors.New("conflict")
	// ErrInvalid says that the call or the configuration is wrong, or that
	// the service does not offer it, which also matches
	// [errors.ErrUnsupported]; the same call will never succeed.
	ErrInvalid = errors.New("invalid")
	// ErrRateLimited says that the service wants to be asked later;
	// [Error.RetryAfter] says when.
	ErrRateLimited = errors.New("rate limited")
	// ErrUnavailable says that the service gave no usable answer.
	ErrUnavailable = errors.New("unavailable")
	// ErrUncertain says that a write may or may not have been done, and that
	// a look at the service could not tell. Read the secret before you
	// write again.
	ErrUncertain = errors.New("outcome of the write unknown")
	// ErrFrozen says that the path was at [StageFreeze] until the context
	// ended; nothing was written.
	ErrFrozen = errors.New("writes are frozen")
	// ErrClosed says that the Store, Client or Source was closed.
	ErrClosed = errors.New("closed")
)

// An Error says what failed, where, and why. It unwraps to its category and to
// its cause.
//
// Under every fmt verb, in JSON and in logs it shows only what cannot hold a
// secret. Message and Details are the server's own words, which can quote
// anything; they are there to be read on purpose. What the request itself
// carried, the token and the data of a write, is taken out of them. Printers that
// go past all methods do show them: dumpers that are told to, and fmt for a
// struct that holds an error in an unexported field, under a verb that does not
// fit, such as %s. Log the error, not what holds it.
type Error struct {
	// Kind is the category: one of the sentinels of this package. It is nil
	// only when the caller's context ended.
	Kind error
	// Op says what was being done, as in "get".
	Op string
	// Source is the name of the source: "scaivault" or "vault". May be empty.
	Source string
	// Path is the secret's name as that source calls it. May be empty.
	Path string
	// Status is the HTTP status; 0 where there was no answer.
	Status int
	// Code is the service's own code, such as "secret_not_found". May be empty.
	Code string
	// RequestID is the service's name for the request. May be empty.
	RequestID string
	// RetryAfter is how long the service asks to be left alone; 0 where it
	// does not say.
	RetryAfter time.Duration
	// Reason says in our own words what is wrong and what to do. May be empty.
	Reason string
	// Message is the service's own text for people. May be empty.
	Message string
	// Details are the service's own details, as JSON. May be nil.
	Details json.RawMessage
	// Err is the cause. May be nil.
	Err error
}

// Error is one line without the server's own words.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Path != "" {
		b.WriteString(" " + e.Path)
	}
	if e.Source != "" {
		b.WriteString(": " + e.Source)
	}
	b.WriteString(": ")
	if e.Kind != nil {
		b.WriteString(e.Kind.Error())
	} else {
		b.WriteString("interrupted")
	}
	if facts := e.facts(); facts != "" {
		b.WriteString(" (" + facts + ")")
	}
	if e.Reason != "" {
		b.WriteString(": " + e.Reason)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return withoutControls(b.String())
}

// withoutControls keeps the text of a cause from outside in one line.
func withoutControls(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}

func (e *Error) facts() string {
	var facts []string
	if e.Status != 0 {
		facts = append(facts, "status "+strconv.Itoa(e.Status))
	}
	if e.Code != "" {
		facts = append(facts, e.Code)
	}
	if e.RetryAfter > 0 {
		facts = append(facts, "retry after "+e.RetryAfter.String())
	}
	if e.RequestID != "" {
		facts = append(facts, "request "+e.RequestID)
	}
	return strings.Join(facts, ", ")
}

// Unwrap returns the category and the cause.
func (e *Error) Unwrap() []error {
	var all []error
	if e.Kind != nil {
		all = append(all, e.Kind)
	}
	if e.Err != nil {
		all = append(all, e.Err)
	}
	return all
}

// Format prints Error under every verb, so that %#v shows no field either. Like
// the two methods below it holds for a copy of what the pointer points to, too.
func (e Error) Format(f fmt.State, _ rune) { printError(f, &e) }

// LogValue is the text of Error.
func (e Error) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// MarshalText is the text of Error, so that encoders show no field either.
func (e Error) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

func printError(w io.Writer, err error) {
	// A printer that cannot print has nobody to tell.
	_, _ = io.WriteString(w, err.Error())
}

// An Attempt is one source that was asked, and why it did not answer.
type Attempt struct {
	Source string        // name of the source
	Err    error         // why it has no value
	Took   time.Duration // how long that took
}

// A FailoverError says that more than one source was asked and none had an
// answer that counts.
//
// It unwraps to the authority's error only: "not found" on the other side does
// not make a secret absent whose authority is down.
type FailoverError struct {
	// Op, Path and Stage say what was asked, by the Store's own names.
	Op, Path string
	Stage    Stage
	// Attempts are in the order in which the sources were asked.
	Attempts []Attempt

	authority error
}

// Error is one line that names every attempt.
func (e *FailoverError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s at stage %s", e.Op, e.Path, e.Stage)
	for i, a := range e.Attempts {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(a.Source + ": " + a.Err.Error())
	}
	return b.String()
}

// Unwrap returns the authority's error.
func (e *FailoverError) Unwrap() error { return e.authority }

// Format prints Error under every verb.
func (e *FailoverError) Format(f fmt.State, _ rune) { printError(f, e) }

// LogValue is the text of Error.
func (e *FailoverError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// MarshalText is the text of Error.
func (e *FailoverError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// maxJoined is how many mistakes one error tells at once.
const maxJoined = 20

// joinLine joins errors in one line.
func joinLine(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return lineError(errs)
}

// A lineError is several errors in one line.
type lineError []error

// Error joins the texts with semicolons.
func (e lineError) Error() string {
	var b strings.Builder
	for i, err := range e {
		if i == maxJoined {
			fmt.Fprintf(&b, "; and %d more", len(e)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(err.Error())
	}
	return b.String()
}

// Unwrap returns all of them.
func (e lineError) Unwrap() []error { return e }

// isNo tells whether a source's error is an answer that says no, as against
// no answer at all.
func isNo(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		switch e.Code {
		case codeTokenRevoked:
			return true
		case codeTenantNotFound: // a wrong setting, never an absence
			return false
		}
		if errors.Is(e.Kind, ErrUnauthenticated) || errors.Is(e.Kind, ErrUnavailable) {
			return false // whatever the cause says: the service did not
		}
	}
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrPermission) ||
		errors.Is(err, ErrConflict) || errors.Is(err, ErrInvalid)
}
