// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// jsonObject reads an object that is written out.
func jsonObject(t testing.TB, text string) map[string]any {
	t.Helper()
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &object))
	return object
}

func TestVaultMergesPatchesIntoANewVersion(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, before, patch, after string }{
		{"a new field", `{"a":"1"}`, `{"b":"2"}`, `{"a":"1","b":"2"}`},
		{"null removes", `{"a":"1","b":"2"}`, `{"a":null,"c":null}`, `{"b":"2"}`},
		{"objects merge", `{"a":{"x":1,"y":2}}`, `{"a":{"x":null,"z":{"n":null,"m":3}}}`, `{"a":{"y":2,"z":{"m":3}}}`},
		{"an object for a value", `{"a":"1"}`, `{"a":{"x":null,"y":1}}`, `{"a":{"y":1}}`},
		{"a value for an object", `{"a":{"x":1}}`, `{"a":[null,{"x":null}]}`, `{"a":[null,{"x":null}]}`},
		{"an array for a value", `{"a":"1"}`, `{"a":[null,{"x":null}]}`, `{"a":[null,{}]}`},
		{"a null that stood there stays", `{"a":null}`, `{"b":1}`, `{"a":null,"b":1}`},
		{"nothing", `{"a":"1"}`, `{}`, `{"a":"1"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			v := scaivaulttest.NewVault(t, nil)
			v.Mount("kv", 2)
			client := vaultClient(t, v)
			_, err := client.Logical().WriteBytesWithContext(t.Context(), "kv/data/a", []byte(`{"data":`+tc.before+`}`))
			require.NoError(t, err)
			answer, err := client.Logical().JSONMergePatch(t.Context(), "kv/data/a", map[string]any{"data": jsonObject(t, tc.patch)})
			require.NoError(t, err)
			assert.Equal(t, json.Number("2"), answer.Data["version"])
			value, ok := v.Value("kv/data/a")
			require.True(t, ok)
			assert.JSONEq(t, tc.after, string(value))
		})
	}
}

func TestVaultPatchesOnlyWhatIsThere(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t, nil)
	v.Mount("kv", 2)
	client := vaultClient(t, v)
	patch := map[string]any{"data": map[string]any{"a": "2"}, "options": map[string]any{"cas": 5}}

	_, err := client.Logical().JSONMergePatch(t.Context(), "kv/data/a", patch)
	assert.Equal(t, http.StatusNotFound, statusOf(t, err), "never written")
	v.Seed("kv/data/a", map[string]any{"a": "1"})
	_, err = client.Logical().JSONMergePatch(t.Context(), "kv/data/a", patch)
	assert.Equal(t, http.StatusBadRequest, statusOf(t, err), "another version")
	_, err = client.Logical().DeleteWithContext(t.Context(), "kv/data/a")
	require.NoError(t, err)
	delete(patch, "options")
	_, err = client.Logical().JSONMergePatch(t.Context(), "kv/data/a", patch)
	assert.Equal(t, http.StatusNotFound, statusOf(t, err), "deleted")
}

func TestVaultPatchesSingleKeysOfMetadata(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t, nil)
	v.Mount("kv", 2)
	client := vaultClient(t, v)
	kv := client.KVv2("kv")
	_, err := client.Logical().WriteBytesWithContext(t.Context(), "kv/metadata/a",
		[]byte(`{"max_versions":3,"custom_metadata":{"owner":"ops","stage":"prod"}}`))
	require.NoError(t, err)

	_, err = client.Logical().JSONMergePatch(t.Context(), "kv/metadata/a", jsonObject(t, `{"custom_metadata":{"stage":null,"team":"x"},"cas_required":true}`))
	require.NoError(t, err)
	metadata, err := kv.GetMetadata(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"owner": "ops", "team": "x"}, metadata.CustomMetadata)
	assert.True(t, metadata.CASRequired)
	assert.Equal(t, 3, metadata.MaxVersions, "what is left out stays")

	_, err = client.Logical().JSONMergePatch(t.Context(), "kv/metadata/nosuch", jsonObject(t, `{"max_versions":1}`))
	assert.Equal(t, http.StatusNotFound, statusOf(t, err))
}
