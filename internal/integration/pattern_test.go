// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// others is the key that lets an object of a pattern have more keys.
const others = "..."

var (
	keepPattern = regexp.MustCompile(`^<keep:(\w+)>$`)
	uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// match compares a JSON answer with a pattern, which is JSON too. A string in
// angle brackets stands for a kind of value: <any>, <int>, <string> (not
// empty), <uuid>, <time>, and <keep:x> for a string that is then x in kept. All
// else must be equal, digit by digit, but for objects with the key "...",
// which may have other keys, and for the outermost object, which always may.
func match(pattern, answer string, kept map[string]string) error {
	want, err := decode(pattern)
	if err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	got, err := decode(answer)
	if err != nil {
		return fmt.Errorf("answer %q: %w", answer, err)
	}
	if object, ok := want.(map[string]any); ok {
		object[others] = nil
	}
	return matchValue("", want, got, kept)
}

func decode(text string) (any, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one JSON value")
	}
	return value, nil
}

func matchValue(at string, want, got any, kept map[string]string) error {
	switch want := want.(type) {
	case map[string]any:
		return matchObject(at, want, got, kept)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Errorf("%s is %v, want %v", at, show(got), show(want))
		}
		for i := range want {
			if err := matchValue(fmt.Sprintf("%s[%d]", at, i), want[i], list[i], kept); err != nil {
				return err
			}
		}
		return nil
	case string:
		if matchText(want, got, kept) {
			return nil
		}
	default:
		if want == got {
			return nil
		}
	}
	return fmt.Errorf("%s is %v, want %v", at, show(got), show(want))
}

func matchObject(at string, want map[string]any, got any, kept map[string]string) error {
	object, ok := got.(map[string]any)
	if !ok {
		return fmt.Errorf("%s is %v, want %v", at, show(got), show(want))
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if key == others {
			continue
		}
		value, ok := object[key]
		if !ok {
			return fmt.Errorf("%s.%s is missing in %v", at, key, show(got))
		}
		if err := matchValue(at+"."+key, want[key], value, kept); err != nil {
			return err
		}
	}
	if _, ok := want[others]; ok {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if _, ok := want[key]; !ok {
			return fmt.Errorf("%s.%s is not wanted, and is %v", at, key, show(object[key]))
		}
	}
	return nil
}

func matchText(want string, got any, kept map[string]string) bool {
	text, isText := got.(string)
	if name := keepPattern.FindStringSubmatch(want); name != nil {
		kept[name[1]] = text
		return text != ""
	}
	switch want {
	case "<any>":
		return true
	case "<string>":
		return text != ""
	case "<uuid>":
		return uuidPattern.MatchString(text)
	case "<time>":
		_, err := time.Parse(time.RFC3339Nano, text)
		return err == nil
	case "<int>":
		number, ok := got.(json.Number)
		if !ok {
			return false
		}
		_, err := number.Int64()
		return err == nil
	default:
		return isText && text == want
	}
}

func show(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, pattern, answer, err string }{
		{"equal", `{"a":{"b":[1,"x",null,true]}}`, `{"a":{"b":[1,"x",null,true]}}`, ""},
		{"other keys outside", `{"a":1}`, `{"a":1,"b":2}`, ""},
		{"other keys inside", `{"a":{"b":1}}`, `{"a":{"b":1,"c":2}}`, ".a.c is not wanted"},
		{"other keys allowed", `{"a":{"b":1,"...":0}}`, `{"a":{"b":1,"c":2}}`, ""},
		{"missing key", `{"a":1}`, `{}`, ".a is missing"},
		{"another value", `{"a":1}`, `{"a":2}`, ".a is 2, want 1"},
		{"another type", `{"a":"1"}`, `{"a":1}`, `.a is 1, want "1"`},
		{"null is not empty", `{"a":null}`, `{"a":""}`, `.a is "", want null`},
		{"digits", `{"a":9007199254740993}`, `{"a":9007199254740992}`, ".a is 9007199254740992"},
		{"form of numbers", `{"a":1.10}`, `{"a":1.1}`, ".a is 1.1"},
		{"longer list", `{"a":[1]}`, `{"a":[1,2]}`, ".a is [1,2]"},
		{"list element", `{"a":[1,2]}`, `{"a":[1,3]}`, ".a[1] is 3"},
		{"not an object", `{"a":{}}`, `{"a":[]}`, ".a is []"},
		{"any", `{"a":"<any>"}`, `{"a":null}`, ""},
		{"int", `{"a":"<int>"}`, `{"a":12}`, ""},
		{"not int", `{"a":"<int>"}`, `{"a":"12"}`, `.a is "12"`},
		{"string", `{"a":"<string>"}`, `{"a":"x"}`, ""},
		{"empty string", `{"a":"<string>"}`, `{"a":""}`, `.a is ""`},
		{"uuid", `{"a":"<uuid>"}`, `{"a":"3cd0521e-59ff-1da1-2038-7f94a9e5676f"}`, ""},
		{"not uuid", `{"a":"<uuid>"}`, `{"a":"3cd0521e"}`, ".a is"},
		{"time", `{"a":"<time>"}`, `{"a":"2026-11-24T00:03:16.40794096Z"}`, ""},
		{"not time", `{"a":"<time>"}`, `{"a":""}`, ".a is"},
		{"not JSON", `{}`, `<html>`, "answer"},
		{"two answers", `{}`, `{}{}`, "more than one"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := match(tc.pattern, tc.answer, map[string]string{})
			if tc.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.err)
		})
	}
	kept := map[string]string{}
	require.NoError(t, match(`{"a":{"b":"<keep:token>"}}`, `{"a":{"b":"t"}}`, kept))
	assert.Equal(t, map[string]string{"token": "t"}, kept)
	require.Error(t, match(`{"a":"<keep:token>"}`, `{"a":""}`, kept))
}
