// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A service whose certificate comes from an authority of one's own.
func ExampleClientConfig_tls() {
	server := exampleServer()
	defer server.Close()
	service := httptest.NewTLSServer(server)
	defer service.Close()
	authorities := x509.NewCertPool()
	authorities.AddCert(service.Certificate()) // rather AppendCertsFromPEM, with what stands in a file

	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs:      []string{service.URL},
		Token:     scaivault.StaticToken(server.IssueToken("sa:billing")),
		TLSConfig: &tls.Config{RootCAs: authorities},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println(client.Get(context.Background(), "environments/test/billing/db"))
	// Output: secret environments/test/billing/db v1 REDACTED <nil>
}

// Two addresses of one service, of which the first is down.
func ExampleClientConfig_urls() {
	server := exampleServer()
	defer server.Close()
	down := httptest.NewServer(nil)
	down.Close()

	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs:  []string{down.URL, server.URL()},
		Token: scaivault.StaticToken(server.IssueToken("sa:billing")),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for range 3 {
		if _, err := client.Get(context.Background(), "environments/test/billing/db"); err != nil {
			fmt.Println(err)
		}
	}
	for _, endpoint := range client.Stats().Endpoints {
		fmt.Println(endpoint.State, endpoint.Requests, endpoint.Failures)
	}
	// Output:
	// open 1 1
	// closed 3 0
}

// A client that stays below half of the rate limits, as it shares them.
func ExampleClientConfig_pace() {
	server := exampleServer()
	defer server.Close()
	client := exampleClientOf(server, scaivault.ClientConfig{
		Token: scaivault.StaticToken(server.IssueToken("sa:billing")),
		Pace:  scaivault.PaceConfig{Enabled: true, Share: 0.5},
		Retry: scaivault.RetryConfig{MaxRetries: 4, MaxWait: time.Second},
	})
	defer client.Close()
	if _, err := client.Get(context.Background(), "environments/test/billing/db"); err != nil {
		fmt.Println(err)
		return
	}
	limit := client.Stats().Limits[scaivault.CategoryRead]
	fmt.Println(limit.Remaining, "of", limit.Limit, "are left")
	// Output: 999 of 1000 are left
}
