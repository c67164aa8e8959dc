// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
	"github.com/hashicorp/vault/api/auth/kubernetes"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// apiClient is a client of a server, with the token of root.
func apiClient(t *testing.T, s *server) *api.Client {
	t.Helper()
	client, err := api.NewClient(&api.Config{Address: s.url, HttpClient: newHTTPClient(t)})
	require.NoError(t, err)
	client.SetToken(s.rootToken)
	return client
}

// write changes the server, past the library under test.
func write(t *testing.T, client *api.Client, path string, data map[string]any) *api.Secret {
	t.Helper()
	secret, err := client.Logical().WriteWithContext(t.Context(), path, data)
	require.NoError(t, err, path)
	return secret
}

func appRoleOf(t *testing.T, root *api.Client, leases map[string]any) api.AuthMethod {
	t.Helper()
	write(t, root, "sys/auth/approle", map[string]any{"type": "approle"})
	write(t, root, "auth/approle/role/app", leases)
	role, err := root.Logical().ReadWithContext(t.Context(), "auth/approle/role/app/role-id")
	require.NoError(t, err)
	secret := write(t, root, "auth/approle/role/app/secret-id", nil)
	method, err := approle.NewAppRoleAuth(role.Data["role_id"].(string), &approle.SecretID{FromString: secret.Data["secret_id"].(string)})
	require.NoError(t, err)
	return method
}

func kubernetesOf(t *testing.T, root *api.Client, leases map[string]any) api.AuthMethod {
	t.Helper()
	jwt := serviceToken(`{"kubernetes.io":{"namespace":"billing","serviceaccount":{"name":"invoices","uid":"u-1"}}}`)
	cluster := httptest.NewServer(fakeCluster{jwt: {"billing", "invoices", "u-1"}})
	t.Cleanup(cluster.Close)
	write(t, root, "sys/auth/kubernetes", map[string]any{"type": "kubernetes"})
	write(t, root, "auth/kubernetes/config", map[string]any{"kubernetes_host": cluster.URL, "disable_local_ca_jwt": true})
	leases["bound_service_account_names"], leases["bound_service_account_namespaces"], leases["audience"] = "invoices", "billing", ""
	write(t, root, "auth/kubernetes/role/app", leases)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(jwt), 0o600))
	method, err := kubernetes.NewKubernetesAuth("app", kubernetes.WithServiceAccountTokenPath(file))
	require.NoError(t, err)
	return method
}

// TestSourceLogsInToARealVault with the auth methods of Vault's own modules:
// once for all, again when its token was revoked, and it gives the token back.
func TestSourceLogsInToARealVault(t *testing.T) {
	t.Parallel()
	for name, method := range map[string]func(*testing.T, *api.Client, map[string]any) api.AuthMethod{
		"approle": appRoleOf, "kubernetes": kubernetesOf,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startReal(t)
			s.mount("kv", 2)
			root := apiClient(t, s)
			write(t, root, "kv/data/a", map[string]any{"data": map[string]any{"v": "1"}})
			write(t, root, "sys/policies/acl/reader", map[string]any{"policy": `path "kv/data/*" { capabilities = ["read"] }`})
			auth := method(t, root, map[string]any{"token_policies": "reader", "token_ttl": "1h", "token_max_ttl": "2h"})

			var logins, revocations atomic.Int64
			client := apiClient(t, s)
			client.ClearToken()
			src, err := vault.NewSource(vault.Config{Client: client, Auth: auth, Trace: &vault.Trace{
				Login:      func(i vault.LoginInfo) { assert.NoError(t, i.Err); logins.Add(1) },
				Revocation: func(i vault.RevocationInfo) { assert.NoError(t, i.Err); revocations.Add(1) },
			}})
			require.NoError(t, err)
			readAtOnce(t, src)
			require.EqualValues(t, 1, logins.Load())
			_, err = src.Get(t.Context(), "kv/metadata/a")
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			_, err = src.Put(t.Context(), "kv/data/a", map[string]any{"v": "2"}, nil)
			require.ErrorIs(t, err, scaivault.ErrPermission)
			require.EqualValues(t, 1, logins.Load(), "a policy's no is no reason to log in")

			write(t, root, "sys/leases/revoke-force/auth/"+name, nil)
			readAtOnce(t, src)
			require.EqualValues(t, 2, logins.Load(), "one for all whose token was revoked")
			require.NoError(t, src.Close())
			require.EqualValues(t, 1, revocations.Load())
			require.Empty(t, client.Token(), "the caller's client is as it was")
			accessors, err := root.Logical().ListWithContext(t.Context(), "auth/token/accessors")
			require.NoError(t, err)
			assert.Len(t, accessors.Data["keys"], 1, "root's alone is left")
		})
	}
}

// readAtOnce reads from many goroutines, and none may fail.
func readAtOnce(t *testing.T, src *vault.Source) {
	t.Helper()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := src.Get(t.Context(), "kv/data/a")
			assert.NoError(t, err)
		})
	}
	all.Wait()
}

// TestTokenOfARealVaultIsRenewedAndReplaced: its lease is of some seconds, and
// no renewal carries it far.
func TestTokenOfARealVaultIsRenewedAndReplaced(t *testing.T) {
	t.Parallel()
	s := startReal(t)
	s.mount("kv", 2)
	root := apiClient(t, s)
	write(t, root, "kv/data/a", map[string]any{"data": map[string]any{"v": "1"}})
	write(t, root, "sys/policies/acl/reader", map[string]any{"policy": `path "kv/data/*" { capabilities = ["read"] }`})
	auth := appRoleOf(t, root, map[string]any{"token_policies": "reader", "token_ttl": "2s", "token_max_ttl": "3s"})
	var renewals, logins atomic.Int64
	client := apiClient(t, s)
	client.ClearToken()
	src, err := vault.NewSource(vault.Config{Client: client, Auth: auth, Trace: &vault.Trace{
		Renewal: func(i vault.RenewalInfo) {
			if i.Err == nil {
				renewals.Add(1)
			}
		},
		Login: func(i vault.LoginInfo) { assert.NoError(t, i.Err); logins.Add(1) },
	}})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		readAtOnce(t, src)
		return renewals.Load() >= 2 && logins.Load() >= 3
	}, time.Minute, 50*time.Millisecond)
	require.NoError(t, src.Close())
}

// TestRenamedMountIsFoundUnderItsNewName and its old name is no missing secret.
func TestRenamedMountIsFoundUnderItsNewName(t *testing.T) {
	t.Parallel()
	s := startReal(t)
	s.mount("old/kv", 2)
	root := apiClient(t, s)
	src, err := vault.NewSource(vault.Config{Client: root})
	require.NoError(t, err)
	_, err = src.Put(t.Context(), "old/kv/data/a", map[string]any{"v": "1"}, nil)
	require.NoError(t, err)
	require.NoError(t, root.Sys().RemountWithContext(t.Context(), "old/kv", "new/place/kv"))
	_, err = src.Get(t.Context(), "new/place/kv/data/a")
	require.NoError(t, err)
	_, err = src.Get(t.Context(), "old/kv/data/a")
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	require.NotErrorIs(t, err, scaivault.ErrNotFound)
}
