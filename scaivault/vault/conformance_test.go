// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"fmt"
	"testing"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestSourceConforms in memory; vaultchecks does the same over a socket.
func TestSourceConforms(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("KV v%d", version), func(t *testing.T) {
			t.Parallel()
			scaivaulttest.TestSource(t, func(t *testing.T) scaivault.Source {
				v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
				v.Mount("kv", version)
				return sourceOf(t, clientOf(t, "http://127.0.0.1:8200", v.RoundTripper()))
			})
		})
	}
}
