// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestCopyTellsWhatWasDeletedInTheSourceSince(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	m := mustMapping(t,
		scaivault.Rule{Vault: "kv/data/apps/named", ScaiVault: "named"},
		scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	for _, name := range []string{"kept", "deleted", "changed", "named", "foreign"} {
		e.vault.Seed("kv/data/apps/"+name, map[string]any{"v": 1})
	}
	e.scai.Seed("environments/production/foreign", map[string]any{"v": 1})
	ctx := t.Context()
	report, err := migrate.Copy(ctx, e.source, e.client, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	for _, name := range []string{"deleted", "changed", "foreign"} {
		require.NoError(t, e.source.Delete(ctx, "kv/data/apps/"+name))
	}
	e.vaultDo(t, http.MethodDelete, "kv/metadata/apps/named", "")
	now, err := e.client.Get(ctx, "environments/production/changed")
	require.NoError(t, err)
	_, err = e.client.Put(ctx, "environments/production/changed", map[string]any{"v": 2}, &scaivault.PutOptions{Metadata: now.Info().Metadata})
	require.NoError(t, err)

	report, err = migrate.Copy(ctx, e.source, e.client, m, nil)
	require.NoError(t, err)
	require.Error(t, report.Err(), "somebody has to decide")
	assert.Equal(t, map[migrate.Outcome]int{migrate.DeletedInSource: 3, migrate.Unchanged: 1, migrate.Skipped: 1}, report.Counts)
	require.Len(t, report.Problems, 4)
	assert.Equal(t, "kv/data/apps/changed", report.Problems[0].From)
	assert.Contains(t, report.Problems[0].Reason, "somebody has changed")
	assert.Equal(t, 1, report.Problems[1].FromVersion)
	assert.Equal(t, 1, report.Problems[1].ToVersion)
	for _, path := range []string{"environments/production/deleted", "named"} {
		_, ok := e.scai.Value(path)
		assert.True(t, ok, "%s is kept", path)
	}
}

func TestCopyFindsWhatIsNoLongerListed(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	m := mustMapping(t,
		scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"},
		scaivault.Rule{Vault: "secret/**", ScaiVault: "legacy/**"})
	for _, path := range []string{"kv/data/apps/kept", "kv/data/apps/gone", "kv/data/apps/listed", "secret/kept", "secret/gone"} {
		e.vault.Seed(path, map[string]any{"v": 1})
	}
	e.scai.Seed("environments/production/foreign", map[string]any{"v": 1})
	ctx := t.Context()
	_, err := migrate.Copy(ctx, e.source, e.client, m, nil)
	require.NoError(t, err)
	e.vaultDo(t, http.MethodDelete, "kv/metadata/apps/gone", "")
	require.NoError(t, e.source.Delete(ctx, "secret/gone"))
	require.NoError(t, e.source.Delete(ctx, "kv/data/apps/listed"))

	report, err := migrate.Copy(ctx, e.source, e.client, m, nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.DeletedInSource: 1, migrate.Unchanged: 2}, report.Counts, report.String())
	assert.True(t, report.DeletedNotSought, "two are kept, and that is said")
	assert.Contains(t, report.String(), "copies of secrets that vault no longer lists, which are kept; FindDeleted finds them")

	report, err = migrate.Copy(ctx, e.source, e.client, m, &migrate.CopyOptions{FindDeleted: true})
	require.NoError(t, err)
	assert.False(t, report.DeletedNotSought)
	assert.NotContains(t, report.String(), "no longer lists")
	assert.Equal(t, map[migrate.Outcome]int{migrate.DeletedInSource: 3, migrate.Unchanged: 2}, report.Counts, report.String())
	for i, path := range []string{"kv/data/apps/gone", "kv/data/apps/listed", "secret/gone"} {
		assert.Equal(t, path, report.Problems[i].From)
	}
	report, err = migrate.Copy(ctx, e.source, e.client, m, &migrate.CopyOptions{FindDeleted: true, Prefixes: []string{"secret"}})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.DeletedInSource: 1, migrate.Unchanged: 1}, report.Counts, report.String())

	exact := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/kept", ScaiVault: "environments/production/kept"})
	report, err = migrate.Copy(ctx, e.source, e.client, exact, nil)
	require.NoError(t, err)
	assert.False(t, report.DeletedNotSought, "what a rule names is met, listed or not")

	_, err = migrate.Copy(ctx, newVaultSide(), onlyTo{newScaiVaultSide()}, billing(t), &migrate.CopyOptions{FindDeleted: true})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Contains(t, err.Error(), "can't be listed")
}

// onlyTo can't be listed.
type onlyTo struct{ migrate.To }

func TestCopyFindsASecretThatWasRemovedAndMadeAnew(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	e.vault.Seed(dbInVault, map[string]any{"v": "old"})
	_, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	e.vaultDo(t, http.MethodDelete, "kv/metadata/apps/db", "")
	e.vault.Seed(dbInVault, map[string]any{"v": "new"}) // version 1 once more

	report, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Updated: 1}, report.Counts)
	raw, _ := e.scai.Value(dbInScai)
	assert.JSONEq(t, `{"v":"new"}`, string(raw))
}

func TestCopyGoesByTheValueWhereMetadataIsDenied(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	e.vault.Seed(dbInVault, map[string]any{"v": 1})
	_, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	e.vault.Inject(scaivaulttest.Fault{Path: "/v1/kv/metadata/apps/db", Status: http.StatusForbidden, Body: `{"errors":["permission denied"]}`, ContentType: "application/json"})
	report, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Unchanged: 1}, report.Counts)
}

func TestCopyReadsAllWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	e.vault.Seed(dbInVault, map[string]any{"v": 1})
	_, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	got := e.counted(func() {
		report, err := migrate.Copy(t.Context(), e.source, e.client, m, &migrate.CopyOptions{ReadAll: true})
		require.NoError(t, err)
		assert.Equal(t, map[migrate.Outcome]int{migrate.Unchanged: 1}, report.Counts)
	})
	assert.Equal(t, map[string]int{"listing": 1, "value read": 1, "batch": 1}, got)
}

func TestCopyCarriesMetadataThatChangedAloneWhereAllIsRead(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	e.vault.Seed(dbInVault, map[string]any{"v": 1})
	e.vaultDo(t, http.MethodPost, "kv/metadata/apps/db", `{"custom_metadata":{"team":"billing"}}`)
	run := func(opts migrate.CopyOptions) (last migrate.Item) {
		opts.Each = func(i migrate.Item) error { last = i; return nil }
		report, err := migrate.Copy(t.Context(), e.source, e.client, m, &opts)
		require.NoError(t, err)
		require.NoError(t, report.Err())
		return last
	}
	run(migrate.CopyOptions{})
	e.vaultDo(t, http.MethodPost, "kv/metadata/apps/db", `{"custom_metadata":{"team":"payments"}}`)
	assert.Equal(t, migrate.Unchanged, run(migrate.CopyOptions{}).Outcome)
	diff, err := migrate.Diff(t.Context(), e.source, e.client, m, &migrate.DiffOptions{Metadata: true})
	require.NoError(t, err)
	assert.Equal(t, 1, diff.Count(migrate.Different))

	item := run(migrate.CopyOptions{ReadAll: true})
	assert.Equal(t, migrate.Updated, item.Outcome)
	assert.Contains(t, item.Reason, "lacked metadata: team")
	assert.Equal(t, migrate.Unchanged, run(migrate.CopyOptions{ReadAll: true}).Outcome, "once")
	diff, err = migrate.Diff(t.Context(), e.source, e.client, m, &migrate.DiffOptions{Metadata: true})
	require.NoError(t, err)
	require.NoError(t, diff.Err())

	e.vaultDo(t, http.MethodPost, "kv/metadata/apps/db", `{"custom_metadata":{"team":"third"}}`)
	e.scai.Seed(dbInScai, map[string]any{"v": 1})
	assert.Equal(t, migrate.Unchanged, run(migrate.CopyOptions{ReadAll: true}).Outcome, "somebody else wrote the same")
}

// Vault's own metadata can have the names of ScaiVault's, and then has others
// there. They go when Vault has it no longer; what else is there stays.
func TestCopyDropsMetadataThatVaultHasNoLonger(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.store(webInVault, `{"v":1}`, scaivault.Metadata{Description: "of the web"})
	copyAll(t, vault, scai)
	assert.Equal(t, "of the web", scai.meta(webInScai).Values["vault_description"])
	scai.secrets[webInScai].meta.Values["theirs"] = "x"
	vault.store(webInVault, `{"v":2}`, scaivault.Metadata{})
	report := copyAll(t, vault, scai)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Updated: 1}, report.Counts)
	assert.NotContains(t, scai.meta(webInScai).Values, "vault_description")
	assert.Equal(t, "x", scai.meta(webInScai).Values["theirs"])
}

func TestACopyOfAnotherSecretWasNotDeletedInTheSource(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed("kv/data/apps/old", `{"v":1}`)
	report, err := migrate.Copy(t.Context(), vault, scai, mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/old", ScaiVault: "apps/db"}), nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())

	report, err = migrate.Copy(t.Context(), vault, scai, mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/new", ScaiVault: "apps/db"}), nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Skipped: 1}, report.Counts, "there never was such a secret")
}
