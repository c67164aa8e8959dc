// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// services are the two services.
type services struct {
	vault     *vault.Source
	scaiVault *scaivault.Client // nil for what looks at Vault alone
}

func (s *services) connect(getenv func(string) string, vaultAlone bool) error {
	needed := []string{"VAULT_ADDR", "VAULT_TOKEN", "SCAIVAULT_URL", "SCAIVAULT_TOKEN"}
	if vaultAlone {
		needed = needed[:2]
	}
	for _, name := range needed {
		if getenv(name) == "" {
			return errors.New(name + " is not set")
		}
	}
	cfg := api.DefaultConfig()
	if cfg.Error != nil {
		return cfg.Error
	}
	cfg.Address = getenv("VAULT_ADDR")
	apiClient, err := api.NewClient(cfg)
	if err != nil {
		return err
	}
	apiClient.SetToken(getenv("VAULT_TOKEN"))
	if s.vault, err = vault.NewSource(vault.Config{Client: apiClient}); err != nil {
		return err
	}
	if vaultAlone {
		return nil
	}
	s.scaiVault, err = scaivault.NewClient(scaivault.ClientConfig{
		URLs: []string{getenv("SCAIVAULT_URL")}, Token: scaivault.StaticToken(getenv("SCAIVAULT_TOKEN")),
	})
	if err != nil {
		return errors.Join(err, s.vault.Close())
	}
	return nil
}

func (s *services) close() error {
	err := s.vault.Close()
	if s.scaiVault != nil {
		err = errors.Join(err, s.scaiVault.Close())
	}
	return err
}

func readMapping(file string) (*scaivault.Mapping, error) {
	if file == "" {
		return nil, errors.New("-mapping is missing: give the file with the mapping")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("-mapping: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	return scaivault.ParseMapping(f)
}
