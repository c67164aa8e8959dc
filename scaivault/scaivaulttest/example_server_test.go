// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func ExampleServer() {
	srv, err := scaivaulttest.StartServer(nil) // in a test: scaivaulttest.NewServer(t)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	srv.Seed("environments/production/billing/database", map[string]any{"user": "billing"})
	client := &http.Client{Transport: srv.RoundTripper()}

	get := func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
			"https://scaivault.test/v1/secrets/environments/production/billing/database", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		req.Header.Set("Authorization", "Bearer "+srv.IssueToken("sa:billing-prod", "secrets:read"))
		res, err := client.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer res.Body.Close()
		var secret struct {
			Version int               `json:"version"`
			Data    map[string]string `json:"data"`
		}
		if err := json.NewDecoder(res.Body).Decode(&secret); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: version %d, user %q\n", res.Status, secret.Version, secret.Data["user"])
	}
	get()
	srv.Inject(scaivaulttest.Fault{Path: "/v1/secrets/**", Count: 1, Status: 503, Code: "service_unavailable"})
	get()
	get()
	fmt.Println(srv.RequestCount("GET", "/v1/secrets/**"), "requests")
	// Output:
	// 200 OK: version 1, user "billing"
	// 503 Service Unavailable: version 0, user ""
	// 200 OK: version 1, user "billing"
	// 3 requests
}
