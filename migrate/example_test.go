// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// Copy what the guide copies, then see that both sides are the same.
func ExampleCopy() {
	ctx := context.Background()
	source, client, stop := exampleServices()
	defer stop()

	mapping, err := scaivault.NewMapping(
		scaivault.Rule{Vault: "kv/data/apps/billing/db", ScaiVault: "environments/production/billing/database"},
		scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	if err != nil {
		log.Fatal(err)
	}
	report, err := migrate.Copy(ctx, source, client, mapping, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("created:", report.Count(migrate.Created), "problems:", report.Err())

	report, err = migrate.Diff(ctx, source, client, mapping, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("same:", report.Count(migrate.Same), "problems:", report.Err())
	// Output:
	// created: 2 problems: <nil>
	// same: 2 problems: <nil>
}

// exampleServices are a Vault with two secrets and an empty ScaiVault.
func exampleServices() (*vault.Source, *scaivault.Client, func()) {
	v, err := scaivaulttest.StartVault(nil)
	if err != nil {
		log.Fatal(err)
	}
	s, err := scaivaulttest.StartServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	v.Mount("kv", 2)
	v.Seed("kv/data/apps/billing/db", map[string]any{"password": "example"})
	v.Seed("kv/data/apps/billing/stripe", map[string]any{"key": "example"})

	cfg := api.DefaultConfig()
	cfg.Address = "https://vault.example"
	cfg.HttpClient = &http.Client{Transport: v.RoundTripper()}
	vaultClient, err := api.NewClient(cfg)
	if err != nil {
		log.Fatal(err)
	}
	vaultClient.SetToken(v.RootToken())
	source, err := vault.NewSource(vault.Config{Client: vaultClient})
	if err != nil {
		log.Fatal(err)
	}
	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs:       []string{"https://scaivault.example"},
		Token:      scaivault.StaticToken(s.IssueToken("sa:migrator")),
		HTTPClient: &http.Client{Transport: s.RoundTripper()},
	})
	if err != nil {
		log.Fatal(err)
	}
	return source, client, func() {
		_ = client.Close() // an example has nobody to tell
		_ = source.Close()
		s.Close()
		v.Close()
	}
}
