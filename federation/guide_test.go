// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A house is a ScaiVault with a Vault behind it, both in memory.
type house struct {
	server *scaivaulttest.Server
	vault  *scaivaulttest.Vault
	client *scaivault.Client
	fed    *federation.Client
}

func newHouse(t *testing.T, quirks scaivaulttest.Quirks) *house {
	t.Helper()
	vault := scaivaulttest.NewVault(t)
	vault.Mount("kv", 2)
	server := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{BackendTransport: vault.RoundTripper(), Quirks: quirks})
	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs:       []string{"https://scaivault.example.com"},
		Token:      scaivault.StaticToken(server.IssueToken("user:ops")),
		HTTPClient: &http.Client{Transport: server.RoundTripper()},
		Retry:      scaivault.RetryConfig{MaxRetries: -1},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return &house{server: server, vault: vault, client: client, fed: federation.New(client)}
}

// asRoot calls the Vault's own API.
func (h *house) asRoot(t *testing.T, method, path string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), method, "https://vault.internal:8200/v1/"+path, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("X-Vault-Token", h.vault.RootToken())
	res, err := h.vault.RoundTripper().RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Less(t, res.StatusCode, 300, path)
	if out != nil {
		require.NoError(t, json.NewDecoder(res.Body).Decode(out))
	}
}

// setUpAppRole is step 2 of the migration guide.
func (h *house) setUpAppRole(t *testing.T) (roleID, secretID string) {
	t.Helper()
	h.asRoot(t, http.MethodPost, "sys/auth/approle", map[string]any{"type": "approle"}, nil)
	h.asRoot(t, http.MethodPost, "sys/policies/acl/scaivault-reader", map[string]any{"policy": `
path "kv/data/*"     { capabilities = ["read", "list"] }
path "kv/metadata/*" { capabilities = ["read", "list"] }`}, nil)
	h.asRoot(t, http.MethodPost, "auth/approle/role/scaivault-federation",
		map[string]any{"token_policies": "scaivault-reader", "token_ttl": "1h", "token_max_ttl": "24h"}, nil)
	var role struct {
		Data struct {
			RoleID string `json:"role_id"`
		}
	}
	h.asRoot(t, http.MethodGet, "auth/approle/role/scaivault-federation/role-id", nil, &role)
	var secret struct {
		Data struct {
			SecretID string `json:"secret_id"`
		}
	}
	h.asRoot(t, http.MethodPost, "auth/approle/role/scaivault-federation/secret-id", nil, &secret)
	return role.Data.RoleID, secret.Data.SecretID
}

// federate is steps 2 to 4 of the guide.
func (h *house) federate(t *testing.T) *federation.Backend {
	t.Helper()
	roleID, secretID := h.setUpAppRole(t)
	_, err := h.client.Put(t.Context(), "infra/hashicorp/approle", federation.AppRoleCredentials(roleID, secretID), nil)
	require.NoError(t, err)
	b, err := h.fed.Create(t.Context(), newVaultBackend())
	require.NoError(t, err)
	require.NotEmpty(t, b.ID)
	return b
}

func (h *house) field(t *testing.T, path, name string) string {
	t.Helper()
	secret, err := h.client.Get(t.Context(), path)
	require.NoError(t, err)
	value, ok := secret.Field(name)
	require.True(t, ok)
	return value
}

const federated = "external/hashicorp/apps/billing/db"

func TestTheGuideFromProxyToPromotion(t *testing.T) {
	t.Parallel()
	h := newHouse(t, scaivaulttest.Quirks{})
	ctx := t.Context()
	h.vault.Seed("kv/data/apps/billing/db", map[string]any{"user": "billing", "rev": "1"})

	b := h.federate(t)
	require.NoError(t, h.fed.WaitHealthy(ctx, b.ID))
	assert.Equal(t, "1", h.field(t, federated, "rev"), "step 4: a read goes through to Vault")
	h.vault.Seed("kv/data/apps/billing/db", map[string]any{"user": "billing", "rev": "2"})
	assert.Equal(t, "2", h.field(t, federated, "rev"), "in real time")
	_, err := h.client.Put(ctx, federated, map[string]any{"rev": "x"}, nil)
	require.ErrorIs(t, err, scaivault.ErrPermission, "mode proxy takes no writes")
	_, err = h.fed.Sync(ctx, b.ID)
	require.ErrorIs(t, err, scaivault.ErrInvalid, "and has nothing to sync")

	promoted, err := h.fed.Promote(ctx, b.ID, &federation.PromoteOptions{SyncInterval: 15 * time.Minute})
	require.NoError(t, err)
	assert.Equal(t, federation.ModeSync, promoted.Mode)
	assert.Equal(t, 15*time.Minute, promoted.SyncInterval)
	assert.Equal(t, b.PathMapping, promoted.PathMapping)
	assert.Equal(t, b.Config, promoted.Config)

	_, err = h.client.Put(ctx, federated, map[string]any{"user": "billing", "rev": "3"}, nil)
	require.NoError(t, err)
	h.vault.Seed("kv/data/apps/billing/db", map[string]any{"user": "billing", "rev": "old"})
	result, err := h.fed.Sync(ctx, b.ID)
	require.NoError(t, err)
	assert.Equal(t, federation.State("completed"), result.State)
	assert.Equal(t, "3", h.field(t, federated, "rev"), "step 8: ScaiVault's own value counts")
	st, err := h.fed.Status(ctx, b.ID)
	require.NoError(t, err)
	assert.False(t, st.LastSync.IsZero())

	require.NoError(t, h.fed.Delete(ctx, b.ID))
	require.ErrorIs(t, h.fed.Delete(ctx, b.ID), scaivault.ErrNotFound)
	_, err = h.fed.Get(ctx, b.ID)
	require.ErrorIs(t, err, scaivault.ErrNotFound)
}

func TestSyncAndConflictsEndToEnd(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]scaivaulttest.SyncForm{"at once": scaivaulttest.SyncCompleted, "in the background": scaivaulttest.SyncAccepted} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, scaivaulttest.Quirks{Sync: form})
			ctx := t.Context()
			h.vault.Seed("kv/data/apps/billing/db", map[string]any{"rev": "vault"})
			h.vault.Seed("kv/data/apps/other", map[string]any{"rev": "vault"})
			h.server.Seed(federated, map[string]any{"rev": "local"})
			b := h.federate(t)
			_, err := h.fed.Update(ctx, b.ID, federation.Update{Mode: federation.ModeSync, SyncInterval: time.Hour})
			require.NoError(t, err)

			result, err := h.fed.Sync(ctx, b.ID)
			require.NoError(t, err)
			assert.NotEmpty(t, result.JobID)
			require.Eventually(t, func() bool {
				st, err := h.fed.Status(ctx, b.ID)
				return err == nil && !st.LastSync.IsZero() && st.SecretsSynced == 1
			}, 10*time.Second, 20*time.Millisecond)

			var conflicts []federation.Conflict
			for conflict, err := range h.fed.Conflicts(ctx, b.ID) {
				require.NoError(t, err)
				conflicts = append(conflicts, conflict)
			}
			require.Len(t, conflicts, 1)
			assert.Equal(t, federated, conflicts[0].Path)
			assert.Equal(t, "kv/data/apps/billing/db", conflicts[0].BackendPath)
			assert.False(t, conflicts[0].DetectedAt.IsZero())
			assert.Equal(t, "local", h.field(t, federated, "rev"))
			assert.Equal(t, "vault", h.field(t, "external/hashicorp/apps/other", "rev"))
		})
	}
}

func TestListGetAndUpdateEndToEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t, scaivaulttest.Quirks{})
	ctx := t.Context()
	first := h.federate(t)
	aws := federation.Backend{
		Name: "aws-eu", Mode: federation.ModeProxy, PathMapping: map[string]string{"external/aws/**": "prod/**"},
		Config: &federation.AWSSecretsManager{Region: "eu-central-1", CredentialsPath: "infra/aws"},
	}
	second, err := h.fed.Create(ctx, aws)
	require.NoError(t, err)

	all, err := h.fed.List(ctx)
	require.NoError(t, err)
	assert.Equal(t, []string{first.ID, second.ID}, ids(all))
	assert.Equal(t, aws.Config, all[1].Config)

	changed := *first.Config.(*federation.HashiCorpVault)
	changed.Namespace, changed.SkipTLSVerify = "acme/finance", true
	updated, err := h.fed.Update(ctx, first.ID, federation.Update{Name: "renamed", Config: &changed})
	require.NoError(t, err)
	assert.Equal(t, "renamed", updated.Name)
	assert.Equal(t, &changed, updated.Config)
	got, err := h.fed.Get(ctx, first.ID)
	require.NoError(t, err)
	assert.Equal(t, updated, got)
}

func TestAVaultThatIsDownIsSeen(t *testing.T) {
	t.Parallel()
	h := newHouse(t, scaivaulttest.Quirks{})
	b := h.federate(t)
	h.vault.Seal()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := h.fed.WaitHealthy(ctx, b.ID)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Contains(t, err.Error(), "status unhealthy, connection disconnected")

	h.vault.Unseal()
	require.NoError(t, h.fed.WaitHealthy(t.Context(), b.ID))
}

// TestAWriteWhoseAnswerIsLostIsLookedUp cuts the connection after the service has done
// what it was asked for.
func TestAWriteWhoseAnswerIsLostIsLookedUp(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]scaivaulttest.Fault{
		"cut before the answer": {After: true, Count: 1, Cut: scaivaulttest.CutBeforeAnswer},
		"cut in the answer":     {After: true, Count: 1, Status: 200, Body: `{"id":"fed_`, Cut: scaivaulttest.CutInBody},
		"bad gateway":           {After: true, Count: 1, Status: 502, Body: "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, scaivaulttest.Quirks{})
			ctx := t.Context()
			lose := func(method string) {
				fault := fault
				fault.Method, fault.Path = method, "/v1/federation/**"
				h.server.Inject(fault)
			}
			lose(http.MethodPost)
			b := h.federate(t)
			assert.Equal(t, federation.StateHealthy, b.Status)
			assert.Equal(t, 1, h.server.RequestCount(http.MethodPost, "/v1/federation/**"))

			lose(http.MethodPatch)
			updated, err := h.fed.Update(ctx, b.ID, federation.Update{Name: "renamed"})
			require.NoError(t, err)
			assert.Equal(t, "renamed", updated.Name)
			assert.Equal(t, 1, h.server.RequestCount(http.MethodPatch, "/v1/federation/**"))

			lose(http.MethodDelete)
			require.NoError(t, h.fed.Delete(ctx, b.ID))
			assert.Equal(t, 1, h.server.RequestCount(http.MethodDelete, "/v1/federation/**"))
			all, err := h.fed.List(ctx)
			require.NoError(t, err)
			assert.Empty(t, all)
		})
	}
}

func TestScopesAreTheService(t *testing.T) {
	t.Parallel()
	h := newHouse(t, scaivaulttest.Quirks{})
	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs:       []string{"https://scaivault.example.com"},
		Token:      scaivault.StaticToken(h.server.IssueToken("sa:reader", "federation:read")),
		HTTPClient: &http.Client{Transport: h.server.RoundTripper()},
	})
	require.NoError(t, err)
	defer client.Close()
	fed := federation.New(client)
	_, err = fed.List(t.Context())
	require.NoError(t, err)
	_, err = fed.Create(t.Context(), newVaultBackend())
	require.ErrorIs(t, err, scaivault.ErrPermission)
}
