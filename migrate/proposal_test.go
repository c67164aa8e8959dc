// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

func propose(t *testing.T, vault migrate.From, m *scaivault.Mapping, opts *migrate.ProposalOptions) *migrate.Proposal {
	t.Helper()
	p, err := migrate.ProposeMapping(t.Context(), vault, m, opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

// proposed is the mapping that services load.
func proposed(t *testing.T, p *migrate.Proposal) *scaivault.Mapping {
	t.Helper()
	var b bytes.Buffer
	n, err := p.WriteTo(&b)
	require.NoError(t, err)
	require.EqualValues(t, b.Len(), n)
	m, err := scaivault.ParseMapping(&b)
	require.NoError(t, err)
	return m
}

// strangeName is a name as ten years of people give them.
func strangeName(i int, random *rand.Rand) string {
	pieces := []string{"Db", "api.key", "My Service", "ünïcode", "日本", "a+b", "user@x", "UPPER_CASE", "plain", "x%20y", "quote\"s", "<b>", "back\\slash", "d-a_s"}
	levels := make([]string, 1+random.IntN(12))
	for n := range levels {
		levels[n] = pieces[random.IntN(len(pieces))]
	}
	return strings.Join(levels, "/") + fmt.Sprintf("-%d", i)
}

func TestProposalLeavesOutWhatIsExcluded(t *testing.T) {
	t.Parallel()
	vault := newVaultSide()
	for _, name := range []string{"star*", "tmp/Db", "tmp/db", "Upper"} {
		vault.seed("kv/data/apps/"+name, `{"v":1}`)
	}
	p, err := migrate.ProposeMapping(t.Context(), vault, apps(t), nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	require.ErrorIs(t, p.Err(), scaivault.ErrConflict)
	assert.Contains(t, p.Err().Error(), "also, 1 secrets have no name; first: kv/data/apps/star*", "all there is to do, at once")
	p, err = migrate.ProposeMapping(t.Context(), vault, apps(t), &migrate.ProposalOptions{Exclude: []string{"kv/data/apps/star*", "kv/data/apps/tmp/**"}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	require.NoError(t, p.Err())
	assert.Equal(t, []int{4, 3, 1, 0, 0}, []int{p.Secrets, p.LeftOut, p.Renamed, p.Collisions, p.Unmapped})
	_, err = migrate.ProposeMapping(t.Context(), vault, apps(t), &migrate.ProposalOptions{Exclude: []string{""}})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
}

func TestProposedMappingNamesTenThousandStrangeSecrets(t *testing.T) {
	t.Parallel()
	for _, exact := range []bool{false, true} {
		t.Run(fmt.Sprintf("exact %t", exact), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 2))
			vault := newVaultSide()
			var names []string
			for i := range 10_000 {
				names = append(names, "kv/data/apps/"+strangeName(i, random))
				vault.seed(names[i], `{"v":1}`)
			}
			p := propose(t, vault, apps(t), &migrate.ProposalOptions{Exact: exact})
			require.NoError(t, p.Err())
			assert.Equal(t, 10_000, p.Secrets)
			assert.Greater(t, p.Renamed, 8_000)
			m := proposed(t, p)
			seen := map[string]bool{}
			for _, name := range names {
				path, ok := m.ToScaiVault(name)
				require.True(t, ok, name)
				require.NoError(t, scaivault.ValidatePath(path))
				require.False(t, seen[path], path)
				seen[path] = true
				back, ok := m.ToVault(path)
				require.True(t, ok)
				require.Equal(t, name, back)
			}
			assert.Zero(t, vault.gets, "no secret is read")
			_, more := m.ToScaiVault("kv/data/apps/later")
			assert.Equal(t, !exact, more)
		})
	}
}

// A service that loads the file finds the secret by its new name, before it
// was copied and after.
func TestServicesFindSanitisedNames(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed("kv/data/apps/Billing.Team/Stripe Key", `{"v":"found"}`)
	vault.seed("kv/data/apps/plain", `{"v":"plain"}`)
	m := proposed(t, propose(t, vault, apps(t), nil))
	report, err := migrate.Copy(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	for _, stage := range []scaivault.Stage{scaivault.StageVault, scaivault.StageScaiVault} {
		store, err := scaivault.NewStore(scaivault.StoreConfig{Vault: vault, ScaiVault: scai, Mapping: m, Flag: stage})
		require.NoError(t, err)
		s, err := store.Get(t.Context(), "environments/production/billing-team/stripe-key")
		require.NoError(t, err)
		value, _ := s.Field("v")
		assert.Equal(t, "found", value)
		require.NoError(t, store.Close())
	}
}

func TestCollisionsAreNeverSettledSilently(t *testing.T) {
	t.Parallel()
	vault := newVaultSide()
	for _, name := range []string{"Db", "db", "x.y", "x y", "x-y", "alone", "Fine"} {
		vault.seed("kv/data/apps/"+name, `{"v":1}`)
	}
	p := propose(t, vault, apps(t), nil)
	assert.Equal(t, 2, p.Collisions)
	assert.Equal(t, 1, p.Renamed)
	var all []migrate.Collision
	for c, err := range p.Colliding() {
		require.NoError(t, err)
		all = append(all, c)
	}
	assert.Equal(t, []migrate.Collision{
		{ScaiVault: "environments/production/db", Vault: []string{"kv/data/apps/Db", "kv/data/apps/db"}, Count: 2},
		{ScaiVault: "environments/production/x-y", Vault: []string{"kv/data/apps/x y", "kv/data/apps/x-y", "kv/data/apps/x.y"}, Count: 3},
	}, all)
	require.ErrorIs(t, p.Err(), scaivault.ErrConflict)
	assert.Contains(t, p.Err().Error(), "kv/data/apps/Db, kv/data/apps/db would all be called environments/production/db")
	assert.Contains(t, p.String(), `"kv/data/apps/x y", kv/data/apps/x-y, kv/data/apps/x.y would all`)
	var b bytes.Buffer
	_, err := p.WriteTo(&b)
	require.ErrorIs(t, err, scaivault.ErrConflict)
	assert.Empty(t, b.Bytes(), "nothing is written")

	// The way out: rules for all but one.
	m := mustMapping(t,
		scaivault.Rule{Vault: "kv/data/apps/Db", ScaiVault: "environments/production/db-old"},
		scaivault.Rule{Vault: "kv/data/apps/x y", ScaiVault: "environments/production/x-y-1"},
		scaivault.Rule{Vault: "kv/data/apps/x.y", ScaiVault: "environments/production/x-y-2"},
		scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	p = propose(t, vault, m, nil)
	require.NoError(t, p.Err())
	again := proposed(t, p)
	path, _ := again.ToScaiVault("kv/data/apps/Db")
	assert.Equal(t, "environments/production/db-old", path)
	path, _ = again.ToScaiVault("kv/data/apps/Fine")
	assert.Equal(t, "environments/production/fine", path)
}

func TestProposalHeedsTheOtherRules(t *testing.T) {
	t.Parallel()
	vault := newVaultSide()
	vault.seed("kv/data/apps/External", `{"v":1}`)
	vault.seed("kv/data/apps/Taken", `{"v":1}`)
	vault.seed("kv/data/apps/hidden", `{"v":1}`)
	vault.seed("kv/data/apps/star*", `{"v":1}`)
	m := mustMapping(t,
		scaivault.Rule{Vault: "kv/data/proxied", ScaiVault: "p/external", Proxied: true},
		scaivault.Rule{Vault: "kv/data/elsewhere", ScaiVault: "p/taken"},
		scaivault.Rule{Vault: "kv/data/other", ScaiVault: "p/hidden"},
		scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "p/**"})
	p := propose(t, vault, m, nil)
	assert.Equal(t, 2, p.Collisions, p.String())
	assert.Contains(t, p.String(), "kv/data/apps/External would be called p/external, which a rule of the mapping holds already")
	assert.Contains(t, p.String(), "kv/data/apps/Taken, kv/data/elsewhere would all be called p/taken")
	assert.Equal(t, []string{"kv/data/apps/hidden", "kv/data/apps/star*"}, p.UnmappedNames)
	require.ErrorIs(t, p.Err(), scaivault.ErrConflict)

	p = propose(t, vault, mustMapping(t, m.Rules()[2:]...), nil)
	require.ErrorIs(t, p.Err(), scaivault.ErrInvalid)
	assert.Contains(t, p.Err().Error(), "kv/data/apps/hidden")
}

func TestProposeMappingTellsWhatCannotBe(t *testing.T) {
	t.Parallel()
	vault := newVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	for _, call := range []func() (*migrate.Proposal, error){
		func() (*migrate.Proposal, error) { return migrate.ProposeMapping(t.Context(), nil, apps(t), nil) },
		func() (*migrate.Proposal, error) { return migrate.ProposeMapping(t.Context(), vault, nil, nil) },
		func() (*migrate.Proposal, error) {
			return migrate.ProposeMapping(t.Context(), newScaiVaultSide(), apps(t), nil)
		},
		func() (*migrate.Proposal, error) {
			return migrate.ProposeMapping(t.Context(), vault, apps(t), &migrate.ProposalOptions{Cluster: "none"})
		},
	} {
		_, err := call()
		require.ErrorIs(t, err, scaivault.ErrInvalid)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := migrate.ProposeMapping(ctx, vault, apps(t), nil)
	require.ErrorIs(t, err, context.Canceled)

	p := propose(t, newVaultSide(), apps(t), nil)
	require.ErrorIs(t, p.Err(), scaivault.ErrNotFound)
	vault.onList = func(prefix string) error { return vault.fail(scaivault.ErrPermission, "list", prefix, "") }
	p = propose(t, vault, apps(t), nil)
	require.ErrorIs(t, p.Err(), scaivault.ErrPermission)
	assert.Contains(t, p.String(), "not listed")
	_, err = p.WriteTo(&bytes.Buffer{})
	require.ErrorIs(t, err, scaivault.ErrPermission)
	require.NoError(t, p.Close())
	for _, err := range p.Rules() {
		require.ErrorIs(t, err, scaivault.ErrInvalid)
		break
	}
}

func TestAMappingThatMapsTwoSecretsToOneIsRefused(t *testing.T) {
	t.Parallel()
	_, err := scaivault.NewMapping(
		scaivault.Rule{Vault: "kv/data/a", ScaiVault: "one"},
		scaivault.Rule{Vault: "kv/data/b", ScaiVault: "one"})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Contains(t, err.Error(), "rule 2")
	_, err = scaivault.NewMapping(
		scaivault.Rule{Vault: "kv/data/a/**", ScaiVault: "all/sub/**"},
		scaivault.Rule{Vault: "kv/data/b/**", ScaiVault: "all/**"})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Contains(t, err.Error(), "two secrets would share one name")
}
