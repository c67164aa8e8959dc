// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestCommunityServerIgnoresNamespaces says why no other test of namespaces runs
// against the real Vault: they are of the enterprise edition, and the community
// edition does as if the header were not there. The small Vault of
// scaivaulttest has namespaces, unless it is told to have none.
func TestCommunityServerIgnoresNamespaces(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{IgnoreNamespaces: true})
	small := &server{url: v.URL(), rootToken: v.RootToken(), client: newHTTPClient(t), mount: v.Mount}
	for _, s := range []*server{startReal(t), small} {
		s.mount("kv", 2)
		tell(t, s, []step{
			{do: "POST kv/data/a", body: `{"data":{"v":"1"}}`, status: 200, want: written2(1)},
			{do: "GET kv/data/a", header: "X-Vault-Namespace: acme", status: 200, want: secret2(`{"v":"1"}`, live(1))},
			{do: "GET kv/data/a", header: "X-Vault-Namespace: acme/finance/", status: 200, want: secret2(`{"v":"1"}`, live(1))},
			{do: "GET acme/kv/data/a", status: 404, want: `{"errors":["no handler for route \"acme/kv/data/a\". route entry not found."]}`},
			{do: "LIST sys/namespaces", status: 404, want: `{"errors":["enterprise-only feature"]}`},
		})
	}
}

// TestRootNamespaceIsTheDefault holds for both.
func TestRootNamespaceIsTheDefault(t *testing.T) {
	t.Parallel()
	forEachVault(t, func(t *testing.T, s *server) {
		s.mount("kv", 2)
		tell(t, s, []step{
			{do: "POST kv/data/a", header: "X-Vault-Namespace: root", body: `{"data":{"v":"1"}}`, status: 200, want: written2(1)},
			{do: "GET kv/data/a", status: 200, want: secret2(`{"v":"1"}`, live(1))},
			{do: "GET kv/data/a", header: "X-Vault-Namespace: /", status: 200, want: secret2(`{"v":"1"}`, live(1))},
			{as: "hvs.bad", do: "GET kv/data/a", header: "X-Vault-Namespace: acme", status: 403, want: badToken},
		})
	})
}
