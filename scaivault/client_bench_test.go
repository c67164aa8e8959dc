// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
)

// BenchmarkPut writes as a copy does, to a service that answers at once, so that
// what remains is the client's own work.
func BenchmarkPut(b *testing.B) {
	c := newTestClient(b, "https://s.test", through(&script{answers: says2(says(200, `{"path":"a","version":1}`,
		"X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "99", "X-RateLimit-Reset", "1893553505"))}))
	data := map[string]any{
		"username": json.RawMessage(`"service"`), "password": json.RawMessage(`"not-a-real-one"`),
		"host": json.RawMessage(`"db.internal"`), "port": json.RawMessage(`5432`),
	}
	opts := &scaivault.PutOptions{MaxVersions: 10, Metadata: scaivault.Metadata{
		Tags: []string{"migrated-from-vault"}, Values: mark.Mark{Source: "kv/data/apps/db", SourceVersion: 3, WriteID: mark.NewWriteID()}.AddTo(nil),
	}}
	b.ReportAllocs()
	for b.Loop() {
		_, err := c.Put(b.Context(), testPath, data, opts)
		require.NoError(b, err)
	}
}

// BenchmarkGetBatch reads a hundred secrets that are there, and a hundred that
// are not.
func BenchmarkGetBatch(b *testing.B) {
	paths := make([]string, 100)
	there, missing := make([]string, 100), make([]string, 100)
	for i := range paths {
		paths[i] = fmt.Sprintf("environments/production/team/s%02d", i)
		there[i] = fmt.Sprintf("%q:%s", paths[i], oneSecret)
		missing[i] = fmt.Sprintf(`%q:{"code":"not_found","message":"Secret not found","details":{}}`, paths[i])
	}
	for name, body := range map[string]string{
		"there":   `{"secrets":{` + strings.Join(there, ",") + `},"errors":{}}`,
		"missing": `{"secrets":{},"errors":{` + strings.Join(missing, ",") + `}}`,
	} {
		b.Run(name, func(b *testing.B) {
			c := newTestClient(b, "https://s.test", through(&script{answers: says2(says(200, body))}))
			b.ReportAllocs()
			for b.Loop() {
				found, _ := c.GetBatch(b.Context(), paths)
				require.Equal(b, name == "there", len(found) == 100)
			}
		})
	}
}
