// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

func TestVersionOfKVv2IsKnownByItsShape(t *testing.T) {
	t.Parallel()
	const metadata = `"metadata":{"version":2,"created_time":"2026-01-01T00:00:00Z"}`
	for data, want := range map[string]bool{
		`{"data":{"a":1},` + metadata + `}`:                      true,
		`{` + metadata + `,"data":null}`:                         true,
		`{` + metadata + `}`:                                     false,
		`{"data":{"a":1}}`:                                       false,
		`{"data":{},"metadata":{"version":2,"created_time":17}}`: false,
		`{"data":{},"metadata":{"version":"2","created_time":"2026-01-01T00:00:00Z"}}`: false,
		`{"data":{},"metadata":{"version":0,"created_time":"2026-01-01T00:00:00Z"}}`:   false,
		`{"data":{},"metadata":[{"version":2,"created_time":"2026-01-01T00:00:00Z"}]}`: false,
		`{"data":{` + metadata + `}}`:                                                                  false,
		`{"data":{},"metadata":{"metadata":{"version":2}}}`:                                            false,
		`{"data":{},` + metadata + `,"metadata":3}`:                                                    false,
		`{"data":{},` + metadata + `,"metadata":{"version":3}}`:                                        false,
		`{"data":{},` + metadata + `},"data":{"data":{}}`:                                              false,
		`{"data":{},` + metadata + `},"data":null`:                                                     false,
		`{"data":{}},"data":{"data":{},` + metadata + `}`:                                              true,
		`{"data":{},"metadata":{"x":{"version":9},"version":2,"created_time":"2026-01-01T00:00:00Z"}}`: true,
		`[]`:   false,
		`null`: false,
	} {
		a := answer{body: []byte(`{"request_id":"r","data":` + data + `}`)}
		env, ok := a.envelope()
		require.True(t, ok, data)
		require.Equal(t, want, env.versioned(), data)
		if want {
			require.Equal(t, 2, env.version.number, data)
			require.Equal(t, 2026, env.version.created.Year(), data)
		}
	}
}

func TestEnvelopeIsVaultsByErrorsOrRequestID(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"request_id":"r"}`: true, `{"errors":[]}`: true, `{"errors":["x"]}`: true, `{"request_id":"","errors":[]}`: true,
		`{}`: false, `{"request_id":""}`: false, `{"request_id":7}`: false, `{"request_id":null,"errors":null}`: false,
		`{"errors":"x"}`: false, `{"errors":[1]}`: false, `{"request_id":"r"`: false, `["r"]`: false, ``: false,
	} {
		a := answer{body: []byte(body)}
		env, ok := a.envelope()
		require.Equal(t, want, ok, body)
		if !json.Valid([]byte(body)) {
			require.Equal(t, &envelope{}, env, "nothing is kept of what is not whole")
		}
	}
}

func TestHistoryIsKnownByItsShape(t *testing.T) {
	t.Parallel()
	const head = `"cas_required":false,"current_version":2,"versions":`
	const one = `{"2":{"created_time":"2026-01-01T00:00:00Z","deletion_time":"","destroyed":false}}`
	for data, want := range map[string]struct{ ok, strange bool }{
		`{` + head + one + `}`: {true, false},
		`{` + head + `{"2":{"created_by":{"created_time":"x"},"created_time":"2026-01-01T00:00:00Z","deleted_by":{}}}}`: {true, false},
		`{` + head + `{"2":{"created_time":"2026-01-01T00:00:00Z","destroyed":null}}}`:                                  {true, false},
		`{` + head + `{"2":{"destroyed":true},"2":{"created_time":"2026-01-01T00:00:00Z"}}}`:                            {true, false},
		`{` + head + `{"x":{}},"versions":` + one + `}`:                                                                 {true, false},
		`{` + head + `{"two":{}}}`:                     {true, true},
		`{` + head + `{"2":null}}`:                     {true, true},
		`{` + head + `{"2":[]}}`:                       {true, true},
		`{` + head + `{"2":{"destroyed":"no"}}}`:       {true, true},
		`{` + head + `null}`:                           {},
		`{` + head + one + `,"versions":5}`:            {},
		`{` + head + one + `,"cas_required":0}`:        {},
		`{` + head + one + `,"current_version":"2"}`:   {},
		`{` + head + one + `,"current_version":2.0}`:   {},
		`{"cas_required":true,"current_version":2}`:    {},
		`{"cas_required":true,"versions":` + one + `}`: {},
		`{"current_version":2,"versions":` + one + `}`: {},
		`{"data":{},"metadata":{` + head + one + `}}`:  {},
		`[]`: {}, `null`: {}, ``: {},
	} {
		h, ok := readHistory(json.RawMessage(data))
		require.Equal(t, want.ok, ok, data)
		if !ok {
			continue
		}
		require.Equal(t, want.strange, h.strange, data)
		if !h.strange {
			require.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), readTime(h.latest().created), data)
			require.False(t, h.latest().gone(), data)
		}
	}
}

func TestCustomMetadataOfAnyShapeIsSurvived(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]scaivault.Metadata{
		``: {}, `null`: {}, `[]`: {}, `{}`: {}, `{"a":`: {},
		`{"description":"d","owner":"o","tags":"x,y","team":"t\u00e9"}`: {
			Description: "d", Owner: "o", Tags: []string{"x", "y"}, Values: map[string]any{"team": "té"},
		},
		`{"description":1,"owner":null,"tags":["x"]}`: {Values: map[string]any{"description": 1.0, "owner": nil, "tags": []any{"x"}}},
		`{"tags":"x,,y"}`:                       {Values: map[string]any{"tags": "x,,y"}},
		`{"tags":""}`:                           {Values: map[string]any{"tags": ""}},
		`{"owner":1,"owner":"o","a":1,"a":"b"}`: {Owner: "o", Values: map[string]any{"a": "b"}},
		`{"owner":"o","owner":1}`:               {Values: map[string]any{"owner": 1.0}},
		`{"tags":"x","tags":","}`:               {Values: map[string]any{"tags": ","}},
	} {
		got := readCustomMetadata(json.RawMessage(raw))
		if len(got.Values) == 0 {
			got.Values = nil
		}
		require.Equal(t, want, got, raw)
	}
}
