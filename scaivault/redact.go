// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// redacted stands where a secret's data would.
const redacted = "REDACTED"

// String returns the secret's name and version, never its data.
func (s *Secret) String() string {
	if s == nil {
		return "<nil>"
	}
	return "secret " + wire.Printable(s.info.Path) + " v" + strconv.Itoa(s.info.Version) + " " + redacted
}

// GoString is String: %#v shows no data either.
func (s *Secret) GoString() string { return s.String() }

// Format prints String under every verb and flag.
func (s *Secret) Format(f fmt.State, _ rune) {
	// A printer that cannot print has nobody to tell.
	_, _ = f.Write([]byte(s.String()))
}

// LogValue shows loggers the name, version and source, never the data.
func (s *Secret) LogValue() slog.Value {
	if s == nil {
		return slog.AnyValue(nil)
	}
	return slog.GroupValue(
		slog.String("path", s.info.Path),
		slog.Int("version", s.info.Version),
		slog.String("source", s.info.Source),
		slog.String("data", redacted))
}

// MarshalJSON writes the name, version and source, never the data; that is
// what [Secret.JSON] is for.
func (s *Secret) MarshalJSON() ([]byte, error) {
	if s == nil {
		return []byte("null"), nil
	}
	return json.Marshal(struct {
		Path    string `json:"path"`
		Version int    `json:"version"`
		Source  string `json:"source"`
		Data    string `json:"data"`
	}{s.info.Path, s.info.Version, s.info.Source, redacted})
}

// UnmarshalJSON refuses: MarshalJSON has not written the data, so there would
// be none. Use [NewSecret].
func (s *Secret) UnmarshalJSON([]byte) error { return errNotRead }

// MarshalText writes String, for encoders of text.
func (s *Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// GobEncode refuses: a secret is not stored by accident.
func (s *Secret) GobEncode() ([]byte, error) { return nil, errNoGob }

// GobDecode refuses, as GobEncode does.
func (s *Secret) GobDecode([]byte) error { return errNoGob }

var (
	errNotRead = fmt.Errorf("%w: a secret cannot be read from JSON, as its MarshalJSON method writes no data; use NewSecret", ErrInvalid)
	errNoGob   = fmt.Errorf("%w: a secret cannot be encoded with gob; encode what its JSON method reveals, if you mean to store it", ErrInvalid)
)
