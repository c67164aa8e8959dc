// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Marshal is json.Marshal without the escaping for HTML.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// EncodeData writes the data of a secret, keeping the digits of json.Number and
// the text of json.RawMessage. If it cannot, wrong says why, naming the field
// and never its value.
func EncodeData(data map[string]any) (raw json.RawMessage, wrong string) {
	if data == nil {
		return nil, "the data is nil; pass map[string]any{} for a secret without fields"
	}
	fields := Members(data, 0)
	sortByName(fields)
	raw = append(make([]byte, 0, roomFor(data)), '{')
	for i, f := range fields {
		if !utf8.ValidString(f.Name) || !validText(f.Value) {
			return nil, fmt.Sprintf("field %q holds text that is not UTF-8, which JSON would alter; encode it, as in base64", cut(f.Name))
		}
		if i > 0 {
			raw = append(raw, ',')
		}
		var err error
		if raw, err = appendValue(append(AppendString(raw, f.Name), ':'), f.Value); err != nil { // which could quote the value
			return nil, fmt.Sprintf("field %q cannot be written as JSON; use strings, json.Number, numbers, booleans, slices and maps", cut(f.Name))
		}
	}
	return append(raw, '}'), ""
}

// roomFor is about how many bytes the data takes.
func roomFor(data map[string]any) int {
	room := 2
	for name, v := range data {
		room += len(name) + 8
		switch v := v.(type) {
		case string:
			room += len(v)
		case json.RawMessage:
			room += len(v)
		}
	}
	return room
}

func cut(name string) string {
	if len(name) > 64 {
		return name[:64] + "…"
	}
	return name
}

// validText looks for text that is not UTF-8 in what JSON itself consists of.
func validText(v any) bool {
	switch v := v.(type) {
	case string:
		return utf8.ValidString(v)
	case json.RawMessage:
		return utf8.Valid(v)
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !validText(e) })
	case []string:
		return !slices.ContainsFunc(v, func(e string) bool { return !utf8.ValidString(e) })
	case map[string]any:
		return validFields(v)
	case map[string]string:
		return validFields(v)
	default:
		return keepsText(v)
	}
}

// keepsText looks at a value of any other type by what becomes of it:
// encoding/json writes an escape for bytes that are not UTF-8, and U+FFFD
// itself as it is. A value that cannot be encoded is told by the encoding.
func keepsText(v any) bool {
	encoded, err := Marshal(v)
	if err != nil {
		return true
	}
	for rest := encoded; ; {
		i := bytes.Index(rest, []byte(`\ufffd`))
		if i < 0 {
			return utf8.Valid(encoded)
		}
		before := rest[:i]
		if (len(before)-len(bytes.TrimRight(before, `\`)))%2 == 0 {
			return false // not an escaped backslash before the letters
		}
		rest = rest[i+1:]
	}
}

func validFields[T any](fields map[string]T) bool {
	for name, v := range fields {
		if !utf8.ValidString(name) || !validText(v) {
			return false
		}
	}
	return true
}
