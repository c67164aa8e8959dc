// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// String returns the configuration's name. It shows nothing else: Client holds a
// token, its address may hold a password, and Auth holds credentials.
func (c Config) String() string { return "configuration of source " + wire.Printable(c.name()) }

// Format prints String under every verb and flag: left alone, %s would print what
// Client and Auth hold.
func (c Config) Format(f fmt.State, _ rune) { printString(f, c) }

// LogValue is String, for loggers.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText is String, for encoders.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// String returns the source's name and its [Source.Address].
func (s *Source) String() string {
	if s == nil {
		return "<nil>"
	}
	return "source " + s.name + " at " + s.Address()
}

// Format prints String under every verb and flag.
func (s *Source) Format(f fmt.State, _ rune) { printString(f, s) }

// LogValue is String, for loggers.
func (s *Source) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String, for encoders.
func (s *Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func printString(f fmt.State, s fmt.Stringer) {
	// A printer that cannot print has nobody to tell.
	_, _ = io.WriteString(f, s.String())
}
