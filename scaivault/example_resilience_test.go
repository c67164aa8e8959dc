// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A Store that follows a file, goes on from memory, and asks for evidence before
// each step of a move.
func Example_resilience() {
	dir, err := os.MkdirTemp("", "stages")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	stages := filepath.Join(dir, "stages")
	if err := os.WriteFile(stages, []byte("shadow\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	server := exampleServer()
	defer server.Close()
	server.Inject(scaivaulttest.Fault{Path: "/v1/secrets/**", Hang: true}) // so that nothing is compared before the verdict
	client := exampleClientOf(server, scaivault.ClientConfig{Token: scaivault.StaticToken(server.IssueToken("sa:billing"))})
	defer client.Close()
	old := scaivaulttest.NewSource("vault")
	_, err = old.Put(context.Background(), "kv/data/apps/db", map[string]any{"password": "one"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := resilient(context.Background(), stages, client, old); err != nil {
		fmt.Println(err)
	}
	// Output:
	// vault
	// environments/production/** may not go to canary: only 0 comparisons within 1h0m0s, of 100 asked for
}

func resilient(ctx context.Context, stages string, client *scaivault.Client, source scaivault.Source) error {
	mapping, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	if err != nil {
		return err
	}
	flag, err := scaivault.FileFlag(stages) // one stage, or lines of pattern: stage
	if err != nil {
		return err
	}
	defer flag.Close()
	store, err := scaivault.NewStore(scaivault.StoreConfig{
		ScaiVault: client, Vault: source, Mapping: mapping,
		Flag:  scaivault.Gate{Flag: flag}, // holds a path back while the evidence speaks against it
		Cache: scaivault.CacheConfig{TTL: 5 * time.Minute, StaleFor: 24 * time.Hour},
	})
	if err != nil {
		return err
	}
	defer store.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go store.Follow(ctx, client.Watch(ctx, "environments/production/**")) // a rotation is seen at once

	secret, err := store.Get(ctx, "environments/production/db")
	if err != nil {
		return err
	}
	fmt.Println(secret.Source())
	fmt.Println(store.Verdict("environments/production/**", scaivault.StageCanary))
	return nil
}
