// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"time"
)

// fields are those of one JSON object that were not understood yet. What is taken
// is no longer there; what is left in the end is what this version does not know.
type fields map[string]json.RawMessage

// parseFields reads one JSON object.
func parseFields(raw json.RawMessage) (fields, bool) {
	var f fields
	if json.Unmarshal(raw, &f) != nil || f == nil {
		return nil, false
	}
	return f, true
}

// rest keeps what is left.
func (f fields) rest() Opaque {
	if len(f) == 0 {
		return Opaque{}
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return Opaque{} // cannot be: f was parsed
	}
	return newOpaque(raw)
}

// take reads one field into dst. It reports false and changes nothing where the
// field is missing, null, or of another type than dst; the latter leaves it there.
func take[T any](f fields, name string, dst *T) bool {
	raw, ok := f[name]
	if !ok {
		return false
	}
	if isNull(raw) {
		delete(f, name)
		return false
	}
	var v T
	if json.Unmarshal(raw, &v) != nil {
		return false
	}
	*dst = v
	delete(f, name)
	return true
}

// takeText is take under the first of several names that is there, for a string.
func takeText[T ~string](f fields, dst *T, names ...string) bool {
	for _, name := range names {
		if take(f, name, dst) {
			return true
		}
	}
	return false
}

// takeTime reads a timestamp of RFC 3339.
func takeTime(f fields, name string, dst *time.Time) {
	raw, text := f[name], ""
	if !take(f, name, &text) {
		return
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		f[name] = raw
		return
	}
	*dst = at
}

// takeMilliseconds reads a length of time in milliseconds.
func takeMilliseconds(f fields, name string, dst *time.Duration) {
	raw, ms := f[name], 0.0
	if !take(f, name, &ms) {
		return
	}
	ns := ms * float64(time.Millisecond)
	if ns < 0 || ns >= math.MaxInt64 {
		f[name] = raw
		return
	}
	*dst = time.Duration(math.Round(ns))
}

// takeDuration reads a length of time such as "15m" or "7d".
func takeDuration(f fields, name string, dst *time.Duration) bool {
	raw, text := f[name], ""
	if !take(f, name, &text) {
		return false
	}
	d, ok := parseDuration(text)
	if !ok {
		f[name] = raw
		return false
	}
	*dst = d
	return true
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

func isObject(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) }

func isArray(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) }

// merge returns the fields of extra and over them those of named.
func merge(extra Opaque, named map[string]any) map[string]any {
	all := map[string]any{}
	if obj, ok := extra.object(); ok {
		for name, v := range obj {
			all[name] = v
		}
	}
	maps.Copy(all, named)
	return all
}
