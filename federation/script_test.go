// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
)

const testToken = "skt_token-that-must-not-leak"

// A call is one request as the service saw it.
type call struct {
	Method, URI, Body string
}

// A script is a service that answers as a test tells it, by method and URI. What it was
// not told to answer is a 404 in the service's envelope.
type script struct {
	mu      sync.Mutex
	answers map[string][]reply // the last one stays
	calls   []call
}

// A reply is one answer.
type reply struct {
	status int
	body   string
	header map[string]string
}

func newScript() *script { return &script{answers: map[string][]reply{}} }

// on tells what to answer; several answers are given one after the other.
func (s *script) on(methodAndURI string, replies ...reply) *script {
	s.answers[methodAndURI] = append(s.answers[methodAndURI], replies...)
	return s
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		body = []byte("unreadable: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call{Method: r.Method, URI: r.URL.RequestURI(), Body: string(body)})
	key := r.Method + " " + r.URL.RequestURI()
	answer := reply{status: http.StatusNotFound, body: `{"error":{"code":"backend_not_found","message":"no such backend"}}`}
	if left := s.answers[key]; len(left) > 0 {
		answer = left[0]
		if len(left) > 1 {
			s.answers[key] = left[1:]
		}
	}
	w.Header().Set("Content-Type", "application/json")
	for name, value := range answer.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(answer.status)
	_, _ = io.WriteString(w, answer.body)
}

// seen returns the requests so far.
func (s *script) seen() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]call(nil), s.calls...)
}

// RoundTrip answers without a socket.
func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

// newClient makes a client of a scripted service. It repeats nothing by itself.
func newClient(t testing.TB, s http.RoundTripper) *federation.Client {
	t.Helper()
	c, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs:       []string{"https://scaivault.example.com"},
		Token:      scaivault.StaticToken(testToken),
		HTTPClient: &http.Client{Transport: s},
		Retry:      scaivault.RetryConfig{MaxRetries: -1},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return federation.New(c)
}

func ok(body string) reply { return reply{status: http.StatusOK, body: body} }

func failure(status int, code string) reply {
	return reply{status: status, body: `{"error":{"code":"` + code + `","message":"password hunter2 refused"}}`}
}

// newVaultBackend is the backend of the migration guide.
func newVaultBackend() federation.Backend {
	return federation.Backend{
		Name: "hashicorp-production",
		Config: &federation.HashiCorpVault{
			Endpoint:       "https://vault.internal:8200",
			AuthMethod:     federation.AuthAppRole,
			AuthConfigPath: "infra/hashicorp/approle",
		},
		PathMapping: map[string]string{"external/hashicorp/**": "kv/data/**"},
		Mode:        federation.ModeProxy,
	}
}

// vaultBackendJSON is the same, as the service would tell it.
const vaultBackendJSON = `{
	"id": "fed_abc",
	"name": "hashicorp-production",
	"type": "hashicorp-vault",
	"config": {
		"endpoint": "https://vault.internal:8200",
		"auth_method": "approle",
		"auth_config_path": "infra/hashicorp/approle",
		"tls_verify": true
	},
	"path_mapping": {"external/hashicorp/**": "kv/data/**"},
	"mode": "proxy",
	"status": "healthy"
}`

const (
	list   = "GET /v1/federation/backends"
	create = "POST /v1/federation/backends"
	get    = "GET /v1/federation/backends/fed_abc"
	patch  = "PATCH /v1/federation/backends/fed_abc"
	remove = "DELETE /v1/federation/backends/fed_abc"
	status = "GET /v1/federation/backends/fed_abc/status"
	resync = "POST /v1/federation/backends/fed_abc/sync"
	clash  = "GET /v1/federation/backends/fed_abc/conflicts"
)
