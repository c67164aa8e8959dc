// SPDX-License-Identifier: Apache-2.0

// Package mark reads and writes the mark of a copied secret: a few metadata
// values that say what it was copied from and which version of the
// destination that write was to make. While that version is the actual one,
// nobody else has written since, and the copy is ours to overwrite.
package mark

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"time"
)

// The metadata keys of a mark. All values are strings, as Vault's custom
// metadata holds nothing else.
const (
	keySource        = "migration_source"
	keySourceVersion = "migration_source_version"
	keyVersion       = "migration_version"
	keyWriteID       = "migration_write_id"
	keySourceTime    = "migration_source_time"
)

// keyPutID holds the id of a write that carries metadata of the caller's own,
// so that it can be told from others when its answer is lost. It is no part of
// a Mark, and of no use once the write's fate is known.
const keyPutID = "scaivault_write_id"

// A Mark says where a copied secret came from.
type Mark struct {
	Source        string // path in the source
	SourceVersion int    // version there; 0 where the source has none
	Version       int    // version of the destination that this write was to make
	WriteID       string // random, tells one write from another
	// SourceTime is when that version was written in the source; zero where
	// that is not known. By it a version is told from one of the same number
	// of a secret that was removed and made anew.
	SourceTime time.Time
}

// NewWriteID returns 128 random bits in hexadecimal.
func NewWriteID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, by the documentation of crypto/rand
	return hex.EncodeToString(b[:])
}

// AddTo returns a copy of values with the mark in it, in place of an older one.
func (m Mark) AddTo(values map[string]any) map[string]any {
	out := make(map[string]any, len(values)+5)
	for k, v := range values {
		out[k] = v
	}
	delete(out, keySourceTime)
	if !m.SourceTime.IsZero() {
		out[keySourceTime] = m.SourceTime.UTC().Format(time.RFC3339Nano)
	}
	out[keySource] = m.Source
	out[keySourceVersion] = strconv.Itoa(m.SourceVersion)
	out[keyVersion] = strconv.Itoa(m.Version)
	out[keyWriteID] = m.WriteID
	return out
}

// Parse reads a mark out of metadata values. It reports false where there is
// none, or one that this version cannot read.
func Parse(values map[string]any) (Mark, bool) {
	m := Mark{}
	var ok bool
	if m.Source, ok = values[keySource].(string); !ok || m.Source == "" {
		return Mark{}, false
	}
	if m.SourceVersion, ok = number(values[keySourceVersion]); !ok {
		return Mark{}, false
	}
	if m.Version, ok = number(values[keyVersion]); !ok {
		return Mark{}, false
	}
	if m.WriteID, ok = values[keyWriteID].(string); !ok {
		return Mark{}, false
	}
	if text, ok := values[keySourceTime].(string); ok {
		m.SourceTime, _ = time.Parse(time.RFC3339Nano, text) // zero, where it is none
	}
	return m, true
}

// IsOf tells whether the copy was made from this very version of the source,
// as far as the mark says.
func (m Mark) IsOf(source string, version int, written time.Time) bool {
	return m.Source == source && m.SourceVersion == version && version > 0 &&
		(m.SourceTime.IsZero() || m.SourceTime.Equal(written))
}

func number(v any) (int, bool) {
	s, ok := v.(string)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0
}

// WithPutID returns a copy of values with the id of a write, in place of an
// older one.
func WithPutID(values map[string]any, id string) map[string]any {
	out := make(map[string]any, len(values)+1)
	for k, v := range values {
		out[k] = v
	}
	out[keyPutID] = id
	return out
}

// WithoutPutID takes the id of a write out of values, which it changes. It
// returns nil where nothing else is left.
func WithoutPutID(values map[string]any) map[string]any {
	if _, ok := values[keyPutID]; !ok {
		return values
	}
	delete(values, keyPutID)
	if len(values) == 0 {
		return nil
	}
	return values
}

// PutID returns the id of the write that made values, or "" where they have
// none.
func PutID(values map[string]any) string {
	id, _ := values[keyPutID].(string)
	return id
}
