// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// A service reads its database's password, wherever it lives at the moment.
func Example() {
	stop := startBothServices() // sets VAULT_ADDR, VAULT_TOKEN, SCAIVAULT_URL, SCAIVAULT_TOKEN and SECRETS_STAGE
	defer stop()
	if err := quickStart(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: billing has its password from vault
}

func quickStart(ctx context.Context) error {
	old, err1 := api.NewClient(api.DefaultConfig()) // VAULT_ADDR, VAULT_TOKEN
	source, err2 := vault.NewSource(vault.Config{Client: old})
	client, err3 := scaivault.NewClient(scaivault.ClientConfig{
		URLs:  []string{os.Getenv("SCAIVAULT_URL")},
		Token: scaivault.EnvToken("SCAIVAULT_TOKEN"),
	})
	mapping, err4 := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	flag, err5 := scaivault.EnvFlag("SECRETS_STAGE") // vault, shadow, canary, freeze, cutover or scaivault
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	store, err := scaivault.NewStore(scaivault.StoreConfig{ScaiVault: client, Vault: source, Mapping: mapping, Flag: flag})
	if err != nil {
		return err
	}
	defer store.Close()
	secret, err := store.Get(ctx, "environments/production/billing/db") // always the new name
	if err != nil {
		return err
	}
	if _, ok := secret.Field("password"); ok {
		fmt.Println("billing has its password from", secret.Source())
	}
	return nil
}

// startBothServices starts both services in memory.
func startBothServices() (stop func()) {
	v, err := scaivaulttest.StartVault(nil)
	if err != nil {
		panic(err)
	}
	s, err := scaivaulttest.StartServer(nil)
	if err != nil {
		panic(err)
	}
	v.Mount("kv", 2)
	v.Seed("kv/data/apps/billing/db", map[string]any{"password": "an example"})
	for name, value := range map[string]string{
		"VAULT_ADDR": v.URL(), "VAULT_TOKEN": v.RootToken(),
		"SCAIVAULT_URL": s.URL(), "SCAIVAULT_TOKEN": s.IssueToken("sa:billing"),
		"SECRETS_STAGE": "canary",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	return func() { v.Close(); s.Close() }
}
