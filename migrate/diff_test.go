// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// scatter puts one secret of each kind on the two sides.
func scatter(vault, scai *fakeSide) {
	both := func(name, inVault, inScai string) {
		vault.seed("kv/data/apps/"+name, inVault)
		scai.seed("environments/production/"+name, inScai)
	}
	both("same", `{"a":1.10,"b":"x"}`, `{"b":"x","a":1.1}`)
	both("differs", `{"same":1,"changed":1,"gone":1}`, `{"same":1,"changed":2,"new":1}`)
	both("denied", `{"a":1}`, `{"a":1}`)
	vault.seed("kv/data/apps/only-vault", `{"a":1}`)
	vault.seed("kv/data/apps/Upper", `{"a":1}`)
	scai.seed("environments/production/only-scai", `{"a":1}`)
	scai.seed("environments/production/deleted", `{"a":1}`)
	scai.secrets["environments/production/deleted"].deleted = true
	scai.seed("elsewhere/x", `{"a":1}`)
	scai.onGet = func(path string) error {
		if path == "environments/production/denied" {
			return scai.fail(scaivault.ErrPermission, "get", path, "")
		}
		return nil
	}
}

func TestDiffNamesWhatDiffersAndNoValues(t *testing.T) {
	t.Parallel()
	for _, batched := range []bool{false, true} {
		t.Run(fmt.Sprintf("batched %t", batched), func(t *testing.T) {
			t.Parallel()
			vault, scai := newVaultSide(), newScaiVaultSide()
			scatter(vault, scai)
			var to migrate.To = scai
			if batched {
				to = &batchSide{fakeSide: scai}
			}
			m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
			items := map[string]migrate.Item{}
			report, err := migrate.Diff(t.Context(), vault, to, m, &migrate.DiffOptions{Each: func(i migrate.Item) error {
				items[i.From] = i
				return nil
			}})
			require.NoError(t, err)
			assert.Equal(t, map[migrate.Outcome]int{
				migrate.Same: 1, migrate.Different: 1, migrate.OnlyInVault: 2,
				migrate.OnlyInScaiVault: 1, migrate.Unreadable: 1,
			}, report.Counts)
			assert.Equal(t, []string{"changed", "gone", "new"}, items["kv/data/apps/differs"].Fields)
			signs := ""
			for _, name := range []string{"same", "differs", "only-vault", "only-scai", "denied", "Upper"} {
				signs += items["kv/data/apps/"+name].Sign()
			}
			assert.Equal(t, "=*+-!+", signs)
			require.ErrorIs(t, report.Err(), scaivault.ErrPermission)
			assert.Contains(t, report.Err().Error(), "5 of 6 need attention")
			assert.Zero(t, vault.writes()+scai.writes())
		})
	}
}

func TestDiffTheOtherWayRoundNamesTheSameSides(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	scatter(vault, scai)
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	report, err := migrate.Diff(t.Context(), scai, vault, m, nil)
	require.NoError(t, err)
	assert.Equal(t, 2, report.Count(migrate.OnlyInVault))
	assert.Equal(t, 1, report.Count(migrate.OnlyInScaiVault))
	assert.Equal(t, 1, report.Count(migrate.Skipped), "the deleted secret is still listed")
}

func TestDiffIsCleanAfterCopy(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	for i := range 300 {
		vault.seed(fmt.Sprintf("kv/data/apps/s%03d", i), `{"v":1}`)
	}
	vault.seed("kv/data/apps/billing/db", `{"v":1}`)
	_, err := migrate.Copy(t.Context(), vault, scai, billing(t), nil)
	require.NoError(t, err)
	for _, opts := range []*migrate.DiffOptions{nil, {Workers: 1}, {OneWay: true}} {
		report, err := migrate.Diff(t.Context(), vault, &batchSide{fakeSide: scai}, billing(t), opts)
		require.NoError(t, err)
		require.NoError(t, report.Err())
		assert.Equal(t, map[migrate.Outcome]int{migrate.Same: 301}, report.Counts)
	}
}

func TestDiffLooksOnlyBelowItsPrefixes(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed("kv/data/apps/billing/a", `{"v":1}`)
	scai.seed("environments/production/billing/a", `{"v":1}`)
	scai.seed("environments/production/billing/extra", `{"v":1}`)
	scai.seed("environments/production/web", `{"v":1}`)
	scai.seed("environments/production/billing/database", `{"v":1}`) // its Vault name is another, by an exact rule

	report, err := migrate.Diff(t.Context(), vault, scai, billing(t), &migrate.DiffOptions{Prefixes: []string{"kv/data/apps/billing/**"}})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Same: 1, migrate.OnlyInScaiVault: 2}, report.Counts)

	report, err = migrate.Diff(t.Context(), vault, scai, billing(t), &migrate.DiffOptions{Prefixes: []string{"kv/data/apps/billing"}, OneWay: true})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Same: 1, migrate.OnlyInScaiVault: 1}, report.Counts, "what a rule names is looked at in any case")
}

func TestDiffNeedsAListingOfTheDestination(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	_, err := migrate.Diff(t.Context(), vault, writeOnly{scai}, billing(t), nil)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Contains(t, err.Error(), "OneWay")
	report, err := migrate.Diff(t.Context(), vault, writeOnly{scai}, billing(t), &migrate.DiffOptions{OneWay: true})
	require.NoError(t, err)
	assert.Equal(t, 1, report.Count(migrate.OnlyInVault))
}

type writeOnly struct{ migrate.To }

func TestDiffTellsAListingThatFails(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	scai.seed(webInScai, `{"v":1}`)
	scai.onList = func(prefix string) error { return scai.fail(scaivault.ErrPermission, "list", prefix, "") }
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	report, err := migrate.Diff(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Same: 1, migrate.Unreadable: 1}, report.Counts)
	require.ErrorIs(t, report.Err(), scaivault.ErrPermission)
}

func TestReportSurvivesJSON(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	scatter(vault, scai)
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	report, err := migrate.Diff(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	text, err := json.Marshal(report)
	require.NoError(t, err)
	var again migrate.Report
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, report.Counts, again.Counts)
	assert.Equal(t, report.String(), again.String())
	require.Error(t, again.Err())
	assert.Equal(t, report.Err().Error(), again.Err().Error())
	assert.Contains(t, string(text), `"only in vault":2`)
	assert.Error(t, json.Unmarshal([]byte(`{"counts":{"nonsense":1}}`), &again))
	_, err = json.Marshal(migrate.Item{})
	require.Error(t, err, "the zero outcome is none")
}

func TestDiffAsksOncePerSecret(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	for i := range 50 {
		vault.seed(fmt.Sprintf("kv/data/apps/s%02d", i), `{"v":1}`)
	}
	copyAll(t, vault, scai)
	scai.seed("environments/production/extra", `{"v":1}`)
	vault.gets, scai.gets = 0, 0
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	_, err := migrate.Diff(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	assert.Equal(t, 51, vault.gets, "each once, and the name that is only in the destination")
	assert.Equal(t, 51, scai.gets)
}

func TestDiffTellsWhatItCannotFindOut(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	scai.seed(webInScai, `{"v":1}`)
	scai.seed("environments/production/x", `{"v":1}`)
	vault.onGet = func(path string) error {
		if path == "kv/data/apps/x" {
			return vault.fail(scaivault.ErrPermission, "get", path, "")
		}
		return nil
	}
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	report, err := migrate.Diff(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Same: 1, migrate.Unreadable: 1}, report.Counts)
}

func TestDiffFollowsProxiedPathsNowhere(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	scai.seed("all/web", `{"v":1}`)
	scai.seed("all/external/web", `{"v":"through federation"}`)
	m := mustMapping(t,
		scaivault.Rule{Vault: "kv/data/**", ScaiVault: "all/external/**", Proxied: true},
		scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "all/**"})
	report, err := migrate.Diff(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	back, err := migrate.Copy(t.Context(), scai, vault, m, &migrate.CopyOptions{DryRun: true})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Unchanged: 1, migrate.Skipped: 1}, back.Counts)
	assert.Contains(t, back.String(), "federated")
}
