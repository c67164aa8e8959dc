// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/scailabs/scaivault-go/scaivault"
)

func ExampleClient_Ready() {
	server := exampleServer()
	defer server.Close()
	client := exampleClientOf(server, scaivault.ClientConfig{Token: scaivault.StaticToken("no-token-is-sent")})
	defer client.Close()
	ctx := context.Background()
	fmt.Println(client.Version(ctx))
	server.SetReady(false)
	fmt.Println(client.Live(ctx)) // its process runs all the same
	readiness, err := client.Ready(ctx)
	fmt.Println(errors.Is(err, scaivault.ErrUnavailable))
	if readiness != nil { // it said why
		fmt.Println(readiness.Errors["database"])
	}
	// Output:
	// 0.0.0-test <nil>
	// <nil>
	// true
	// connection refused
}
