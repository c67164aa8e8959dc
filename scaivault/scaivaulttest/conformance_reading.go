// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/scailabs/scaivault-go/scaivault"
)

func readingChecks() []sourceCheck {
	return []sourceCheck{
		{"Name is a word that stays", checkName},
		{"what does not exist is ErrNotFound", checkAbsent},
		{"a path that cannot be is ErrInvalid before any I/O", checkInvalidPaths},
		{"a context that has ended ends the call", checkEndedContext},
		{"a Secret does not change", checkImmutableSecret},
	}
}

func checkName(s *subject) {
	name := s.source.Name()
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		s.Fatalf("Name is %q; it stands in errors and logs", name)
	}
	s.put(s.path("a"), map[string]any{"k": "v"}, nil)
	if again := s.source.Name(); again != name {
		s.Fatalf("Name was %q, and is %q after a Put", name, again)
	}
}

func checkAbsent(s *subject) {
	s.mustBeAbsent(s.path("never-written"))
	s.put(s.path("folder/secret"), map[string]any{"k": "v"}, nil)
	s.mustBeAbsent(s.path("folder"))
	s.mustBeAbsent(s.path("folder/secret/below"))
	s.mustBeAbsent(s.path("folder/secre"))
}

// checkInvalidPaths uses a context that has ended: with I/O the error would be another.
func checkInvalidPaths(s *subject) {
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	inside := s.path("a")
	for what, path := range map[string]string{
		"the empty path": "", "a leading slash": "/" + inside, "a trailing slash": inside + "/",
		"an empty level": inside + "//b", "a level of two dots": inside + "/../b", "a newline": inside + "\nb",
		"a NUL": inside + "\x00", "what is not UTF-8": inside + "\xff",
	} {
		secret, err := s.source.Get(ended, path)
		s.mustRefuse("Get of a path with "+what, secret != nil, err, scaivault.ErrInvalid)
		written, err := s.source.Put(ended, path, map[string]any{"k": "v"}, nil)
		s.mustRefuse("Put to a path with "+what, written != nil, err, scaivault.ErrInvalid)
	}
}

func checkEndedContext(s *subject) {
	path := s.path("a")
	s.put(path, map[string]any{"k": "before"}, nil)
	cancelled, cancel := context.WithCancel(s.ctx)
	cancel()
	late, stop := context.WithDeadline(s.ctx, time.Unix(1, 0))
	defer stop()
	for want, ctx := range map[error]context.Context{context.Canceled: cancelled, context.DeadlineExceeded: late} {
		secret, err := s.source.Get(ctx, path)
		s.mustRefuse("Get", secret != nil, err, want)
		written, err := s.source.Put(ctx, path, map[string]any{"k": "after"}, nil)
		s.mustRefuse("Put", written != nil, err, want)
	}
	s.mustHold(path, `{"k":"before"}`)
}

func checkImmutableSecret(s *subject) {
	path := s.path("a")
	opts := &scaivault.PutOptions{Metadata: scaivault.Metadata{Tags: []string{"tag"}, Values: map[string]any{"key": "value"}}}
	data := map[string]any{"k": "v", "list": []any{"a", "b"}, "map": map[string]any{"x": "y"}}
	const want = `{"k":"v","list":["a","b"],"map":{"x":"y"}}`
	if _, err := s.source.Put(s.ctx, path, data, opts); err != nil {
		s.put(path, data, nil) // a service without metadata
	}
	secret := s.mustHold(path, want)
	held := secret.Data()
	held["k"] = "changed"
	if list, ok := held["list"].([]any); ok {
		list[0] = "changed"
	}
	if inner, ok := held["map"].(map[string]any); ok {
		inner["x"] = "changed"
	}
	clear(secret.JSON())
	info := secret.Info()
	clear(info.Metadata.Tags)
	clear(info.Metadata.Values)
	again := s.mustHold(path, want)
	if !again.Equal(secret) {
		s.Fatalf("a secret changed when a copy of its data was changed")
	}
	if before, after := secret.Info().Metadata, again.Info().Metadata; len(before.Tags) != len(after.Tags) || len(before.Values) != len(after.Values) {
		s.Fatalf("a secret changed when a copy of its metadata was changed")
	}
	version := secret.Version()
	s.put(path, map[string]any{"k": "new"}, nil)
	if field, _ := secret.Field("k"); field != "v" || secret.Version() != version {
		s.Fatalf("a secret that was read changed when another version was written")
	}
}
