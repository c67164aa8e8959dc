// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestCopyMaxVersions(t *testing.T) {
	t.Parallel()
	for given, want := range map[int]int{0: 10, 3: 3, -1: 0} {
		vault, scai := newVaultSide(), newScaiVaultSide()
		vault.seed(webInVault, `{"v":1}`)
		m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
		report, err := migrate.Copy(t.Context(), vault, scai, m, &migrate.CopyOptions{MaxVersions: given})
		require.NoError(t, err)
		require.NoError(t, report.Err())
		assert.Equal(t, want, scai.opts[webInScai].MaxVersions, "given %d", given)
	}
}

func TestCopyCarriesAnExpiryOver(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	report := copyAll(t, expiring{vault}, scai)
	require.NoError(t, report.Err())
	assert.InDelta(t, time.Hour, scai.opts[webInScai].ExpiresIn, float64(time.Minute))
}

// expiring is a Vault whose secrets live for one more hour.
type expiring struct{ *fakeSide }

func (e expiring) Get(_ context.Context, path string) (*scaivault.Secret, error) {
	return scaivault.NewSecret(scaivault.SecretInfo{Path: path, Version: 1, ExpiresAt: time.Now().Add(time.Hour)}, json.RawMessage(`{"v":1}`))
}

func TestCopyOnEveryAnswerToTheOpenQuestions(t *testing.T) {
	t.Parallel()
	for i, quirks := range []scaivaulttest.Quirks{
		{},
		{Put: scaivaulttest.PutWithData},
		{Put: scaivaulttest.PutCreated, Omitted: scaivaulttest.OmittedReset},
		{Put: scaivaulttest.PutNoContent, ListKey: scaivaulttest.ListData},
		{Same: scaivaulttest.SameIgnored, ListMax: 7},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true, Quirks: quirks})
			m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
			write := func(v int) {
				for i := range 20 {
					e.vault.Seed(fmt.Sprintf("kv/data/apps/s%02d", i), map[string]any{"v": v})
				}
			}
			for round, want := range []map[migrate.Outcome]int{{migrate.Created: 20}, {migrate.Updated: 20}, {migrate.Updated: 20}} {
				write(round)
				report, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
				require.NoError(t, err)
				require.NoError(t, report.Err())
				assert.Equal(t, want, report.Counts, "round %d", round)
			}
			report, err := migrate.Diff(t.Context(), e.source, e.client, m, nil)
			require.NoError(t, err)
			require.NoError(t, report.Err())
			assert.Equal(t, map[migrate.Outcome]int{migrate.Same: 20}, report.Counts)
		})
	}
}

func TestItemIsOneLine(t *testing.T) {
	t.Parallel()
	item := migrate.Item{From: "kv/data/odd name\n", To: "x", Outcome: migrate.Different, Fields: []string{"a", "b\tc"}, Err: fmt.Errorf("first\nsecond")}
	assert.Equal(t, `* "kv/data/odd name\n" → x: different: first second: fields a, "b\tc"`, item.String())
	item = migrate.Item{From: "x", Outcome: migrate.Failed, Err: errors.New("clears \x1b[2J the screen" + strings.Repeat("ü", 600))}
	assert.True(t, utf8.ValidString(item.String()), "it is not cut within a character")
	assert.Contains(t, item.String(), "clears \ufffd[2J the screen")
	assert.Equal(t, `- only: only in scaivault: why`, migrate.Item{To: "only", Outcome: migrate.OnlyInScaiVault, Reason: "why"}.String())
}
