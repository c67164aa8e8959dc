// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import "strings"

// minSecret is the length, in bytes, from which on a secret is looked for: a
// shorter one stands in any text by chance.
const minSecret = 4

// AssertNoLeak fails the test if the secret stands in one of the texts: logs, errors,
// reports, answers, whatever should not hold it. It finds the secret whole, in clear,
// and as printers and encoders write it: escaped for JSON, Go, URLs or HTML, in base64
// at any alignment, in hexadecimal or a dump of it, as a list of numbers such as fmt
// prints a []byte, broken over indented lines, and in one of these within another. It
// finds no part of the secret, no hash, and nothing compressed, encrypted, in base32 or
// in UTF-16.
//
// The failure names the text by its place and the form, and never shows either. A
// secret of less than 4 bytes fails the test: it would be found in any text.
func AssertNoLeak(tb TB, secret string, texts ...string) {
	tb.Helper()
	if len(secret) < minSecret {
		tb.Fatalf("scaivaulttest: AssertNoLeak: the secret has %d bytes; use one of at least %d, or it is found in any text", len(secret), minSecret)
		return
	}
	for i, text := range texts {
		if form, found := findLeak(secret, text); found {
			tb.Fatalf("scaivaulttest: text %d of %d, which has %d bytes, holds the secret %s", i+1, len(texts), len(text), form)
			return
		}
	}
}

// maxNesting is how many forms are taken off a text, one after the other.
const maxNesting = 2

// findLeak tells in which form the secret stands in the text.
func findLeak(secret, text string) (form string, found bool) {
	if holds(text, secret) {
		return "in clear", true
	}
	for depth := 1; depth <= maxNesting; depth++ {
		if forms, found := findNested(secret, text, depth); found {
			return "as " + strings.Join(forms, " in "), true
		}
	}
	return "", false
}

// findNested looks for the secret under exactly depth forms. It returns them from the
// innermost on.
func findNested(secret, text string, depth int) (forms []string, found bool) {
	for _, f := range leakForms {
		for _, plain := range f.decode(text) {
			if len(plain)*6 < len(secret)*5 {
				continue // no form but HTML's is shorter than what it stands for, and that is "&nGt;" for 6 bytes
			}
			if depth > 1 {
				forms, found = findNested(secret, plain, depth-1)
			} else {
				found = holds(plain, secret)
			}
			if found {
				return append(forms, f.name), true
			}
		}
	}
	return nil, false
}

// holds reports whether the secret stands in the text, in one piece or broken over
// lines, with their indentation or without. A secret of several lines, such as a key,
// may have other breaks there than its own.
func holds(text, secret string) bool {
	const breaks = "\r\n"
	if strings.Contains(text, secret) {
		return true
	}
	if !strings.ContainsAny(text, breaks) && !strings.ContainsAny(secret, breaks) {
		return false
	}
	joined := joinLines(secret, "")
	return len(joined) >= minSecret &&
		(strings.Contains(joinLines(text, ""), joined) || strings.Contains(joinLines(text, " \t"), joined))
}

// joinLines leaves the line breaks out, and the given blanks behind them.
func joinLines(text, blanks string) string {
	var b strings.Builder
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
		b.WriteString(strings.TrimLeft(line, blanks))
	}
	return b.String()
}

// A leakForm is one way in which a text can be written.
type leakForm struct {
	name string
	// decode takes the form off, wherever the text may have it. It returns nothing
	// where the text does not have it at all.
	decode func(text string) []string
}

var leakForms = []leakForm{
	{"escapes of JSON or Go", unescaped},
	{"escapes of a URL", urlUnescaped},
	{"escapes of HTML", htmlUnescaped},
	{"hexadecimal", hexDecoded},
	{"base64", base64Decoded},
	{"a list of numbers", numbersDecoded},
}
