// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// encodeVaultJSON is json.Marshal for an object.
func encodeVaultJSON(object map[string]any) (json.RawMessage, error) {
	return appendVaultJSON(make([]byte, 0, 64), object)
}

// appendVaultJSON appends v as json.Marshal writes it. What answers and audit entries are
// made of it knows by itself, without reflection, which was most of what a request cost;
// all else it leaves to json.Marshal. A json.RawMessage has been encoded here before.
func appendVaultJSON(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendVaultText(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case uint32:
		return strconv.AppendUint(b, uint64(v), 10), nil
	case uint64:
		return strconv.AppendUint(b, v, 10), nil
	case json.Number:
		if isSmallInteger(v.String()) {
			return append(b, v...), nil
		}
	case json.RawMessage:
		if v != nil {
			return append(b, v...), nil
		}
	case []string:
		return appendVaultList(b, v, appendVaultText)
	case []any:
		return appendVaultList(b, v, appendVaultJSON)
	case map[string]string:
		return appendVaultObject(b, v, appendVaultText)
	case map[string]any:
		return appendVaultObject(b, v, appendVaultJSON)
	case *kv2Actor:
		return v.append(b)
	case *vaultAuth:
		if v == nil {
			return append(b, "null"...), nil
		}
	}
	encoded, err := json.Marshal(v)
	return append(b, encoded...), err
}

// appendVaultList appends a list; nil is null.
func appendVaultList[T any](b []byte, list []T, appendOne func([]byte, T) ([]byte, error)) (_ []byte, err error) {
	if list == nil {
		return append(b, "null"...), nil
	}
	const usual = 24 // bytes of an element
	b = append(slices.Grow(b, usual*len(list)), '[')
	for i, element := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendOne(b, element); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// appendVaultObject appends the members in the order of their names; nil is null.
func appendVaultObject[T any](b []byte, object map[string]T, appendOne func([]byte, T) ([]byte, error)) (_ []byte, err error) {
	if object == nil {
		return append(b, "null"...), nil
	}
	var few [16]string // so that the names of most objects need no memory
	names := few[:0]
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendVaultText(b, name); err != nil {
			return b, err
		}
		if b, err = appendOne(append(b, ':'), object[name]); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// A vaultMember is a member of an object that has an order of its own.
type vaultMember struct {
	name  string
	value any
}

func appendVaultMembers(b []byte, members []vaultMember) (_ []byte, err error) {
	b = append(b, '{')
	for i, member := range members {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendVaultText(b, member.name); err != nil {
			return b, err
		}
		if b, err = appendVaultJSON(append(b, ':'), member.value); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// appendVaultText appends a string with the escapes of json.Marshal, those for HTML too.
func appendVaultText(b []byte, text string) ([]byte, error) {
	if plainText(text, true) {
		return appendPath(b, text), nil
	}
	encoded, err := json.Marshal(text)
	return append(b, encoded...), err
}

// append appends the actor as its tags want it; nil is null.
func (a *kv2Actor) append(b []byte) (_ []byte, err error) {
	if a == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '{')
	for _, member := range [...][2]string{
		{`"actor":`, a.Actor}, {`"operation":`, a.Operation}, {`"entity_id":`, a.EntityID}, {`"client_id":`, a.ClientID},
	} {
		name, text := member[0], member[1]
		if text == "" {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		if b, err = appendVaultText(append(b, name...), text); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// encodeKV2 is an object as KV version 2 keeps it: as in Vault, its numbers have passed
// through float64.
func encodeKV2(object map[string]any) (json.RawMessage, error) {
	if isExact(object, maxJSONDepth) {
		return encodeVaultJSON(object)
	}
	encoded, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	return roundNumbers(encoded), nil
}

// isExact tells whether v is surely of JSON's own types and holds nothing that
// roundNumbers changes. Text and small integers are all that most secrets hold.
func isExact(v any, depth int) bool {
	if depth == 0 {
		return false // it may hold itself
	}
	switch v := v.(type) {
	case nil, bool:
		return true
	case string:
		return utf8.ValidString(v)
	case int:
		return isSmallInteger(strconv.Itoa(v))
	case json.Number:
		return isSmallInteger(v.String())
	case []any:
		return !slices.ContainsFunc(v, func(element any) bool { return !isExact(element, depth-1) })
	case map[string]any:
		for name, element := range v {
			if !utf8.ValidString(name) || !isExact(element, depth-1) {
				return false
			}
		}
		return true
	}
	return false
}

// isSmallInteger tells whether text is an integer that float64 holds, as JSON writes it.
func isSmallInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || len(digits) > 15 || (digits[0] == '0' && len(digits) > 1) {
		return false
	}
	return strings.IndexFunc(digits, func(c rune) bool { return c < '0' || c > '9' }) < 0
}
