// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/scailabs/scaivault-go/scaivault"
)

func ExampleClient_Metadata() {
	client, stop := exampleClient()
	defer stop()
	info, err := client.Metadata(context.Background(), "environments/test/billing/db") // reads no value
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Path, info.Version, info.Type)
	// Output: environments/test/billing/db 1 kv
}

func ExampleClient_Exists() {
	client, stop := exampleClient()
	defer stop()
	for _, path := range []string{"environments/test/billing/db", "environments/test/billing/queue"} {
		there, err := client.Exists(context.Background(), path)
		fmt.Println(there, err)
	}
	// Output:
	// true <nil>
	// false <nil>
}

func ExampleClient_Versions() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	const path = "environments/test/billing/db"
	if _, err := client.Put(ctx, path, map[string]any{"password": "three"}, nil); err != nil {
		fmt.Println(err)
		return
	}
	versions, err := client.Versions(ctx, path)
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("this service lists no versions") // GetVersion works all the same
		return
	}
	for _, v := range versions {
		fmt.Println(v.Version, v.CreatedBy)
	}
	// Output:
	// 1 system:seed
	// 2 sa:billing
}

func ExampleClient_UpdateMetadata() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	const path = "environments/test/billing/db"
	info, err := client.Metadata(ctx, path)
	if err != nil {
		fmt.Println(err)
		return
	}
	change := info.Metadata // whole, as a service may replace what was there
	change.Owner = "team:billing"
	info, err = client.UpdateMetadata(ctx, path, change)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Version, info.Metadata.Owner)
	// Output: 1 team:billing
}

func ExampleClient_Delete() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	const path = "environments/test/billing/db"
	fmt.Println(client.Delete(ctx, path, nil)) // can be restored
	_, err := client.Put(ctx, path, map[string]any{"password": "three"}, nil)
	fmt.Println(errors.Is(err, scaivault.ErrConflict)) // until then its path is taken
	fmt.Println(client.Delete(ctx, path, &scaivault.DeleteOptions{Permanent: true}))
	// Output:
	// <nil>
	// true
	// <nil>
}

func ExampleClient_Restore() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	const path = "environments/test/billing/db"
	if err := client.Delete(ctx, path, nil); err != nil {
		fmt.Println(err)
		return
	}
	info, err := client.Restore(ctx, path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Path, info.Version)
	// Output: environments/test/billing/db 1
}

func ExampleClient_GetVersion() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	const path = "environments/test/billing/db"
	if _, err := client.Put(ctx, path, map[string]any{"password": "three"}, nil); err != nil {
		fmt.Println(err)
		return
	}
	secret, err := client.GetVersion(ctx, path, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	password, _ := secret.Field("password")
	fmt.Println(password)
	// Output: one
}

func ExampleSecret_Extra() {
	// A service that is newer than this package.
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"version":1,"data":{"password":"one"},"notify_before":["30d","7d"]}`)
	}))
	defer service.Close()
	client, err := scaivault.NewClient(scaivault.ClientConfig{URLs: []string{service.URL}, Token: scaivault.StaticToken("not-a-real-token")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	secret, err := client.Get(context.Background(), "environments/test/billing/db")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(secret) // shows no part of it
	fmt.Println(string(secret.Extra()["notify_before"]))
	// Output:
	// secret environments/test/billing/db v1 REDACTED
	// ["30d","7d"]
}
