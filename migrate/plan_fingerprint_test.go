// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

var planKey = []byte("0123456789abcdef0123456789abcdef")

// unversioned is a KV v1 with secrets, and the mapping of them.
func unversioned(t *testing.T) (*fakeSide, *scaivault.Mapping) {
	t.Helper()
	vault := newVaultSide()
	vault.kv1 = true
	for _, name := range []string{"changed", "kept", "twin"} {
		vault.seed("secret/"+name, `{"a":1.0,"b":"canary"}`)
	}
	return vault, mustMapping(t, scaivault.Rule{Vault: "secret/**", ScaiVault: "legacy/**"})
}

func TestCopyPlanSeesThatASecretWithoutVersionsHasChanged(t *testing.T) {
	t.Parallel()
	vault, m := unversioned(t)
	scai := newScaiVaultSide()
	made := newPlan(t, vault, scai, m, &migrate.PlanOptions{FingerprintKey: planKey})
	p := through(t, made, m)
	prints := map[string]bool{}
	for item, err := range p.Items() {
		require.NoError(t, err)
		assert.Empty(t, item.Reason)
		assert.True(t, strings.HasPrefix(item.FromFingerprint, "hmac-sha256:"), item.FromFingerprint)
		prints[item.FromFingerprint] = true
	}
	assert.Len(t, prints, 3, "equal values of two secrets don't show")
	assert.Equal(t, planText(t, made), planText(t, p))

	_, err := migrate.CopyPlan(t.Context(), vault, scai, p, nil)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	require.ErrorContains(t, err, "UseFingerprintKey")
	require.NoError(t, p.UseFingerprintKey(planKey))
	vault.seed("secret/changed", `{"a":1,"b":"other"}`)
	vault.seed("secret/kept", `{"b":"canary","a":1}`)
	for _, plan := range []*migrate.Plan{p, made} { // the second time one is there already
		got := map[string]migrate.Outcome{}
		report, err := migrate.CopyPlan(t.Context(), vault, scai, plan, &migrate.CopyOptions{Each: func(i migrate.Item) error {
			got[i.From] = i.Outcome
			return nil
		}})
		require.NoError(t, err)
		assert.Equal(t, migrate.SourceChanged, got["secret/changed"])
		assert.NotEqual(t, migrate.SourceChanged, got["secret/kept"], "by meaning")
		require.ErrorContains(t, report.Err(), "holds other data than the plan saw")
	}
	assert.Empty(t, scai.data("legacy/changed"))
	assert.NotEmpty(t, scai.data("legacy/kept"))
	for _, text := range []string{planText(t, made), fmt.Sprintf("%v %+v %#v", made, made, *made)} {
		assert.NotContains(t, text, "canary")
		assert.NotContains(t, text, string(planKey))
		assert.NotContains(t, text, fmt.Sprint(planKey))
	}
}

func TestPlanSaysThatAChangeWillNotBeSeen(t *testing.T) {
	t.Parallel()
	vault, m := unversioned(t)
	scai := newScaiVaultSide()
	p := newPlan(t, vault, scai, m, nil)
	for item, err := range p.Items() {
		require.NoError(t, err)
		assert.Empty(t, item.FromFingerprint)
		assert.Contains(t, item.Reason, "FingerprintKey")
	}
	vault.seed("secret/changed", `{"a":2}`)
	report, err := migrate.CopyPlan(t.Context(), vault, scai, p, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.JSONEq(t, `{"a":2}`, scai.data("legacy/changed"), "what it finds")

	versioned := newVaultSide()
	versioned.seed(webInVault, `{"v":1}`)
	p = newPlan(t, versioned, newScaiVaultSide(), apps(t), &migrate.PlanOptions{FingerprintKey: planKey})
	for item, err := range p.Items() {
		require.NoError(t, err)
		assert.Empty(t, item.FromFingerprint+item.Reason)
	}
}

func TestPlanRefusesKeysThatDoNotFit(t *testing.T) {
	t.Parallel()
	vault, m := unversioned(t)
	scai := newScaiVaultSide()
	_, err := migrate.NewPlan(t.Context(), vault, scai, m, &migrate.PlanOptions{FingerprintKey: []byte("short")})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	require.ErrorContains(t, err, "openssl rand")
	assert.Zero(t, vault.gets, "before any I/O")
	p := through(t, newPlan(t, vault, scai, m, &migrate.PlanOptions{FingerprintKey: planKey}), m)
	for says, key := range map[string][]byte{"nil": nil, "bytes": {}, "another key": bytes.Repeat([]byte("x"), 32)} {
		require.ErrorIs(t, p.UseFingerprintKey(key), scaivault.ErrInvalid)
		require.ErrorContains(t, p.UseFingerprintKey(key), says)
	}
	without := newPlan(t, vault, scai, m, nil)
	require.ErrorContains(t, without.UseFingerprintKey(planKey), "without a fingerprint key")
}

// A destination in KV v1 has no version that would show that it came since.
func TestCopyPlanDoesNotOverwriteWhatCameSinceInKV1(t *testing.T) {
	t.Parallel()
	vault, m := unversioned(t)
	scai := newScaiVaultSide()
	scai.seed("legacy/new", `{"v":1}`)
	scai.seed("legacy/twin", `{"v":1}`)
	p := newPlan(t, scai, vault, m, &migrate.PlanOptions{Overwrite: true})
	require.Equal(t, 1, p.Count(migrate.ActionCreate))
	require.Equal(t, 1, p.Count(migrate.ActionConflict), "no version would show that what is overwritten was changed since")
	vault.seed("secret/new", `{"v":"theirs"}`)
	report, err := migrate.CopyPlan(t.Context(), scai, vault, p, nil)
	require.NoError(t, err)
	assert.Equal(t, 1, report.Count(migrate.DestinationChanged), report.String())
	assert.JSONEq(t, `{"v":"theirs"}`, vault.data("secret/new"))
}
