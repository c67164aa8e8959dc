// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
)

// bodyV2 is the body of a write to KV v2.
func bodyV2(raw json.RawMessage, cas *int) []byte {
	body := append([]byte(`{"data":`), raw...)
	if cas != nil {
		body = append(body, `,"options":{"cas":`...)
		body = strconv.AppendInt(body, int64(*cas), 10)
		body = append(body, '}')
	}
	return append(body, '}')
}

// sameAsSent tells whether what Vault holds is what was sent. KV v2 rounds
// numbers to 64-bit floats on its own, so they are compared as such.
func sameAsSent(sent, held json.RawMessage) bool {
	if jsonvalue.Equal(sent, held) {
		return true
	}
	x, errX := jsonvalue.Object(sent)
	y, errY := jsonvalue.Object(held)
	if errX != nil || errY != nil {
		return false
	}
	return bytes.Equal(jsonvalue.Canonical(rounded(x)), jsonvalue.Canonical(rounded(y)))
}

func rounded(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return v
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = rounded(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[name] = rounded(e)
		}
		return out
	default:
		return v
	}
}
