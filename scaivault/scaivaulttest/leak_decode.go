// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// changed returns the texts that are not the one they were made from.
func changed(from string, texts ...string) []string {
	var out []string
	for _, text := range texts {
		if text != from && text != "" {
			out = append(out, text)
		}
	}
	return out
}

// unescaped resolves the escapes that JSON and Go write after a backslash.
func unescaped(text string) []string {
	if !strings.Contains(text, `\`) {
		return nil
	}
	var b strings.Builder
	for rest := text; rest != ""; {
		i := strings.IndexByte(rest, '\\')
		if i < 0 || i+1 == len(rest) {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:i])
		rest = rest[i+takeEscape(&b, rest[i:]):]
	}
	return changed(text, b.String())
}

var shortEscapes = map[byte]byte{'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// takeEscape writes what an escape, with which text begins, stands for, and returns
// its length.
func takeEscape(b *strings.Builder, text string) int {
	kind := text[1]
	switch {
	case kind == 'x':
		if n, ok := digits(text, 2, 2, 16); ok {
			b.WriteByte(byte(n))
			return 4
		}
	case kind == 'u':
		high, ok := digits(text, 2, 4, 16)
		if !ok {
			break
		}
		if utf16.IsSurrogate(rune(high)) && len(text) >= 12 && text[6:8] == `\u` {
			if low, ok := digits(text, 8, 4, 16); ok && utf16.DecodeRune(rune(high), rune(low)) != utf8.RuneError {
				b.WriteRune(utf16.DecodeRune(rune(high), rune(low)))
				return 12
			}
		}
		b.WriteRune(rune(high))
		return 6
	case kind == 'U':
		if n, ok := digits(text, 2, 8, 16); ok {
			b.WriteRune(rune(n))
			return 10
		}
	case kind >= '0' && kind <= '3':
		if n, ok := digits(text, 1, 3, 8); ok {
			b.WriteByte(byte(n))
			return 4
		}
	case shortEscapes[kind] != 0:
		b.WriteByte(shortEscapes[kind])
		return 2
	}
	b.WriteByte(kind) // a quote, a slash, or a backslash itself
	return 2
}

// digits reads count digits at a place of the text.
func digits(text string, at, count, base int) (uint64, bool) {
	if len(text) < at+count {
		return 0, false
	}
	n, err := strconv.ParseUint(text[at:at+count], base, 32)
	return n, err == nil
}

var urlEscape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// urlUnescaped resolves %2F and its kind, with a plus left alone and as a space.
func urlUnescaped(text string) []string {
	plain := urlEscape.ReplaceAllStringFunc(text, func(escape string) string {
		n, _ := digits(escape, 1, 2, 16)
		return string([]byte{byte(n)})
	})
	spaced := urlEscape.ReplaceAllStringFunc(strings.ReplaceAll(text, "+", " "), func(escape string) string {
		n, _ := digits(escape, 1, 2, 16)
		return string([]byte{byte(n)})
	})
	return changed(text, plain, spaced)
}

// dumpBreak is the end of a line of a hexadecimal dump, with its characters, and the
// next line's offset.
var dumpBreak = regexp.MustCompile(`  \|.{0,16}\|\r?\n[ \t]*[0-9A-Fa-f]{8}`)

func htmlUnescaped(text string) []string { return changed(text, html.UnescapeString(text)) }

// hexText is text in which bytes are written by two digits each, with what printers put
// before and between them.
var (
	hexText    = regexp.MustCompile(`(?:(?:0[xX]|\\x)?[0-9A-Fa-f]{2,}[\s,:\-]*){1,}`)
	notHex     = regexp.MustCompile(`0[xX]|\\x|[^0-9A-Fa-f]`)
	base64Text = regexp.MustCompile(`(?:[A-Za-z0-9+/\-_]|[\r\n]+[ \t]*){6,}`)
	numberText = regexp.MustCompile(`(?:(?:0[xXbBoO]|[uU]\+)?[0-9A-Fa-f]+[\s,;:]+){3,}(?:0[xXbBoO]|[uU]\+)?[0-9A-Fa-f]+`)
	notNumber  = regexp.MustCompile(`[\s,;:]+`)
)

// hexDecoded reads hexadecimal digits in pairs, from the first and from the second on:
// what stands before the secret can end within a pair.
func hexDecoded(text string) []string {
	var out []string
	for _, run := range hexText.FindAllString(dumpBreak.ReplaceAllString(text, "\n"), -1) {
		written := notHex.ReplaceAllString(run, "")
		for skip := range 2 {
			if len(written) < skip+2*minSecret {
				continue
			}
			part := written[skip:]
			raw, err := hex.DecodeString(part[:len(part)/2*2])
			if err == nil {
				out = append(out, string(raw))
			}
		}
	}
	return out
}

// base64Decoded reads both alphabets, from each of four places on: where the encoding
// begins cannot be seen. Line breaks within it are left out.
func base64Decoded(text string) []string {
	standard := strings.NewReplacer("-", "+", "_", "/", "\r", "", "\n", "", " ", "", "\t", "")
	var out []string
	for _, run := range base64Text.FindAllString(text, -1) {
		written := standard.Replace(run)
		for skip := range min(4, len(written)) {
			part := written[skip:]
			if len(part)%4 == 1 {
				part = part[:len(part)-1] // no encoding has a single letter at its end
			}
			raw, err := base64.RawStdEncoding.DecodeString(part)
			if err == nil && len(raw) >= minSecret {
				out = append(out, string(raw))
			}
		}
	}
	return out
}

// numbersDecoded reads lists of numbers as bytes and as characters, in every base in
// which fmt can print them.
func numbersDecoded(text string) []string {
	var out []string
	for _, run := range numberText.FindAllString(text, -1) {
		words := notNumber.Split(run, -1)
		for _, base := range []int{10, 16, 8, 2} {
			out = append(out, readNumbers(words, base)...)
		}
	}
	return out
}

// readNumbers joins the numbers; a word that is none ends one text and begins another.
func readNumbers(words []string, base int) []string {
	var out []string
	var raw []byte
	var text []rune
	flush := func() {
		if len(raw) >= minSecret {
			out = append(out, string(raw))
		}
		if len(text) > 0 && len(string(text)) >= minSecret {
			out = append(out, string(text))
		}
		raw, text = nil, nil
	}
	for _, word := range words {
		n, err := strconv.ParseUint(withoutPrefix(word, base), base, 32)
		if err != nil || n > utf8.MaxRune {
			flush()
			continue
		}
		text = append(text, rune(n))
		if n <= 0xff {
			raw = append(raw, byte(n))
		}
	}
	flush()
	return out
}

func withoutPrefix(word string, base int) string {
	word = strings.ToLower(word)
	for _, prefix := range map[int][]string{16: {"0x", "u+"}, 8: {"0o"}, 2: {"0b"}}[base] {
		if rest, ok := strings.CutPrefix(word, prefix); ok {
			return rest
		}
	}
	return word
}
