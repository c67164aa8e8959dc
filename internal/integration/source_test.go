// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"

	"github.com/scailabs/scaivault-go/internal/integration/realvault"
	"github.com/scailabs/scaivault-go/internal/vaultchecks"
)

func TestSourceAgainstARealVault(t *testing.T) {
	t.Parallel()
	vaultchecks.Run(t, func(t *testing.T) vaultchecks.Server {
		s := realvault.New(t)
		return vaultchecks.Server{Addresses: []string{s.Address()}, RootToken: s.RootToken()}
	})
}
