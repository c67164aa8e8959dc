// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A From is where secrets are read: *vault.Source, [*scaivault.Client], or
// anything else with these methods. It must be safe for concurrent use.
//
// A From may also have Metadata, as both have it: then a secret that has not
// changed since it was copied is not read again. One that has GetBatch is read a
// hundred at a time, and one that has Versions and GetVersion can be copied with
// its history.
type From interface {
	// Name says who this is in reports: "vault".
	Name() string
	// Side says which names of the mapping it goes by.
	Side() scaivault.Side
	// Get reads the latest version; a secret that does not exist is
	// [scaivault.ErrNotFound].
	Get(ctx context.Context, path string) (*scaivault.Secret, error)
	// List lists everything below prefix, at any depth. A pair with an error
	// says that a part is missing; the listing may go on after it.
	List(ctx context.Context, prefix string, opts *scaivault.ListOptions) iter.Seq2[scaivault.Entry, error]
}

// A To is where secrets are written: [*scaivault.Client], *vault.Source, or
// anything else with these methods. It must be safe for concurrent use.
//
// A To may also have GetBatch, as *scaivault.Client has it: then what is there
// already is recognised, and what was written is read back, a hundred at a time.
// One that has Stats, as *scaivault.Client has it, is kept below the rate limits
// that it tells. [Diff] needs a To that
// has List, too, unless [DiffOptions.OneWay] is set.
type To interface {
	// Name says who this is in reports: "scaivault".
	Name() string
	// Side says which names of the mapping it goes by.
	Side() scaivault.Side
	// Get reads the latest version; a secret that does not exist is
	// [scaivault.ErrNotFound].
	Get(ctx context.Context, path string) (*scaivault.Secret, error)
	// Put writes a secret, at most once.
	Put(ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error)
}

// An endpoint is what all parts of a run need of both sides.
type endpoint interface {
	Name() string
	Side() scaivault.Side
	Get(ctx context.Context, path string) (*scaivault.Secret, error)
}

// A lister can say what there is.
type lister interface {
	List(ctx context.Context, prefix string, opts *scaivault.ListOptions) iter.Seq2[scaivault.Entry, error]
}

// A batchGetter reads many secrets in one request. It returns what it could
// read; the error is about the rest.
type batchGetter interface {
	GetBatch(ctx context.Context, paths []string) (map[string]*scaivault.Secret, error)
}

// checkEndpoints looks for what can't work, before any I/O.
func checkEndpoints(op string, from, to endpoint, m *scaivault.Mapping) error {
	switch {
	case isNil(from) || isNil(to):
		return invalid(op, "both the source and the destination are needed; one is nil")
	case m == nil || len(m.Rules()) == 0:
		return invalid(op, "a mapping with at least one rule is needed")
	}
	f, t := from.Side(), to.Side()
	switch {
	case f != scaivault.SideVault && f != scaivault.SideScaiVault:
		return invalid(op, fmt.Sprintf("%s says that it is on neither side of the mapping", from.Name()))
	case t != scaivault.SideVault && t != scaivault.SideScaiVault:
		return invalid(op, fmt.Sprintf("%s says that it is on neither side of the mapping", to.Name()))
	case f == t:
		return invalid(op, fmt.Sprintf("%s and %s are both on the %s side of the mapping; one must be on the other", from.Name(), to.Name(), f))
	}
	return nil
}

// isNil also knows the nil pointer of a client that could not be made.
func isNil(e endpoint) bool {
	v := reflect.ValueOf(e)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// invalid is a mistake of the caller.
func invalid(op, reason string) error {
	return &scaivault.Error{Kind: scaivault.ErrInvalid, Op: op, Reason: reason}
}

// reasonOf is an error's own reason, where it has one, else its text.
func reasonOf(err error) string {
	var e *scaivault.Error
	if errors.As(err, &e) && e.Reason != "" {
		return e.Reason
	}
	return oneLine(err.Error())
}
