// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A program that uses ScaiVault alone, without a Store.
func ExampleNewClient() {
	server := exampleServer()
	defer server.Close()
	for name, value := range map[string]string{"SCAIVAULT_URL": server.URL(), "SCAIVAULT_TOKEN": server.IssueToken("sa:billing")} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	if err := clientQuickStart(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// secret environments/test/billing/db v1 REDACTED
	// version 2
}

func clientQuickStart(ctx context.Context) error {
	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs:  []string{os.Getenv("SCAIVAULT_URL")},
		Token: scaivault.EnvToken("SCAIVAULT_TOKEN"),
	})
	if err != nil {
		return err
	}
	defer client.Close()
	secret, err := client.Get(ctx, "environments/test/billing/db")
	if errors.Is(err, scaivault.ErrNotFound) {
		return errors.New("billing has no password yet")
	} else if err != nil {
		return err // one line that holds no secret, with the id of the request
	}
	fmt.Println(secret) // shows no value; Field, Data, JSON and Decode do
	password, _ := secret.Field("password")
	written, err := client.Put(ctx, secret.Path(), map[string]any{"password": password + ", and one more"}, nil)
	if err != nil {
		return err
	}
	fmt.Println("version", written.Version)
	return nil
}
