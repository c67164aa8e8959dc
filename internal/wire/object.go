// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// A Member is one of an object.
type Member struct {
	Name  string
	Value any
}

// Members returns those of a map, with room for a few more.
func Members(fields map[string]any, more int) []Member {
	members := make([]Member, 0, len(fields)+more)
	for name, value := range fields {
		members = append(members, Member{name, value})
	}
	return members
}

func sortByName(members []Member) {
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
}

// AppendObject appends an object as Marshal writes a map: it sorts the members,
// whose names differ. It is some times faster for what the data and metadata of
// secrets mostly consist of.
func AppendObject(b []byte, members []Member) ([]byte, error) {
	sortByName(members)
	b = append(b, '{')
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendValue(append(AppendString(b, m.Name), ':'), m.Value); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case []string:
		if v == nil {
			return append(b, "null"...), nil
		}
		b = append(b, '[')
		for i, s := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendString(b, s)
		}
		return append(b, ']'), nil
	case nil:
		return append(b, "null"...), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return AppendString(b, v), nil
	case json.RawMessage:
		if v == nil {
			return append(b, "null"...), nil
		}
		compact := bytes.NewBuffer(b)
		err := json.Compact(compact, v)
		return compact.Bytes(), err
	}
	text, err := Marshal(v)
	return append(b, text...), err
}

// AppendString appends a string as Marshal writes it.
func AppendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, _ := Marshal(s) // a string has no error
			return append(b, text...)
		}
	}
	b = append(append(b, '"'), s...)
	return append(b, '"')
}
