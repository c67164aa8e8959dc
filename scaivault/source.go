// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"time"
)

// A Source is one service that keeps secrets. [*Client] is a Source, and so is
// the Source of package vault; anything else with these methods can be one.
//
// A Source must be safe for concurrent use, must return when ctx ends, never
// returns a nil Secret without an error, and tells its errors by the sentinels
// of this package: an error that matches none of them counts as unavailable.
type Source interface {
	// Name says who answers: "scaivault" or "vault". It stands in errors,
	// in [Secret.Source] and in [Written].
	Name() string
	// Get reads the latest version of a secret. A secret that does not
	// exist, or was deleted, is [ErrNotFound].
	Get(ctx context.Context, path string) (*Secret, error)
	// Put writes a secret, as a new version where the service has versions.
	// It writes at most once; when it cannot tell whether it did, the error
	// matches [ErrUncertain]. A nil opts means the zero [PutOptions].
	Put(ctx context.Context, path string, data map[string]any, opts *PutOptions) (*Written, error)
}

// A Side is one of the two sides of a [Mapping].
type Side uint8

// The two sides. The zero Side is neither.
const (
	SideScaiVault Side = iota + 1 // names are ScaiVault paths
	SideVault                     // names are Vault API paths
)

// String returns "scaivault", "vault" or "unknown".
func (s Side) String() string {
	switch s {
	case SideScaiVault:
		return sourceScaiVault
	case SideVault:
		return sourceVault
	default:
		return "unknown"
	}
}

const (
	sourceScaiVault = "scaivault"
	sourceVault     = "vault"
)

// PutOptions are the optional parts of a write. The zero value, and a nil
// pointer, write the data alone.
type PutOptions struct {
	// Type tells consumers how to read the data; it does not alter what is
	// stored. If empty, [TypeJSON]. Vault has no types and ignores it.
	Type Type
	// Metadata goes with the secret. If zero, none is sent, and whether the
	// service keeps the metadata of the version before is its own choice.
	// KV v2 keeps it as custom metadata; KV v1 refuses it with ErrInvalid.
	Metadata Metadata
	// MaxVersions bounds the history that the service keeps. If zero, the
	// service's own default. KV v1 refuses it with ErrInvalid.
	MaxVersions int
	// ExpiresIn lets the secret expire after this long, in whole seconds. If
	// zero, never. Vault refuses it with ErrInvalid.
	ExpiresIn time.Duration
	// RotationPolicyID links the secret to a rotation policy of ScaiVault. If
	// empty, to none. Vault refuses it with ErrInvalid.
	RotationPolicyID string

	// IfAbsent writes only where no secret is, else the error matches
	// [ErrConflict]. On KV v2 this is atomic. ScaiVault documents no such
	// condition, and KV v1 has none: there it is a look before the write,
	// and another writer can come between.
	IfAbsent bool
	// IfVersion writes only while this is the latest version, else the
	// error matches [ErrConflict]; 0 means that there is none. If nil, no
	// condition. As atomic as IfAbsent. A [Store] refuses it, as the two
	// sides count their versions differently; see IfUnchanged.
	IfVersion *int
	// IfUnchanged writes only while the authority's data equals this
	// secret's, as [Secret.Equal] compares, else the error matches
	// [ErrConflict]. If nil, no condition.
	IfUnchanged *Secret
}

// Written says what a write has done.
type Written struct {
	// Version is the new version; 0 where the service did not say.
	Version int
	// Source is the name of the source that took the write.
	Source string
	// Mirror is why the copy on the other side could not be brought up to
	// date, or nil. The write itself has succeeded all the same.
	Mirror error
}

// An Entry is one secret of a listing. A listing never returns values.
type Entry struct {
	// Path is the secret's name, in the form that Get takes.
	Path string
	// Version is the latest version; 0 where the listing does not tell.
	Version int
	// Type is the secret's type; empty where the listing does not tell.
	Type Type
	// UpdatedAt is when the latest version was written; zero where the
	// listing does not tell.
	UpdatedAt time.Time
}

// ListOptions are the optional parts of a listing. A nil pointer means the
// zero value.
type ListOptions struct {
	// PageSize is how many entries to ask for in one request. If zero, the
	// service's own default.
	PageSize int
}
