// SPDX-License-Identifier: Apache-2.0

package jsonvalue_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
)

var equalTable = []struct {
	name string
	a, b string
	want bool
}{
	{"empty objects", `{}`, ` { } `, true},
	{"empty and not", `{}`, `{"a":1}`, false},
	{"key order", `{"a":1,"b":2}`, `{"b":2,"a":1}`, true},
	{"white space", "{\"a\" : [ 1 , 2 ] ,\n\t\"b\":\r{ } }", `{"a":[1,2],"b":{}}`, true},
	{"nested key order", `{"a":{"x":[{"p":1,"q":2}],"y":0}}`, `{"a":{"y":0,"x":[{"q":2,"p":1}]}}`, true},
	{"nested difference", `{"a":{"x":[{"p":1}]}}`, `{"a":{"x":[{"p":2}]}}`, false},
	{"order of an array", `{"a":[1,2]}`, `{"a":[2,1]}`, false},
	{"length of an array", `{"a":[1,2]}`, `{"a":[1,2,2]}`, false},
	{"arrays cut elsewhere", `{"a":[[1],[2]]}`, `{"a":[[1,2],[]]}`, false},
	{"empty array and object", `{"a":[]}`, `{"a":{}}`, false},
	{"null and absent", `{"a":null}`, `{}`, false},
	{"null and empty", `{"a":null}`, `{"a":""}`, false},
	{"null and null", `{"a":null}`, `{"a":null}`, true},
	{"text and number", `{"a":"1"}`, `{"a":1}`, false},
	{"text and boolean", `{"a":"true"}`, `{"a":true}`, false},
	{"true and false", `{"a":true}`, `{"a":false}`, false},
	{"case of a key", `{"a":1}`, `{"A":1}`, false},
	{"the last of two keys", `{"a":1,"a":2}`, `{"a":2}`, true},
	{"text that looks like structure", `{"a":"1,s1:b"}`, `{"a":"1","s1":"b"}`, false},
	{"one value in two", `{"a":"xs1:y","b":""}`, `{"a":"x","b":"s1:y"}`, false},

	{"1.0 and 1", `{"n":1.0}`, `{"n":1}`, true},
	{"1e2 and 100", `{"n":1e2}`, `{"n":100}`, true},
	{"1E+2 and 100", `{"n":1E+2}`, `{"n":100}`, true},
	{"1e-2 and 0.01", `{"n":1e-2}`, `{"n":0.01}`, true},
	{"12.5e1 and 125", `{"n":12.5e1}`, `{"n":125}`, true},
	{"0.1000 and 0.1", `{"n":0.1000}`, `{"n":0.1}`, true},
	{"-0 and 0", `{"n":-0}`, `{"n":0}`, true},
	{"-0.0e9 and 0", `{"n":-0.0e9}`, `{"n":0}`, true},
	{"-1 and 1", `{"n":-1}`, `{"n":1}`, false},
	{"1e400 twice", `{"n":1e400}`, `{"n":10e399}`, true},
	{"1e400 and 1e401", `{"n":1e400}`, `{"n":1e401}`, false},
	{"1e-400 and 0", `{"n":1e-400}`, `{"n":0}`, false},
	{"the twentieth digit", `{"n":12345678901234567890}`, `{"n":12345678901234567891}`, false},
	{"beyond float64", `{"n":9007199254740993}`, `{"n":9007199254740992}`, false},
	{"many digits after the point", `{"n":0.1}`, `{"n":0.1000000000000000055511151231257827}`, false},
	{"zeros before an exponent", `{"n":1e005}`, `{"n":100000}`, true},
	{"zeros before a negative exponent", `{"n":1e-002}`, `{"n":0.01}`, true},
	{"an exponent of zeros", `{"n":7e-000}`, `{"n":7}`, true},
	{"huge exponents", `{"n":1e999999999999}`, `{"n":10e999999999998}`, true},
	{"huge exponents that differ", `{"n":1e999999999999}`, `{"n":1e999999999998}`, false},
	{"huge negative exponents", `{"n":1e-999999999999}`, `{"n":0.1e-999999999998}`, true},
	{"a zero with a huge exponent", `{"n":0e999999999999}`, `{"n":0}`, true},

	{"escapes", `{"a":"\u0041\/\b\f\n\r\t\"\\"}`, `{"a":"A/\u0008\u000c\u000a\u000d\u0009\u0022\u005c"}`, true},
	{"an escaped key", `{"\u0061":1}`, `{"a":1}`, true},
	{"a surrogate pair", `{"a":"\ud83d\ude00"}`, `{"a":"😀"}`, true},
	{"unicode is not normalised", "{\"a\":\"\u00e9\"}", "{\"a\":\"e\u0301\"}", false},
	{"half a pair and U+FFFD", `{"a":"\ud800"}`, `{"a":"\ufffd"}`, false},
	{"two different halves", `{"a":"\ud800"}`, `{"a":"\udfff"}`, false},
	{"the same half", `{"a":"x\ud800y"}`, `{"a":"x\uD800y"}`, true},
	{"a half before a pair", `{"a":"\ud83d\ud83d\ude00"}`, `{"a":"\ud83d😀"}`, true},
	{"two halves the wrong way round", `{"a":"\ude00\ud83d"}`, `{"a":"😀"}`, false},
	{"a half before an escape", `{"a":"\ud83d\n"}`, `{"a":"\ud83d\u000a"}`, true},
	{"bytes that are no UTF-8", "{\"a\":\"\xff\"}", "{\"a\":\"\xfe\"}", false},
	{"the same bytes that are no UTF-8", "{\"a\":\"\xff\"}", "{\"a\": \"\xff\"}", true},

	{"an array", `[]`, `[]`, false},
	{"null alone", `null`, `null`, false},
	{"nothing", ``, ``, false},
	{"more behind the object", `{}{}`, `{}{}`, false},
	{"a broken object", `{"a":`, `{"a":`, false},
	{"one broken object", `{"a":1}`, `{"a":1`, false},
}

func TestEqualComparesByMeaning(t *testing.T) {
	t.Parallel()
	for _, tt := range equalTable {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, jsonvalue.Equal([]byte(tt.a), []byte(tt.b)))
			assert.Equal(t, tt.want, jsonvalue.Equal([]byte(tt.b), []byte(tt.a)), "the other way round")
		})
	}
}

func TestEqualDoesNoUnboundedArithmetic(t *testing.T) {
	t.Parallel()
	nines := strings.Repeat("9", 1_000_000)
	assert.True(t, jsonvalue.Equal([]byte(`{"n":1e`+nines+`}`), []byte(`{"n":1e`+nines+`}`)))
	assert.False(t, jsonvalue.Equal([]byte(`{"n":1e`+nines+`}`), []byte(`{"n":1e-`+nines+`}`)))
	assert.True(t, jsonvalue.Equal([]byte(`{"n":1e`+strings.Repeat("0", 1_000_000)+`5}`), []byte(`{"n":100000}`)))
	assert.False(t, jsonvalue.Equal([]byte(`{"n":`+nines+`}`), []byte(`{"n":`+nines+`9}`)))
}

func TestEqualSurvivesDeepNesting(t *testing.T) {
	t.Parallel()
	deep := func(n int) []byte {
		return []byte(`{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	assert.True(t, jsonvalue.Equal(deep(5_000), deep(5_000)))
	assert.False(t, jsonvalue.Equal(deep(5_000), deep(4_999)))
	assert.False(t, jsonvalue.Equal(deep(1_000_000), deep(1_000_000)), "deeper than encoding/json reads")
}

func TestObjectKeepsEveryDigit(t *testing.T) {
	t.Parallel()
	obj, err := jsonvalue.Object([]byte(`{"a":12345678901234567890,"b":[1e400],"c":{"d":0.1000},"e":null,"f":""}`))
	require.NoError(t, err)
	assert.Equal(t, map[string]any{
		"a": json.Number("12345678901234567890"),
		"b": []any{json.Number("1e400")},
		"c": map[string]any{"d": json.Number("0.1000")},
		"e": nil,
		"f": "",
	}, obj)
}

func TestObjectRefusesWhatIsNoObjectAndNeverQuotesIt(t *testing.T) {
	t.Parallel()
	for _, text := range []string{``, `null`, `"hunter2"`, `["hunter2"]`, `12345`, `{"hunter2`, `{}hunter2`, `{}{}`, `{}]`, `hunter2`} {
		_, err := jsonvalue.Object([]byte(text))
		require.ErrorIs(t, err, jsonvalue.ErrNotObject)
		assert.Equal(t, "is not a JSON object", err.Error())
	}
}

func TestDifferentFieldsNamesThemSorted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		a, b string
		want []string
	}{
		{"none", `{"a":1.0,"b":{"x":1,"y":2}}`, `{"b":{"y":2,"x":1},"a":1}`, nil},
		{"both lack one", `{"z":1,"m":1}`, `{"m":1,"a":1}`, []string{"a", "z"}},
		{"a value", `{"a":1,"b":2}`, `{"a":1,"b":3}`, []string{"b"}},
		{"a nested value is told by its field", `{"a":{"deep":["x"]}}`, `{"a":{"deep":["y"]}}`, []string{"a"}},
		{"null and absent", `{"a":null}`, `{}`, []string{"a"}},
		{"half a pair and U+FFFD", `{"a":"\ud800"}`, `{"a":"\ufffd"}`, []string{"a"}},
		{"a name that is no UTF-8 is printable", "{\"\xff\":1}", `{}`, []string{"�"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := jsonvalue.DifferentFields([]byte(tt.a), []byte(tt.b))
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
			got, err = jsonvalue.DifferentFields([]byte(tt.b), []byte(tt.a))
			require.NoError(t, err)
			assert.Equal(t, tt.want, got, "the other way round")
		})
	}
}

func TestDifferentFieldsRefusesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	_, err := jsonvalue.DifferentFields([]byte(`[]`), []byte(`{}`))
	require.ErrorIs(t, err, jsonvalue.ErrNotObject)
	_, err = jsonvalue.DifferentFields([]byte(`{}`), []byte(`[]`))
	require.ErrorIs(t, err, jsonvalue.ErrNotObject)
}

func TestCanonicalTellsTypesApart(t *testing.T) {
	t.Parallel()
	values := []any{
		nil, true, false, "", "z", "true", "0", json.Number("0"), json.Number("1"),
		[]any{},
		[]any{nil},
		[]any{"", ""},
		map[string]any{},
		map[string]any{"": nil},
		map[string]any{"": ""},
		[]any{[]any{}},
		[]any{[]any{}, []any{}},
	}
	for i, a := range values {
		for j, b := range values {
			assert.Equal(t, i == j, string(jsonvalue.Canonical(a)) == string(jsonvalue.Canonical(b)), "values %d and %d", i, j)
		}
	}
}
