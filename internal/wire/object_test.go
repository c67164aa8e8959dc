// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/wire"
)

func TestAppendObjectWritesWhatMarshalWrites(t *testing.T) {
	t.Parallel()
	for _, fields := range []map[string]any{
		nil,
		{},
		{"b": "plain", "a": nil, "c": true, "d": json.RawMessage(" { \"x\" : [ 1.50 , \"a b\" ] } "), "e": json.RawMessage(nil)},
		{"quote\"": "back\\slash", "\u2028": "\u2029", "<&>": "<&>", "ä": "ö\x7f", "\x01": "\n", "bad\xff": "\xff"},
		{"n": 1.5, "i": 7, "num": json.Number("1e400"), "list": []any{"a", nil}, "tags": []string{"<", "b\n"}, "none": []string{}, "nil": []string(nil), "map": map[string]any{"b": 1, "a": 2}},
	} {
		if fields == nil {
			fields = map[string]any{}
		}
		want, err := wire.Marshal(fields)
		require.NoError(t, err)
		got, err := wire.AppendObject([]byte("before"), wire.Members(fields, 0))
		require.NoError(t, err)
		require.Equal(t, "before"+string(want), string(got))
	}
}

func TestAppendObjectRefusesWhatMarshalRefuses(t *testing.T) {
	t.Parallel()
	for _, value := range []any{math.NaN(), func() {}, json.RawMessage("{"), json.RawMessage(""), json.RawMessage(`1 2`), json.Number("x")} {
		_, err := wire.Marshal(map[string]any{"a": value})
		require.Error(t, err)
		_, err = wire.AppendObject(nil, []wire.Member{{Name: "a", Value: value}})
		require.Error(t, err)
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("<\u2028\x00\"\\\xff>")
	f.Fuzz(func(t *testing.T, s string) {
		want, err := wire.Marshal(s)
		require.NoError(t, err)
		require.Equal(t, string(want), string(wire.AppendString(nil, s)))
	})
}
