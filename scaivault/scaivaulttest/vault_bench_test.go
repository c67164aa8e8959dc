// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func BenchmarkVault(b *testing.B) {
	for _, audited := range []bool{false, true} {
		opts := &scaivaulttest.VaultOptions{}
		if audited {
			opts.AuditLog = io.Discard
		}
		v := scaivaulttest.NewVault(b, opts)
		v.Mount("kv", 2)
		for i := range 10_000 {
			v.Seed(fmt.Sprintf("kv/data/team%d/app%d/db", i%100, i), map[string]any{"user": "u", "password": "p", "port": 5432})
		}
		for _, bench := range []struct{ name, method, path, body string }{
			{"read", http.MethodGet, "/v1/kv/data/team7/app7/db", ""},
			{"list", "LIST", "/v1/kv/metadata/team7", ""},
			{"write", http.MethodPut, "/v1/kv/data/team7/app7/db", `{"data":{"user":"u","password":"p"}}`},
		} {
			b.Run(fmt.Sprintf("%s/audited=%t", bench.name, audited), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r := httptest.NewRequestWithContext(b.Context(), bench.method, bench.path, strings.NewReader(bench.body))
					r.Header.Set("X-Vault-Token", v.RootToken())
					w := httptest.NewRecorder()
					v.ServeHTTP(w, r)
					if w.Code != http.StatusOK {
						b.Fatalf("status %d", w.Code)
					}
				}
			})
		}
	}
}
