// SPDX-License-Identifier: Apache-2.0

package jsonvalue_test

import (
	"encoding/json"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
)

func FuzzEqual(f *testing.F) {
	for _, tt := range equalTable {
		f.Add([]byte(tt.a), []byte(tt.b))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, errA := jsonvalue.Object(a)
		y, errB := jsonvalue.Object(b)
		if got := jsonvalue.Equal(a, a); got != (errA == nil) {
			t.Fatalf("Equal(a, a) = %v, and Object(a) says %v", got, errA)
		}
		got := jsonvalue.Equal(a, b)
		if got != jsonvalue.Equal(b, a) {
			t.Fatalf("Equal(a, b) = %v, and not the other way round", got)
		}
		if errA != nil || errB != nil {
			if got {
				t.Fatal("a document that is no object equals something")
			}
			return
		}
		if names, err := jsonvalue.DifferentFields(a, b); err != nil || (len(names) == 0) != got {
			t.Fatalf("Equal(a, b) = %v, and DifferentFields says %q, %v", got, names, err)
		}
		if losesNothing(a) && losesNothing(b) {
			if want, certain := oracle(x, y); certain && got != want {
				t.Fatalf("Equal(a, b) = %v, want %v", got, want)
			}
		}
	})
}

// losesNothing tells whether encoding/json reads the document's strings as
// they are.
func losesNothing(raw []byte) bool {
	return utf8.Valid(raw) && !strings.Contains(strings.ToLower(string(raw)), `\ud`)
}

// oracle compares what encoding/json decoded, with numbers as fractions. It is
// not certain where an exponent is too large for that.
func oracle(x, y any) (equal, certain bool) {
	switch x := x.(type) {
	case map[string]any:
		y, ok := y.(map[string]any)
		if !ok || len(x) != len(y) {
			return false, true
		}
		certain = true
		for k, v := range x {
			w, ok := y[k]
			if !ok {
				return false, true
			}
			same, sure := oracle(v, w)
			if sure && !same {
				return false, true
			}
			certain = certain && sure
		}
		return true, certain
	case []any:
		y, ok := y.([]any)
		if !ok || len(x) != len(y) {
			return false, true
		}
		certain = true
		for i, v := range x {
			same, sure := oracle(v, y[i])
			if sure && !same {
				return false, true
			}
			certain = certain && sure
		}
		return true, certain
	case json.Number:
		y, ok := y.(json.Number)
		if !ok {
			return false, true
		}
		return fractions(x.String(), y.String())
	default:
		return reflect.DeepEqual(x, y), true
	}
}

func fractions(x, y string) (equal, certain bool) {
	if !smallExponent(x) || !smallExponent(y) {
		return false, false
	}
	a, okA := new(big.Rat).SetString(x)
	b, okB := new(big.Rat).SetString(y)
	return okA && okB && a.Cmp(b) == 0, okA && okB
}

func smallExponent(number string) bool {
	i := strings.IndexAny(number, "eE")
	if i < 0 {
		return true
	}
	n, err := strconv.Atoi(number[i+1:])
	return err == nil && n > -500 && n < 500
}
