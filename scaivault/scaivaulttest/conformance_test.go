// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestTheSuiteFindsEveryMistake runs it on Sources that break one promise each.
func TestTheSuiteFindsEveryMistake(t *testing.T) {
	t.Parallel()
	all := readingMistakes()
	for _, further := range []map[string]mistake{valueMistakes(), writingMistakes(), furtherMistakes()} {
		maps.Copy(all, further)
	}
	for name, m := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failures := try(t, func(t *trial) {
				t.only = m.foundBy
				scaivaulttest.TestSource(t, func(*trial) scaivault.Source {
					b := m.make()
					b.Source = scaivaulttest.NewSource("scaivault")
					return &b
				})
			})
			require.Len(t, failures, 1)
			assert.Contains(t, failures[0], m.foundBy+": ")
		})
	}
}

// unversioned is a Source like KV v1: without versions, metadata and empty data.
func unversioned() broken {
	b := brokenPut(func(s *scaivaulttest.Source, ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
		no := opts != nil && (!opts.Metadata.IsZero() || opts.MaxVersions > 0 || opts.IfVersion != nil && *opts.IfVersion > 0)
		if no || len(data) == 0 {
			return nil, &scaivault.Error{Kind: scaivault.ErrInvalid, Op: "put"}
		}
		written, err := s.Put(ctx, path, data, opts)
		if err == nil {
			written.Version = 0
		}
		return written, err
	})
	b.get = brokenInfo(func(i *scaivault.SecretInfo) { i.Version = 0 }).get
	return b
}

func TestTheSuitePassesASourceWithoutVersions(t *testing.T) {
	t.Parallel()
	failures := try(t, func(t *trial) {
		scaivaulttest.TestSource(t, func(*trial) scaivault.Source {
			b := unversioned()
			b.Source = scaivaulttest.NewSource("vault")
			return &b
		})
	})
	assert.Empty(t, failures)
}

func TestTheSuiteStaysBelowItsPrefix(t *testing.T) {
	t.Parallel()
	src := scaivaulttest.NewSource("vault")
	src.SetAround(func(_ context.Context, _, path string, do func() error) error {
		assert.True(t, strings.HasPrefix(path, "apps/data/conformance/"), path)
		return do()
	})
	scaivaulttest.TestSource(t, func(*testing.T) scaivault.Source { return src }, &scaivaulttest.SourceTestOptions{Prefix: "apps/data/"})
}

func TestTheSuiteNeedsASource(t *testing.T) {
	t.Parallel()
	failures := try(t, func(t *trial) {
		scaivaulttest.TestSource(t, func(*trial) scaivault.Source { return nil })
	})
	require.NotEmpty(t, failures)
	assert.Contains(t, failures[0], "newSource returned nil")
}

func TestTheSuiteTellsWhoLooksAtTheContextFirst(t *testing.T) {
	t.Parallel()
	const only = "a path that cannot be is ErrInvalid before any I/O"
	failures := try(t, func(t *trial) {
		t.only = only
		scaivaulttest.TestSource(t, func(*trial) scaivault.Source {
			return &broken{Source: scaivaulttest.NewSource("scaivault"), get: func(s *scaivaulttest.Source) getFunc {
				return func(ctx context.Context, path string) (*scaivault.Secret, error) {
					if err := ctx.Err(); err != nil {
						return nil, err
					}
					return s.Get(ctx, path)
				}
			}}
		})
	})
	require.Len(t, failures, 1)
	assert.Contains(t, failures[0], "the context has ended, but the input comes first")
}
