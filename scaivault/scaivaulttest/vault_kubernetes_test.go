// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// kubernetesLogin logs in as api/auth/kubernetes does, and gives the client the token.
func kubernetesLogin(t testing.TB, client *api.Client, role, jwt string) error {
	t.Helper()
	secret, err := client.Logical().WriteWithContext(t.Context(), "auth/kubernetes/login", map[string]any{"role": role, "jwt": jwt})
	if err == nil {
		client.SetToken(secret.Auth.ClientToken)
	}
	return err
}

func TestVaultKubernetesRoleReadsWhatItsPoliciesAllow(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t, nil)
	v.Mount("kv", 2)
	v.Seed("kv/data/apps/billing", map[string]any{"password": "p"})
	client := vaultClient(t, v)
	require.NoError(t, client.Sys().PutPolicyWithContext(t.Context(), "reader", guidePolicy))
	v.AddKubernetesRole("billing", "any text", "reader")
	v.AddKubernetesRole("billing", "another pod's", "reader")

	require.NoError(t, kubernetesLogin(t, client, "billing", "any text"))
	_, err := client.KVv2("kv").Get(t.Context(), "apps/billing")
	require.NoError(t, err)
	require.NoError(t, kubernetesLogin(t, client, "billing", "another pod's"))
	assert.Equal(t, http.StatusForbidden, statusOf(t, kubernetesLogin(t, client, "billing", "no token")))
	assert.Equal(t, http.StatusBadRequest, statusOf(t, kubernetesLogin(t, client, "other", "any text")))
}

func TestVaultKubernetesTokensFollowTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := scaivaulttest.NewVault(t, nil)
		client := vaultClient(t, v)
		require.NoError(t, client.Sys().EnableAuthWithOptionsWithContext(t.Context(), "kubernetes", &api.EnableAuthOptions{
			Type: "kubernetes", Config: api.AuthConfigInput{DefaultLeaseTTL: "10m", MaxLeaseTTL: "15m"},
		}))
		claims := fmt.Sprintf(`{"exp":%d,"kubernetes.io":{"namespace":"billing","serviceaccount":{"name":"invoices","uid":"u-1"}}}`,
			time.Now().Add(time.Hour).Unix())
		part := base64.RawURLEncoding.EncodeToString
		jwt := part([]byte(`{"alg":"RS256"}`)) + "." + part([]byte(claims)) + "." + part([]byte("signature"))
		v.AddKubernetesRole("app", jwt)

		require.NoError(t, kubernetesLogin(t, client, "app", jwt))
		self, err := client.Auth().Token().LookupSelfWithContext(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "kubernetes-billing-invoices", self.Data["display_name"])
		time.Sleep(9 * time.Minute)
		renewed, err := client.Auth().Token().RenewSelfWithContext(t.Context(), 0)
		require.NoError(t, err)
		assert.Equal(t, 6*60, renewed.Auth.LeaseDuration, "what the maximum leaves")
		time.Sleep(6 * time.Minute)
		_, err = client.Auth().Token().LookupSelfWithContext(t.Context())
		assert.Equal(t, http.StatusForbidden, statusOf(t, err), "the token has ended")

		time.Sleep(time.Hour)
		assert.Equal(t, http.StatusForbidden, statusOf(t, kubernetesLogin(t, client, "app", jwt)), "the service account's token has ended")
	})
}

func TestVaultRefusesAnEmptyKubernetesRole(t *testing.T) {
	t.Parallel()
	v, err := scaivaulttest.StartVault(nil)
	require.NoError(t, err)
	t.Cleanup(v.Close)
	v.AddKubernetesRole("app", "")
	v.AddKubernetesRole("", "jwt")
	client := vaultClient(t, v)
	assert.Equal(t, http.StatusNotFound, statusOf(t, kubernetesLogin(t, client, "app", "jwt")), "nothing was enabled")
}
