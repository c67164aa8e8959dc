// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
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

// FuzzMetadata compares the reading of metadata with what encoding/json reads.
func FuzzMetadata(f *testing.F) {
	for _, text := range []string{
		`{}`, `null`, `[1]`, `{"a":1}x`, `{"description":"d","tags":["a","b"],"owner":"o","k":"v","n":1e400,"l":[1,"x"],"o":{"a":null},"t":true}`,
		`{"tags":["a",1]}`, `{"tags":["a"],"tags":5}`, `{"tags":5,"tags":null}`, `{"owner":{},"owner":"o"}`, `{"k":1,"k":"\ud800\u00e9"}`, "{\"k\xff\":\"\xff\"}",
		`{"description":"a","description":null}`, `{"tags":[]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var m, want scaivault.Metadata
		require.NoError(t, m.UnmarshalJSON(text))
		var all map[string]any
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if !json.Valid(text) || dec.Decode(&all) != nil {
			all = nil
		}
		for key, value := range all {
			words, isString := value.(string)
			list, isList := value.([]any)
			tags := make([]string, 0, len(list))
			for _, e := range list {
				if s, ok := e.(string); ok {
					tags = append(tags, s)
				}
			}
			switch {
			case key == "description" && (isString || value == nil):
				want.Description = words
			case key == "owner" && (isString || value == nil):
				want.Owner = words
			case key == "tags" && value == nil:
			case key == "tags" && isList && len(tags) == len(list):
				want.Tags = tags
			default:
				if want.Values == nil {
					want.Values = map[string]any{}
				}
				want.Values[key] = value
			}
		}
		if len(m.Values) == 0 {
			m.Values = nil
		}
		require.Equal(t, want, m)
	})
}
