// SPDX-License-Identifier: Apache-2.0

package jsonvalue_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
)

// BenchmarkEachMember is beside json.Valid, which goes through a document too.
func BenchmarkEachMember(b *testing.B) {
	for _, c := range []struct{ name, doc string }{
		{"short", `{"request_id":"0f7a1c6e-6a4c-2f4b-9f3c-0b1d2e3f4a5b","lease_id":"","renewable":false,"lease_duration":0,"data":` +
			`{"data":{"host":"db.internal.example","port":5432,"user":"billing"},"metadata":{"created_time":"2026-03-01T09:30:00.123456789Z",` +
			`"custom_metadata":null,"deletion_time":"","destroyed":false,"version":3}},"wrap_info":null,"warnings":null,"auth":null}`},
		{"large", `{"data":{"key":"` + strings.Repeat(strings.Repeat("k", 64)+`\n`, 400) + `"}}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			doc := []byte(c.doc)
			check := func(name string, valid func() bool) {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					b.SetBytes(int64(len(doc)))
					for b.Loop() {
						if !valid() {
							b.Fatal("it is valid")
						}
					}
				})
			}
			check("members", func() bool { return jsonvalue.EachMember(doc, func(_, _ []byte) {}) })
			check("within", func() bool {
				return jsonvalue.EachMemberWithin(doc, func(int, []byte) bool { return true }, func(int, []byte, []byte) {})
			})
			check("json.Valid", func() bool { return json.Valid(doc) })
		})
	}
}
