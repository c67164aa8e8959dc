// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/wire"
	"github.com/scailabs/scaivault-go/scaivault"
)

// A Source is a [scaivault.Source] in memory: either side of a Store, for tests that
// need no wire. It has versions, metadata, expiry and every condition of a Put, all of
// them atomic, and takes the paths of ScaiVault and of Vault alike. What a write leaves
// out of its metadata or type is empty afterwards. TestSource passes on it.
//
// A Source comes from NewSource; the zero Source is of no use. It is safe for
// concurrent use by multiple goroutines.
type Source struct {
	name string

	mu      sync.Mutex // guards all below
	secrets map[string]stored
	around  Around
}

// A stored secret keeps its data behind a func, so that no printer reaches them.
type stored struct {
	info scaivault.SecretInfo
	data func() json.RawMessage
}

// An Around stands around every Get and Put of a [Source]: op is "get" or "put". It
// calls do to have the call carried out, and what it returns is the call's error. So it
// can refuse, wait, count, and lose an answer: call do and return
// [scaivault.ErrUncertain]. It may be called by multiple goroutines at once.
type Around func(ctx context.Context, op, path string, do func() error) error

var _ scaivault.Source = (*Source)(nil)

// NewSource returns an empty Source. The name is what its secrets, writes and errors
// say who answered: "scaivault" or "vault", for one side of a Store.
func NewSource(name string) *Source {
	return &Source{name: name, secrets: map[string]stored{}}
}

// Name returns the name that NewSource was given.
func (s *Source) Name() string { return s.name }

// SetAround has f stand around every call from now on, in place of the one before. If
// nil, nothing does.
func (s *Source) SetAround(f Around) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.around = f
}

// Get reads the latest version of a secret, as every [scaivault.Source] does. One that
// has expired is [scaivault.ErrNotFound].
func (s *Source) Get(ctx context.Context, path string) (*scaivault.Secret, error) {
	if wrong := pathFault(path); wrong != "" {
		return nil, s.failure("get", path, scaivault.ErrInvalid, wrong)
	}
	var secret *scaivault.Secret
	err := s.do(ctx, "get", path, func() (err error) {
		secret, err = s.read(path)
		return err
	})
	if err != nil {
		return nil, err
	}
	if secret == nil {
		return nil, s.failure("get", path, scaivault.ErrUnavailable, "the Around returned no error and carried nothing out")
	}
	return secret, nil
}

// Put writes a secret as a new version, as every [scaivault.Source] does. Conditions
// are checked and the data written at once, with no other writer in between.
func (s *Source) Put(ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
	if opts == nil {
		opts = &scaivault.PutOptions{}
	}
	raw, metadata, wrong := encodePut(path, data, opts)
	if wrong != "" {
		return nil, s.failure("put", path, scaivault.ErrInvalid, wrong)
	}
	var written *scaivault.Written
	err := s.do(ctx, "put", path, func() (err error) {
		written, err = s.write(path, raw, metadata, opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	if written == nil {
		return nil, s.failure("put", path, scaivault.ErrUnavailable, "the Around returned no error and carried nothing out")
	}
	return written, nil
}

// Seed writes data at path, past the Around, and returns the version; 0 where a Put
// would refuse it.
func (s *Source) Seed(path string, data map[string]any) (version int) {
	raw, metadata, wrong := encodePut(path, data, &scaivault.PutOptions{})
	if wrong != "" {
		return 0
	}
	written, err := s.write(path, raw, metadata, &scaivault.PutOptions{})
	if err != nil {
		return 0
	}
	return written.Version
}

// Remove takes a secret away, with its versions. It does nothing where there is none.
func (s *Source) Remove(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.secrets, path)
}

// do carries out one call, with the Around around it.
func (s *Source) do(ctx context.Context, op, path string, f func() error) error {
	s.mu.Lock()
	around := s.around
	s.mu.Unlock()
	carryOut := func() error {
		if err := ctx.Err(); err != nil {
			return &scaivault.Error{Op: op, Source: s.name, Path: wire.Printable(path), Err: err}
		}
		return f()
	}
	if around == nil {
		return carryOut()
	}
	return around(ctx, op, path, carryOut)
}

func (s *Source) failure(op, path string, kind error, reason string) error {
	return &scaivault.Error{Kind: kind, Op: op, Source: s.name, Path: wire.Printable(path), Reason: reason}
}

// latest returns what stands at path now; the caller holds mu.
func (s *Source) latest(path string) (now stored, ok bool) {
	now, ok = s.secrets[path]
	if expires := now.info.ExpiresAt; !expires.IsZero() && !time.Now().Before(expires) {
		return stored{info: scaivault.SecretInfo{Version: now.info.Version}}, false
	}
	return now, ok
}

func (s *Source) read(path string) (*scaivault.Secret, error) {
	s.mu.Lock()
	now, ok := s.latest(path)
	s.mu.Unlock()
	if !ok {
		return nil, s.failure("get", path, scaivault.ErrNotFound, "")
	}
	return scaivault.NewSecret(now.info, now.data())
}

func (s *Source) write(path string, raw json.RawMessage, metadata scaivault.Metadata, opts *scaivault.PutOptions) (*scaivault.Written, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, exists := s.latest(path)
	if unmet := unmetCondition(now, exists, opts); unmet != "" {
		return nil, s.failure("put", path, scaivault.ErrConflict, unmet)
	}
	at := time.Now()
	info := scaivault.SecretInfo{
		Path: path, Source: s.name, Version: now.info.Version + 1, Type: orDefault(opts.Type, scaivault.TypeJSON),
		Metadata: metadata, CreatedAt: at, UpdatedAt: at, RotationPolicyID: opts.RotationPolicyID,
	}
	if exists {
		info.CreatedAt = now.info.CreatedAt
	}
	if opts.ExpiresIn > 0 {
		info.ExpiresAt = at.Add(opts.ExpiresIn)
	}
	s.secrets[path] = stored{info, func() json.RawMessage { return raw }}
	return &scaivault.Written{Version: info.Version, Source: s.name}, nil
}

// unmetCondition says which condition of a write does not hold, or nothing.
func unmetCondition(now stored, exists bool, opts *scaivault.PutOptions) string {
	version := 0
	if exists {
		version = now.info.Version
	}
	switch {
	case opts.IfAbsent && exists:
		return "there is a secret, and IfAbsent was asked for"
	case opts.IfVersion != nil && *opts.IfVersion != version:
		return fmt.Sprintf("the latest version is %d, and IfVersion asked for %d", version, *opts.IfVersion)
	case opts.IfUnchanged != nil && (!exists || !jsonvalue.Equal(opts.IfUnchanged.JSON(), now.data())):
		return "the data is not what IfUnchanged asked for"
	default:
		return ""
	}
}

// encodePut checks the arguments of a Put and makes copies of them. If it cannot,
// wrong says why.
func encodePut(path string, data map[string]any, opts *scaivault.PutOptions) (raw json.RawMessage, metadata scaivault.Metadata, wrong string) {
	if wrong := pathFault(path); wrong != "" {
		return nil, metadata, wrong
	}
	if opts.MaxVersions < 0 {
		return nil, metadata, "PutOptions.MaxVersions is negative; give a positive number, or 0 for the default"
	}
	if opts.ExpiresIn < 0 || opts.ExpiresIn%time.Second != 0 {
		return nil, metadata, "PutOptions.ExpiresIn must be a positive number of whole seconds, or 0 for never"
	}
	if raw, wrong = wire.EncodeData(data); wrong != "" {
		return nil, metadata, wrong
	}
	if metadata, err := copyMetadata(opts.Metadata); err == nil {
		return raw, metadata, ""
	}
	return nil, metadata, "PutOptions.Metadata cannot be written as JSON; use strings, numbers, booleans, slices and maps"
}

// copyMetadata takes metadata the way they would take on a wire.
func copyMetadata(m scaivault.Metadata) (scaivault.Metadata, error) {
	var taken scaivault.Metadata
	if m.IsZero() {
		return taken, nil
	}
	encoded, err := json.Marshal(m)
	if err != nil {
		return taken, errors.New("metadata is not JSON")
	}
	return taken, json.Unmarshal(encoded, &taken)
}

// pathFault says what is wrong with the path of a secret of either side.
func pathFault(path string) string {
	switch {
	case path == "":
		return "the path is empty; name a secret, as in environments/production/billing/database"
	case !utf8.ValidString(path) || strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "the path holds an unprintable character"
	}
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "":
			return "a path has no slash at either end, and none that follows another"
		case ".", "..":
			return fmt.Sprintf("%q is not a name", segment)
		}
	}
	return ""
}
