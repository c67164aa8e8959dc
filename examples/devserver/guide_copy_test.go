// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"
)

// moved is the mapping of the guide's scripts.
var moved = map[string]string{
	"apps/billing/db":     "environments/production/billing/database",
	"apps/billing/stripe": "environments/production/billing/stripe",
}

// onVault makes a request to Vault, as its operator.
func (r *reader) onVault(method, path, body string) (answer map[string]json.RawMessage) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "https://vault.internal:8200/v1/"+path, strings.NewReader(body))
	require.NoError(r.t, err)
	req.Header.Set("X-Vault-Token", r.vault.RootToken())
	res, err := r.vault.RoundTripper().RoundTrip(req)
	require.NoError(r.t, err)
	defer res.Body.Close()
	var object struct {
		Data struct {
			Data map[string]json.RawMessage `json:"data"`
		} `json:"data"`
	}
	if res.StatusCode != http.StatusNoContent {
		require.NoError(r.t, json.NewDecoder(res.Body).Decode(&object))
	}
	return object.Data.Data // KV v2 nests "data" twice
}

// onScaiVault makes a request to the devserver over its socket.
func (r *reader) onScaiVault(identity, method, path, body string) (answer map[string]json.RawMessage, status int) {
	r.t.Helper()
	return ask(r.t, r.process, identity, method, path, body)
}

// copySubtree makes the requests of the guide's script, with the same bodies.
func (r *reader) copySubtree() {
	r.t.Helper()
	for vaultPath, path := range moved {
		body, err := json.Marshal(map[string]any{
			"data":        r.onVault("GET", "kv/data/"+vaultPath, ""),
			"secret_type": "json",
			"metadata": map[string]any{
				"tags":        []string{"migrated-from-vault"},
				"description": "Migrated from vault: kv/data/" + vaultPath,
			},
			"options": map[string]any{"max_versions": 10},
		})
		require.NoError(r.t, err)
		_, status := r.onScaiVault("user:ops", "PUT", "secrets/"+path, string(body))
		require.Less(r.t, status, 300)
	}
}

// diff makes the requests of the guide's second script, and returns the Vault paths
// whose values differ.
func (r *reader) diff() (differing []string) {
	r.t.Helper()
	for vaultPath, path := range moved {
		inVault, err := json.Marshal(r.onVault("GET", "kv/data/"+vaultPath, ""))
		require.NoError(r.t, err)
		answer, status := r.onScaiVault("user:ops", "GET", "secrets/"+path, "")
		require.Equal(r.t, http.StatusOK, status)
		var data map[string]json.RawMessage
		require.NoError(r.t, json.Unmarshal(answer["data"], &data))
		inScaiVault, err := json.Marshal(data)
		require.NoError(r.t, err)
		if string(inVault) != string(inScaiVault) {
			differing = append(differing, vaultPath)
		}
	}
	return differing
}
