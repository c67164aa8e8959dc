// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
)

// encodeData writes the data of a secret, keeping the digits of json.Number and
// the text of json.RawMessage. It says what cannot be written, by the name of
// the field and never by its value.
func encodeData(data map[string]any) (raw json.RawMessage, wrong string) {
	if data == nil {
		return nil, "the data is nil; pass map[string]any{} for a secret without fields"
	}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if !utf8.ValidString(name) || !validText(data[name]) {
			return nil, fmt.Sprintf("field %s holds text that is not UTF-8, which JSON would alter; encode it, as in base64", printable(name))
		}
		if _, err := marshal(data[name]); err != nil { // the cause can quote a value
			return nil, fmt.Sprintf("field %s cannot be written as JSON; use strings, json.Number, numbers, booleans, slices and maps", printable(name))
		}
	}
	raw, err := marshal(data)
	if err != nil {
		return nil, "the data cannot be written as JSON"
	}
	return raw, ""
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
		for name, e := range v {
			if !utf8.ValidString(name) || !validText(e) {
				return false
			}
		}
	case map[string]string:
		for name, e := range v {
			if !utf8.ValidString(name) || !utf8.ValidString(e) {
				return false
			}
		}
	}
	return true
}

// marshal is json.Marshal without the escaping for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// bodyV2 is the body of a write to KV v2.
func bodyV2(raw json.RawMessage, cas *int) []byte {
	body := append([]byte(`{"data":`), raw...)
	if cas != nil {
		body = append(body, `,"options":{"cas":`...)
		body = strconv.AppendInt(body, int64(*cas), 10)
		body = append(body, '}')
	}
	return append(body, '}')
}

// sameAsSent tells whether what Vault holds is what was sent. KV v2 rounds
// numbers to 64-bit floats on its own, so they are compared as such.
func sameAsSent(sent, held json.RawMessage) bool {
	if jsonvalue.Equal(sent, held) {
		return true
	}
	x, errX := jsonvalue.Object(sent)
	y, errY := jsonvalue.Object(held)
	if errX != nil || errY != nil {
		return false
	}
	return bytes.Equal(jsonvalue.Canonical(rounded(x)), jsonvalue.Canonical(rounded(y)))
}

func rounded(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return v
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = rounded(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[name] = rounded(e)
		}
		return out
	default:
		return v
	}
}
