// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"net/http"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// may asks Vault what a token with the policies may do at a path.
func may(t *testing.T, client *api.Client, path string, policies ...string) []string {
	t.Helper()
	made, err := client.Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: policies, NoDefaultPolicy: false})
	require.NoError(t, err)
	words, err := withToken(t, client, made.Auth.ClientToken).Sys().CapabilitiesSelfWithContext(t.Context(), path)
	require.NoError(t, err)
	return words
}

func TestVaultPolicies(t *testing.T) {
	t.Parallel()
	const json = `{"path": {"kv/data/*": {"capabilities": ["read", "list"]}, "kv/data/secret": {"capabilities": ["deny"]}}}`
	for _, tc := range []struct {
		name     string
		policies []string
		path     string
		want     []string
	}{
		{"of the guide", []string{guidePolicy}, "kv/data/apps/db", []string{"list", "read"}},
		{"of the guide, elsewhere", []string{guidePolicy}, "kv/destroy/apps/db", []string{"deny"}},
		{"exact", []string{`path "a/b" { capabilities = ["read"] }`}, "a/b", []string{"read"}},
		{"exact is not a prefix", []string{`path "a/b" { capabilities = ["read"] }`}, "a/bc", []string{"deny"}},
		{"a leading slash does not count", []string{`path "/a/b" { capabilities = ["read"] }`}, "a/b", []string{"read"}},
		{"the longest prefix counts alone", []string{`path "a/*" { capabilities = ["read"] } path "a/b*" { capabilities = ["list"] }`}, "a/bc", []string{"list"}},
		{"exact before prefix", []string{`path "a/*" { capabilities = ["read"] } path "a/b" { capabilities = ["update"] }`}, "a/b", []string{"update"}},
		{"deny wins over the same path", []string{`path "a/*" { capabilities = ["read"] }`, `path "a/*" { capabilities = ["deny"] }`}, "a/b", []string{"deny"}},
		{"deny wins within one rule", []string{`path "a" { capabilities = ["read", "deny"] }`}, "a", []string{"deny"}},
		{"the same path adds up", []string{`path "a" { capabilities = ["read"] }`, `path "a" { capabilities = ["create"] }`}, "a", []string{"create", "read"}},
		{"a plus is one segment", []string{`path "kv/data/+/db" { capabilities = ["read"] }`}, "kv/data/apps/db", []string{"read"}},
		{"a plus is not two segments", []string{`path "kv/data/+/db" { capabilities = ["read"] }`}, "kv/data/a/b/db", []string{"deny"}},
		{"a plus and a star", []string{`path "+/data/a*" { capabilities = ["read"] }`}, "kv/data/apps/db", []string{"read"}},
		{"the later wildcard counts", []string{`path "kv/+/x" { capabilities = ["read"] } path "kv/data/*" { capabilities = ["list"] }`}, "kv/data/x", []string{"list"}},
		{"JSON", []string{json}, "kv/data/apps", []string{"list", "read"}},
		{"JSON deny", []string{json}, "kv/data/secret", []string{"deny"}},
		{"JSON with a list", []string{`{"path": [{"a": {"capabilities": ["read"]}}, {"b": {"capabilities": ["list"]}}]}`}, "b", []string{"list"}},
		{"comments", []string{"# one\n// two\n/* three\n */ path \"a\" {\n  # four\n  capabilities = [\"read\",]\n}"}, "a", []string{"read"}},
		{"the old words", []string{`path "a" { policy = "write" }`}, "a", []string{"create", "delete", "list", "read", "update"}},
		{"base64", []string{"cGF0aCAiYSIgeyBjYXBhYmlsaXRpZXMgPSBbInJlYWQiXSB9"}, "a", []string{"read"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			client := vaultClient(t, scaivaulttest.NewVault(t))
			var names []string
			for i, text := range tc.policies {
				names = append(names, "p"+string(rune('0'+i)))
				require.NoError(t, client.Sys().PutPolicyWithContext(t.Context(), names[i], text))
			}
			assert.Equal(t, tc.want, may(t, client, tc.path, names...))
		})
	}
}

func TestVaultPolicyChangesHoldAtOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	v := scaivaulttest.NewVault(t)
	client := vaultClient(t, v)
	v.Mount("kv", 2)
	v.Seed("kv/data/db", map[string]any{"a": "b"})
	require.NoError(t, client.Sys().PutPolicyWithContext(ctx, "reader", guidePolicy))
	made, err := client.Auth().Token().CreateWithContext(ctx, &api.TokenCreateRequest{Policies: []string{"reader"}})
	require.NoError(t, err)
	reader := withToken(t, client, made.Auth.ClientToken)
	_, err = reader.KVv2("kv").Get(ctx, "db")
	require.NoError(t, err)
	require.NoError(t, client.Sys().DeletePolicyWithContext(ctx, "reader"))
	_, err = reader.KVv2("kv").Get(ctx, "db")
	assert.Equal(t, http.StatusForbidden, statusOf(t, err))
}

func TestVaultTellsCreatingFromUpdating(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	v := scaivaulttest.NewVault(t)
	client := vaultClient(t, v)
	v.Mount("kv", 2)
	require.NoError(t, client.Sys().PutPolicyWithContext(ctx, "creator", `path "kv/data/*" { capabilities = ["create"] }`))
	made, err := client.Auth().Token().CreateWithContext(ctx, &api.TokenCreateRequest{Policies: []string{"creator"}})
	require.NoError(t, err)
	creator := withToken(t, client, made.Auth.ClientToken)
	_, err = creator.KVv2("kv").Put(ctx, "db", map[string]any{"a": "b"})
	require.NoError(t, err)
	_, err = creator.KVv2("kv").Put(ctx, "db", map[string]any{"a": "c"})
	assert.Equal(t, http.StatusForbidden, statusOf(t, err))
}

func TestVaultRefusesPoliciesThatItWouldNotObey(t *testing.T) {
	t.Parallel()
	client := vaultClient(t, scaivaulttest.NewVault(t))
	for _, text := range []string{
		`path "a" { capabilities = ["read"] allowed_parameters = { "x" = [] } }`,
		`path "a" { capabilities = ["read"] max_wrapping_ttl = "1h" }`,
		`path "a/{{identity.entity.id}}" { capabilities = ["read"] }`,
		`path "a" { capabilities = ["fly"] }`,
		`path "a" { capabilities = [["read"]] }`,
		`path "a" { capabilities = [`,
		`path "a" { capabilities = ["read" "list"] }`,
		`path "a`,
		`path "a" /* `,
		`{"path": {"a": {"capabilities": ["read"]}}`,
		`{"path": {"a": {"capabilities": ["read"]}}} {}`,
		`{"path": []`,
		`other "a" {}`,
	} {
		err := client.Sys().PutPolicyWithContext(t.Context(), "p", text)
		if assert.Error(t, err, text) {
			assert.Equal(t, http.StatusBadRequest, statusOf(t, err), text)
		}
	}
	_, err := client.Sys().GetPolicyWithContext(t.Context(), "p")
	require.NoError(t, err)
}
