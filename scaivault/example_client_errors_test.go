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

// What went wrong, and with whom to take it up.
func ExampleError() {
	client, stop := exampleClient()
	defer stop()
	_, err := client.Get(context.Background(), "environments/test/billing/queue")
	switch {
	case errors.Is(err, scaivault.ErrNotFound):
		fmt.Println("not written yet")
	case errors.Is(err, scaivault.ErrPermission):
		fmt.Println("ask for a policy")
	case errors.Is(err, scaivault.ErrUnavailable):
		fmt.Println("try again later")
	}
	var e *scaivault.Error
	if errors.As(err, &e) {
		fmt.Println(e.Op, e.Path, e.Status, e.Code, e.RequestID != "")
	}
	// Output:
	// not written yet
	// get environments/test/billing/queue 404 secret_not_found true
}

// A write of which nobody knows whether it was done: look, before you write
// again.
func Example_uncertainWrite() {
	server := exampleServer()
	defer server.Close()
	client := exampleClientOf(server, scaivault.ClientConfig{Token: scaivault.StaticToken(server.IssueToken("sa:billing"))})
	defer client.Close()
	ctx := context.Background()
	const path = "environments/test/billing/db"

	// The service does what it is told, and breaks down before it can say so.
	server.Inject(scaivaulttest.Fault{Method: http.MethodPut, After: true, Cut: scaivaulttest.CutBeforeAnswer})
	repair := server.Inject(scaivaulttest.Fault{Method: http.MethodGet, Status: http.StatusForbidden, Code: "access_denied"})
	_, err := client.Put(ctx, path, map[string]any{"password": "three"}, nil)
	fmt.Println(errors.Is(err, scaivault.ErrUncertain))

	repair()
	secret, err := client.Get(ctx, path)
	if err != nil {
		fmt.Println(err)
		return
	}
	if password, _ := secret.Field("password"); password == "three" {
		fmt.Println("it was written, as version", secret.Version())
	}
	// Output:
	// true
	// it was written, as version 2
}
