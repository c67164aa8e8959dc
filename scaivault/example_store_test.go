// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// exampleStore is a Store over both services in memory, in which Vault has one
// secret.
func exampleStore(stage scaivault.Stage, trace *scaivault.Trace) (store *scaivault.Store, scai *scaivaulttest.Server, stop func()) {
	old, err := scaivaulttest.StartVault(nil)
	if err != nil {
		panic(err)
	}
	old.Mount("kv", 2)
	old.Seed("kv/data/apps/billing/db", map[string]any{"password": "one"})
	cfg := api.DefaultConfig()
	cfg.Address = old.URL()
	vaultClient, err := api.NewClient(cfg)
	if err != nil {
		panic(err)
	}
	vaultClient.SetToken(old.RootToken())
	source, err := vault.NewSource(vault.Config{Client: vaultClient})
	if err != nil {
		panic(err)
	}
	mapping, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/test/**"})
	if err != nil {
		panic(err)
	}
	scai = exampleServer()
	client := exampleClientOf(scai, scaivault.ClientConfig{
		Token: scaivault.StaticToken(scai.IssueToken("sa:billing")),
		Retry: scaivault.RetryConfig{MaxRetries: -1}, // Vault answers sooner
	})
	store, err = scaivault.NewStore(scaivault.StoreConfig{ScaiVault: client, Vault: source, Mapping: mapping, Flag: stage, Trace: trace})
	if err != nil {
		panic(err)
	}
	return store, scai, func() { store.Close(); client.Close(); scai.Close(); old.Close() }
}

// A write at cutover goes to ScaiVault, and a copy of it to Vault.
func ExampleStore_Put() {
	store, _, stop := exampleStore(scaivault.StageCutover, nil)
	defer stop()
	written, err := store.Put(context.Background(), "environments/test/billing/db", map[string]any{"password": "two"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if written.Mirror != nil { // the write has succeeded all the same
		fmt.Println("Vault has no copy:", written.Mirror)
	}
	fmt.Println(written.Source, written.Version)
	// Output: scaivault 2
}

// At cutover Vault answers while ScaiVault is down, and a trace tells of it.
func ExampleTrace() {
	store, scai, stop := exampleStore(scaivault.StageCutover, &scaivault.Trace{Get: func(i scaivault.GetInfo) {
		for _, attempt := range i.Attempts {
			fmt.Println(attempt.Source, "did not answer")
		}
		fmt.Println(i.Source, "answered at", i.Stage)
	}})
	defer stop()
	scai.SetDown(true)
	secret, err := store.Get(context.Background(), "environments/test/billing/db")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(secret.Failover())
	// Output:
	// scaivault did not answer
	// vault answered at cutover
	// true
}
