// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// minScrubbed is the length below which a value is not searched for: it would
// be found in any text.
const minScrubbed = 4

const scrubbed = "REDACTED"

// Scrub takes a token and all values of a secret's data out of a server's own
// words, in clear and as JSON writes them: a server may quote what it refuses.
// It can't know of values that this request did not carry.
func Scrub(text, token string, data json.RawMessage) string {
	if text == "" || len(data) == 0 && isPlain(token) && !strings.Contains(text, token) {
		return text
	}
	var values []string
	values = append(values, token)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var all any
	if dec.Decode(&all) == nil {
		values = appendValues(values, all)
	}
	// The longest first: what begins like it must not leave its rest behind.
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, v := range values {
		if len(v) < minScrubbed {
			continue
		}
		pairs = append(pairs, v, scrubbed)
		for _, marshal := range []func(any) ([]byte, error){json.Marshal, Marshal} {
			if escaped, err := marshal(v); err == nil {
				pairs = append(pairs, string(escaped[1:len(escaped)-1]), scrubbed)
			}
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// isPlain tells whether JSON, in whatever way it is written, has no other form
// of a text than the text itself.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' || strings.IndexByte(`"\\<>&`, c) >= 0 {
			return false
		}
	}
	return true
}

// appendValues collects the values; the names of fields are no secret.
func appendValues(values []string, v any) []string {
	switch v := v.(type) {
	case string:
		return append(values, v)
	case json.Number:
		return append(values, v.String())
	case []any:
		for _, e := range v {
			values = appendValues(values, e)
		}
	case map[string]any:
		for _, e := range v {
			values = appendValues(values, e)
		}
	}
	return values
}
