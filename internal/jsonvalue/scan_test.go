// SPDX-License-Identifier: Apache-2.0

package jsonvalue_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
)

// documents are what a scanner can get wrong.
var documents = []string{
	`{}`, ` { } `, `{"a":1}`, "\t{\"a\" : [ 1 , {\"b\":null} ] ,\r\n\"c\":true}\n", `{"a":1,"a":2}`, `{"":""}`,
	`{"a\u0062":"\ud83d\ude00","é":"\"\\\/\b\f\n\r\t"}`, `{"a":-0.0e+10,"b":1E9,"c":0,"d":-1,"e":10.25}`, "{\"\xff\":\"\xff\"}",
	``, ` `, `{`, `}`, `{]`, `[}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `{a:1}`, `{"a":1}x`, `{}{}`, `null`, `[]`, `[1]`, `"a"`,
	`{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":+1}`, `{"a":-}`, `{"a":tru}`, `{"a":nul}`, `{"a":falsy}`, `{"a":"\x"}`, `{"a":"\u12g4"}`, `{"a":"\u12`,
	"{\"a\":\"\n\"}", `{"a":"`, `{"a":"\`, "\xef\xbb\xbf{}", `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":[`,
	strings.Repeat(`{"a":`, 9_999) + `{}` + strings.Repeat(`}`, 9_999), strings.Repeat(`{"a":`, 10_000) + `{}` + strings.Repeat(`}`, 10_000),
	`{"a":` + strings.Repeat(`[`, 9_999) + strings.Repeat(`]`, 9_999) + `}`, `{"a":` + strings.Repeat(`[`, 10_000) + strings.Repeat(`]`, 10_000) + `}`,
}

// TestEachMemberAgreesWithEncodingJSON on what an object is and what it holds.
func TestEachMemberAgreesWithEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, doc := range documents {
		requireSameMembers(t, []byte(doc))
		if len(doc) < 1000 { // the deep ones would be gone through ten thousand times
			requireSameWithin(t, []byte(doc))
		}
	}
}

func requireSameMembers(t *testing.T, doc []byte) {
	t.Helper()
	var want map[string]json.RawMessage
	ok := json.Unmarshal(doc, &want) == nil && want != nil
	got := map[string]json.RawMessage{}
	require.Equal(t, ok, jsonvalue.EachMember(doc, func(name, value []byte) { got[string(name)] = value }), "%.80q", doc)
	if !ok {
		return
	}
	require.Equal(t, want, got)
	for _, value := range got {
		var text string
		if value[0] == '"' {
			require.NoError(t, json.Unmarshal(value, &text))
		}
		require.Equal(t, text, jsonvalue.String(value))
	}
}

// TestEachElementAgreesWithEncodingJSON too.
func TestEachElementAgreesWithEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, doc := range append(slices.Clone(documents), `[1, "a" ,{"b":[]},null]`, ` [ ] `, `[1]]`, `[1`) {
		var want []json.RawMessage
		ok := json.Unmarshal([]byte(doc), &want) == nil && want != nil
		got := []json.RawMessage{}
		assert.Equal(t, ok, jsonvalue.EachElement([]byte(doc), func(value []byte) { got = append(got, value) }), "%.80q", doc)
		if ok {
			assert.Equal(t, want, got)
		}
	}
}

// TestEachMemberAllocatesNothing where names have no escapes.
func TestEachMemberAllocatesNothing(t *testing.T) {
	doc := []byte(`{"a":{"b":[1,2,{"c":"\u0061"}]},"d":"e","é":1e9}`)
	members := 0
	assert.Zero(t, testing.AllocsPerRun(10, func() { jsonvalue.EachMember(doc, func(_, _ []byte) { members++ }) }))
	assert.Positive(t, members)
}

// TestEveryByteOfAStringIsLookedAt, wherever it stands: eight are looked at in
// one go.
func TestEveryByteOfAStringIsLookedAt(t *testing.T) {
	t.Parallel()
	for size := range 20 {
		for at := range size {
			for c := range 256 {
				text := bytes.Repeat([]byte{'!'}, size)
				text[at] = byte(c)
				doc := slices.Concat([]byte(`{"a":"`), text, []byte(`"}`))
				valid := json.Valid(doc) // what follows a quote or a backslash decides, too
				if jsonvalue.EachMember(doc, func(_, _ []byte) {}) != valid {
					t.Fatalf("byte %#x at %d of %d: valid is %v", c, at, size, valid)
				}
			}
		}
	}
}

func TestEachMemberWithinVisitsWhatItEnters(t *testing.T) {
	t.Parallel()
	doc := `{"a":{"b":{"c":{}},"d":[{"x":1}]},"e":{"f":2},"a":3,"g":{}}`
	var entered, seen []string
	whole := jsonvalue.EachMemberWithin([]byte(doc), func(depth int, name []byte) bool {
		entered = append(entered, fmt.Sprint(depth, string(name)))
		return string(name) != "c" && string(name) != "e"
	}, func(depth int, name, value []byte) {
		seen = append(seen, fmt.Sprint(depth, string(name), string(value)))
	})
	require.True(t, whole)
	require.Equal(t, []string{"1a", "2b", "3c", "1e", "1g"}, entered)
	require.Equal(t, []string{`3c{}`, `2b{"c":{}}`, `2d[{"x":1}]`, `1a{"b":{"c":{}},"d":[{"x":1}]}`, `1e{"f":2}`, `1a3`, `1g{}`}, seen)
}

// requireSameWithin holds EachMemberWithin to what EachMember says of the
// object, and of the objects within.
func requireSameWithin(t *testing.T, doc []byte) {
	t.Helper()
	var want, got []string
	var each func(depth int, doc []byte) bool
	each = func(depth int, doc []byte) bool {
		return jsonvalue.EachMember(doc, func(name, value []byte) {
			each(depth+1, value)
			want = append(want, fmt.Sprintf("%d %q %q", depth, name, value))
		})
	}
	whole := each(1, doc)
	require.Equal(t, whole, jsonvalue.EachMemberWithin(doc, func(int, []byte) bool { return true },
		func(depth int, name, value []byte) { got = append(got, fmt.Sprintf("%d %q %q", depth, name, value)) }), "%.80q", doc)
	if whole {
		require.Equal(t, want, got)
	}
}

// FuzzEachMember never panics and agrees with encoding/json.
func FuzzEachMember(f *testing.F) {
	for _, doc := range documents {
		if len(doc) < 100 {
			f.Add([]byte(doc))
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		requireSameMembers(t, doc)
		requireSameWithin(t, doc)
	})
}
