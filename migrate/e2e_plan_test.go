// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// admin is Vault's own client, for what operators set up.
func (e *estate) admin(t *testing.T) *api.Client {
	t.Helper()
	cfg := api.DefaultConfig()
	require.NoError(t, cfg.Error)
	cfg.Address = "https://vault.example"
	cfg.HttpClient = &http.Client{Transport: e.vault.RoundTripper()}
	c, err := api.NewClient(cfg)
	require.NoError(t, err)
	c.SetToken(e.vault.RootToken())
	return c
}

// sourceWith is a source whose token has one policy.
func (e *estate) sourceWith(t *testing.T, policy string) *vault.Source {
	t.Helper()
	admin := e.admin(t)
	require.NoError(t, admin.Sys().PutPolicyWithContext(t.Context(), "narrow", policy))
	secret, err := admin.Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: []string{"narrow"}, NoDefaultPolicy: true})
	require.NoError(t, err)
	return e.sourceFor(t, secret.Auth.ClientToken)
}

func TestDiffOverTheWireTakesOneRequestForAHundred(t *testing.T) {
	t.Parallel()
	e := newEstate(t, nil)
	for i := range 250 {
		e.vault.Seed(fmt.Sprintf("kv/data/apps/s%03d", i), map[string]any{"v": i})
		if i%10 > 0 {
			e.scai.Seed(fmt.Sprintf("environments/production/s%03d", i), map[string]any{"v": i})
		}
		if i < 50 {
			e.scai.Seed(fmt.Sprintf("environments/production/extra%03d", i), map[string]any{"v": i})
		}
	}
	report, err := migrate.Diff(t.Context(), e.source, e.client, apps(t), nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Same: 225, migrate.OnlyInVault: 25, migrate.OnlyInScaiVault: 50}, report.Counts)
	assert.Equal(t, 4, e.scai.RequestCount(http.MethodPost, "/v1/secrets/batch"), "250 and 50 names")
	assert.Zero(t, e.scai.RequestCount(http.MethodGet, "/v1/secrets/*/**"), "none is read by itself")
	assert.Equal(t, 300, e.vault.RequestCount(http.MethodGet, "/v1/kv/data/**"))
}

func TestPlanOverTheWireIsCarriedOut(t *testing.T) {
	t.Parallel()
	e := newEstate(t, nil)
	e.seedGuide()
	m := guideMapping(t)
	p := through(t, newPlan(t, e.source, e.client, m, nil), m)
	require.NoError(t, p.Err())
	assert.Equal(t, 4, p.Count(migrate.ActionCreate))
	e.vault.Seed("kv/data/apps/billing/db", map[string]any{"user": "changed"})
	report, err := migrate.CopyPlan(t.Context(), e.source, e.client, p, nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 3, migrate.SourceChanged: 1}, report.Counts)
	report, err = migrate.CopyPlan(t.Context(), e.source, e.client, newPlan(t, e.source, e.client, m, nil), nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	report, err = migrate.Diff(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())

	// And the way back.
	e.scai.Seed("environments/production/billing/stripe", map[string]any{"key": "theirs"})
	back := through(t, newPlan(t, e.client, e.source, m, nil), m)
	assert.Equal(t, 1, back.Count(migrate.ActionUpdate), back.String())
	report, err = migrate.CopyPlan(t.Context(), e.client, e.source, back, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	value, _ := e.vault.Value("kv/data/apps/billing/stripe")
	assert.JSONEq(t, `{"key":"theirs"}`, string(value))
}

// A version number alone does not tell a secret from one of the same name that
// was made anew.
func TestCopyPlanTellsASecretThatWasMadeAnew(t *testing.T) {
	t.Parallel()
	e := newEstate(t, nil)
	m := apps(t)
	for _, name := range []string{"source", "destination", "good"} {
		e.vault.Seed("kv/data/apps/"+name, map[string]any{"v": 1})
	}
	_, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	for _, name := range []string{"destination", "good"} {
		e.vault.Seed("kv/data/apps/"+name, map[string]any{"v": 2})
	}
	e.scai.Seed("environments/production/theirs", map[string]any{"v": 1})
	e.vault.Seed("kv/data/apps/theirs", map[string]any{"v": 2})
	require.NoError(t, e.client.Delete(t.Context(), "environments/production/source", &scaivault.DeleteOptions{Permanent: true}))
	p := through(t, newPlan(t, e.source, e.client, m, &migrate.PlanOptions{Overwrite: true}), m)
	require.Equal(t, map[migrate.Action]int{migrate.ActionCreate: 1, migrate.ActionUpdate: 3}, p.Header.Counts, planText(t, p))

	_, err = e.admin(t).Logical().DeleteWithContext(t.Context(), "kv/metadata/apps/source")
	require.NoError(t, err)
	e.vault.Seed("kv/data/apps/source", map[string]any{"v": "anew"})
	require.NoError(t, e.client.Delete(t.Context(), "environments/production/destination", &scaivault.DeleteOptions{Permanent: true}))
	e.scai.Seed("environments/production/destination", map[string]any{"v": "anew"})
	got := map[string]migrate.Item{}
	_, err = migrate.CopyPlan(t.Context(), e.source, e.client, p, &migrate.CopyOptions{Each: func(i migrate.Item) error {
		got[i.From] = i
		return nil
	}})
	require.NoError(t, err)
	assert.Equal(t, migrate.SourceChanged, got["kv/data/apps/source"].Outcome, got["kv/data/apps/source"])
	assert.Contains(t, got["kv/data/apps/source"].Reason, "made anew")
	assert.Equal(t, migrate.DestinationChanged, got["kv/data/apps/destination"].Outcome, got["kv/data/apps/destination"])
	assert.Contains(t, got["kv/data/apps/destination"].Reason, "was not made by the write")
	assert.Equal(t, migrate.Updated, got["kv/data/apps/good"].Outcome)
	assert.Equal(t, migrate.Updated, got["kv/data/apps/theirs"].Outcome, "to overwrite was asked for")
}

// What a token may list and not read is counted, by plan and by diff, and the
// rest is done.
func TestATokenThatMayListAndNotRead(t *testing.T) {
	t.Parallel()
	e := newEstate(t, nil)
	e.seedGuide()
	narrow := e.sourceWith(t, `
		path "kv/metadata/*" { capabilities = ["list", "read"] }
		path "kv/data/apps/billing/db" { capabilities = ["read"] }`)
	p := newPlan(t, narrow, e.client, apps(t), nil)
	assert.Equal(t, map[migrate.Action]int{migrate.ActionCreate: 1, migrate.ActionFailed: 1}, p.Header.Counts)
	require.ErrorIs(t, p.Err(), scaivault.ErrPermission)
	report, err := migrate.Diff(t.Context(), narrow, e.client, apps(t), nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.OnlyInVault: 1, migrate.Unreadable: 1}, report.Counts)
	require.ErrorIs(t, report.Err(), scaivault.ErrPermission)

	inv, err := migrate.TakeInventory(t.Context(), narrow, &migrate.InventoryOptions{Versions: true})
	require.NoError(t, err, "without the right to read sys/mounts it sees the mounts that it may use")
	require.NoError(t, inv.Err())
	require.Len(t, inv.Mounts, 1)
	assert.Equal(t, "kv", inv.Mounts[0].Path)
	assert.Equal(t, 3, inv.Mounts[0].Secrets)
	assert.Equal(t, 3, inv.Mounts[0].Versions)
	inv, err = migrate.TakeInventory(t.Context(), narrow, &migrate.InventoryOptions{Sizes: true})
	require.NoError(t, err)
	require.ErrorIs(t, inv.Err(), scaivault.ErrPermission)
	assert.Equal(t, "kv/data/apps/billing/db", inv.Mounts[0].Largest)
}

func TestAMountThatIsNotKV(t *testing.T) {
	t.Parallel()
	e := newEstate(t, nil)
	require.NoError(t, e.admin(t).Sys().MountWithContext(t.Context(), "crypto", &api.MountInput{Type: "transit"}))
	m := mustMapping(t, scaivault.Rule{Vault: "crypto/**", ScaiVault: "crypto/**"})
	p := newPlan(t, e.source, e.client, m, nil)
	assert.Equal(t, 1, p.Count(migrate.ActionFailed))
	require.ErrorIs(t, p.Err(), scaivault.ErrInvalid)
	assert.Contains(t, p.Err().Error(), `secrets engine of type "transit", not KV`)
	for _, run := range []func() (*migrate.Report, error){
		func() (*migrate.Report, error) { return migrate.Diff(t.Context(), e.source, e.client, m, nil) },
		func() (*migrate.Report, error) { return migrate.Copy(t.Context(), e.source, e.client, m, nil) },
	} {
		report, err := run()
		require.NoError(t, err)
		require.ErrorIs(t, report.Err(), scaivault.ErrInvalid)
		assert.Contains(t, report.Err().Error(), "not KV")
	}
	proposal := propose(t, e.source, m, nil)
	require.ErrorIs(t, proposal.Err(), scaivault.ErrInvalid)
	inv, err := migrate.TakeInventory(t.Context(), e.source, nil)
	require.NoError(t, err)
	assert.Contains(t, inv.String(), "ScaiVault has no such API: keep Vault for it")
}

func TestNamesThatScaiVaultDoesNotAllowOverTheWire(t *testing.T) {
	t.Parallel()
	e := newEstate(t, nil)
	e.vault.Seed("kv/data/apps/Billing Team/API.Key", map[string]any{"v": "x"})
	m := proposed(t, propose(t, e.source, apps(t), nil))
	report, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	_, ok := e.scai.Value("environments/production/billing-team/api-key")
	assert.True(t, ok)
	report, err = migrate.Diff(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
}
