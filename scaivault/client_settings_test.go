// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// answersOf counts the constants of each type of the test server's quirks, by
// the name of the type.
func answersOf(t *testing.T) map[string]int {
	t.Helper()
	counts := map[string]int{}
	files, err := filepath.Glob("scaivaulttest/quirks*.go")
	require.NoError(t, err)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			block, ok := decl.(*ast.GenDecl)
			if !ok || block.Tok != token.CONST {
				continue
			}
			first, _ := block.Specs[0].(*ast.ValueSpec)
			if kind, ok := first.Type.(*ast.Ident); ok {
				counts[kind.Name] = len(block.Specs)
			}
		}
	}
	return counts
}

// settings are the test server's quirks: each answer alone, and some at random.
func settings(t *testing.T, atRandom int) map[string]scaivaulttest.Quirks {
	t.Helper()
	counts := answersOf(t)
	all := map[string]scaivaulttest.Quirks{}
	kind := reflect.TypeFor[scaivaulttest.Quirks]()
	for i := range kind.NumField() {
		field := kind.Field(i)
		if field.Type.Kind() != reflect.Uint8 {
			continue
		}
		require.Greater(t, counts[field.Type.Name()], 1, "no answers of %s found", field.Name)
		for v := 1; v < counts[field.Type.Name()]; v++ {
			var q scaivaulttest.Quirks
			reflect.ValueOf(&q).Elem().Field(i).SetUint(uint64(v))
			all[fmt.Sprintf("%s %d", field.Name, v)] = q
		}
	}
	for n := range atRandom {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		q := scaivaulttest.Quirks{ListMax: 5 * random.IntN(2)} // no less than a caller here asks for
		for i := range kind.NumField() {
			if field := kind.Field(i); field.Type.Kind() == reflect.Uint8 {
				reflect.ValueOf(&q).Elem().Field(i).SetUint(uint64(random.IntN(counts[field.Type.Name()])))
			}
		}
		all[fmt.Sprintf("at random %d: %+v", n, q)] = q
	}
	return all
}

// TestClientUnderEverySetting goes through all methods whatever the service
// answers where its documents are silent.
func TestClientUnderEverySetting(t *testing.T) {
	t.Parallel()
	for name, q := range settings(t, 50) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{Quirks: q})
				s.TrustToken("foreign", "sa:x")
				c := newTestClient(t, "https://s.test", through(s.RoundTripper()), func(cfg *scaivault.ClientConfig) {
					cfg.Token = scaivault.TokenExchange{
						URL: "https://s.test", Subject: scaivault.StaticToken("foreign"), HTTPClient: &http.Client{Transport: s.RoundTripper()},
					}
				})
				everyMethodOfSecrets(t, c)
				everyOtherMethod(t, c)
				policiesAreUsed(t, c)
				eventsAreSeen(t, c)
			})
		})
	}
}

func policiesAreUsed(t *testing.T, c *scaivault.Client) {
	t.Helper()
	ctx := t.Context()
	p, err := c.CreatePolicy(ctx, &scaivault.Policy{Name: "readers", Rules: []scaivault.PolicyRule{
		{PathPattern: "a/**", Permissions: []scaivault.Permission{scaivault.PermissionRead}},
	}})
	require.NoError(t, err)
	_, err = c.BindPolicy(ctx, p.ID, scaivault.PolicyBinding{IdentityType: "service_account", IdentityID: "sa:y"})
	require.NoError(t, err)
	said, err := c.TestPolicy(ctx, "sa:y", "a/one", scaivault.PermissionRead)
	require.NoError(t, err)
	require.True(t, said.Allowed)
	p.Description = "may read"
	p, err = c.UpdatePolicy(ctx, p)
	require.NoError(t, err)
	require.Equal(t, "may read", p.Description)
	for listed, err := range c.Policies(ctx, nil) {
		require.NoError(t, err)
		require.Equal(t, p.ID, listed.ID)
	}
	requireMatches(t, c.DeletePolicy(ctx, p.ID, nil), scaivault.ErrConflict)
	require.NoError(t, c.DeletePolicy(ctx, p.ID, &scaivault.DeletePolicyOptions{Force: true}))
}

// eventsAreSeen writes ten secrets, one by one, and waits for the word of each.
func eventsAreSeen(t *testing.T, c *scaivault.Client) {
	t.Helper()
	ctx := t.Context()
	const writes = 10
	// The watch begins within the loop, so the first word is that of a write that
	// comes later.
	time.AfterFunc(time.Second, func() { _, _ = c.Put(ctx, "w/0", map[string]any{}, nil) })
	seen := 0
	for e, err := range c.Watch(ctx, "w/*") {
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("w/%d", seen), e.Path)
		require.Equal(t, scaivault.EventSecretCreated, e.Type)
		if seen++; seen == writes {
			break
		}
		_, err := c.Put(ctx, fmt.Sprintf("w/%d", seen), map[string]any{}, nil)
		require.NoError(t, err)
	}
	require.Equal(t, writes, seen)
	for _, err := range c.Subscriptions(ctx) {
		require.Fail(t, "the watch has left its subscription", "%v", errors.Join(err))
	}
}
