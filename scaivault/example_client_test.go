// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// exampleServer is a ScaiVault in memory with two secrets.
func exampleServer() *scaivaulttest.Server {
	s, err := scaivaulttest.StartServer(nil)
	if err != nil {
		panic(err)
	}
	s.Seed("environments/test/billing/db", map[string]any{"password": "one"})
	s.Seed("environments/test/billing/cache", map[string]any{"password": "two"})
	return s
}

// exampleClient is a client of an exampleServer.
func exampleClient() (c *scaivault.Client, stop func()) {
	s := exampleServer()
	c = exampleClientOf(s, scaivault.ClientConfig{Token: scaivault.StaticToken(s.IssueToken("sa:billing"))})
	return c, func() { c.Close(); s.Close() }
}

// exampleClientOf is a client of a ScaiVault in memory.
func exampleClientOf(s *scaivaulttest.Server, cfg scaivault.ClientConfig) *scaivault.Client {
	cfg.URLs, cfg.HTTPClient = []string{"https://scaivault.test"}, &http.Client{Transport: s.RoundTripper()}
	c, err := scaivault.NewClient(cfg)
	if err != nil {
		panic(err)
	}
	return c
}

func ExampleClient_Get() {
	client, stop := exampleClient()
	defer stop()
	secret, err := client.Get(context.Background(), "environments/test/billing/db")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(secret) // printing never shows a value
	password, _ := secret.Field("password")
	fmt.Println(password)

	_, err = client.Get(context.Background(), "environments/test/billing/queue")
	fmt.Println(errors.Is(err, scaivault.ErrNotFound))
	// Output:
	// secret environments/test/billing/db v1 REDACTED
	// one
	// true
}

func ExampleClient_Put() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	secret, err := client.Get(ctx, "environments/test/billing/db")
	if err != nil {
		fmt.Println(err)
		return
	}
	written, err := client.Put(ctx, secret.Path(), map[string]any{"password": "three"}, &scaivault.PutOptions{
		Metadata:    scaivault.Metadata{Owner: "team:billing"},
		IfUnchanged: secret, // nobody wrote since
	})
	fmt.Println(written.Version, err)

	_, err = client.Put(ctx, secret.Path(), map[string]any{"password": "four"}, &scaivault.PutOptions{IfUnchanged: secret})
	fmt.Println(errors.Is(err, scaivault.ErrConflict))
	// Output:
	// 2 <nil>
	// true
}

func ExampleClient_List() {
	client, stop := exampleClient()
	defer stop()
	for entry, err := range client.List(context.Background(), "environments/test", nil) {
		if err != nil {
			fmt.Println(err) // always the last pair
			return
		}
		fmt.Println(entry.Path, entry.Version)
	}
	// Output:
	// environments/test/billing/cache 1
	// environments/test/billing/db 1
}

func ExampleClient_GetBatch() {
	client, stop := exampleClient()
	defer stop()
	found, err := client.GetBatch(context.Background(), []string{"environments/test/billing/db", "environments/test/billing/queue"})
	fmt.Println(len(found))
	var some *scaivault.BatchError
	if errors.As(err, &some) {
		fmt.Println(errors.Is(some.Errors["environments/test/billing/queue"], scaivault.ErrNotFound))
	}
	// Output:
	// 1
	// true
}

func ExampleClient_Do() {
	client, stop := exampleClient()
	defer stop()
	var health struct {
		Status string `json:"status"`
	}
	if err := client.Do(context.Background(), http.MethodGet, "/v1/health", nil, &health); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(health.Status)
	// Output: healthy
}
