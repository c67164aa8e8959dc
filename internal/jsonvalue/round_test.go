// SPDX-License-Identifier: Apache-2.0

package jsonvalue_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
)

func TestEqualRoundedForgivesDigitsAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`{"n":9007199254740993}`, `{"n":9007199254740992}`, true},
		{`{"n":0.1000000000000000055}`, `{"n":0.1}`, true},
		{`{"n":[{"m":1e400}]}`, `{"n":[{"m":1e400}]}`, true},
		{`{"n":[{"m":123456789012345678901}]}`, `{"n":[{"m":123456789012345680000}]}`, true},
		{`{"a":1.10,"b":"x"}`, `{"b":"x","a":1.1}`, true},
		{`{"n":1e400}`, `{"n":1e401}`, false},
		{`{"n":9007199254740993}`, `{"n":9007199254740994}`, false},
		{`{"n":"9007199254740993"}`, `{"n":"9007199254740992"}`, false},
		{`{"n":9007199254740993,"s":"a"}`, `{"n":9007199254740992,"s":"b"}`, false},
		{`{"s":"\ud800"}`, `{"s":"\ud801"}`, false},
		{`{}`, `[]`, false},
	} {
		assert.Equal(t, c.want, jsonvalue.EqualRounded([]byte(c.a), []byte(c.b)), "%s %s", c.a, c.b)
	}
}
