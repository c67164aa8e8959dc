// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/scailabs/scaivault-go/scaivault"
)

func ExampleClientCredentials() {
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("grant_type") != "client_credentials" || r.FormValue("client_secret") != "not-a-real-secret" {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"access_token":"not-a-real-token","expires_in":3600}`)
	}))
	defer issuer.Close()

	credentials := scaivault.ClientCredentials{
		TokenURL:     issuer.URL, // leave it out for the managed ScaiKey
		ClientID:     "sa:billing",
		ClientSecret: scaivault.StaticToken("not-a-real-secret"), // rather EnvToken or FileToken
		Scopes:       []string{"secrets:read"},
	}
	// A Client asks by itself: ClientConfig{Token: credentials, …}.
	token, err := credentials.Token(context.Background())
	fmt.Println(token, err)

	credentials.ClientSecret = scaivault.StaticToken("outdated")
	_, err = credentials.Token(context.Background())
	fmt.Println(err)
	// Output:
	// not-a-real-token <nil>
	// get token: not authenticated (status 401, invalid_client): the issuer does not know this client, or not this secret
}

func ExampleFileToken() {
	dir, err := os.MkdirTemp("", "token")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "token") // such as /var/run/secrets/tokens/scaivault

	source := scaivault.FileToken(path)
	if err := os.WriteFile(path, []byte("not-a-real-token\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(source.Token(context.Background()))

	// While the file is being written again, the last good token stays.
	if err := os.Truncate(path, 0); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(source.Token(context.Background()))
	// Output:
	// not-a-real-token <nil>
	// not-a-real-token <nil>
}

func ExampleTokenExchange() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
		fmt.Fprint(w, `{"access_token":"not-a-real-token","expires_in":3600}`)
	}))
	defer service.Close()

	exchange := scaivault.TokenExchange{
		URL:     service.URL,
		Subject: scaivault.StaticToken("the-workloads-own"), // rather FileToken, of a projected service account token
		Role:    "sa:billing",
	}
	// A Client asks by itself: ClientConfig{Token: exchange, …}.
	fmt.Println(exchange.Token(context.Background()))
	// Output:
	// POST /v1/auth/exchange
	// not-a-real-token <nil>
}

func ExampleTokenFunc() {
	// Whatever knows the token, such as the agent that runs beside the service.
	var source scaivault.TokenSource = scaivault.TokenFunc(func(ctx context.Context) (string, error) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		return "not-a-real-token", nil
	})
	fmt.Println(source.Token(context.Background()))
	// Output: not-a-real-token <nil>
}

// A helper keeps the token of some other program until it is refused.
type helper struct {
	ask  func(ctx context.Context) (string, error)
	turn chan struct{} // of capacity 1; full while the program runs: one run serves all calls
	kept func() string
}

func (h *helper) Token(ctx context.Context) (string, error) { return h.Renew(ctx, "") }

func (h *helper) Renew(ctx context.Context, refused string) (string, error) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if h.kept == nil || h.kept() == refused {
		token, err := h.ask(ctx)
		if err != nil {
			return "", err
		}
		h.kept = func() string { return token }
	}
	return h.kept(), nil
}

func ExampleTokenRenewer() {
	runs := 0
	var source scaivault.TokenRenewer = &helper{turn: make(chan struct{}, 1), ask: func(context.Context) (string, error) {
		runs++
		return fmt.Sprintf("not-a-real-token-%d", runs), nil
	}}
	ctx := context.Background()
	token, _ := source.Token(ctx)
	fmt.Println(token)
	// The service says 401, to two calls at once: one run serves both.
	fmt.Println(source.Renew(ctx, token))
	fmt.Println(source.Renew(ctx, token))
	// Output:
	// not-a-real-token-1
	// not-a-real-token-2 <nil>
	// not-a-real-token-2 <nil>
}
