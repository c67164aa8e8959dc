// SPDX-License-Identifier: Apache-2.0

// Package vaultchecks checks the Vault side of the library against a server of
// which it knows addresses and a root token only. So the same checks run
// against the small Vault of package scaivaulttest, a real one, and a cluster.
package vaultchecks

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// A Server is a Vault, or a cluster of them, by what its clients know of it.
type Server struct {
	// Addresses are those of its nodes. The Source under test knows them all,
	// and what prepares a check goes to the first.
	Addresses []string
	RootToken string
	// TLS has the authority of the nodes' certificates. If nil, the system's.
	TLS *tls.Config
	// Seal seals all nodes. If nil, sys/seal does, as where there is one.
	Seal func()
}

// Run runs all checks, each as a subtest with a server of its own. newServer
// starts an empty, unsealed Vault, which it closes at the end of the test.
func Run(t *testing.T, newServer func(t *testing.T) Server) {
	groups := []map[string]func(*lab){
		pathChecks(), readChecks(), writeChecks(), conditionChecks(), metadataChecks(), historyChecks(),
		listChecks(), tokenChecks(), mountChecks(), shapeChecks(), conformanceChecks(),
	}
	for _, group := range groups {
		for name, check := range group {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				l := newLab(t, newServer)
				check(l)
			})
		}
	}
}

// A lab is a Vault and all that a check needs.
type lab struct {
	*testing.T
	server Server
	root   string
	admin  *api.Client
	src    *vault.Source // of the root token
}

func newLab(t *testing.T, newServer func(t *testing.T) Server) *lab {
	t.Helper()
	l := &lab{T: t, server: newServer(t)}
	l.root = l.server.RootToken
	l.admin = l.client(l.root)
	l.src = l.source(l.root)
	return l
}

// client returns a client with connections of its own.
func (l *lab) client(token string) *api.Client {
	l.Helper()
	transport := &http.Transport{TLSClientConfig: l.server.TLS.Clone(), ForceAttemptHTTP2: true}
	l.Cleanup(transport.CloseIdleConnections)
	client, err := api.NewClient(&api.Config{Address: l.server.Addresses[0], HttpClient: &http.Client{Transport: transport}})
	require.NoError(l, err)
	client.SetToken(token)
	return client
}

func (l *lab) source(token string) *vault.Source {
	l.Helper()
	return l.open(vault.Config{Client: l.client(token)})
}

func (l *lab) open(cfg vault.Config) *vault.Source {
	l.Helper()
	if len(l.server.Addresses) > 1 {
		cfg.Addresses = l.server.Addresses
	}
	src, err := vault.NewSource(cfg)
	require.NoError(l, err)
	l.Cleanup(func() { _ = src.Close() }) // what Close says is checked where it matters
	return src
}

// do sends a request as root, past the library under test.
func (l *lab) do(method, path, body string) error {
	var resp *api.Response
	var err error
	if method == http.MethodDelete {
		resp, err = l.admin.Logical().DeleteRawWithContext(l.Context(), path)
	} else {
		resp, err = l.admin.Logical().WriteRawWithContext(l.Context(), path, []byte(body))
	}
	if resp != nil {
		_ = resp.Body.Close()
	}
	return err
}

func (l *lab) put(path, body string) {
	l.Helper()
	require.NoError(l, l.do(http.MethodPut, path, body), "PUT %s", path)
}

func (l *lab) remove(path string) {
	l.Helper()
	require.NoError(l, l.do(http.MethodDelete, path, ""), "DELETE %s", path)
}

// mount mounts a KV engine and waits until it takes writes: KV v2 prepares
// itself for a moment.
func (l *lab) mount(path string, version int) {
	l.Helper()
	l.put("sys/mounts/"+path, fmt.Sprintf(`{"type":"kv","options":{"version":"%d"}}`, version))
	probe, trash := path+"/probe", path+"/probe"
	if version == 2 {
		probe, trash = path+"/data/probe", path+"/metadata/probe"
	}
	require.Eventually(l, func() bool {
		return l.do(http.MethodPut, probe, `{"data":{"a":"b"}}`) == nil
	}, 10*time.Second, 5*time.Millisecond, "mount %s takes no writes", path)
	l.remove(trash)
}

// seed writes a secret, past the library under test.
func (l *lab) seed(path, data string) {
	l.Helper()
	if strings.Contains(path, "/data/") {
		data = `{"data":` + data + `}`
	}
	l.put(path, data)
}

// token returns a token that may do what the policy says.
func (l *lab) token(policy string) string {
	l.Helper()
	name := fmt.Sprintf("check-%d", len(policy))
	l.put("sys/policies/acl/"+name, fmt.Sprintf(`{"policy":%q}`, policy))
	secret, err := l.admin.Logical().WriteWithContext(l.Context(), "auth/token/create", map[string]any{
		"policies": []string{name}, "ttl": "1h",
	})
	require.NoError(l, err)
	return secret.Auth.ClientToken
}

// appRole enables AppRole and returns an auth method of a role with the policy.
func (l *lab) appRole(policy string) *appRole {
	l.Helper()
	l.put("sys/auth/approle", `{"type":"approle"}`)
	l.put("sys/policies/acl/check-role", fmt.Sprintf(`{"policy":%q}`, policy))
	l.put("auth/approle/role/check", `{"token_policies":"check-role","token_ttl":"1h"}`)
	role, err := l.admin.Logical().ReadWithContext(l.Context(), "auth/approle/role/check/role-id")
	require.NoError(l, err)
	secret, err := l.admin.Logical().WriteWithContext(l.Context(), "auth/approle/role/check/secret-id", nil)
	require.NoError(l, err)
	return &appRole{roleID: role.Data["role_id"].(string), secretID: secret.Data["secret_id"].(string)}
}

// get reads a secret that must be there.
func (l *lab) get(path string) *scaivault.Secret {
	l.Helper()
	secret, err := l.src.Get(l.Context(), path)
	require.NoError(l, err)
	require.NotNil(l, secret)
	return secret
}

// write writes a secret that must be taken, and returns its version.
func (l *lab) write(path string, data map[string]any, opts *scaivault.PutOptions) int {
	l.Helper()
	written, err := l.src.Put(l.Context(), path, data, opts)
	require.NoError(l, err)
	require.NotNil(l, written)
	require.Equal(l, "vault", written.Source)
	return written.Version
}

// list returns all paths of a listing, and its last error.
func list(l *lab, src *vault.Source, prefix string) ([]string, error) {
	l.Helper()
	var paths []string
	var last error
	for entry, err := range src.List(l.Context(), prefix, nil) {
		if err != nil {
			require.Zero(l, entry)
			last = err
			continue
		}
		paths = append(paths, entry.Path)
	}
	return paths, last
}
