// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// A Source reads and writes both versions of KV by API paths.
func Example() {
	server, err := scaivaulttest.StartVault(nil) // stands for your Vault
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.Mount("kv", 2)

	client, err := api.NewClient(&api.Config{Address: server.URL()})
	if err != nil {
		log.Fatal(err)
	}
	client.SetToken(server.RootToken()) // or set Config.Auth, to log in by AppRole and the like
	source, err := vault.NewSource(vault.Config{Client: client})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()

	ctx := context.Background()
	written, err := source.Put(ctx, "kv/data/apps/billing/db", map[string]any{"user": "billing", "password": "correct horse"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("wrote version", written.Version)

	secret, err := source.Get(ctx, "kv/data/apps/billing/db")
	if err != nil {
		log.Fatal(err)
	}
	user, _ := secret.Field("user")
	fmt.Println(user, "from", secret)

	_, err = source.Get(ctx, "kv/apps/billing/db")
	fmt.Println(errors.Is(err, scaivault.ErrInvalid), err)
	// Output:
	// wrote version 1
	// billing from secret kv/data/apps/billing/db v1 REDACTED
	// true get kv/apps/billing/db: vault: invalid: kv/ is KV v2: use kv/data/apps/billing/db
}
