// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

type (
	getFunc func(ctx context.Context, path string) (*scaivault.Secret, error)
	putFunc func(ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error)
)

// A broken Source is one in memory that breaks one promise.
type broken struct {
	*scaivaulttest.Source
	get  func(s *scaivaulttest.Source) getFunc
	put  func(s *scaivaulttest.Source) putFunc
	name func() string
}

func (b *broken) Name() string {
	if b.name != nil {
		return b.name()
	}
	return b.Source.Name()
}

func (b *broken) Get(ctx context.Context, path string) (*scaivault.Secret, error) {
	if b.get != nil {
		return b.get(b.Source)(ctx, path)
	}
	return b.Source.Get(ctx, path)
}

func (b *broken) Put(ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
	if b.put != nil {
		return b.put(b.Source)(ctx, path, data, opts)
	}
	return b.Source.Put(ctx, path, data, opts)
}

// brokenGet changes what a Get returns.
func brokenGet(change func(*scaivault.Secret, error) (*scaivault.Secret, error)) broken {
	return broken{get: func(s *scaivaulttest.Source) getFunc {
		return func(ctx context.Context, path string) (*scaivault.Secret, error) { return change(s.Get(ctx, path)) }
	}}
}

// brokenJSON changes the data that a Get returns, as text.
func brokenJSON(old, replaced string) broken {
	return brokenGet(func(s *scaivault.Secret, err error) (*scaivault.Secret, error) {
		if err != nil {
			return nil, err
		}
		return scaivault.NewSecret(s.Info(), json.RawMessage(strings.ReplaceAll(string(s.JSON()), old, replaced)))
	})
}

// brokenInfo changes what a Get tells beside the data.
func brokenInfo(change func(*scaivault.SecretInfo)) broken {
	return brokenGet(func(s *scaivault.Secret, err error) (*scaivault.Secret, error) {
		if err != nil {
			return nil, err
		}
		info := s.Info()
		change(&info)
		return scaivault.NewSecret(info, s.JSON())
	})
}

// brokenPut changes the arguments of a Put, or what it returns.
func brokenPut(put func(s *scaivaulttest.Source, ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error)) broken {
	return broken{put: func(s *scaivaulttest.Source) putFunc {
		return func(ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
			return put(s, ctx, path, data, opts)
		}
	}}
}

// brokenOptions changes the options of a Put.
func brokenOptions(change func(*scaivault.PutOptions)) broken {
	return brokenPut(func(s *scaivaulttest.Source, ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
		own := scaivault.PutOptions{}
		if opts != nil {
			own = *opts
		}
		change(&own)
		return s.Put(ctx, path, data, &own)
	})
}

// brokenPath changes the path of both calls.
func brokenPath(change func(string) string) broken {
	b := brokenPut(func(s *scaivaulttest.Source, ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
		return s.Put(ctx, change(path), data, opts)
	})
	b.get = func(s *scaivaulttest.Source) getFunc {
		return func(ctx context.Context, path string) (*scaivault.Secret, error) {
			found, err := s.Get(ctx, change(path))
			if err != nil {
				return nil, err
			}
			info := found.Info()
			info.Path = path
			return scaivault.NewSecret(info, found.JSON())
		}
	}
	return b
}
