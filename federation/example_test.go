// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A Vault is put behind ScaiVault, so that applications can read it there before
// anything was copied. Later ScaiVault becomes the authority.
func Example() {
	vault, client, closeBoth := newDemo()
	defer closeBoth()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	if _, err := client.Put(ctx, "infra/hashicorp/token", map[string]any{"token": vault.RootToken()}, nil); err != nil {
		log.Fatal(err)
	}
	backends := federation.New(client)
	backend, err := backends.Create(ctx, federation.Backend{
		Name: "hashicorp-production",
		Config: &federation.HashiCorpVault{
			Endpoint:       vault.URL(),
			AuthMethod:     federation.AuthToken,
			AuthConfigPath: "infra/hashicorp/token",
		},
		PathMapping: map[string]string{"external/hashicorp/**": "kv/data/**"},
		Mode:        federation.ModeProxy,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := backends.WaitHealthy(ctx, backend.ID); err != nil {
		log.Fatal(err)
	}
	secret, err := client.Get(ctx, "external/hashicorp/apps/billing/db")
	if err != nil {
		log.Fatal(err)
	}
	user, _ := secret.Field("user")
	fmt.Println(backend.Mode, user)

	backend, err = backends.Promote(ctx, backend.ID, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(backend.Mode, backend.SyncInterval, backend.ConflictResolution)
	// Output:
	// proxy billing
	// sync 1h0m0s local_wins
}

// One mapping file serves services, migration and federation.
func ExamplePathMapping() {
	m, err := scaivault.NewMapping(
		scaivault.Rule{Vault: "kv/data/apps/billing/db", ScaiVault: "environments/production/billing/database"},
		scaivault.Rule{Vault: "kv/data/**", ScaiVault: "external/hashicorp/**", Proxied: true},
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(federation.PathMapping(m, ""))
	// Output: map[external/hashicorp/**:kv/data/**]
}

// newDemo starts a Vault with one secret, and a ScaiVault with a client.
func newDemo() (vault *scaivaulttest.Vault, client *scaivault.Client, closeBoth func()) {
	vault, err := scaivaulttest.StartVault(nil)
	if err != nil {
		log.Fatal(err)
	}
	vault.Mount("kv", 2)
	vault.Seed("kv/data/apps/billing/db", map[string]any{"user": "billing"})
	server, err := scaivaulttest.StartServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	client, err = scaivault.NewClient(scaivault.ClientConfig{
		URLs:  []string{server.URL()},
		Token: scaivault.StaticToken(server.IssueToken("user:ops")),
	})
	if err != nil {
		log.Fatal(err)
	}
	return vault, client, func() {
		_ = client.Close()
		server.Close()
		vault.Close()
	}
}
