// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/scailabs/scaivault-go/internal/vaultchecks"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSourceAgainstTheSmallVault(t *testing.T) {
	t.Parallel()
	vaultchecks.Run(t, func(t *testing.T) vaultchecks.Server {
		v := scaivaulttest.NewVault(t)
		return vaultchecks.Server{Addresses: []string{v.URL()}, RootToken: v.RootToken()}
	})
}
