// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

const everyKind = `{
	"text": "s3cr3t \u00fc\n\"quoted\"",
	"empty": "",
	"number": 12345678901234567890,
	"huge": 1e400,
	"zeros": 0.1000,
	"negative": -0,
	"yes": true,
	"no": false,
	"null": null,
	"object": { "b": 1.50, "a": [ 1, null ] },
	"array": [ 1, "x" ],
	"no items": [],
	"no keys": {}
}`

func mustSecret(t *testing.T, data string) *scaivault.Secret {
	t.Helper()
	s, err := scaivault.NewSecret(scaivault.SecretInfo{Path: "apps/db", Version: 3, Source: "vault"}, json.RawMessage(data))
	require.NoError(t, err)
	return s
}

func TestNewSecretTellsWhatItWasGiven(t *testing.T) {
	t.Parallel()
	now := time.Now()
	info := scaivault.SecretInfo{
		Path: "apps/db", Version: 3, Type: scaivault.TypeKV, Source: "scaivault",
		Metadata:  scaivault.Metadata{Owner: "billing", Values: map[string]any{"k": "v"}},
		CreatedAt: now.Add(-time.Hour), UpdatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
	s, err := scaivault.NewSecret(info, json.RawMessage(`{}`))
	require.NoError(t, err)

	assert.Equal(t, info, s.Info())
	assert.Equal(t, "apps/db", s.Path())
	assert.Equal(t, 3, s.Version())
	assert.Equal(t, "scaivault", s.Source())
	assert.False(t, s.Failover())
	assert.Zero(t, s.Stale())
}

func TestNewSecretTakesOneObjectOnly(t *testing.T) {
	t.Parallel()
	for _, text := range []string{``, `null`, `"hunter2"`, `[{"hunter2":1}]`, `123456789`, `{"hunter2"`, `{}{}`, `{} hunter2`, "\ufeff{}"} {
		s, err := scaivault.NewSecret(scaivault.SecretInfo{Path: "apps/db\n", Source: "vault"}, json.RawMessage(text))
		assert.Nil(t, s)
		require.ErrorIs(t, err, scaivault.ErrInvalid)
		assert.Equal(t, `read secret "apps/db\n": vault: invalid: the data is not a JSON object`, err.Error(), "it never quotes the data")
	}
	s, err := scaivault.NewSecret(scaivault.SecretInfo{}, json.RawMessage(" {\n}\t"))
	require.NoError(t, err)
	assert.Empty(t, s.Data())
}

func TestASecretIsImmutable(t *testing.T) {
	t.Parallel()
	raw := json.RawMessage(`{"a":{"b":["c"]}}`)
	info := scaivault.SecretInfo{Metadata: scaivault.Metadata{Tags: []string{"t"}, Values: map[string]any{
		"m": map[string]any{"x": "y"}, "l": []any{"x", []string{"y"}}, "s": map[string]string{"x": "y"},
	}}}
	s, err := scaivault.NewSecret(info, raw)
	require.NoError(t, err)
	want := s.Info().Metadata.Clone()

	spoil := func(m scaivault.Metadata) {
		m.Tags[0] = "spoilt"
		m.Values["m"].(map[string]any)["x"] = "spoilt"
		m.Values["l"].([]any)[1].([]string)[0] = "spoilt"
		m.Values["l"].([]any)[0] = "spoilt"
		m.Values["s"].(map[string]string)["x"] = "spoilt"
		m.Values["new"] = "spoilt"
	}
	spoil(info.Metadata)
	spoil(s.Info().Metadata)
	copy(raw, `{"z":{"z":["z"]}}`)
	copy(s.JSON(), `{"z":{"z":["z"]}}`)
	data := s.Data()
	data["a"].(map[string]any)["b"].([]any)[0] = "z"
	delete(data, "a")

	assert.Equal(t, want, s.Info().Metadata)
	assert.JSONEq(t, `{"a":{"b":["c"]}}`, string(s.JSON()))
	assert.Equal(t, map[string]any{"a": map[string]any{"b": []any{"c"}}}, s.Data())
}

func TestFieldGivesOneValueInClear(t *testing.T) {
	t.Parallel()
	s := mustSecret(t, everyKind)
	tests := map[string]string{
		"text":     "s3cr3t ü\n\"quoted\"",
		"empty":    "",
		"number":   "12345678901234567890",
		"huge":     "1e400",
		"zeros":    "0.1000",
		"negative": "-0",
		"yes":      "true",
		"no":       "false",
		"object":   `{"b":1.50,"a":[1,null]}`,
		"array":    `[1,"x"]`,
		"no items": `[]`,
		"no keys":  `{}`,
	}
	for name, want := range tests {
		got, ok := s.Field(name)
		assert.True(t, ok, name)
		assert.Equal(t, want, got, name)
	}
	for _, name := range []string{"null", "absent", "", "TEXT", "object.b"} {
		got, ok := s.Field(name)
		assert.False(t, ok, name)
		assert.Empty(t, got, name)
	}
}

func TestDataKeepsEveryDigitAndKind(t *testing.T) {
	t.Parallel()
	assert.Equal(t, map[string]any{
		"text":     "s3cr3t ü\n\"quoted\"",
		"empty":    "",
		"number":   json.Number("12345678901234567890"),
		"huge":     json.Number("1e400"),
		"zeros":    json.Number("0.1000"),
		"negative": json.Number("-0"),
		"yes":      true,
		"no":       false,
		"null":     nil,
		"object":   map[string]any{"b": json.Number("1.50"), "a": []any{json.Number("1"), nil}},
		"array":    []any{json.Number("1"), "x"},
		"no items": []any{},
		"no keys":  map[string]any{},
	}, mustSecret(t, everyKind).Data())
	assert.Equal(t, everyKind, string(mustSecret(t, everyKind).JSON()), "as the source wrote it")
}

func TestTheZeroSecretIsEmpty(t *testing.T) {
	t.Parallel()
	var zero scaivault.Secret
	assert.Empty(t, zero.Data())
	assert.Equal(t, "{}", string(zero.JSON()))
	_, ok := zero.Field("a")
	assert.False(t, ok)
	require.NoError(t, zero.Decode(&struct{}{}))
	assert.True(t, zero.Equal(mustSecret(t, `{}`)))
}

func TestDecodeIntoAStructAndAMap(t *testing.T) {
	t.Parallel()
	s := mustSecret(t, `{"user":"u","port":5432,"tls":true,"big":12345678901234567890,"any":0.1000,"tags":["a"],"more":{"x":null},"unknown":1}`)
	type more struct {
		X *string `json:"x"`
	}
	type config struct {
		User string      `json:"user"`
		Port int         `json:"port"`
		TLS  bool        `json:"tls"`
		Big  json.Number `json:"big"`
		Any  any         `json:"any"`
		Tags []string    `json:"tags"`
		More more        `json:"more"`
	}
	var c config
	require.NoError(t, s.Decode(&c))
	assert.Equal(t, config{User: "u", Port: 5432, TLS: true, Big: "12345678901234567890", Any: json.Number("0.1000"), Tags: []string{"a"}}, c)

	var m map[string]any
	require.NoError(t, s.Decode(&m))
	assert.Equal(t, s.Data(), m)
}

// shouting refuses every value and quotes it.
type shouting struct{}

func (*shouting) UnmarshalJSON(b []byte) error { return fmt.Errorf("cannot read %s", b) }

type shoutingText struct{}

func (*shoutingText) UnmarshalText(b []byte) error { return errors.New("cannot read " + string(b)) }

// wrapping refuses every value with an error of encoding/json that quotes it.
type wrapping struct{}

func (*wrapping) UnmarshalJSON(b []byte) error {
	return fmt.Errorf("%s: %w", b, &json.UnmarshalTypeError{Value: string(b), Field: string(b)})
}

func TestDecodeNamesTheFieldAndTheGoTypeAndNeverTheValue(t *testing.T) {
	t.Parallel()
	const canary = "hunter2"
	s := mustSecret(t, `{"a":1,"port":"`+canary+`","count":73735963.5,"deep":{"list":[{"n":"`+canary+`"}]},"when":"`+canary+`","z":0}`)
	tests := []struct {
		name string
		dst  any
		want string
	}{
		{"text into a number", &struct {
			Port int `json:"port"`
		}{}, `field "port" does not fit into a Go int`},
		{"a fraction into a whole number", &struct {
			Count uint16 `json:"count"`
		}{}, `field "count" does not fit into a Go uint16`},
		{"a number into text", &struct {
			Count string `json:"count"`
		}{}, `field "count" does not fit into a Go string`},
		{"deep", &struct {
			Deep struct {
				List []struct {
					N int `json:"n"`
				} `json:"list"`
			} `json:"deep"`
		}{}, `field "deep.list.n" does not fit into a Go int`},
		{"an object into a list", &struct {
			Deep []int `json:"deep"`
		}{}, `field "deep" does not fit into a Go []int`},
		{"a map", &map[string]float64{}, `field "deep" does not fit into a Go float64`},
		{"no object", new(int), `does not fit into a Go int`},
		{"a time", &struct {
			When time.Time `json:"when"`
		}{}, `field "when" was refused by the decoder of its own Go type`},
		{"UnmarshalJSON", &struct {
			Port shouting `json:"port"`
		}{}, `field "port" was refused by the decoder of its own Go type`},
		{"UnmarshalText", &struct {
			Port shoutingText `json:"port"`
		}{}, `field "port" was refused by the decoder of its own Go type`},
		{"UnmarshalJSON that wraps", &struct {
			Port wrapping `json:"port"`
		}{}, `field "port" was refused by the decoder of its own Go type`},
		{"UnmarshalJSON of the whole", &shouting{}, `the decoder of a Go type's own refused the value`},
		{"a number in a string", &struct {
			Port int `json:"port,string"`
		}{}, `field "port"`},
		{"json.Number", &struct {
			Port json.Number `json:"port"`
		}{}, `field "port"`},
		{"a struct by value", struct{}{}, `not a pointer`},
		{"nil", nil, `not a pointer`},
		{"a nil pointer", (*struct{})(nil), `not a pointer`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := s.Decode(tt.dst)
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			assert.Contains(t, err.Error(), tt.want)
			assert.True(t, strings.HasPrefix(err.Error(), "decode apps/db: vault: invalid: "), "it names the secret")
			assert.NotContains(t, err.Error(), "\n")
			for e := range causes(err) {
				assert.NotContains(t, fmt.Sprintf("%v %+v %#v", e, e, e), canary)
				assert.NotContains(t, fmt.Sprintf("%v %+v %#v", e, e, e), "73735963")
			}
		})
	}
}

// causes yields err and everything that it wraps.
func causes(err error) func(func(error) bool) {
	return func(yield func(error) bool) {
		todo := []error{err}
		for len(todo) > 0 {
			e := todo[0]
			todo = todo[1:]
			if !yield(e) {
				return
			}
			switch e := e.(type) {
			case interface{ Unwrap() []error }:
				todo = append(todo, e.Unwrap()...)
			case interface{ Unwrap() error }:
				if cause := e.Unwrap(); cause != nil {
					todo = append(todo, cause)
				}
			}
		}
	}
}

func TestEqualComparesDataByMeaning(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		a, b string
		want bool
	}{
		{"empty", `{}`, `{ }`, true},
		{"key order", `{"a":1,"b":{"x":1,"y":2}}`, `{"b":{"y":2,"x":1},"a":1}`, true},
		{"1.0 and 1", `{"n":1.0}`, `{"n":1}`, true},
		{"1e2 and 100", `{"n":1e2}`, `{"n":100}`, true},
		{"0.1000 and 0.1", `{"n":0.1000}`, `{"n":0.1}`, true},
		{"-0 and 0", `{"n":-0}`, `{"n":0}`, true},
		{"1e400 and 10e399", `{"n":1e400}`, `{"n":10e399}`, true},
		{"the last digit of twenty", `{"n":12345678901234567890}`, `{"n":12345678901234567891}`, false},
		{"huge exponents", `{"n":1e999999999999}`, `{"n":1e999999999998}`, false},
		{"nested", `{"a":[{"b":[1,2]}]}`, `{"a":[{"b":[1,3]}]}`, false},
		{"order of an array", `{"a":[1,2]}`, `{"a":[2,1]}`, false},
		{"null and absent", `{"a":null}`, `{}`, false},
		{"null and empty", `{"a":null}`, `{"a":""}`, false},
		{"text and number", `{"a":"1"}`, `{"a":1}`, false},
		{"unicode is not normalised", "{\"a\":\"\u00e9\"}", "{\"a\":\"e\u0301\"}", false},
		{"what encoding/json would both turn into U+FFFD", `{"a":"\ud800"}`, `{"a":"\udc00"}`, false},
		{"escapes", `{"a":"\u0041"}`, `{"a":"A"}`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, mustSecret(t, tt.a).Equal(mustSecret(t, tt.b)))
			assert.Equal(t, tt.want, mustSecret(t, tt.b).Equal(mustSecret(t, tt.a)))
		})
	}
}

func TestEqualDoesNotCountWhatIsNoData(t *testing.T) {
	t.Parallel()
	a, err := scaivault.NewSecret(scaivault.SecretInfo{Path: "a", Version: 1, Source: "vault"}, json.RawMessage(`{"k":"v"}`))
	require.NoError(t, err)
	b, err := scaivault.NewSecret(scaivault.SecretInfo{
		Path: "b", Version: 2, Type: scaivault.TypeKV, Source: "scaivault",
		Metadata: scaivault.Metadata{Owner: "o"},
	}, json.RawMessage(`{"k":"v"}`))
	require.NoError(t, err)
	assert.True(t, a.Equal(b))
	assert.True(t, a.Equal(a))

	var none *scaivault.Secret
	assert.False(t, a.Equal(none), "nil equals nothing")
	assert.False(t, none.Equal(a))
	assert.False(t, none.Equal(none))
}

func TestASecretMayBeShared(t *testing.T) {
	t.Parallel()
	s := mustSecret(t, everyKind)
	other := mustSecret(t, everyKind)
	for i := range 8 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			for range 50 {
				_, ok := s.Field("text")
				assert.True(t, ok)
				assert.Len(t, s.Data(), 13)
				assert.True(t, s.Equal(other))
				assert.NotEmpty(t, s.String())
				s.Info().Metadata.Clone()
			}
		})
	}
}

// TestFieldReadsWhatDataReads, also where a name is written in other ways or
// stands twice.
func TestFieldReadsWhatDataReads(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"ab":"1","\u0061b":"2"}`, `{"\u0061b":"1","ab":"a\nb"}`, `{"ab":null,"ab":"3"}`, `{"ab":"3","ab":null}`,
		` { "x" : {"ab":"no"} , "ab" : "\u00e9\ud83d\ude00" } `, `{}`, `{"AB":"no"}`,
	} {
		s, err := scaivault.NewSecret(scaivault.SecretInfo{Path: "a"}, json.RawMessage(data))
		require.NoError(t, err)
		got, ok := s.Field("ab")
		want, isText := s.Data()["ab"].(string)
		require.Equal(t, isText, ok, data)
		require.Equal(t, want, got, data)
	}
}
