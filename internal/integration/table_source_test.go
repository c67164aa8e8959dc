// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// oddTexts stand in names, each at four places; so there are 200 secrets and
// more.
func oddTexts() []string {
	return []string{
		" ", "+", "#", "?", "%", "%2F", "%20", "%00", "&", "=", ";", ":", "@", ",", "~", "!", "$", "'", "(", ")", "*", "[", "]", "{", "}", "|", "\\", "^",
		"`", "\"", "<", ">", ".", "...", ". ", "-", "_", "ü", "u\u0308", "ß", "İ", "日本", "😀", "𝄞", "é", "漢字 と", "Ω≈ç", "א", "data", "metadata", "?list=true", "a=b&c=d",
	}
}

// oddValues are put into secrets in turn.
func oddValues() []string {
	return []string{
		"", " ", "plain", "line\nbreak\r\n\ttab", "\u0000\u0001\u001f", "\u2028\u2029\ufeff", `{"json":"in \"json\""}`, "<script>&amp;</script>", "\\u0041 \\n \\",
		"😀👩‍👩‍👧", "u\u0308 is not ü", "9007199254740993", "1.10", "null", "true", "%41%2f%zz", "-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n",
		base64.StdEncoding.EncodeToString([]byte{0, 255, 254, 1}), strings.Repeat("long ", 2000), "\u007f\u0080\u009f\ufffd",
	}
}

// oddSecrets are paths and values.
func oddSecrets() map[string]string {
	secrets := map[string]string{}
	values := oddValues()
	for _, text := range oddTexts() {
		for _, form := range []string{"a%sb", "%sx", "x%s", "in %s folder/x"} {
			path := "kv/data/odd/" + fmt.Sprintf(form, text)
			secrets[path] = values[len(secrets)%len(values)]
		}
	}
	return secrets
}

// TestOddNamesAndValuesSurviveAnyVault byte for byte, and an audit log that
// shows what it got has them so too. The small Vault has none that does.
func TestOddNamesAndValuesSurviveAnyVault(t *testing.T) {
	t.Parallel()
	for _, kind := range vaults() {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			s := kind.start(t)
			s.mount("kv", 2)
			root := apiClient(t, s)
			file := filepath.Join(t.TempDir(), "raw.log")
			isReal := kind.name == "real"
			if isReal {
				write(t, root, "sys/audit/raw", map[string]any{"type": "file", "options": map[string]string{"file_path": file, "log_raw": "true"}})
			}
			secrets := oddSecrets()
			require.GreaterOrEqual(t, len(secrets), 200)
			roundTrip(t, root, secrets)
			if !isReal {
				return
			}
			logged := auditedWrites(t, file)
			for path, value := range secrets {
				got, ok := logged[path]
				assert.True(t, ok && got == value, "%q is not in the audit log as it was written", path)
			}
		})
	}
}

// roundTrip writes secrets, reads them, and lists them.
func roundTrip(t *testing.T, root *api.Client, secrets map[string]string) {
	t.Helper()
	src, err := vault.NewSource(vault.Config{Client: root})
	require.NoError(t, err)
	for path, value := range secrets {
		_, err := src.Put(t.Context(), path, map[string]any{"value": value}, nil)
		require.NoError(t, err, path)
	}
	listed := map[string]bool{}
	for entry, err := range src.List(t.Context(), "kv/data/odd", nil) {
		require.NoError(t, err)
		listed[entry.Path] = true
	}
	assert.Len(t, listed, len(secrets))
	for path, value := range secrets {
		secret, err := src.Get(t.Context(), path)
		require.NoError(t, err, path)
		got, ok := secret.Field("value")
		assert.True(t, ok && got == value, "%q has another value", path)
		assert.True(t, listed[path], "%q is not listed", path)
	}
}

// auditedWrites are the values that writes had according to an audit log.
func auditedWrites(t *testing.T, file string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	values := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var entry struct {
			Type    string `json:"type"`
			Request struct {
				Operation string `json:"operation"`
				Path      string `json:"path"`
				Data      struct {
					Data map[string]string `json:"data"`
				} `json:"data"`
			} `json:"request"`
		}
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Type == "request" && len(entry.Request.Data.Data) > 0 {
			values[entry.Request.Path] = entry.Request.Data.Data["value"]
		}
	}
	require.NoError(t, lines.Err())
	return values
}
