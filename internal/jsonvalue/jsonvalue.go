// SPDX-License-Identifier: Apache-2.0

// Package jsonvalue compares JSON by meaning: the order of keys and the way a
// number is written do not count, everything else does. It also goes through
// the members of a document in one pass, without a copy.
package jsonvalue

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"sort"
	"strconv"
	"strings"
)

// ErrNotObject says that a document is not one JSON object. It never says what
// the document is, as that may be a secret.
var ErrNotObject = errors.New("is not a JSON object")

// Object parses one JSON object; numbers become json.Number with every digit
// kept. The error never quotes the input.
func Object(raw []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, ErrNotObject
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, ErrNotObject
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return nil, ErrNotObject
	}
	return obj, nil
}

// Equal tells whether two JSON objects mean the same. Their canonical forms
// are compared in constant time. Documents that are no objects equal nothing.
// Where a key stands twice, the last one counts.
func Equal(a, b []byte) bool {
	if subtle.ConstantTimeCompare(a, b) == 1 { // as most copies are
		return EachMember(a, func(_, _ []byte) {})
	}
	x, errA := exactObject(a)
	y, errB := exactObject(b)
	if errA != nil || errB != nil {
		return false
	}
	return subtle.ConstantTimeCompare(Canonical(x), Canonical(y)) == 1
}

// DifferentFields names the top-level fields that differ between two JSON
// objects, sorted: those that one of them lacks and those whose values do not
// mean the same. It returns ErrNotObject if either is no object.
func DifferentFields(a, b []byte) ([]string, error) {
	x, err := exactObject(a)
	if err != nil {
		return nil, err
	}
	y, err := exactObject(b)
	if err != nil {
		return nil, err
	}
	var names []string
	for name, v := range x {
		w, ok := y[name]
		if !ok || subtle.ConstantTimeCompare(Canonical(v), Canonical(w)) != 1 {
			names = append(names, strings.ToValidUTF8(name, "\uFFFD"))
		}
	}
	for name := range y {
		if _, ok := x[name]; !ok {
			names = append(names, strings.ToValidUTF8(name, "\uFFFD"))
		}
	}
	sort.Strings(names)
	return names, nil
}

// Canonical writes a value that encoding/json decoded with UseNumber in the
// one form that all values of the same meaning share.
func Canonical(v any) []byte {
	return appendCanonical(nil, v)
}

// CanonicalObject is the canonical form of one JSON object, which all objects
// share that Equal calls equal. It returns ErrNotObject for anything else.
func CanonicalObject(raw []byte) ([]byte, error) {
	obj, err := exactObject(raw)
	if err != nil {
		return nil, err
	}
	return Canonical(obj), nil
}

func appendCanonical(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, 'z')
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendString(append(b, 's'), v)
	case json.Number:
		return append(append(b, 'n'), canonicalNumber(v.String())...)
	case []any:
		b = append(b, '[')
		for _, e := range v {
			b = append(appendCanonical(b, e), ',')
		}
		return append(b, ']')
	case map[string]any:
		return appendObject(b, v)
	default:
		return append(b, '?')
	}
}

func appendObject(b []byte, m map[string]any) []byte {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	b = append(b, '{')
	for _, k := range keys {
		b = append(appendString(b, k), ':')
		b = append(appendCanonical(b, m[k]), ',')
	}
	return append(b, '}')
}

// appendString prefixes the length, so that no string can end early.
func appendString(b []byte, s string) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	return append(append(b, ':'), s...)
}

// maxExponentDigits bounds the arithmetic on exponents, not counting zeros in
// front. A longer exponent is compared as it is written, which no number
// outside of an attack notices.
const maxExponentDigits = 1000

// canonicalNumber writes a JSON number as digits without zeros at either end,
// and a power of ten. It works on the text: 1e999999999 costs nothing.
func canonicalNumber(s string) string {
	mantissa, exponent := s, ""
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, exponent = s[:i], trimExponent(s[i+1:])
	}
	sign := ""
	if strings.HasPrefix(mantissa, "-") {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	stripped := strings.TrimRight(digits, "0")
	if stripped == "" {
		return "0"
	}
	shift := int64(len(digits)-len(stripped)) - int64(len(fraction))
	return sign + stripped + "e" + addExponent(exponent, shift)
}

// trimExponent removes a plus and the zeros in front.
func trimExponent(s string) string {
	if digits, negative := strings.CutPrefix(s, "-"); negative {
		return "-" + strings.TrimLeft(digits, "0")
	}
	return strings.TrimLeft(strings.TrimPrefix(s, "+"), "0")
}

func addExponent(exponent string, shift int64) string {
	if len(exponent) > maxExponentDigits {
		return exponent + "+" + strconv.FormatInt(shift, 10)
	}
	sum := new(big.Int)
	if exponent != "" && exponent != "-" {
		sum.SetString(exponent, 10)
	}
	return sum.Add(sum, big.NewInt(shift)).String()
}
