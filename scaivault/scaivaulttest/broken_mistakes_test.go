// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A mistake is a broken Source, and the subtest that must find it.
type mistake struct {
	make    func() broken
	foundBy string
}

// readingMistakes are those of a Get.
func readingMistakes() map[string]mistake {
	return map[string]mistake{
		"absence as nil, nil": {func() broken {
			return brokenGet(func(s *scaivault.Secret, err error) (*scaivault.Secret, error) {
				if errors.Is(err, scaivault.ErrNotFound) {
					return nil, nil
				}
				return s, err
			})
		}, "what does not exist is ErrNotFound"},
		"absence as an empty secret": {func() broken {
			return brokenGet(func(s *scaivault.Secret, err error) (*scaivault.Secret, error) {
				if errors.Is(err, scaivault.ErrNotFound) {
					return &scaivault.Secret{}, nil
				}
				return s, err
			})
		}, "what does not exist is ErrNotFound"},
		"absence as unavailable": {func() broken {
			return brokenGet(func(s *scaivault.Secret, err error) (*scaivault.Secret, error) {
				if errors.Is(err, scaivault.ErrNotFound) {
					return nil, scaivault.ErrUnavailable
				}
				return s, err
			})
		}, "what does not exist is ErrNotFound"},
		"absence under two categories": {func() broken {
			return brokenGet(func(s *scaivault.Secret, err error) (*scaivault.Secret, error) {
				if errors.Is(err, scaivault.ErrNotFound) {
					return nil, fmt.Errorf("%w: %w", scaivault.ErrNotFound, scaivault.ErrUnavailable)
				}
				return s, err
			})
		}, "what does not exist is ErrNotFound"},
		"an error of several lines": {func() broken {
			return brokenGet(func(s *scaivault.Secret, err error) (*scaivault.Secret, error) {
				if err != nil {
					return nil, fmt.Errorf("get:\n%w", err)
				}
				return s, nil
			})
		}, "what does not exist is ErrNotFound"},
		"a secret beside the error": {func() broken {
			return brokenGet(func(s *scaivault.Secret, err error) (*scaivault.Secret, error) {
				if err != nil {
					return &scaivault.Secret{}, err
				}
				return s, nil
			})
		}, "what does not exist is ErrNotFound"},
		"a name that changes": {func() broken {
			count := 0
			return broken{name: func() string { count++; return fmt.Sprint("source", count) }}
		}, "Name is a word that stays"},
		"no name": {func() broken { return broken{name: func() string { return "" }} }, "Name is a word that stays"},
		"an answer to a cancelled call": {func() broken {
			return broken{get: func(s *scaivaulttest.Source) getFunc {
				return func(ctx context.Context, path string) (*scaivault.Secret, error) {
					return s.Get(context.WithoutCancel(ctx), path)
				}
			}}
		}, "a context that has ended ends the call"},
	}
}

// valueMistakes alter what a secret holds, or tells of itself.
func valueMistakes() map[string]mistake {
	return map[string]mistake{
		"a secret of another source": {func() broken {
			return brokenInfo(func(i *scaivault.SecretInfo) { i.Source = "elsewhere" })
		}, "a write is seen at once"},
		"a secret under another path": {func() broken {
			return brokenInfo(func(i *scaivault.SecretInfo) { i.Path = "/" + i.Path })
		}, "a write is seen at once"},
		"a version that stands": {func() broken {
			return brokenInfo(func(i *scaivault.SecretInfo) { i.Version = 1 })
		}, "a write replaces the whole and appends a version"},
		"metadata cut": {func() broken {
			return brokenInfo(func(i *scaivault.SecretInfo) { i.Metadata.Tags = nil })
		}, "metadata are held whole or refused"},
		"another type": {func() broken {
			return brokenInfo(func(i *scaivault.SecretInfo) { i.Type = scaivault.TypeKV })
		}, "a type is held or left out"},
		"null dropped":        {func() broken { return brokenJSON(`"null":null,`, ``) }, "JSON of every shape survives"},
		"empty list as null":  {func() broken { return brokenJSON(`[]`, `null`) }, "JSON of every shape survives"},
		"unicode normalised":  {func() broken { return brokenJSON("e\u0301", "é") }, "text survives byte for byte"},
		"text trimmed":        {func() broken { return brokenJSON(`"  a  "`, `"a"`) }, "text survives byte for byte"},
		"line ends converted": {func() broken { return brokenJSON(`\r\n`, `\n`) }, "text survives byte for byte"},
		"HTML escaped":        {func() broken { return brokenJSON(`<`, `&lt;`) }, "text survives byte for byte"},
		"digits lost":         {func() broken { return brokenJSON(`0.30000000000000004`, `0.3`) }, "numbers survive"},
		"numbers cut, not rounded": {func() broken {
			return brokenJSON(`12345678901234567890`, `1234567890123456789`)
		}, "long numbers survive, are refused, or become floats"},
	}
}

// writingMistakes are those of what a Put takes.
func writingMistakes() map[string]mistake {
	return map[string]mistake{
		"a write of a cancelled call": {func() broken {
			return brokenPut(func(s *scaivaulttest.Source, ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
				written, err := s.Put(context.WithoutCancel(ctx), path, data, opts)
				if err == nil && ctx.Err() != nil {
					return nil, ctx.Err()
				}
				return written, err
			})
		}, "a context that has ended ends the call"},
		"data checked by the service": {func() broken {
			return brokenPut(func(s *scaivaulttest.Source, ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				return s.Put(ctx, path, data, opts)
			})
		}, "data that cannot be written is ErrInvalid before any I/O"},
		"nil for data without fields": {func() broken {
			return brokenPut(func(s *scaivaulttest.Source, ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
				if data == nil {
					data = map[string]any{}
				}
				return s.Put(ctx, path, data, opts)
			})
		}, "data that cannot be written is ErrInvalid before any I/O"},
		"paths cleaned": {func() broken {
			return brokenPath(func(path string) string { return strings.ReplaceAll(strings.Trim(path, "/"), "//", "/") })
		}, "a path that cannot be is ErrInvalid before any I/O"},
		"paths that meet": {func() broken {
			return brokenPath(func(path string) string { return strings.ReplaceAll(path, "_", "-") })
		}, "a write reaches no other path"},
		"IfAbsent forgotten": {func() broken {
			return brokenOptions(func(o *scaivault.PutOptions) { o.IfAbsent = false })
		}, "IfAbsent writes only where nothing is"},
		"IfVersion forgotten": {func() broken {
			return brokenOptions(func(o *scaivault.PutOptions) { o.IfVersion = nil })
		}, "IfVersion writes only on that version"},
		"IfUnchanged forgotten": {func() broken {
			return brokenOptions(func(o *scaivault.PutOptions) { o.IfUnchanged = nil })
		}, "IfUnchanged writes only on the same data"},
	}
}

// furtherMistakes are those of what a Put does, and of several calls.
func furtherMistakes() map[string]mistake {
	return map[string]mistake{
		"written twice": {func() broken {
			return brokenPut(func(s *scaivaulttest.Source, ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
				if _, err := s.Put(ctx, path, data, opts); err != nil {
					return nil, err
				}
				return s.Put(ctx, path, data, nil)
			})
		}, "a write replaces the whole and appends a version"},
		"fields of before kept": {func() broken {
			return brokenPut(func(s *scaivaulttest.Source, ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
				if before, err := s.Get(ctx, path); err == nil && data != nil {
					all := before.Data()
					for name, value := range data {
						all[name] = value
					}
					data = all
				}
				return s.Put(ctx, path, data, opts)
			})
		}, "a write replaces the whole and appends a version"},
		"no Written": {func() broken {
			return brokenPut(func(s *scaivaulttest.Source, ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
				_, err := s.Put(ctx, path, data, opts)
				return nil, err
			})
		}, "a write is seen at once"},
		"the caller's data changed": {func() broken {
			return brokenPut(func(s *scaivaulttest.Source, ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
				written, err := s.Put(ctx, path, data, opts)
				if err == nil {
					clear(data)
				}
				return written, err
			})
		}, "Put neither keeps nor changes what it is given"},
		"data quoted in the error": {func() broken {
			return brokenPut(func(s *scaivaulttest.Source, ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
				written, err := s.Put(ctx, path, data, opts)
				if errors.Is(err, scaivault.ErrConflict) {
					return nil, fmt.Errorf("%w: %x", err, fmt.Sprint(data))
				}
				return written, err
			})
		}, "an error shows no value"},
		"a read that comes late": {func() broken {
			var mu sync.Mutex
			cache := map[string]*scaivault.Secret{}
			return broken{get: func(s *scaivaulttest.Source) getFunc {
				return func(ctx context.Context, path string) (*scaivault.Secret, error) {
					found, err := s.Get(ctx, path)
					if err != nil {
						return nil, err
					}
					mu.Lock()
					defer mu.Unlock()
					if cache[path] == nil {
						cache[path] = found
					}
					return cache[path], nil
				}
			}}
		}, "a write replaces the whole and appends a version"},
		"one answer for all callers": {func() broken {
			var last *scaivault.Secret
			var mu sync.Mutex
			return brokenGet(func(s *scaivault.Secret, err error) (*scaivault.Secret, error) {
				mu.Lock()
				defer mu.Unlock()
				if last == nil && err == nil {
					last = s
				}
				return last, err
			})
		}, "concurrent calls do not meet on different paths"},
	}
}
