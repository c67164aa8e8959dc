// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// vaultValues draws what answers, audit entries and the bodies of requests are made of.
func vaultValues() *rapid.Generator[any] {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"", "plain", `"`, `\`, "<b>&amp;", "tab\t", "\x00", "\x7f", "ü", "\u2028", "\xff", "a\xc3", "\ufffd",
	}))
	number := rapid.SampledFrom([]json.Number{
		"0", "-0", "5432", "-1", "1.10", "1e3", "1E400", "999999999999999", "9007199254740993", "00", "", "-", "0x1p-2", "Inf", "1_000",
	})
	leaf := rapid.OneOf(
		rapid.Just[any](nil), rapid.Bool().AsAny(), text.AsAny(), number.AsAny(), rapid.Int().AsAny(),
		rapid.Int64().AsAny(), rapid.Uint32().AsAny(), rapid.Uint64().AsAny(), rapid.Float64().AsAny(),
		rapid.SliceOf(text).AsAny(), rapid.MapOf(text, text).AsAny(),
		rapid.Just[any]([]string(nil)), rapid.Just[any](map[string]string(nil)), rapid.Just[any](map[string]any(nil)),
		rapid.Just[any]([]any(nil)), rapid.Just[any](json.RawMessage(nil)), rapid.Just[any]((*kv2Actor)(nil)), rapid.Just[any]((*vaultAuth)(nil)),
		rapid.Just[any](json.RawMessage(`{"b":1,"a":[true,"x"]}`)), rapid.Just[any](&vaultAuth{ClientToken: "t<", Policies: []string{"p"}}),
		rapid.Just[any](kv2Actor{Actor: "by value"}),
		rapid.Custom(func(t *rapid.T) any {
			return &kv2Actor{text.Draw(t, "actor"), text.Draw(t, "operation"), text.Draw(t, "entity"), text.Draw(t, "client")}
		}),
	)
	values := leaf
	for range 3 {
		values = rapid.OneOf(leaf, rapid.SliceOfN(values, 0, 4).AsAny(), rapid.MapOfN(text, values, 0, 4).AsAny())
	}
	return values
}

func TestVaultJSONIsThatOfEncodingJSON(t *testing.T) {
	t.Parallel()
	values := vaultValues()
	rapid.Check(t, func(t *rapid.T) {
		value := values.Draw(t, "value")
		got, err := appendVaultJSON([]byte("before"), value)
		want, wantErr := json.Marshal(value)
		require.Equal(t, wantErr == nil, err == nil)
		if err == nil {
			require.Equal(t, "before"+string(want), string(got))
		}
	})
}

func TestVaultMembersKeepTheirOrder(t *testing.T) {
	t.Parallel()
	got, err := appendVaultMembers(nil, []vaultMember{{"b", 1}, {"a", nil}, {"<", []string{"&"}}})
	require.NoError(t, err)
	require.Equal(t, `{"b":1,"a":null,"\u003c":["\u0026"]}`, string(got))
	_, err = appendVaultMembers(nil, []vaultMember{{"b", func() {}}})
	require.Error(t, err)
}

// What encodeKV2 does in one pass is what two passes through encoding/json do.
func TestKV2NumbersPassThroughFloat64(t *testing.T) {
	t.Parallel()
	values := vaultValues()
	exact := 0
	rapid.Check(t, func(t *rapid.T) {
		object := map[string]any{"value": values.Draw(t, "value")}
		if isExact(object, maxJSONDepth) {
			exact++
		}
		got, err := encodeKV2(object)
		twice, wantErr := json.Marshal(object)
		require.Equal(t, wantErr == nil, err == nil)
		if err == nil {
			require.Equal(t, string(roundNumbers(twice)), string(got))
		}
	})
	assert.Positive(t, exact)
	for number, kept := range map[json.Number]string{
		"5432": "5432", "999999999999999": "999999999999999", "9007199254740993": "9007199254740992", "-9007199254740993": "-9007199254740992", "1.10": "1.1",
	} {
		got, err := encodeKV2(map[string]any{"number": number})
		require.NoError(t, err)
		assert.Equal(t, `{"number":`+kept+`}`, string(got))
	}
}

func TestKV2RefusesAnObjectThatHoldsItself(t *testing.T) {
	t.Parallel()
	object := map[string]any{}
	object["self"] = object
	_, err := encodeKV2(object)
	require.Error(t, err)
}

// The names of an object that has more of them than most are sorted too.
func TestVaultJSONSortsNames(t *testing.T) {
	t.Parallel()
	object := map[string]any{}
	for c := 'a'; c <= 'z'; c++ {
		object[string(c)] = int(c)
	}
	got, err := encodeVaultJSON(object)
	require.NoError(t, err)
	want, err := json.Marshal(object)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

func TestAuditSaltHashesTheSameTwice(t *testing.T) {
	t.Parallel()
	salt, other := newAuditSalt(), newAuditSalt()
	first, second := salt.hash("first"), salt.hash("a second value, longer than the first")
	assert.Len(t, first, len("hmac-sha256:")+64)
	assert.Equal(t, first, salt.hash("first"))
	assert.Equal(t, second, salt.hash("a second value, longer than the first"))
	assert.NotEqual(t, first, second)
	assert.NotEqual(t, first, other.hash("first"))
}
