// SPDX-License-Identifier: Apache-2.0

package jsonvalue

import (
	"bytes"
	"encoding/json"
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
	i := skipSpace(doc, 0)
	if at(doc, i) != '{' {
		return false
	}
	end := skipMembers(doc, i, 1, visit)
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

// skipMembers returns the end of the object that begins at i.
func skipMembers(doc []byte, i, depth int, visit func(name, value []byte)) int {
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
		if i = skipValue(doc, value, depth); i < 0 {
			return malformed
		}
		if visit != nil {
			visit(decodedName(doc[name:nameEnd]), doc[value:i:i])
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
	for i++; i < len(doc); i++ {
		switch c := doc[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return malformed
		case c == '\\':
			if i = skipEscape(doc, i+1); i < 0 {
				return malformed
			}
		}
	}
	return malformed
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
	plain := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		return plain
	}
	return []byte(String(quoted))
}

// String decodes a JSON string. It returns "" for any other value.
func String(value []byte) string {
	if at(value, 0) != '"' {
		return ""
	}
	if plain := value[1 : len(value)-1]; bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		return string(plain)
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return ""
	}
	return text
}
