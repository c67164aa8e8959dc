// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestVaultFaults(t *testing.T) {
	t.Parallel()
	overVault(t, func(t *testing.T, v *scaivaulttest.Vault, client *api.Client) {
		ctx := t.Context()
		v.Mount("kv", 2)
		v.Seed("kv/data/db", map[string]any{"a": "b"})
		v.Inject(scaivaulttest.Fault{Path: "/v1/kv/**", Count: 1, Status: http.StatusTooManyRequests, Code: "any", Message: "slow down"})
		_, err := client.KVv2("kv").Get(ctx, "db")
		assert.Equal(t, http.StatusTooManyRequests, statusOf(t, err))
		assert.Contains(t, err.Error(), "slow down", "faults speak Vault's own error envelope")

		v.Inject(scaivaulttest.Fault{Method: http.MethodPut, Count: 1, After: true, Cut: scaivaulttest.CutBeforeAnswer})
		_, err = client.KVv2("kv").Put(ctx, "db", map[string]any{"a": "c"})
		require.Error(t, err)
		value, ok := v.Value("kv/data/db")
		require.True(t, ok)
		assert.JSONEq(t, `{"a":"c"}`, string(value), "it was written, and nobody was told")

		v.SetDown(true)
		_, err = client.KVv2("kv").Get(ctx, "db")
		require.Error(t, err)
		v.SetDown(false)
		secret, err := client.KVv2("kv").Get(ctx, "db")
		require.NoError(t, err)
		assert.Equal(t, "c", secret.Data["a"])
		assert.Equal(t, 1, v.RequestCount(http.MethodPut, "/v1/kv/**"))
	})
}

func TestVaultManyAtOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var log auditLog
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{AuditLog: &log})
	client := vaultClient(t, v)
	v.Mount("kv", 2)
	login := guideRole(t, client, map[string]any{"token_policies": "scaivault-reader"})
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			path := "db" + strconv.Itoa(worker%2)
			reader := withToken(t, client, "")
			if _, err := reader.Auth().Login(ctx, login); !assert.NoError(t, err) {
				return
			}
			for round := range 20 {
				_, err := client.KVv2("kv").Put(ctx, path, map[string]any{"round": round})
				assert.NoError(t, err)
				_, err = reader.KVv2("kv").Get(ctx, path)
				assert.NoError(t, err)
				_, err = reader.Logical().ListWithContext(ctx, "kv/metadata")
				assert.NoError(t, err)
				_, err = reader.Auth().Token().RenewSelfWithContext(ctx, 60)
				assert.NoError(t, err)
				assert.NoError(t, client.Sys().PutPolicyWithContext(ctx, "scaivault-reader", guidePolicy))
				_, err = client.KVv2("kv").GetMetadata(ctx, path)
				assert.NoError(t, err)
				_, err = client.Auth().Token().CreateWithContext(ctx, &api.TokenCreateRequest{Policies: []string{"default"}})
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	metadata, err := client.KVv2("kv").GetMetadata(ctx, "db0")
	require.NoError(t, err)
	assert.Equal(t, 80, metadata.CurrentVersion, "no write was lost")
	for _, line := range readAudit(t, log.String()) {
		assert.Contains(t, []string{"request", "response"}, line.Type)
	}
}
