// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A handlerRequest is what BenchmarkVaultHandler and BenchmarkServerHandler send.
type handlerRequest struct{ name, method, target, body string }

// A benchBody is a request's body that can be sent again.
type benchBody struct{ strings.Reader }

func (*benchBody) Close() error { return nil }

// A benchAnswer keeps nothing of an answer but its status.
type benchAnswer struct {
	header http.Header
	status int
}

func (a *benchAnswer) Header() http.Header         { return a.header }
func (a *benchAnswer) WriteHeader(status int)      { a.status = status }
func (a *benchAnswer) Write(p []byte) (int, error) { return len(p), nil }

// benchHandler measures what h itself spends for a request: no socket and no client
// take part.
func benchHandler(b *testing.B, h http.Handler, token string, send handlerRequest) {
	b.Run(send.name, func(b *testing.B) {
		body := &benchBody{}
		r, err := http.NewRequestWithContext(b.Context(), send.method, "http://vault.test"+send.target, nil)
		require.NoError(b, err)
		r.ContentLength = int64(len(send.body))
		r.RemoteAddr = "192.0.2.1:1234"
		r.Header.Set("User-Agent", "bench")
		r.Header.Set("X-Vault-Token", token)
		r.Header.Set("Authorization", "Bearer "+token)
		answer := &benchAnswer{header: http.Header{}}
		b.ReportAllocs()
		for b.Loop() {
			if r.Body = http.NoBody; send.body != "" {
				body.Reset(send.body)
				r.Body = body
			}
			clear(answer.header)
			h.ServeHTTP(answer, r)
			if answer.status != http.StatusOK {
				b.Fatalf("status %d", answer.status)
			}
		}
	})
}

func BenchmarkVaultHandler(b *testing.B) {
	for _, audited := range []bool{false, true} {
		opts := &scaivaulttest.VaultOptions{}
		if audited {
			opts.AuditLog = io.Discard
		}
		v := scaivaulttest.NewVault(b, opts)
		v.Mount("kv", 2)
		for i := range 10_000 {
			v.Seed(fmt.Sprintf("kv/data/team%d/app%d", i%100, i), map[string]any{"user": "u", "password": "p", "port": 5432})
		}
		b.Run(fmt.Sprintf("audited=%t", audited), func(b *testing.B) {
			for _, send := range []handlerRequest{
				{"read", http.MethodGet, "/v1/kv/data/team7/app7", ""},
				{"metadata", http.MethodGet, "/v1/kv/metadata/team7/app7", ""},
				{"list100", "LIST", "/v1/kv/metadata/team7", ""},
				{"write", http.MethodPut, "/v1/kv/data/team8/app8", `{"data":{"user":"u","password":"p","port":5432}}`},
			} {
				benchHandler(b, v, v.RootToken(), send)
			}
		})
	}
}

func BenchmarkServerHandler(b *testing.B) {
	srv := scaivaulttest.NewServer(b, &scaivaulttest.ServerOptions{NoLimits: true})
	paths := map[string][]string{}
	for i := range 10_000 {
		path := fmt.Sprintf("estate/team%d/secret%d", i%100, i)
		srv.Seed(path, map[string]any{"user": "u", "password": "p", "port": 5432})
		if i < 100 {
			paths["paths"] = append(paths["paths"], path)
		}
	}
	existing, err := json.Marshal(paths)
	require.NoError(b, err)
	const secret = `{"data":{"user":"u","password":"p","port":5432},"secret_type":"kv",` +
		`"metadata":{"owner":"team7","source":"kv/team7/app7","source_version":"3"}}`
	token := srv.IssueToken("sa:bench")
	for _, send := range []handlerRequest{
		{"get", http.MethodGet, "/v1/secrets/estate/team7/secret7", ""},
		{"put", http.MethodPut, "/v1/secrets/estate/team8/secret8", secret},
		{"batch100", http.MethodPost, "/v1/secrets/batch", string(existing)},
		{"batch100/missing", http.MethodPost, "/v1/secrets/batch", strings.ReplaceAll(string(existing), "estate", "absent")},
		{"page100", http.MethodGet, "/v1/secrets?prefix=estate/team7/&limit=100", ""},
	} {
		benchHandler(b, srv, token, send)
	}
}

func BenchmarkSeed(b *testing.B) {
	data := map[string]any{"user": "u", "password": "p", "port": 5432}
	paths := make([]string, 15_000)
	for i := range paths {
		paths[i] = fmt.Sprintf("team%d/app%d", i%100, i)
	}
	b.Run("vault", func(b *testing.B) {
		for b.Loop() {
			v := scaivaulttest.NewVault(b)
			v.Mount("kv", 2)
			for _, path := range paths {
				v.Seed("kv/data/"+path, data)
			}
		}
	})
	b.Run("server", func(b *testing.B) {
		for b.Loop() {
			srv := scaivaulttest.NewServer(b)
			for _, path := range paths {
				srv.Seed(path, data)
			}
		}
	})
}
