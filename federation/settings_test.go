// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestFederationUnderEverySetting goes through the life of a backend whatever the
// service answers where its documents are silent.
func TestFederationUnderEverySetting(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]scaivaulttest.Quirks{
		"the natural answers":           {},
		"backends under data":           {BackendsKey: scaivaulttest.BackendsKeyData},
		"conflicts under data":          {ConflictsKey: scaivaulttest.ConflictsKeyData},
		"federated write is 400":        {FederatedWrite: scaivaulttest.FederatedWrite400},
		"federated write is 405":        {FederatedWrite: scaivaulttest.FederatedWrite405},
		"federated write is 409":        {FederatedWrite: scaivaulttest.FederatedWrite409},
		"a backend's failure is 502":    {BackendFailure: scaivaulttest.BackendFailure502},
		"a backend's failure is 504":    {BackendFailure: scaivaulttest.BackendFailure504},
		"a backend's failure is 424":    {BackendFailure: scaivaulttest.BackendFailure424},
		"proxied data are wrapped":      {ProxiedData: scaivaulttest.ProxiedDataWrapped},
		"synced paths are not written":  {SyncedWrites: scaivaulttest.SyncedWritesRefused},
		"syncs are accepted":            {Sync: scaivaulttest.SyncAccepted},
		"deletions follow":              {SyncedDeletions: scaivaulttest.SyncedDeletionsFollow},
		"copies end with their backend": {BackendDelete: scaivaulttest.BackendDeleteRemovesCopies},
		"fields are a map":              {FieldsForm: scaivaulttest.FieldsFormMap},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, q)
			ctx := t.Context()
			h.vault.Seed("kv/data/apps/billing/db", map[string]any{"rev": "vault"})
			h.server.Seed("external/hashicorp/apps/other", map[string]any{"rev": "local"})
			h.vault.Seed("kv/data/apps/other", map[string]any{"rev": "vault"})
			b := h.federate(t)
			require.NoError(t, h.fed.WaitHealthy(ctx, b.ID))
			all, err := h.fed.List(ctx)
			require.NoError(t, err)
			assert.Equal(t, []string{b.ID}, ids(all))
			h.readThroughAnOutage(t)

			_, err = h.fed.Update(ctx, b.ID, federation.Update{Mode: federation.ModeSync, SyncInterval: time.Hour})
			require.NoError(t, err)
			assert.Equal(t, "vault", h.field(t, federated, "rev"))
			_, err = h.fed.Sync(ctx, b.ID)
			require.NoError(t, err)
			require.Eventually(t, func() bool {
				paths := map[string]bool{}
				for conflict, err := range h.fed.Conflicts(ctx, b.ID) {
					require.NoError(t, err)
					paths[conflict.Path] = true
				}
				return len(paths) == 1 && paths["external/hashicorp/apps/other"]
			}, 10*time.Second, 5*time.Millisecond)
			require.NoError(t, h.fed.Delete(ctx, b.ID))
			assert.Equal(t, "local", h.field(t, "external/hashicorp/apps/other", "rev"), "never a copy")
		})
	}
}

// readThroughAnOutage reads and writes a proxied path, with and without its Vault.
func (h *house) readThroughAnOutage(t *testing.T) {
	t.Helper()
	_, err := h.client.Get(t.Context(), federated)
	require.NoError(t, err)
	_, err = h.client.Put(t.Context(), federated, map[string]any{"rev": "new"}, nil)
	require.Error(t, err)
	require.NotErrorIs(t, err, scaivault.ErrUnavailable, "a refusal is a no")
	require.NotErrorIs(t, err, scaivault.ErrUncertain)
	h.vault.Seal()
	_, err = h.client.Get(t.Context(), federated)
	require.ErrorIs(t, err, scaivault.ErrUnavailable, "that a backend is down is no word on the secret")
	_, err = h.client.GetBatch(t.Context(), []string{federated})
	require.ErrorIs(t, err, scaivault.ErrUnavailable)
	h.vault.Unseal()
}
