// SPDX-License-Identifier: Apache-2.0

package jsonvalue

import (
	"crypto/subtle"
	"encoding/json"
	"strconv"
)

// EqualRounded tells whether two JSON objects mean the same once their numbers
// are rounded to 64-bit floating point, as Vault's KV v2 does. What Equal calls
// the same is the same here.
func EqualRounded(a, b []byte) bool {
	x, errA := exactObject(a)
	y, errB := exactObject(b)
	if errA != nil || errB != nil {
		return false
	}
	return subtle.ConstantTimeCompare(Canonical(rounded(x)), Canonical(rounded(y))) == 1
}

// rounded rounds all numbers of a value, in place where it can. A number that
// floating point has no place for stays as it is.
func rounded(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := strconv.ParseFloat(v.String(), 64)
		if err != nil {
			return v
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
	case []any:
		for i, e := range v {
			v[i] = rounded(e)
		}
	case map[string]any:
		for name, e := range v {
			v[name] = rounded(e)
		}
	}
	return v
}
