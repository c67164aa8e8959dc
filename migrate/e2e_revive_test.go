// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestWayBackStaysOpenAfterRetirement: what was deleted in Vault is written
// there again, and the mark of that copy names the version behind the deleted
// ones, so that the next copy knows it as its own.
func TestWayBackStaysOpenAfterRetirement(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	ctx := t.Context()
	for _, v := range []string{"1", "2", "3"} {
		e.vault.Seed("kv/data/apps/db", map[string]any{"v": v})
	}
	_, err := migrate.Copy(ctx, e.source, e.client, m, nil)
	require.NoError(t, err)
	require.NoError(t, e.source.Delete(ctx, "kv/data/apps/db"))

	report, err := migrate.Copy(ctx, e.client, e.source, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 1}, report.Counts)

	_, err = e.client.Put(ctx, "environments/production/db", map[string]any{"v": "4"}, nil)
	require.NoError(t, err)
	report, err = migrate.Copy(ctx, e.client, e.source, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Updated: 1}, report.Counts)
	raw, ok := e.vault.Value("kv/data/apps/db")
	require.True(t, ok)
	assert.JSONEq(t, `{"v":"4"}`, string(raw))
}
