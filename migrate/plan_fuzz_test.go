// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// Whatever the file holds, it is a plan that is written again as it was read,
// or an error that says so.
func FuzzReadPlan(f *testing.F) {
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed("kv/data/apps/a", `{"v":1}`)
	vault.seed("kv/data/apps/B", `{"v":1}`)
	m, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "p/**"})
	require.NoError(f, err)
	plan, err := migrate.NewPlan(f.Context(), vault, scai, m, nil)
	require.NoError(f, err)
	var text bytes.Buffer
	_, err = plan.WriteTo(&text)
	require.NoError(f, err)
	require.NoError(f, plan.Close())
	f.Add(text.String())
	f.Add(strings.Replace(text.String(), "create", "update", 1))
	f.Add("")
	f.Add(`{"format":"scaivault-migration-plan","format_version":1}` + "\n{}\n")
	f.Fuzz(func(t *testing.T, file string) {
		p, err := migrate.ReadPlan(strings.NewReader(file), nil)
		if err != nil {
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			return
		}
		total := 0
		for item, err := range p.Items() {
			require.NoError(t, err)
			require.NotEmpty(t, item.String())
			total++
		}
		require.Equal(t, p.Total(), total)
		_ = p.Err()
		require.NoError(t, p.Close())
	})
}
