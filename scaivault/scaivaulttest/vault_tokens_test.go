// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// The policy and the role of the migration guide.
const guidePolicy = `path "kv/data/*"     { capabilities = ["read", "list"] }
path "kv/metadata/*" { capabilities = ["read", "list"] }
`

// guideRole sets AppRole up as the guide does, and returns a login.
func guideRole(t testing.TB, client *api.Client, role map[string]any) *approle.AppRoleAuth {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, client.Sys().EnableAuthWithOptionsWithContext(ctx, "approle", &api.EnableAuthOptions{Type: "approle"}))
	_, err := client.Logical().WriteWithContext(ctx, "auth/approle/role/scaivault-federation", role)
	require.NoError(t, err)
	require.NoError(t, client.Sys().PutPolicyWithContext(ctx, "scaivault-reader", guidePolicy))
	roleID, err := client.Logical().ReadWithContext(ctx, "auth/approle/role/scaivault-federation/role-id")
	require.NoError(t, err)
	secretID, err := client.Logical().WriteWithContext(ctx, "auth/approle/role/scaivault-federation/secret-id", nil)
	require.NoError(t, err)
	login, err := approle.NewAppRoleAuth(roleID.Data["role_id"].(string), &approle.SecretID{FromString: secretID.Data["secret_id"].(string)})
	require.NoError(t, err)
	return login
}

func TestVaultAppRoleOfTheGuide(t *testing.T) {
	t.Parallel()
	overVault(t, func(t *testing.T, v *scaivaulttest.Vault, client *api.Client) {
		ctx := t.Context()
		v.Mount("kv", 2)
		v.Mount("other", 2)
		v.Seed("kv/data/apps/billing/db", map[string]any{"password": "p"})
		login := guideRole(t, client, map[string]any{"token_policies": "scaivault-reader", "token_ttl": "1h", "token_max_ttl": "24h"})

		reader := withToken(t, client, "")
		auth, err := reader.Auth().Login(ctx, login)
		require.NoError(t, err)
		assert.Equal(t, []string{"default", "scaivault-reader"}, auth.Auth.Policies)
		assert.Equal(t, 3600, auth.Auth.LeaseDuration)
		assert.Equal(t, "scaivault-federation", auth.Auth.Metadata["role_name"])

		secret, err := reader.KVv2("kv").Get(ctx, "apps/billing/db")
		require.NoError(t, err)
		assert.Equal(t, "p", secret.Data["password"])
		list, err := reader.Logical().ListWithContext(ctx, "kv/metadata/apps")
		require.NoError(t, err)
		assert.Equal(t, []any{"billing/"}, list.Data["keys"])
		_, err = reader.KVv2("kv").Put(ctx, "apps/billing/db", map[string]any{"password": "q"})
		assert.Equal(t, http.StatusForbidden, statusOf(t, err))
		_, err = reader.KVv2("other").Get(ctx, "x")
		assert.Equal(t, http.StatusForbidden, statusOf(t, err))
		_, err = reader.Logical().ReadWithContext(ctx, "nothing/here")
		assert.Equal(t, http.StatusForbidden, statusOf(t, err), "who may do nothing is not told what there is")

		self, err := reader.Auth().Token().LookupSelfWithContext(ctx)
		require.NoError(t, err)
		assert.Equal(t, "approle", self.Data["display_name"])
		require.NoError(t, reader.Auth().Token().RevokeSelfWithContext(ctx, ""))
		_, err = reader.KVv2("kv").Get(ctx, "apps/billing/db")
		assert.Equal(t, http.StatusForbidden, statusOf(t, err))
	})
}

func TestVaultTokensExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		v := scaivaulttest.NewVault(t)
		client := vaultClient(t, v)
		v.Mount("kv", 2)
		v.Seed("kv/data/db", map[string]any{"a": "b"})
		login := guideRole(t, client, map[string]any{"token_policies": "scaivault-reader", "token_ttl": "1h", "token_max_ttl": "2h"})
		reader := withToken(t, client, "")
		_, err := reader.Auth().Login(ctx, login)
		require.NoError(t, err)

		time.Sleep(59 * time.Minute)
		_, err = reader.KVv2("kv").Get(ctx, "db")
		require.NoError(t, err)
		renewed, err := reader.Auth().Token().RenewSelfWithContext(ctx, 0)
		require.NoError(t, err)
		assert.Equal(t, 3600, renewed.Auth.LeaseDuration)

		time.Sleep(59 * time.Minute)
		renewed, err = reader.Auth().Token().RenewSelfWithContext(ctx, 0)
		require.NoError(t, err)
		assert.Equal(t, 120, renewed.Auth.LeaseDuration, "no further than the role's longest time")
		assert.NotEmpty(t, renewed.Warnings)

		time.Sleep(2 * time.Minute)
		_, err = reader.KVv2("kv").Get(ctx, "db")
		assert.Equal(t, http.StatusForbidden, statusOf(t, err))
		assert.Contains(t, err.Error(), "invalid token")

		time.Sleep(365 * 24 * time.Hour)
		_, err = client.KVv2("kv").Get(ctx, "db")
		require.NoError(t, err, "the root token stays")
	})
}

func TestVaultDeletesVersionsAfterTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		v := scaivaulttest.NewVault(t)
		client := vaultClient(t, v)
		v.Mount("kv", 2)
		_, err := client.Logical().WriteWithContext(ctx, "kv/config", map[string]any{"delete_version_after": "10m"})
		require.NoError(t, err)
		v.Seed("kv/data/db", map[string]any{"a": "b"})
		time.Sleep(10*time.Minute - time.Second)
		_, ok := v.Value("kv/data/db")
		assert.True(t, ok)
		time.Sleep(time.Second)
		_, ok = v.Value("kv/data/db")
		assert.False(t, ok)

		v.Seed("kv/data/db", map[string]any{"a": "c"})
		require.NoError(t, client.KVv2("kv").Delete(ctx, "db"))
		_, ok = v.Value("kv/data/db")
		assert.False(t, ok, "a deletion counts at once, also where the clock stands")
	})
}

func TestVaultSecretIDs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		client := vaultClient(t, scaivaulttest.NewVault(t))
		login := guideRole(t, client, map[string]any{"secret_id_num_uses": 2, "secret_id_ttl": "10m"})
		for range 2 {
			_, err := withToken(t, client, "").Auth().Login(ctx, login)
			require.NoError(t, err)
		}
		_, err := withToken(t, client, "").Auth().Login(ctx, login)
		assert.Equal(t, http.StatusBadRequest, statusOf(t, err), "it had two uses")

		made, err := client.Logical().WriteWithContext(ctx, "auth/approle/role/scaivault-federation/secret-id", nil)
		require.NoError(t, err)
		roleID, err := client.Logical().ReadWithContext(ctx, "auth/approle/role/scaivault-federation/role-id")
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		_, err = client.Logical().WriteWithContext(ctx, "auth/approle/login", map[string]any{
			"role_id": roleID.Data["role_id"], "secret_id": made.Data["secret_id"],
		})
		assert.Equal(t, http.StatusBadRequest, statusOf(t, err), "it lived ten minutes")
	})
}

func TestVaultSecretIDsEndWithTheLongestLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		const path, longest = "auth/approle/role/scaivault-federation/secret-id", 768 * time.Hour
		client := vaultClient(t, scaivaulttest.NewVault(t))
		guideRole(t, client, map[string]any{"secret_id_ttl": "900h"})
		made, err := client.Logical().WriteWithContext(ctx, path, nil)
		require.NoError(t, err)
		assert.Equal(t, json.Number("2764800"), made.Data["secret_id_ttl"])
		told, err := client.Logical().WriteWithContext(ctx, path+"/lookup", map[string]any{"secret_id": made.Data["secret_id"]})
		require.NoError(t, err)
		assert.Equal(t, json.Number("3240000"), told.Data["secret_id_ttl"], "as it was asked for, like the real one")
		expires, err := time.Parse(time.RFC3339, told.Data["expiration_time"].(string))
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now().Add(longest), expires, 0)
		time.Sleep(longest)
		told, err = client.Logical().WriteWithContext(ctx, path+"/lookup", map[string]any{"secret_id": made.Data["secret_id"]})
		require.NoError(t, err)
		assert.Nil(t, told, "it has expired")
	})
}

func TestVaultTokensEndWithTheirParents(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	client := vaultClient(t, scaivaulttest.NewVault(t))
	require.NoError(t, client.Sys().PutPolicyWithContext(ctx, "maker", `path "auth/token/create*" { capabilities = ["update", "sudo"] }`))
	parent, err := client.Auth().Token().CreateWithContext(ctx, &api.TokenCreateRequest{Policies: []string{"maker"}})
	require.NoError(t, err)
	maker := withToken(t, client, parent.Auth.ClientToken)
	child, err := maker.Auth().Token().CreateWithContext(ctx, &api.TokenCreateRequest{DisplayName: "billing"})
	require.NoError(t, err)
	orphan, err := maker.Auth().Token().CreateOrphanWithContext(ctx, &api.TokenCreateRequest{})
	require.NoError(t, err)

	require.NoError(t, client.Auth().Token().RevokeTreeWithContext(ctx, parent.Auth.ClientToken))
	for name, tc := range map[string]struct {
		token string
		lives bool
	}{"parent": {parent.Auth.ClientToken, false}, "child": {child.Auth.ClientToken, false}, "orphan": {orphan.Auth.ClientToken, true}} {
		_, err := withToken(t, client, tc.token).Auth().Token().LookupSelfWithContext(ctx)
		assert.Equal(t, tc.lives, err == nil, name)
	}
}

func TestVaultTokenWithOneUseServesOneOfManyCallers(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t)
	client := vaultClient(t, v)
	v.Mount("kv", 2)
	v.Seed("kv/data/db", map[string]any{"a": "b"})
	require.NoError(t, client.Sys().PutPolicyWithContext(t.Context(), "reader", guidePolicy))
	made, err := client.Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: []string{"reader"}, NumUses: 1})
	require.NoError(t, err)
	reader := withToken(t, client, made.Auth.ClientToken)
	var served atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := reader.KVv2("kv").Get(t.Context(), "db"); err == nil {
				served.Add(1)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 1, served.Load())
}

func TestVaultForgetsExpiredTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := vaultClient(t, scaivaulttest.NewVault(t))
		var last string
		for range 3000 {
			made, err := client.Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: []string{"default"}, TTL: "1s"})
			require.NoError(t, err)
			last = made.Auth.ClientToken
			time.Sleep(time.Millisecond)
		}
		_, err := withToken(t, client, last).Auth().Token().LookupSelfWithContext(t.Context())
		require.NoError(t, err)
		time.Sleep(time.Second)
		_, err = withToken(t, client, last).Auth().Token().LookupSelfWithContext(t.Context())
		assert.Equal(t, http.StatusForbidden, statusOf(t, err))
	})
}

func TestVaultLocksARoleAfterFiveWrongSecretIDs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := scaivaulttest.NewVault(t, nil)
		client := vaultClient(t, v)
		good := guideRole(t, client, map[string]any{"token_policies": "scaivault-reader"})
		role, err := client.Logical().ReadWithContext(t.Context(), "auth/approle/role/scaivault-federation/role-id")
		require.NoError(t, err)
		wrong, err := approle.NewAppRoleAuth(role.Data["role_id"].(string), &approle.SecretID{FromString: "wrong"})
		require.NoError(t, err)

		login := func(with api.AuthMethod) error {
			_, err := client.Auth().Login(t.Context(), with)
			client.SetToken(v.RootToken())
			return err
		}
		for range 5 {
			assert.Equal(t, http.StatusBadRequest, statusOf(t, login(wrong)))
		}
		assert.Equal(t, http.StatusForbidden, statusOf(t, login(good)), "the right one is locked out too")
		time.Sleep(15 * time.Minute)
		require.NoError(t, login(good))
		assert.Equal(t, http.StatusBadRequest, statusOf(t, login(wrong)), "counted from the start again")
	})
}

func TestVaultTokenIsUsedUpByItsLastUse(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t, nil)
	client := vaultClient(t, v)
	limited := func() *api.Client {
		secret, err := client.Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{NumUses: 1, TTL: "1h"})
		require.NoError(t, err)
		return withToken(t, client, secret.Auth.ClientToken)
	}
	last := limited()
	self, err := last.Auth().Token().LookupSelfWithContext(t.Context())
	require.NoError(t, err)
	assert.Equal(t, json.Number("-1"), self.Data["num_uses"])
	_, err = last.Auth().Token().LookupSelfWithContext(t.Context())
	assert.Equal(t, http.StatusForbidden, statusOf(t, err))

	_, err = limited().Auth().Token().RenewSelfWithContext(t.Context(), 60)
	assert.ErrorContains(t, err, "token not found")
	_, err = limited().Auth().Token().CreateWithContext(t.Context(), nil)
	assert.ErrorContains(t, err, "no parent found")
}

func TestVaultWarnsOfWhatARoleCannotHave(t *testing.T) {
	t.Parallel()
	client := vaultClient(t, scaivaulttest.NewVault(t, nil))
	guideRole(t, client, nil)
	const role = "auth/approle/role/Other"
	answer, err := client.Logical().WriteWithContext(t.Context(), role, map[string]any{"token_max_ttl": "900h", "secret_id_ttl": "900h"})
	require.NoError(t, err)
	assert.Len(t, answer.Warnings, 1)
	_, err = client.Logical().WriteWithContext(t.Context(), role, map[string]any{"period": "900h"})
	assert.ErrorContains(t, err, "maximum lease TTL")
	secretID, err := client.Logical().WriteWithContext(t.Context(), role+"/secret-id", nil)
	require.NoError(t, err)
	assert.Equal(t, json.Number("2764800"), secretID.Data["secret_id_ttl"], "no longer than the mount allows")
	_, err = client.Logical().WriteWithContext(t.Context(), "auth/approle/role/NoSuch/secret-id", nil)
	assert.ErrorContains(t, err, `role "NoSuch" does not exist`)
	revoked, err := client.Logical().WriteWithContext(t.Context(), "auth/token/revoke-accessor", map[string]any{"accessor": "nosuch"})
	require.NoError(t, err)
	assert.Equal(t, []string{"No token found with this accessor"}, revoked.Warnings)
}

// TestVaultBatchTokensKeepNoNumberOfUses: Vault tells the number when it makes the
// token, does not keep it, and does not count.
func TestVaultBatchTokensKeepNoNumberOfUses(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t)
	root := vaultClient(t, v)
	made, err := root.Logical().Write("auth/token/create", map[string]any{
		"type": "batch", "num_uses": 2, "explicit_max_ttl": "0", "policies": []string{"default"},
	})
	require.NoError(t, err)
	for range 5 { // more often than it says
		_, err := withToken(t, root, made.Auth.ClientToken).Auth().Token().LookupSelf()
		require.NoError(t, err)
		found, err := root.Logical().Write("auth/token/lookup", map[string]any{"token": made.Auth.ClientToken})
		require.NoError(t, err)
		require.Equal(t, json.Number("0"), found.Data["num_uses"])
	}
}
