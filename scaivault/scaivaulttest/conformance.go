// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/scaivault"
)

// A SourceT is what [TestSource] needs of a test, which is a *testing.T. It stands for
// it so that a program that runs one of the servers does not link package testing.
type SourceT[T any] interface {
	TB
	Context() context.Context
	Run(name string, f func(t T)) bool
}

// SourceTestOptions are the settings of [TestSource]. The zero value is right for
// whatever takes ScaiVault paths, and for a Vault with a KV mount at kv or secret.
type SourceTestOptions struct {
	// Prefix stands before every path that the suite uses, with a slash at its end, as
	// in "apps/data/". If empty, the first of "", "kv/data/" and "secret/data/" below
	// which a secret that does not exist is scaivault.ErrNotFound.
	Prefix string
}

// TestSource checks that a [scaivault.Source] keeps what that interface promises, in
// subtests that name the promise:
//
//	func TestMySource(t *testing.T) {
//		scaivaulttest.TestSource(t, func(t *testing.T) scaivault.Source { return newMySource(t) })
//	}
//
// newSource is called once for each subtest. It may return a Source of the same service
// each time: no two subtests share a path. What they write, below "conformance", stays.
// All of them together write less than 100 times, which the managed service allows in
// a minute.
//
// What services may differ in is found by trying. A Source without versions, such as
// KV v1 of Vault, tells version 0 everywhere and refuses an IfVersion above it. Metadata
// and empty data are held, or refused with [scaivault.ErrInvalid] before anything is
// written. A number of more digits than a 64-bit float has is held whole, refused in the
// same way, or rounded to such a float, which is what KV v2 of Vault does. Nothing else
// may be altered.
//
// That something is refused before any I/O is tried with a context that has ended: look
// at the path, the data and the options first, and at the context after them.
//
// It does not check what needs a service that fails: that a write is never repeated, and
// that one whose fate is unknown is [scaivault.ErrUncertain].
func TestSource[T SourceT[T]](t T, newSource func(t T) scaivault.Source, opts ...*SourceTestOptions) {
	t.Helper()
	prefix := ""
	if o := one(t, "TestSource", opts); o != nil {
		prefix = o.Prefix
	}
	checks := slices.Concat(readingChecks(), writingChecks(), valueChecks(), conditionChecks(), secrecyChecks(), concurrencyChecks())
	for i, check := range checks {
		t.Run(check.name, func(t T) {
			s := &subject{TB: t, ctx: t.Context(), source: newSource(t), prefix: prefix}
			s.folder = fmt.Sprintf("conformance/%s/%d/", randomID()[:8], i)
			if s.source == nil {
				t.Fatalf("newSource returned nil")
				return
			}
			if prefix == "" {
				s.prefix = s.findPrefix()
			}
			check.run(s)
		})
	}
}

// A sourceCheck is one promise of a Source.
type sourceCheck struct {
	name string
	run  func(s *subject)
}

// A subject is a Source under test.
type subject struct {
	TB
	ctx    context.Context // of the test
	source scaivault.Source
	prefix string // before every path
	folder string // of this check, below the prefix
}

// commonPrefixes are those that need no option.
var commonPrefixes = []string{"", "kv/data/", "secret/data/"}

func (s *subject) findPrefix() string {
	for _, prefix := range commonPrefixes {
		if _, err := s.source.Get(s.ctx, prefix+s.folder+"prefix"); errors.Is(err, scaivault.ErrNotFound) {
			return prefix
		}
	}
	return ""
}

// path returns a path that only this check uses.
func (s *subject) path(name string) string { return s.prefix + s.folder + name }

// put writes what must be taken.
func (s *subject) put(path string, data map[string]any, opts *scaivault.PutOptions) *scaivault.Written {
	s.Helper()
	written, err := s.source.Put(s.ctx, path, data, opts)
	switch {
	case err != nil:
		s.Fatalf("Put: %v", err)
	case written == nil:
		s.Fatalf("Put returned neither an error nor a Written")
	case written.Source != s.source.Name():
		s.Fatalf("Put: Written.Source is %q, and Name is %q", written.Source, s.source.Name())
	case written.Version < 0:
		s.Fatalf("Put: Written.Version is %d", written.Version)
	case written.Mirror != nil:
		s.Fatalf("Put: Written.Mirror is set, and only a Store mirrors")
	}
	return written
}

// get reads what must be there.
func (s *subject) get(path string) *scaivault.Secret {
	s.Helper()
	secret, err := s.source.Get(s.ctx, path)
	switch {
	case err != nil:
		s.Fatalf("Get: %v", err)
	case secret == nil:
		s.Fatalf("Get returned neither an error nor a Secret")
	case secret.Path() != path:
		s.Fatalf("Get: Path is %q, and %q was asked for", secret.Path(), path)
	case secret.Source() != s.source.Name():
		s.Fatalf("Get: Source is %q, and Name is %q", secret.Source(), s.source.Name())
	case secret.Version() < 0:
		s.Fatalf("Get: Version is %d", secret.Version())
	case secret.Failover() || secret.Stale() != 0:
		s.Fatalf("Get: the secret says that it is a failover or stale, which only a Store can know")
	}
	return secret
}

// mustHold reads a path and compares by meaning. The values are not shown.
func (s *subject) mustHold(path, data string) *scaivault.Secret {
	s.Helper()
	secret := s.get(path)
	if !jsonvalue.Equal(secret.JSON(), []byte(data)) {
		names, err := jsonvalue.DifferentFields(secret.JSON(), []byte(data))
		if err != nil {
			s.Fatalf("Get: the data are not those that were written: they are no JSON object")
		}
		s.Fatalf("Get: the data are not those that were written: these fields differ: %q", names)
	}
	return secret
}

// mustBeAbsent reads a path at which nothing may stand.
func (s *subject) mustBeAbsent(path string) {
	s.Helper()
	secret, err := s.source.Get(s.ctx, path)
	s.mustRefuse("Get of what does not exist", secret != nil, err, scaivault.ErrNotFound)
}

// mustRefuse checks an error: its category and no other, one line, and nothing with it.
func (s *subject) mustRefuse(what string, answered bool, err, kind error) {
	s.Helper()
	switch {
	case err == nil:
		s.Fatalf("%s: no error, want %v", what, kind)
	case errors.Is(kind, scaivault.ErrInvalid) && !errors.Is(err, kind) && errors.Is(err, context.Canceled):
		s.Fatalf("%s: %v, which is not %q: the context has ended, but the input comes first", what, err, kind)
	case !errors.Is(err, kind):
		s.Fatalf("%s: %v, which is not %q", what, err, kind)
	case answered:
		s.Fatalf("%s: an answer beside the error", what)
	case strings.ContainsAny(err.Error(), "\r\n"):
		s.Fatalf("%s: the error has several lines", what)
	}
	ended := errors.Is(err, context.DeadlineExceeded) // which is no answer either
	for _, other := range sentinels {
		if errors.Is(err, other) && !errors.Is(kind, other) && !(ended && errors.Is(other, scaivault.ErrUnavailable)) {
			s.Fatalf("%s: the error is %q and %q at once", what, kind, other)
		}
	}
}

// sentinels are the categories of errors, of which an error has one.
var sentinels = []error{
	scaivault.ErrNotFound, scaivault.ErrPermission, scaivault.ErrUnauthenticated, scaivault.ErrConflict, scaivault.ErrInvalid,
	scaivault.ErrRateLimited, scaivault.ErrUnavailable, scaivault.ErrUncertain, scaivault.ErrFrozen, scaivault.ErrClosed,
}
