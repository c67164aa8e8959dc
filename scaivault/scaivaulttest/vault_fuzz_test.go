// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// FuzzVault sends anything at all: Vault must answer, and with JSON where it says so.
func FuzzVault(f *testing.F) {
	v, err := scaivaulttest.StartVault(&scaivaulttest.VaultOptions{AuditLog: io.Discard})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(v.Close)
	v.Mount("kv", 2)
	v.Mount("old", 1)
	f.Fuzz(func(t *testing.T, method, path, body string, root bool) {
		if strings.Contains(path, "sys/audit") {
			return // it opens files
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", strings.NewReader(body))
		r.Method, r.URL.Path = method, path
		if before, query, ok := strings.Cut(path, "?"); ok {
			r.URL.Path, r.URL.RawQuery = before, query
		}
		if root {
			r.Header.Set("X-Vault-Token", v.RootToken())
		}
		w := httptest.NewRecorder()
		v.ServeHTTP(w, r)
		if w.Code < 200 || w.Code > 599 {
			t.Fatalf("status %d", w.Code)
		}
		if w.Header().Get("Content-Type") == "application/json" && w.Body.Len() > 0 && !json.Valid(bytes.TrimSpace(w.Body.Bytes())) {
			t.Fatalf("status %d with a body that is no JSON", w.Code)
		}
	})
}
