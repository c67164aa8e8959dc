// SPDX-License-Identifier: Apache-2.0

// Package wire is what the clients of both services share: how secrets are
// written as JSON, which addresses a token may be sent to, and how text from
// outside gets into an error.
package wire

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxShown bounds the text from outside that an error shows.
const maxShown = 512

// Printable keeps text from outside, such as a path, harmless in one line of an
// error: quoted where it holds anything unprintable, cut where it is too long.
func Printable(text string) string {
	if len(text) > maxShown+64 {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	for _, r := range text {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return fmt.Sprintf("%q", text)
		}
	}
	return text
}

// Identifier lets through only what is a code or an id and nothing else, so
// that no text of a server gets into an error by this way. It returns "" for
// all other text.
func Identifier(text string) string {
	if len(text) > 128 {
		return ""
	}
	for _, r := range text {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			r == '_' || r == '-' || r == '.' || r == ':'
		if !ok {
			return ""
		}
	}
	return text
}
