// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
)

// A fakeSide is a service in memory: ScaiVault, KV v2, or with kv1 KV v1. Its
// hooks are called without its lock.
type fakeSide struct {
	side scaivault.Side
	kv1  bool

	onGet  func(path string) error
	onPut  func(path string, attempt int) error // before the write; an error is the answer
	putErr func(path string) error              // after the write: the answer is lost
	onList func(prefix string) error            // the last pair of a listing

	mu      sync.Mutex
	secrets map[string]*fakeSecret
	puts    int
	gets    int
	deletes []string
	opts    map[string]scaivault.PutOptions
}

type fakeSecret struct {
	version int
	data    string
	meta    scaivault.Metadata
	deleted bool
}

func newVaultSide() *fakeSide {
	return &fakeSide{side: scaivault.SideVault, secrets: map[string]*fakeSecret{}, opts: map[string]scaivault.PutOptions{}}
}

func newScaiVaultSide() *fakeSide {
	return &fakeSide{side: scaivault.SideScaiVault, secrets: map[string]*fakeSecret{}, opts: map[string]scaivault.PutOptions{}}
}

func (f *fakeSide) Name() string         { return f.side.String() }
func (f *fakeSide) Side() scaivault.Side { return f.side }

func (f *fakeSide) fail(kind error, op, path, reason string) error {
	return &scaivault.Error{Kind: kind, Op: op, Source: f.Name(), Path: path, Reason: reason}
}

// seed writes a secret as somebody else would, and returns its version.
func (f *fakeSide) seed(path, data string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.store(path, data, scaivault.Metadata{})
}

func (f *fakeSide) store(path, data string, meta scaivault.Metadata) int {
	s := f.secrets[path]
	if s == nil {
		s = &fakeSecret{}
		f.secrets[path] = s
	}
	s.data, s.meta, s.deleted = data, meta, false
	if !f.kv1 {
		s.version++
	}
	return s.version
}

func (f *fakeSide) data(path string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.secrets[path]; s != nil && !s.deleted {
		return s.data
	}
	return ""
}

func (f *fakeSide) writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.puts
}

func (f *fakeSide) meta(path string) scaivault.Metadata {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.secrets[path].meta
}

func (f *fakeSide) mark(t *testing.T, path string) mark.Mark {
	t.Helper()
	m, ok := mark.Parse(f.meta(path).Values)
	require.True(t, ok, "there is no mark on %s", path)
	return m
}

func (f *fakeSide) Get(ctx context.Context, path string) (*scaivault.Secret, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.onGet != nil {
		if err := f.onGet(path); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gets++
	s := f.secrets[path]
	if s == nil || s.deleted {
		return nil, f.absent(path, s)
	}
	return scaivault.NewSecret(scaivault.SecretInfo{Path: path, Version: s.version, Metadata: s.meta, Source: f.Name()}, json.RawMessage(s.data))
}

func (f *fakeSide) Put(ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.puts++
	attempt := f.puts
	f.mu.Unlock()
	if f.onPut != nil {
		if err := f.onPut(path, attempt); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, f.fail(scaivault.ErrInvalid, "put", path, "not JSON")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.checkPut(path, opts); err != nil {
		return nil, err
	}
	f.opts[path] = *opts
	version := f.store(path, string(raw), opts.Metadata.Clone())
	if f.putErr != nil {
		if err := f.putErr(path); err != nil {
			return nil, err
		}
	}
	return &scaivault.Written{Version: version, Source: f.Name()}, nil
}

// absent says of a deleted secret of Vault which version that was.
func (f *fakeSide) absent(path string, s *fakeSecret) error {
	err := &scaivault.Error{Kind: scaivault.ErrNotFound, Op: "get", Source: f.Name(), Path: path}
	if s != nil && f.side == scaivault.SideVault {
		err.Details = fmt.Appendf(nil, `{"version":%d}`, s.version)
	}
	return err
}

// checkPut refuses what the service would refuse.
func (f *fakeSide) checkPut(path string, opts *scaivault.PutOptions) error {
	s := f.secrets[path]
	if s != nil && s.deleted && f.side == scaivault.SideVault {
		s = nil // counts as absent
	}
	switch {
	case f.kv1 && (!opts.Metadata.IsZero() || opts.MaxVersions != 0 || opts.IfVersion != nil):
		return f.fail(scaivault.ErrInvalid, "put", path, "KV v1 has no such thing")
	case f.side == scaivault.SideScaiVault && s != nil && s.deleted:
		return f.fail(scaivault.ErrConflict, "put", path, "it was deleted and can be restored")
	case opts.IfAbsent && s != nil:
		return f.fail(scaivault.ErrConflict, "put", path, "it is there")
	case opts.IfVersion != nil && s == nil && *opts.IfVersion != 0, opts.IfVersion != nil && s != nil && *opts.IfVersion != s.version:
		return f.fail(scaivault.ErrConflict, "put", path, "it has another version")
	}
	return nil
}

func (f *fakeSide) List(_ context.Context, prefix string, _ *scaivault.ListOptions) iter.Seq2[scaivault.Entry, error] {
	return func(yield func(scaivault.Entry, error) bool) {
		f.mu.Lock()
		paths := slices.Sorted(maps.Keys(f.secrets))
		f.mu.Unlock()
		for _, path := range paths {
			if (prefix == "" || strings.HasPrefix(path, prefix+"/")) && !yield(scaivault.Entry{Path: path}, nil) {
				return
			}
		}
		if f.onList != nil {
			if err := f.onList(prefix); err != nil {
				yield(scaivault.Entry{}, err)
			}
		}
	}
}

func (f *fakeSide) Delete(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.secrets[path]
	if s == nil || s.deleted {
		return f.fail(scaivault.ErrNotFound, "delete", path, "")
	}
	f.deletes = append(f.deletes, path)
	s.deleted = true
	return nil
}

// A batchSide also reads many at once.
type batchSide struct {
	*fakeSide
	batches int
}

func (b *batchSide) GetBatch(ctx context.Context, paths []string) (map[string]*scaivault.Secret, error) {
	b.mu.Lock()
	b.batches++
	b.mu.Unlock()
	found, failed := map[string]*scaivault.Secret{}, map[string]error{}
	for _, path := range paths {
		s, err := b.Get(ctx, path)
		if err != nil {
			failed[path] = err
			continue
		}
		found[path] = s
	}
	if len(failed) > 0 {
		return found, &scaivault.BatchError{Errors: failed}
	}
	return found, nil
}

func mustMapping(t *testing.T, rules ...scaivault.Rule) *scaivault.Mapping {
	t.Helper()
	m, err := scaivault.NewMapping(rules...)
	require.NoError(t, err)
	return m
}

// billing maps the guide's example.
func billing(t *testing.T) *scaivault.Mapping {
	t.Helper()
	return mustMapping(t,
		scaivault.Rule{Vault: "kv/data/apps/billing/db", ScaiVault: "environments/production/billing/database"},
		scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
}
