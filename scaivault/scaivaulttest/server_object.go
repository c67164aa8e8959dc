// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// appendSecret appends the secret object. It is written by hand, since data and
// metadata have to stay byte for byte what they were, which json.Marshal does not keep.
func appendSecret(b []byte, v *secretView, withData bool) []byte {
	b = slices.Grow(b, v.size(withData, true))
	b = append(b, `{"path":`...)
	b = appendPath(b, v.path)
	b = append(b, `,"secret_type":`...)
	b = appendText(b, v.secretType)
	b = append(b, `,"version":`...)
	b = strconv.AppendInt(b, int64(v.version), 10)
	if withData {
		b = append(b, `,"data":`...)
		b = append(b, v.data...)
	}
	b = appendMetadata(b, v)
	if v.rotationPolicyID != "" {
		b = append(b, `,"rotation_policy_id":`...)
		b = appendText(b, v.rotationPolicyID)
	}
	return append(b, '}')
}

// size is about how long what is written of the view will be: its members, without
// those that may be of any length and are left out.
func (v *secretView) size(withData, withMetadata bool) int {
	size := 128 + len(v.path)
	if withData {
		size += len(v.data)
	}
	if withMetadata {
		size += 128 + len(v.metadata)
	}
	return size
}

// appendMetadata appends the members that a batch has only on request.
func appendMetadata(b []byte, v *secretView) []byte {
	b = append(b, `,"metadata":`...)
	b = append(b, v.metadata...)
	b = append(b, `,"created_at":`...)
	b = appendTime(b, v.created)
	b = append(b, `,"updated_at":`...)
	b = appendTime(b, v.updated)
	b = append(b, `,"expires_at":`...)
	return appendTime(b, v.expires)
}

// appendPath appends a path that was checked, and so needs no escapes.
func appendPath(b []byte, path string) []byte {
	b = append(b, '"')
	b = append(b, path...)
	return append(b, '"')
}

// appendText appends any string.
func appendText(b []byte, text string) []byte {
	if plainText(text, false) {
		return appendPath(b, text)
	}
	encoded, err := encodeJSON(text)
	if err != nil { // a string always is JSON
		return append(b, `""`...)
	}
	return append(b, encoded...)
}

// plainText reports whether text is JSON as it stands, but for its quotes. With html, the
// letters that have a meaning in HTML are not plain.
func plainText(text string, html bool) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c >= utf8.RuneSelf, c == '"', c == '\\':
			return false
		case html && (c == '<' || c == '>' || c == '&'):
			return false
		}
	}
	return true
}

// appendTime appends a timestamp; the zero time is null.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// sameJSON reports whether two values mean the same. Numbers are the same when
// their digits are.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, errX := decodeJSON(a)
	y, errY := decodeJSON(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func decodeJSON(raw json.RawMessage) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}
