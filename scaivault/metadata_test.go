// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

func TestMetadataIsOneFlatObject(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		m    scaivault.Metadata
		want string
	}{
		{"nothing", scaivault.Metadata{}, `{}`},
		{"the fields", scaivault.Metadata{Description: "d", Tags: []string{"a", "b"}, Owner: "o"}, `{"description":"d","tags":["a","b"],"owner":"o"}`},
		{"no tags, said so", scaivault.Metadata{Tags: []string{}}, `{"tags":[]}`},
		{
			"further keys",
			scaivault.Metadata{Owner: "o", Values: map[string]any{"n": json.Number("0.1000"), "x": []any{nil, true}}},
			`{"owner":"o","n":0.1000,"x":[null,true]}`,
		},
		{
			"a field of another type",
			scaivault.Metadata{Values: map[string]any{"tags": "a,b", "owner": json.Number("5"), "description": []any{}}},
			`{"tags":"a,b","owner":5,"description":[]}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, err := json.Marshal(tt.m)
			require.NoError(t, err)
			assert.JSONEq(t, tt.want, string(text))

			var read scaivault.Metadata
			require.NoError(t, json.Unmarshal(text, &read))
			assert.Equal(t, tt.m, read, "and back")
		})
	}
}

func TestMetadataRefusesAKeyThatIsSetTwice(t *testing.T) {
	t.Parallel()
	for key, m := range map[string]scaivault.Metadata{
		"description": {Description: "d", Values: map[string]any{"description": "x"}},
		"tags":        {Tags: []string{}, Values: map[string]any{"tags": "x"}},
		"owner":       {Owner: "o", Values: map[string]any{"owner": "x"}},
	} {
		_, err := json.Marshal(m)
		require.ErrorContains(t, err, `metadata key "`+key+`" is set twice`)
	}
}

func TestMetadataSurvivesWhatItDoesNotExpect(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`null`, `[]`, `"x"`, `5`, `true`, `{}`, `{"description":null,"tags":null,"owner":null}`} {
		m := scaivault.Metadata{Owner: "of before"}
		require.NoError(t, json.Unmarshal([]byte(`{"m":`+text+`}`), &struct {
			M *scaivault.Metadata `json:"m"`
		}{&m}), text)
		if text != "null" { // encoding/json sets the pointer itself to nil
			assert.True(t, m.IsZero(), text)
		}
	}
	var m scaivault.Metadata
	require.NoError(t, json.Unmarshal([]byte(`{"tags":["a",1],"owner":{"name":"o"}}`), &m))
	assert.Equal(t, map[string]any{"tags": []any{"a", json.Number("1")}, "owner": map[string]any{"name": "o"}}, m.Values)
}

func TestMetadataIsZeroOnlyWithNothingInIt(t *testing.T) {
	t.Parallel()
	assert.True(t, scaivault.Metadata{}.IsZero())
	assert.True(t, scaivault.Metadata{Values: map[string]any{}}.IsZero())
	for _, m := range []scaivault.Metadata{{Description: "d"}, {Tags: []string{}}, {Owner: "o"}, {Values: map[string]any{"k": nil}}} {
		assert.False(t, m.IsZero(), "%+v", m)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	t.Parallel()
	assert.Equal(t, scaivault.Metadata{}, scaivault.Metadata{}.Clone())
	m := scaivault.Metadata{Tags: []string{"t"}, Values: map[string]any{"a": []any{map[string]any{"b": "c"}}, "other": 5}}
	c := m.Clone()
	require.Equal(t, m, c)
	c.Tags[0] = "z"
	c.Values["a"].([]any)[0].(map[string]any)["b"] = "z"
	assert.Equal(t, scaivault.Metadata{Tags: []string{"t"}, Values: map[string]any{"a": []any{map[string]any{"b": "c"}}, "other": 5}}, m)
}
