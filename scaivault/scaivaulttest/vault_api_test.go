// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// vaultClient is HashiCorp's own client with the root token, in memory.
func vaultClient(t testing.TB, v *scaivaulttest.Vault) *api.Client {
	t.Helper()
	return apiClient(t, "http://vault.test", v.RoundTripper(), v.RootToken())
}

func apiClient(t testing.TB, address string, transport http.RoundTripper, token string) *api.Client {
	t.Helper()
	config := api.DefaultConfig()
	require.NoError(t, config.Error)
	config.Address = address
	config.HttpClient = &http.Client{Transport: transport}
	config.MaxRetries = 0
	client, err := api.NewClient(config)
	require.NoError(t, err)
	client.SetToken(token)
	client.SetNamespace("")
	return client
}

// withToken is the same client for somebody else.
func withToken(t testing.TB, client *api.Client, token string) *api.Client {
	t.Helper()
	other, err := client.Clone()
	require.NoError(t, err)
	other.SetToken(token)
	return other
}

// overVault runs a test with HashiCorp's client in memory and over a socket.
func overVault(t *testing.T, test func(t *testing.T, v *scaivaulttest.Vault, client *api.Client)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		v := scaivaulttest.NewVault(t)
		test(t, v, vaultClient(t, v))
	})
	t.Run("socket", func(t *testing.T) {
		t.Parallel()
		v := scaivaulttest.NewVault(t)
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		test(t, v, apiClient(t, v.URL(), transport, v.RootToken()))
	})
}

// statusOf is the status of an error of HashiCorp's client.
func statusOf(t testing.TB, err error) int {
	t.Helper()
	var refused *api.ResponseError
	require.ErrorAs(t, err, &refused)
	return refused.StatusCode
}

func TestVaultKVv1WithTheClient(t *testing.T) {
	t.Parallel()
	overVault(t, func(t *testing.T, v *scaivaulttest.Vault, client *api.Client) {
		ctx := t.Context()
		v.Mount("secret", 1)
		written := map[string]any{"big": json.Number("9007199254740993"), "money": json.Number("1.10"), "empty": "", "null": nil}
		require.NoError(t, client.KVv1("secret").Put(ctx, "apps/db", written))

		secret, err := client.KVv1("secret").Get(ctx, "apps/db")
		require.NoError(t, err)
		assert.Equal(t, written, secret.Data, "KV v1 keeps every digit")
		assert.Equal(t, 2764800, secret.Raw.LeaseDuration)

		value, ok := v.Value("secret/apps/db")
		require.True(t, ok)
		assert.JSONEq(t, `{"big":9007199254740993,"money":1.10,"empty":"","null":null}`, string(value))

		require.NoError(t, client.KVv1("secret").Delete(ctx, "apps/db"))
		_, err = client.KVv1("secret").Get(ctx, "apps/db")
		require.ErrorIs(t, err, api.ErrSecretNotFound)
	})
}

func TestVaultKVv2WithTheClient(t *testing.T) {
	t.Parallel()
	overVault(t, func(t *testing.T, v *scaivaulttest.Vault, client *api.Client) {
		ctx := t.Context()
		v.Mount("kv", 2)
		kv := client.KVv2("kv")
		first, err := kv.Put(ctx, "apps/billing/db", map[string]any{"user": "billing", "port": 5432})
		require.NoError(t, err)
		assert.Equal(t, 1, first.VersionMetadata.Version)

		_, err = kv.Put(ctx, "apps/billing/db", map[string]any{"user": "other"}, api.WithCheckAndSet(0))
		assert.Equal(t, http.StatusBadRequest, statusOf(t, err))
		_, err = kv.Put(ctx, "apps/billing/db", map[string]any{"user": "second"}, api.WithCheckAndSet(1))
		require.NoError(t, err)

		latest, err := kv.Get(ctx, "apps/billing/db")
		require.NoError(t, err)
		assert.Equal(t, "second", latest.Data["user"])
		assert.Equal(t, 2, latest.VersionMetadata.Version)
		old, err := kv.GetVersion(ctx, "apps/billing/db", 1)
		require.NoError(t, err)
		assert.Equal(t, "billing", old.Data["user"])

		require.NoError(t, kv.Delete(ctx, "apps/billing/db"))
		deleted, err := kv.Get(ctx, "apps/billing/db")
		require.NoError(t, err, "the client tells a deleted version by its missing data")
		assert.Nil(t, deleted.Data)
		assert.False(t, deleted.VersionMetadata.DeletionTime.IsZero())
		require.NoError(t, kv.Undelete(ctx, "apps/billing/db", []int{2}))
		again, err := kv.Get(ctx, "apps/billing/db")
		require.NoError(t, err)
		assert.Equal(t, "second", again.Data["user"])

		require.NoError(t, kv.Destroy(ctx, "apps/billing/db", []int{1}))
		history, err := kv.GetVersionsAsList(ctx, "apps/billing/db")
		require.NoError(t, err)
		require.Len(t, history, 2)
		assert.True(t, history[0].Destroyed)

		require.NoError(t, kv.DeleteMetadata(ctx, "apps/billing/db"))
		_, err = kv.Get(ctx, "apps/billing/db")
		require.ErrorIs(t, err, api.ErrSecretNotFound)
	})
}

func TestVaultKVv2MetadataWithTheClient(t *testing.T) {
	t.Parallel()
	overVault(t, func(t *testing.T, v *scaivaulttest.Vault, client *api.Client) {
		ctx := t.Context()
		v.Mount("kv", 2)
		kv := client.KVv2("kv")
		require.NoError(t, kv.PutMetadata(ctx, "db", api.KVMetadataPutInput{
			MaxVersions: 2, CASRequired: true, CustomMetadata: map[string]any{"owner": "billing"},
		}))
		_, err := kv.Put(ctx, "db", map[string]any{"a": "1"})
		assert.Equal(t, http.StatusBadRequest, statusOf(t, err), "check-and-set is required")
		for version := range 3 {
			_, err := kv.Put(ctx, "db", map[string]any{"a": version}, api.WithCheckAndSet(version))
			require.NoError(t, err)
		}
		metadata, err := kv.GetMetadata(ctx, "db")
		require.NoError(t, err)
		assert.Equal(t, 3, metadata.CurrentVersion)
		assert.Equal(t, 2, metadata.OldestVersion)
		assert.Len(t, metadata.Versions, 2)
		assert.Equal(t, map[string]any{"owner": "billing"}, metadata.CustomMetadata)
		read, err := kv.Get(ctx, "db")
		require.NoError(t, err)
		assert.Equal(t, map[string]any{"owner": "billing"}, read.CustomMetadata)
	})
}

func TestVaultListsAsFolders(t *testing.T) {
	t.Parallel()
	overVault(t, func(t *testing.T, v *scaivaulttest.Vault, client *api.Client) {
		for version, mount := range []string{1: "old", 2: "new"} {
			if mount == "" {
				continue
			}
			v.Mount(mount, version)
			data, listing := mount+"/", mount+"/"
			if version == 2 {
				data, listing = mount+"/data/", mount+"/metadata/"
			}
			for _, name := range []string{"a", "a/b", "a/c/d", "z"} {
				v.Seed(data+name, map[string]any{"k": "v"})
			}
			for folder, want := range map[string][]any{"": {"a", "a/", "z"}, "a": {"b", "c/"}, "a/c/": {"d"}} {
				list, err := client.Logical().ListWithContext(t.Context(), listing+folder)
				require.NoError(t, err)
				require.NotNil(t, list, "%s%s", listing, folder)
				assert.Equal(t, want, list.Data["keys"], "%s%s", listing, folder)
			}
			none, err := client.Logical().ListWithContext(t.Context(), listing+"none")
			require.NoError(t, err)
			assert.Nil(t, none)
		}
	})
}

func TestVaultMountsWithTheClient(t *testing.T) {
	t.Parallel()
	overVault(t, func(t *testing.T, v *scaivaulttest.Vault, client *api.Client) {
		ctx := t.Context()
		sys := client.Sys()
		for path, input := range map[string]*api.MountInput{
			"kv":       {Type: "kv", Options: map[string]string{"version": "2"}},
			"kv-old":   {Type: "kv"},
			"team/kv":  {Type: "kv-v2"},
			"pki":      {Type: "pki"},
			"database": {Type: "database"},
			"transit":  {Type: "transit"},
			"aws":      {Type: "aws"},
		} {
			require.NoError(t, sys.MountWithContext(ctx, path, input), path)
		}
		mounts, err := sys.ListMountsWithContext(ctx)
		require.NoError(t, err)
		types := map[string]string{}
		for path, mount := range mounts {
			types[path] = mount.Type + mount.Options["version"]
		}
		assert.Equal(t, map[string]string{
			"kv/": "kv2", "kv-old/": "kv", "team/kv/": "kv2", "pki/": "pki", "database/": "database", "transit/": "transit", "aws/": "aws",
			"sys/": "system", "identity/": "identity", "cubbyhole/": "cubbyhole",
		}, types)

		where, err := client.Logical().ReadWithContext(ctx, "sys/internal/ui/mounts/team/kv/data/x")
		require.NoError(t, err)
		assert.Equal(t, "team/kv/", where.Data["path"])

		require.NoError(t, sys.UnmountWithContext(ctx, "kv"))
		_, err = client.Logical().ReadWithContext(ctx, "kv/data/x")
		require.NoError(t, err, "the client takes 404 for nothing")
		assert.Equal(t, http.StatusBadRequest, statusOf(t, sys.UnmountWithContext(ctx, "sys")))
		assert.Equal(t, http.StatusBadRequest, statusOf(t, sys.MountWithContext(ctx, "pki/below", &api.MountInput{Type: "kv"})))
	})
}

func TestVaultForgetsWhatWasUnmounted(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t)
	client := vaultClient(t, v)
	v.Mount("kv", 2)
	assert.Equal(t, 1, v.Seed("kv/data/db", map[string]any{"a": 1}))
	require.NoError(t, client.Sys().UnmountWithContext(t.Context(), "kv"))
	v.Mount("kv", 2)
	_, ok := v.Value("kv/data/db")
	assert.False(t, ok)
}

func TestVaultSealAndHealth(t *testing.T) {
	t.Parallel()
	overVault(t, func(t *testing.T, v *scaivaulttest.Vault, client *api.Client) {
		ctx := t.Context()
		v.Mount("kv", 2)
		v.Seed("kv/data/db", map[string]any{"a": "b"})
		health, err := client.Sys().HealthWithContext(ctx)
		require.NoError(t, err)
		assert.False(t, health.Sealed)
		assert.Equal(t, "1.21.4", health.Version)

		v.Seal()
		_, err = client.KVv2("kv").Get(ctx, "db")
		assert.Equal(t, http.StatusServiceUnavailable, statusOf(t, err))
		assert.Contains(t, err.Error(), "Vault is sealed")
		health, err = client.Sys().HealthWithContext(ctx)
		require.NoError(t, err, "the client asks for another status when sealed")
		assert.True(t, health.Sealed)
		status, err := client.Sys().SealStatusWithContext(ctx)
		require.NoError(t, err)
		assert.True(t, status.Sealed)

		v.Unseal()
		secret, err := client.KVv2("kv").Get(ctx, "db")
		require.NoError(t, err)
		assert.Equal(t, "b", secret.Data["a"])

		require.NoError(t, client.Sys().SealWithContext(ctx))
		_, err = client.KVv2("kv").Get(ctx, "db")
		assert.Equal(t, http.StatusServiceUnavailable, statusOf(t, err))
	})
}

func TestVaultRefusesNamesThatItCannotKeep(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t)
	client := vaultClient(t, v)
	v.Mount("kv", 2)
	v.Mount("old", 1)
	data := map[string]any{"data": map[string]any{"a": "b"}}
	for _, tc := range []struct {
		path                 string
		write, read, deleted int
	}{
		{"old/a..b", http.StatusInternalServerError, http.StatusBadRequest, http.StatusBadRequest},
		{"old/a\xff", http.StatusInternalServerError, http.StatusNotFound, http.StatusInternalServerError},
		{"kv/data/a\xff", http.StatusInternalServerError, http.StatusNotFound, http.StatusNoContent},
		{"kv/data/a..b", http.StatusOK, http.StatusOK, http.StatusNoContent},
	} {
		for _, step := range []struct {
			method string
			body   any
			status int
		}{{http.MethodPut, data, tc.write}, {http.MethodGet, nil, tc.read}, {http.MethodDelete, nil, tc.deleted}} {
			req := client.NewRequest(step.method, "/v1/"+tc.path)
			require.NoError(t, req.SetJSONBody(step.body))
			//lint:ignore SA1019 the way to a path that the client would clean
			res, err := client.RawRequestWithContext(t.Context(), req) //nolint:staticcheck // the way to a path that the client would clean
			if err != nil {
				assert.Equal(t, step.status, statusOf(t, err), "%s %q", step.method, tc.path)
				continue
			}
			assert.Equal(t, step.status, res.StatusCode, "%s %q", step.method, tc.path)
			_ = res.Body.Close()
		}
	}
}

func TestVaultNamespacesKeepApart(t *testing.T) {
	t.Parallel()
	overVault(t, func(t *testing.T, v *scaivaulttest.Vault, client *api.Client) {
		ctx := t.Context()
		finance := client.WithNamespace("acme/finance")
		require.NoError(t, finance.Sys().MountWithContext(ctx, "kv", &api.MountInput{Type: "kv-v2"}))
		_, err := finance.KVv2("kv").Put(ctx, "db", map[string]any{"owner": "finance"})
		require.NoError(t, err)
		v.Mount("kv", 2)
		v.Seed("kv/data/db", map[string]any{"owner": "root"})

		for namespace, owner := range map[string]string{"": "root", "root": "root", "acme/finance": "finance", "/acme/finance/": "finance"} {
			secret, err := client.WithNamespace(namespace).KVv2("kv").Get(ctx, "db")
			require.NoError(t, err, namespace)
			assert.Equal(t, owner, secret.Data["owner"], namespace)
		}
		_, err = client.WithNamespace("acme").KVv2("kv").Get(ctx, "db")
		require.ErrorIs(t, err, api.ErrSecretNotFound)

		require.NoError(t, finance.Sys().PutPolicyWithContext(ctx, "reader", `path "kv/data/*" { capabilities = ["read"] }`))
		made, err := finance.Auth().Token().CreateWithContext(ctx, &api.TokenCreateRequest{Policies: []string{"reader"}})
		require.NoError(t, err)
		reader := withToken(t, client, made.Auth.ClientToken)
		_, err = reader.WithNamespace("acme/finance").KVv2("kv").Get(ctx, "db")
		require.NoError(t, err)
		_, err = reader.KVv2("kv").Get(ctx, "db")
		assert.Equal(t, http.StatusForbidden, statusOf(t, err), "a token counts in its namespace and below")
	})
}

func TestVaultTellsWhereASeedCannotGo(t *testing.T) {
	t.Parallel()
	v, err := scaivaulttest.StartVault(nil)
	require.NoError(t, err)
	t.Cleanup(v.Close)
	v.Mount("kv", 2)
	v.Mount("old", 1)
	for _, path := range []string{"", "kv", "kv/db", "kv/data/", "kv/data/x/", "kv/metadata/x", "none/x", "sys/mounts", "old/"} {
		assert.Equal(t, -1, v.Seed(path, map[string]any{"a": 1}), path)
		_, ok := v.Value(path)
		assert.False(t, ok, path)
	}
	assert.Equal(t, -1, v.Seed("old/x", map[string]any{"a": func() {}}), "no JSON")
	assert.Equal(t, 0, v.Seed("old/x", map[string]any{"a": 1}), "KV v1 has no versions")
	assert.Equal(t, 1, v.Seed("/kv/data/x", map[string]any{"a": 1}))
	assert.Equal(t, 2, v.Seed("kv/data/x", map[string]any{"a": 2}))
}

// failingTB takes the place of a test that is to fail.
type failingTB struct {
	scaivaulttest.TB
	failures []string
}

func (tb *failingTB) Fatalf(format string, _ ...any) { tb.failures = append(tb.failures, format) }

func TestVaultFailsTheTestThatMisusesIt(t *testing.T) {
	t.Parallel()
	tb := &failingTB{TB: t}
	v := scaivaulttest.NewVault(tb)
	v.Mount("kv", 2)
	v.Mount("kv", 2)
	v.Mount("/kv/", 2)
	require.Empty(t, tb.failures)
	v.Mount("kv", 1)
	v.Mount("kv", 3)
	v.Mount("sys", 2)
	v.Seed("kv/x", map[string]any{"a": 1})
	assert.Len(t, tb.failures, 4)
}
