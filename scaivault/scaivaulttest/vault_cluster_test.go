// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"net/http"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// healthOf is the status that a node's health is told by.
func healthOf(t testing.TB, v *scaivaulttest.Vault, query string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://vault.test/v1/sys/health"+query, nil)
	require.NoError(t, err)
	resp, err := v.RoundTripper().RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestVaultStandbyPassesRequestsOn(t *testing.T) {
	t.Parallel()
	active := scaivaulttest.NewVault(t, nil)
	standby := active.AddStandby()
	active.Mount("kv", 2)
	_, err := vaultClient(t, standby).KVv2("kv").Put(t.Context(), "a", map[string]any{"v": "1"})
	require.NoError(t, err)
	_, ok := active.Value("kv/data/a")
	assert.True(t, ok)
	assert.True(t, active.IsActive())
	assert.False(t, standby.IsActive())

	assert.Equal(t, http.StatusOK, healthOf(t, active, ""))
	assert.Equal(t, http.StatusTooManyRequests, healthOf(t, standby, ""))
	assert.Equal(t, http.StatusOK, healthOf(t, standby, "?standbyok=true"))
	assert.Equal(t, 299, healthOf(t, standby, "?standbycode=299"))
	_, err = vaultClient(t, standby).Logical().WriteWithContext(t.Context(), "sys/seal", nil)
	assert.Equal(t, http.StatusInternalServerError, statusOf(t, err), "a standby cannot be sealed from outside")
}

func TestVaultStandbyTakesOver(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, active *scaivaulttest.Vault)
		health int // of the node that was active; 0: it does not answer
	}{
		{"step down", func(_ *testing.T, v *scaivaulttest.Vault) { v.StepDown() }, http.StatusTooManyRequests},
		{"step down by request", func(t *testing.T, v *scaivaulttest.Vault) {
			_, err := vaultClient(t, v).Logical().WriteWithContext(t.Context(), "sys/step-down", nil)
			require.NoError(t, err)
		}, http.StatusTooManyRequests},
		{"sealed", func(t *testing.T, v *scaivaulttest.Vault) {
			require.NoError(t, vaultClient(t, v).Sys().SealWithContext(t.Context()))
		}, http.StatusServiceUnavailable},
		{"down", func(_ *testing.T, v *scaivaulttest.Vault) { v.SetDown(true) }, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			first := scaivaulttest.NewVault(t, nil)
			second := first.AddStandby()
			first.Mount("kv", 2)
			first.Seed("kv/data/a", map[string]any{"v": "1"})
			tc.change(t, first)

			assert.True(t, second.IsActive())
			secret, err := vaultClient(t, second).KVv2("kv").Get(t.Context(), "a")
			require.NoError(t, err)
			assert.Equal(t, "1", secret.Data["v"])
			if tc.health != 0 {
				assert.Equal(t, tc.health, healthOf(t, first, ""))
			}
			first.SetDown(false)
			first.Unseal()
			assert.True(t, second.IsActive(), "it stays the active one")
			second.Seal()
			assert.True(t, first.IsActive())
		})
	}
}

func TestVaultStandbyRedirectsWhereNobodyMayForward(t *testing.T) {
	t.Parallel()
	active := scaivaulttest.NewVault(t, nil)
	standby := active.AddStandby()
	active.Mount("kv", 2)
	active.Seed("kv/data/a", map[string]any{"v": "1"})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := apiClient(t, standby.URL(), transport, active.RootToken())
	client.AddHeader("X-Vault-No-Request-Forwarding", "true")
	_, err := client.KVv2("kv").Get(t.Context(), "a")
	assert.Equal(t, http.StatusServiceUnavailable, statusOf(t, err), "the active node has no address yet")

	address := active.URL()
	client.SetCheckRedirect(func(req *http.Request, _ []*http.Request) error {
		assert.Equal(t, address+"/v1/kv/data/a", req.URL.String())
		return nil
	})
	_, err = client.KVv2("kv").Get(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, 1, active.RequestCount(http.MethodGet, "/v1/kv/data/a"))

	leader, err := client.Sys().LeaderWithContext(t.Context())
	require.NoError(t, err)
	assert.True(t, leader.HAEnabled)
	assert.False(t, leader.IsSelf)
	assert.Equal(t, address, leader.LeaderAddress)
}

func TestVaultClusterWithoutAnActiveNode(t *testing.T) {
	t.Parallel()
	first := scaivaulttest.NewVault(t, nil)
	second := first.AddStandby()
	third := first.AddStandby()
	first.Seal()
	second.Seal()
	assert.True(t, third.IsActive())
	third.StepDown()
	assert.True(t, third.IsActive(), "nobody else is up")
	third.Seal()
	_, err := vaultClient(t, third).Logical().ReadWithContext(t.Context(), "sys/mounts")
	var refused *api.ResponseError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, []string{"Vault is sealed"}, refused.Errors)
}

func TestVaultIgnoresNamespacesWhenToldTo(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{IgnoreNamespaces: true})
	v.Mount("kv", 2)
	v.Seed("kv/data/a", map[string]any{"v": "1"})
	client := vaultClient(t, v)
	client.SetNamespace("acme/finance")
	_, err := client.KVv2("kv").Get(t.Context(), "a")
	require.NoError(t, err)
	_, err = client.Logical().WriteWithContext(t.Context(), "sys/namespaces", nil)
	assert.ErrorContains(t, err, "enterprise-only feature")
}
