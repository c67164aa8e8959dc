// SPDX-License-Identifier: Apache-2.0

package jsonvalue

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"unicode/utf8"
)

// maxDepth is how deep a document may be nested, as in encoding/json.
const maxDepth = 10_000

// EachMember goes through the members of one JSON object, in order, and gives
// visit their names, decoded, and their values as they are written: parts of
// doc, without a copy. What is inside a value is checked and passed over. It
// reports whether doc is one JSON object and nothing else; if not, the members
// before the mistake have been visited.
//
// It allocates nothing, but for names with escapes or bytes that are not UTF-8.
func EachMember(doc []byte, visit func(name, value []byte)) bool {
	v := visitor{visit: func(_ int, name, value []byte) { visit(name, value) }}
	return v.object(doc)
}

// EachMemberWithin does the same for objects within the object too, in the same
// pass: those whose name enter takes. Both funcs are told how deep they are, 1
// in the outermost object. The members of an object come before the object as a
// whole, which then is a member like any other.
func EachMemberWithin(doc []byte, enter func(depth int, name []byte) bool, visit func(depth int, name, value []byte)) bool {
	v := visitor{visit: visit, enter: enter}
	return v.object(doc)
}

// A visitor is told of members.
type visitor struct {
	visit func(depth int, name, value []byte)
	enter func(depth int, name []byte) bool // nil for none
}

func (v *visitor) object(doc []byte) bool {
	i := skipSpace(doc, 0)
	if at(doc, i) != '{' {
		return false
	}
	end := skipMembers(doc, i, 1, v)
	return end > 0 && skipSpace(doc, end) == len(doc)
}

// EachElement does the same for the elements of one JSON array.
func EachElement(doc []byte, visit func(value []byte)) bool {
	i := skipSpace(doc, 0)
	if at(doc, i) != '[' {
		return false
	}
	end := skipElements(doc, i, 1, visit)
	return end > 0 && skipSpace(doc, end) == len(doc)
}

// malformed is what the functions below return for the end of what they cannot
// read.
const malformed = -1

// at returns a byte that JSON never has where the document has ended.
func at(doc []byte, i int) byte {
	if i < len(doc) {
		return doc[i]
	}
	return 0
}

func skipSpace(doc []byte, i int) int {
	for i < len(doc) && (doc[i] == ' ' || doc[i] == '\n' || doc[i] == '\t' || doc[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the end of the value that begins at i.
func skipValue(doc []byte, i, depth int) int {
	switch c := at(doc, i); c {
	case '"':
		return skipString(doc, i)
	case '{':
		return skipMembers(doc, i, depth+1, nil)
	case '[':
		return skipElements(doc, i, depth+1, nil)
	case 't':
		return skipLiteral(doc, i, "true")
	case 'f':
		return skipLiteral(doc, i, "false")
	case 'n':
		return skipLiteral(doc, i, "null")
	default:
		return skipNumber(doc, i)
	}
}

// skipMembers returns the end of the object that begins at i. The visitor may be
// nil.
func skipMembers(doc []byte, i, depth int, v *visitor) int {
	if depth > maxDepth {
		return malformed
	}
	i = skipSpace(doc, i+1)
	if at(doc, i) == '}' {
		return i + 1
	}
	for {
		name := i
		if i = skipString(doc, i); i < 0 {
			return malformed
		}
		nameEnd := i
		if i = skipSpace(doc, i); at(doc, i) != ':' {
			return malformed
		}
		value := skipSpace(doc, i+1)
		if v == nil {
			i = skipValue(doc, value, depth)
		} else {
			i = v.member(doc, decodedName(doc[name:nameEnd]), value, depth)
		}
		if i < 0 {
			return malformed
		}
		switch i = skipSpace(doc, i); at(doc, i) {
		case ',':
			i = skipSpace(doc, i+1)
		case '}':
			return i + 1
		default:
			return malformed
		}
	}
}

// member tells of a member whose value begins at i, and returns its end.
func (v *visitor) member(doc, name []byte, i, depth int) (end int) {
	if v.enter != nil && at(doc, i) == '{' && v.enter(depth, name) {
		end = skipMembers(doc, i, depth+1, v)
	} else {
		end = skipValue(doc, i, depth)
	}
	if end > 0 {
		v.visit(depth, name, doc[i:end:end])
	}
	return end
}

// skipElements returns the end of the array that begins at i.
func skipElements(doc []byte, i, depth int, visit func(value []byte)) int {
	if depth > maxDepth {
		return malformed
	}
	i = skipSpace(doc, i+1)
	if at(doc, i) == ']' {
		return i + 1
	}
	for {
		value := i
		if i = skipValue(doc, value, depth); i < 0 {
			return malformed
		}
		if visit != nil {
			visit(doc[value:i:i])
		}
		switch i = skipSpace(doc, i); at(doc, i) {
		case ',':
			i = skipSpace(doc, i+1)
		case ']':
			return i + 1
		default:
			return malformed
		}
	}
}

func skipString(doc []byte, i int) int {
	if at(doc, i) != '"' {
		return malformed
	}
	for i++; ; i++ {
		i = skipPlain(doc, i)
		switch at(doc, i) {
		case '"':
			return i + 1
		case '\\':
			if i = skipEscape(doc, i+1); i < 0 {
				return malformed
			}
		default: // a control character, or the end of the document
			return malformed
		}
	}
}

// skipPlain returns the first byte at or behind i that is not a string's plain
// text: a quote, a backslash, a control character, or the end of the document.
// It looks at eight bytes at a time: each is compared without carrying into the
// one before it, so that the lowest one found is the first.
func skipPlain(doc []byte, i int) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x80 * ones
	)
	for ; i+8 <= len(doc); i += 8 {
		word := binary.LittleEndian.Uint64(doc[i:])
		quote, backslash := word^('"'*ones), word^('\\'*ones)
		found := ((word-' '*ones)&^word | (quote-ones)&^quote | (backslash-ones)&^backslash) & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(doc) && doc[i] >= ' ' && doc[i] != '"' && doc[i] != '\\' {
		i++
	}
	return i
}

// skipEscape returns the last byte of the escape whose backslash stands
// before i.
func skipEscape(doc []byte, i int) int {
	switch at(doc, i) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i
	case 'u':
		for range 4 {
			i++
			c := at(doc, i)
			if !isDigit(c) && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return malformed
			}
		}
		return i
	default:
		return malformed
	}
}

func skipLiteral(doc []byte, i int, literal string) int {
	if !bytes.HasPrefix(doc[i:], []byte(literal)) {
		return malformed
	}
	return i + len(literal)
}

func skipNumber(doc []byte, i int) int {
	if at(doc, i) == '-' {
		i++
	}
	switch c := at(doc, i); {
	case c == '0':
		i++
	case isDigit(c):
		i = skipDigits(doc, i)
	default:
		return malformed
	}
	if at(doc, i) == '.' {
		if i = skipDigits(doc, i+1); i < 0 {
			return malformed
		}
	}
	if c := at(doc, i); c == 'e' || c == 'E' {
		i++
		if c := at(doc, i); c == '+' || c == '-' {
			i++
		}
		return skipDigits(doc, i)
	}
	return i
}

// skipDigits returns the end of the digits at i, of which there must be one.
func skipDigits(doc []byte, i int) int {
	if !isDigit(at(doc, i)) {
		return malformed
	}
	for isDigit(at(doc, i)) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// decodedName returns the name that stands in quotes.
func decodedName(quoted []byte) []byte {
	if plain := quoted[1 : len(quoted)-1]; isPlain(plain) {
		return plain
	}
	return []byte(String(quoted))
}

// isPlain tells whether what stands between quotes is the text itself.
func isPlain(text []byte) bool {
	for i, c := range text {
		switch {
		case c == '\\':
			return false
		case c >= utf8.RuneSelf:
			return bytes.IndexByte(text[i:], '\\') < 0 && utf8.Valid(text[i:])
		}
	}
	return true
}

// String decodes a JSON string. It returns "" for any other value.
func String(value []byte) string {
	if at(value, 0) != '"' {
		return ""
	}
	if plain := value[1 : len(value)-1]; isPlain(plain) {
		return string(plain)
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return ""
	}
	return text
}
