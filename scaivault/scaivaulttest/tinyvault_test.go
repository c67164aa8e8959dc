// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A tinyVault answers what federation asks of a HashiCorp Vault, from canned values.
type tinyVault struct {
	server *httptest.Server

	mu        sync.Mutex
	tokens    map[string]bool
	logins    int
	namespace string            // the one that is expected
	values    map[string]string // API path to the answer's data
	denied    string            // a path that no token may read
	status    int               // answered to everything, if not zero
	reads     []string
}

// newTinyVault has two secrets of KV v2 and two of KV v1.
func newTinyVault(t testing.TB) *tinyVault {
	t.Helper()
	v := &tinyVault{tokens: map[string]bool{}, values: map[string]string{}}
	v.setV2("kv/data/apps/billing/db", 7, `{"password":"not-a-real-one","big":12345678901234567890}`)
	v.setV2("kv/data/apps/billing/stripe", 2, `{"key":"also-not-real"}`)
	v.values["secret/apps/db"] = `{"password":"of-kv-v1"}`
	v.values["secret/apps/Upper.Case"] = `{"password":"cannot be here"}`
	v.server = httptest.NewServer(v)
	t.Cleanup(v.server.Close)
	return v
}

func (v *tinyVault) setV2(path string, version int, data string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.values[path] = fmt.Sprintf(`{"data":%s,"metadata":{"version":%d,"created_time":"2030-01-02T03:04:05.678Z","custom_metadata":{"owner":"x"}}}`, data, version)
}

func (v *tinyVault) set(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

// seedCredentials puts the AppRole into the server.
func (v *tinyVault) seedCredentials(srv *scaivaulttest.Server) {
	srv.Seed("infra/hashicorp/approle", map[string]any{"role_id": "role", "secret_id": "secret"})
}

// ServeHTTP implements http.Handler.
func (v *tinyVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	switch {
	case v.status != 0:
		http.Error(w, `{"errors":["Vault is sealed"]}`, v.status)
	case r.Header.Get("X-Vault-Namespace") != v.namespace:
		http.Error(w, `{"errors":["no handler for route"]}`, http.StatusNotFound)
	case path == "auth/approle/login":
		v.login(w, r)
	case !v.tokens[r.Header.Get("X-Vault-Token")] || path == v.denied:
		http.Error(w, `{"errors":["permission denied"]}`, http.StatusForbidden)
	case r.URL.Query().Get("list") == "true":
		v.list(w, strings.TrimSuffix(path, "/")+"/")
	case path == "auth/token/lookup-self":
		fmt.Fprint(w, `{"data":{}}`)
	case v.values[path] == "" || r.URL.Query().Get("version") == "99":
		http.Error(w, `{"errors":[]}`, http.StatusNotFound)
	default:
		v.reads = append(v.reads, path)
		fmt.Fprintf(w, `{"request_id":"x","data":%s}`, v.values[path])
	}
}

func (v *tinyVault) login(w http.ResponseWriter, r *http.Request) {
	var body struct {
		RoleID   string `json:"role_id"`
		SecretID string `json:"secret_id"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.RoleID != "role" || body.SecretID != "secret" {
		http.Error(w, `{"errors":["invalid role or secret ID"]}`, http.StatusBadRequest)
		return
	}
	v.logins++
	token := fmt.Sprintf("hvs.%d", v.logins)
	v.tokens[token] = true
	fmt.Fprintf(w, `{"auth":{"client_token":%q}}`, token)
}

// list lists one level, of metadata for KV v2.
func (v *tinyVault) list(w http.ResponseWriter, folder string) {
	folder = strings.Replace(folder, "kv/metadata/", "kv/data/", 1)
	var keys []string
	for path := range v.values {
		if name, ok := strings.CutPrefix(path, folder); ok {
			if dir, _, deeper := strings.Cut(name, "/"); deeper {
				name = dir + "/"
			}
			keys = append(keys, name)
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if keys == nil {
		http.Error(w, `{"errors":[]}`, http.StatusNotFound)
		return
	}
	encoded, _ := json.Marshal(keys)
	fmt.Fprintf(w, `{"data":{"keys":%s}}`, encoded)
}

// createBackend makes a backend for external/hashicorp/** with these further members.
func createBackend(t testing.TB, c *caller, v *tinyVault, more string) map[string]any {
	t.Helper()
	r := c.do("POST", "/v1/federation/backends", backendJSON(v, more))
	require.Equal(t, http.StatusCreated, r.status, r.body)
	return r.object(t)
}

func backendJSON(v *tinyVault, more string) string {
	return fmt.Sprintf(`{"name":"hashicorp-production","type":"hashicorp-vault",
		"config":{"endpoint":%q,"auth_method":"approle","auth_config_path":"infra/hashicorp/approle","tls_verify":true},
		"path_mapping":{"external/hashicorp/**":"kv/data/**"},%s}`, v.server.URL, more)
}
