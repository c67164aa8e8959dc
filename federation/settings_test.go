// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// settings are different answers to what the service's documents leave open.
var settings = map[string]scaivaulttest.Quirks{
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
	"syncs are joined":              {SyncAgain: scaivaulttest.SyncAgainJoined},
	"syncs are queued":              {SyncAgain: scaivaulttest.SyncAgainQueued},
	"deletions follow":              {SyncedDeletions: scaivaulttest.SyncedDeletionsFollow},
	"copies end with their backend": {BackendDelete: scaivaulttest.BackendDeleteRemovesCopies},
	"backends are active":           {BackendWords: scaivaulttest.BackendWordsActive},
	"backends are ok":               {BackendWords: scaivaulttest.BackendWordsOK},
	"backends are UP":               {BackendWords: scaivaulttest.BackendWordsUp},
	"backends are connected":        {BackendWords: scaivaulttest.BackendWordsConnected},
	"listings leave copies out":     {ListFederated: scaivaulttest.ListFederatedLeftOut},
	"listings show what is proxied": {ListFederated: scaivaulttest.ListFederatedShown},
	"folders are listed":            {ListDepth: scaivaulttest.ListDepthOne},
	"items are minimal":             {ListItem: scaivaulttest.ListItemMinimal},
	"metadata are below secret":     {MetadataForm: scaivaulttest.MetadataSecret},
	"no sub-resources":              {Subresources: scaivaulttest.SubresourcesAbsent},
	"unknown routes are plain":      {UnknownRoute: scaivaulttest.UnknownRoutePlain},
	"batches answer 207":            {Batch: scaivaulttest.Batch207},
	"fields are a map":              {FieldsForm: scaivaulttest.FieldsFormMap},
}

// atRandom puts about half of the settings together. Of two that are answers to one
// question the last counts.
func atRandom() (all scaivaulttest.Quirks) {
	to := reflect.ValueOf(&all).Elem()
	names := slices.Sorted(maps.Keys(settings))
	for _, place := range rand.Perm(len(names)) {
		if rand.IntN(2) == 0 {
			continue
		}
		from := reflect.ValueOf(settings[names[place]])
		for i := range from.NumField() {
			if field := from.Field(i); !field.IsZero() {
				to.Field(i).Set(field)
			}
		}
	}
	return all
}

// TestFederationUnderEverySetting goes through the life of a backend whatever the
// service answers where its documents are silent: each answer alone, and some at random.
func TestFederationUnderEverySetting(t *testing.T) {
	t.Parallel()
	all := maps.Clone(settings)
	all["the natural answers"] = scaivaulttest.Quirks{}
	for n := range 36 {
		q := atRandom()
		all[fmt.Sprintf("at random %d: %+v", n, q)] = q
	}
	for name, q := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newHouse(t, q).live(t, q) })
		})
	}
}

// live goes through the life of a backend.
func (h *house) live(t *testing.T, q scaivaulttest.Quirks) {
	t.Helper()
	const other = "external/hashicorp/apps/other"
	ctx := t.Context()
	h.vault.Seed("kv/data/apps/billing/db", map[string]any{"rev": "vault"})
	h.server.Seed(other, map[string]any{"rev": "local"})
	h.vault.Seed("kv/data/apps/other", map[string]any{"rev": "vault"})
	b := h.federate(t)
	require.NoError(t, h.fed.WaitHealthy(ctx, b.ID))
	all, err := h.fed.List(ctx)
	require.NoError(t, err)
	assert.Equal(t, []string{b.ID}, ids(all))
	h.readThroughAnOutage(t, b.ID)
	assert.Equal(t, q.ListFederated == scaivaulttest.ListFederatedShown, slices.Contains(h.listed(t), federated))

	_, err = h.fed.Update(ctx, b.ID, federation.Update{Mode: federation.ModeSync, SyncInterval: time.Hour})
	require.NoError(t, err)
	assert.Equal(t, "vault", h.field(t, federated, "rev"))
	assert.Equal(t, q.ListFederated != scaivaulttest.ListFederatedLeftOut, slices.Contains(h.listed(t), federated))
	h.syncTwice(t, b.ID, q)
	paths := []string{}
	for conflict, err := range h.fed.Conflicts(ctx, b.ID) {
		require.NoError(t, err)
		paths = append(paths, conflict.Path)
	}
	assert.Equal(t, []string{other}, paths)
	require.NoError(t, h.fed.Delete(ctx, b.ID))
	assert.Equal(t, "local", h.field(t, other, "rev"), "never a copy")
}

// syncTwice asks for a sync while one runs, which waits for the Vault.
func (h *house) syncTwice(t *testing.T, id string, q scaivaulttest.Quirks) {
	t.Helper()
	h.vault.Inject(scaivaulttest.Fault{Count: 1, Delay: 5 * time.Second})
	first := make(chan error, 1)
	go func() {
		_, err := h.fed.Sync(t.Context(), id)
		first <- err
	}()
	synctest.Wait()
	_, err := h.fed.Sync(t.Context(), id)
	if q.SyncAgain == scaivaulttest.SyncAgainRefused {
		require.ErrorIs(t, err, scaivault.ErrConflict)
	} else {
		require.NoError(t, err)
	}
	require.NoError(t, <-first)
	time.Sleep(time.Minute) // until all syncs have ended
}

// listed are the paths that the service lists at or below the mapped ones.
func (h *house) listed(t *testing.T) (paths []string) {
	t.Helper()
	for entry, err := range h.client.List(t.Context(), "external/hashicorp", nil) {
		require.NoError(t, err)
		paths = append(paths, entry.Path)
	}
	return paths
}

// readThroughAnOutage reads and writes a proxied path, with and without its Vault.
func (h *house) readThroughAnOutage(t *testing.T, id string) {
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
	said, err := h.fed.Status(t.Context(), id)
	require.NoError(t, err)
	require.False(t, said.Healthy(), said)
	h.vault.Unseal()
	require.NoError(t, h.fed.WaitHealthy(t.Context(), id))
}
