// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A reader follows the migration guide in a shell. The blocks stand in testdata as
// they stand in the guide; only the addresses are changed, and what the guide leaves
// to the reader: a token, the log's file, the backend's id.
type reader struct {
	*process
	t        *testing.T
	vault    *scaivaulttest.Vault
	vaultURL string
	changed  *strings.Replacer
	env      []string
}

// TestGuide follows the guide from its first block to its last: with the curl and jq of
// this machine over TLS, and with stand-ins for them over plain HTTP. Vault's own
// command is always a stand-in, that makes the same requests.
func TestGuide(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no sh here: ", err)
	}
	t.Run("with real curl", func(t *testing.T) {
		t.Parallel()
		for _, tool := range []string{"curl", "jq"} {
			if _, err := exec.LookPath(tool); err != nil {
				t.Skip("not installed: ", err)
			}
		}
		authority := filepath.Join(t.TempDir(), "devserver.pem")
		follow(newReader(t, []string{"vault"}, []string{"CURL_CA_BUNDLE=" + authority}, "-tls", authority))
	})
	t.Run("with stand-ins", func(t *testing.T) {
		t.Parallel()
		follow(newReader(t, []string{"vault", "curl", "jq"}, nil))
	})
}

// newReader starts both servers. Vault speaks TLS with a certificate that the
// devserver trusts, since the guide has it verified.
func newReader(t *testing.T, commands, env []string, args ...string) *reader {
	t.Helper()
	dir := t.TempDir()
	audit := filepath.Join(dir, "audit.log")
	log, err := os.Create(audit)
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	v, err := scaivaulttest.StartVault(&scaivaulttest.VaultOptions{AuditLog: log})
	require.NoError(t, err)
	t.Cleanup(v.Close)
	v.Mount("kv", 2)
	for path, password := range map[string]string{
		"kv/data/apps/billing/db": "not-a-real-one", "kv/data/apps/billing/stripe": "nor-this",
		"kv/data/shared/salesforce": "nor-that",
	} {
		v.Seed(path, map[string]any{"password": password, "retries": json.Number("9007199254740993")})
	}
	overTLS := httptest.NewTLSServer(v)
	t.Cleanup(overTLS.Close)
	authority := filepath.Join(dir, "vault.pem")
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: overTLS.Certificate().Raw}), 0o600))

	r := &reader{t: t, vault: v, vaultURL: overTLS.URL}
	r.process = start(t, []string{"SSL_CERT_FILE=" + authority}, []string{"user:ops", "sa:billing-prod"}, args...)
	r.changed = strings.NewReplacer(
		"https://scaivault.scailabs.ai", r.url, "https://vault.internal:8200", r.vaultURL,
		"VAULT_TOKEN=...", `VAULT_TOKEN="$READERS_VAULT_TOKEN"`, "/var/log/vault/audit.log", audit,
	)
	self, err := os.Executable()
	require.NoError(t, err)
	for _, command := range commands {
		require.NoError(t, os.Symlink(self, filepath.Join(dir, command)))
	}
	r.env = append(append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "SSL_CERT_FILE="+authority,
		"SCAIVAULT_TOKEN="+r.tokens["user:ops"], "READERS_VAULT_TOKEN="+v.RootToken(),
		"VAULT_ADDR="+r.vaultURL, "VAULT_TOKEN="+v.RootToken(), noNap), env...)
	return r
}

// paste pastes blocks into one shell, and returns what each of them printed.
func (r *reader) paste(blocks ...string) []string {
	r.t.Helper()
	const mark = "---- end of block ----"
	script := "set -eu\n"
	for _, block := range blocks {
		text, err := os.ReadFile(filepath.Join("testdata", "guide", block+".sh"))
		require.NoError(r.t, err)
		script += r.changed.Replace(string(text)) + "\nprintf '\\n%s\\n' '" + mark + "'\n"
	}
	cmd := exec.CommandContext(r.t.Context(), "sh")
	cmd.Env, cmd.Stdin = r.env, strings.NewReader(script)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(r.t, err, "%s\n%s", out, stderr.String())
	printed := strings.Split(string(out), mark)
	require.Len(r.t, printed, len(blocks)+1)
	for i := range printed {
		printed[i] = strings.TrimSpace(printed[i])
	}
	return printed[:len(blocks)]
}

// object is JSON that was printed.
func (r *reader) object(text string) map[string]any {
	r.t.Helper()
	var v map[string]any
	require.NoError(r.t, json.Unmarshal([]byte(text), &v), text)
	require.NotContains(r.t, v, "error", text)
	return v
}

// follow does what the guide says, and sees what the guide says one will see.
func follow(r *reader) {
	t := r.t
	t.Helper()
	r.onVault("POST", "sys/mounts/pki", `{"type":"pki"}`)
	inventory := r.paste("01-inventory")[0]
	for _, line := range []string{"kv/ kv 2", "pki/ pki null", "apps/", "shared/"} {
		assert.Contains(t, strings.Split(inventory, "\n"), line)
	}

	printed := r.paste("02-approle", "03-credentials", "04-federate", "04-read")
	assert.Contains(t, r.object(printed[1]), "version")
	backend := r.object(printed[2])
	assert.Regexp(t, "^fed_", backend["id"])
	assert.Equal(t, "healthy", backend["status"])
	assert.Equal(t, "not-a-real-one", r.object(printed[3])["data"].(map[string]any)["password"], "the value Vault holds")

	r.copySubtree()
	assert.Empty(t, r.diff(), "zero output means clean")

	_, status := r.onScaiVault("sa:billing-prod", "GET", "secrets/environments/production/billing/database", "")
	require.Equal(t, http.StatusOK, status)
	logs := r.object(r.paste("06-audit")[0])["logs"].([]any)
	require.Len(t, logs, 1, "the service's read and no other's")
	assert.Equal(t, "environments/production/billing/database", logs[0].(map[string]any)["secret_path"])
	assert.Equal(t, "sa:billing-prod", logs[0].(map[string]any)["identity_id"])

	assert.Equal(t, "approle\nroot", r.paste("07-readers")[0], "the proxy and the copy")

	assert.Empty(t, r.paste("08-remove")[0])
	_, ok := r.vault.Value("kv/data/apps/billing/db")
	assert.False(t, ok, "Vault has it no more")
	assert.Len(t, r.diff(), 1, "ScaiVault still has it")

	r.changed = strings.NewReplacer("https://scaivault.scailabs.ai", r.url, "fed_abc", backend["id"].(string))
	flipped := r.object(r.paste("08-flip")[0])
	assert.Equal(t, "sync", flipped["mode"])
	assert.Equal(t, "local_wins", flipped["conflict_resolution"])
	r.vault.SetDown(true)
	_, status = r.onScaiVault("user:ops", "GET", "secrets/external/hashicorp/apps/billing/stripe", "")
	assert.Equal(t, http.StatusOK, status, "Vault is a backup")
}
