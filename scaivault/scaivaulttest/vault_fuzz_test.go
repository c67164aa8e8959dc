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

// vaultFuzzSeeds are methods, paths and bodies.
func vaultFuzzSeeds() [][3]string {
	return [][3]string{
		{"GET", "/v1/kv/data/x", ""},
		{"PUT", "/v1/kv/data/x", `{"data":{"a":1e400},"options":{"cas":"0x1"}}`},
		{"PUT", "/v1/kv/metadata/x", `{"custom_metadata":[{"a":null}],"max_versions":-1,"delete_version_after":"9999999999d"}`},
		{"POST", "/v1/kv/destroy/x", `{"versions":[-1,{},"1"]}`},
		{"PUT", "/v1/old/a//b/../c", `{"ttl":"-9999999999h","":{"":[[[[]]]]}}`},
		{"LIST", "/v1/old/", ""},
		{"GET", "/v1/kv?list=maybe", ""},
		{"PUT", "/v1/sys/policies/acl/p", `{"policy":"path \"+/*\" { capabilities = [\"read\"] }"}`},
		{"PUT", "/v1/sys/policies/acl/p", `{"policy":"{\"path\":[[[{}]]]}"}`},
		{"PUT", "/v1/sys/mounts/a/b", `{"type":"kv","options":["version=2"],"config":{"max_lease_ttl":{}}}`},
		{"PUT", "/v1/sys/auth/x", `{"type":"approle"}`},
		{"POST", "/v1/auth/approle/role/r", `{"token_policies":[[]],"token_ttl":-1}`},
		{"POST", "/v1/auth/approle/login", `{"role_id":[],"secret_id":"\ud800"}`},
		{"POST", "/v1/auth/token/create", `{"ttl":"1d","meta":"a","policies":"root","num_uses":1.5}`},
		{"POST", "/v1/auth/token/renew-self", `{"increment":"x"}`},
		{"POST", "/v1/sys/capabilities-self", `{"paths":"a,b,c"}`},
		{"GET", "/v1/sys/internal/ui/mounts/", ""},
		{"PATCH", "/v1/kv/data/x", "{"},
		{"OPTIONS", "/v1/\x00", "\xff\xfe"},
	}
}

// FuzzVault sends anything at all: Vault must answer, and with JSON where it says so.
func FuzzVault(f *testing.F) {
	for _, seed := range vaultFuzzSeeds() {
		f.Add(seed[0], seed[1], seed[2], true)
	}
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
