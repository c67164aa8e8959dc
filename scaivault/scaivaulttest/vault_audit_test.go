// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// auditLog is a log that may be read while it is written.
type auditLog struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *auditLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

func (l *auditLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

type auditLine struct {
	Type  string
	Error string
	Time  string
	Auth  struct {
		DisplayName   string   `json:"display_name"`
		Accessor      string   `json:"accessor"`
		ClientToken   string   `json:"client_token"`
		EntityID      string   `json:"entity_id"`
		Policies      []string `json:"policies"`
		TokenPolicies []string `json:"token_policies"`
		Metadata      map[string]string
	}
	Request struct {
		ID, Operation, Path string
		ClientID            string `json:"client_id"`
		MountPoint          string `json:"mount_point"`
		MountType           string `json:"mount_type"`
		RemoteAddress       string `json:"remote_address"`
		Data                map[string]any
	}
	Response *struct{ Data map[string]any }
}

func readAudit(t *testing.T, text string) []auditLine {
	t.Helper()
	var lines []auditLine
	dec := json.NewDecoder(strings.NewReader(text))
	for dec.More() {
		var line auditLine
		require.NoError(t, dec.Decode(&line))
		lines = append(lines, line)
	}
	return lines
}

func TestVaultAuditNamesTheReaders(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var log auditLog
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{AuditLog: &log})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := apiClient(t, v.URL(), transport, v.RootToken())
	v.Mount("kv", 2)
	v.Seed("kv/data/apps/billing/db", map[string]any{"password": "p"})
	login := guideRole(t, client, map[string]any{"token_policies": "scaivault-reader"})
	service := withToken(t, client, "")
	_, err := service.Auth().Login(ctx, login)
	require.NoError(t, err)
	made, err := client.Auth().Token().CreateWithContext(ctx, &api.TokenCreateRequest{Policies: []string{"scaivault-reader"}, DisplayName: "billing"})
	require.NoError(t, err)
	for _, reader := range []*api.Client{client, service, withToken(t, client, made.Auth.ClientToken)} {
		_, err := reader.KVv2("kv").Get(ctx, "apps/billing/db")
		require.NoError(t, err)
	}
	_, err = withToken(t, client, "nobody's").KVv2("kv").Get(ctx, "apps/billing/db")
	require.Error(t, err)

	readers, kinds := auditedReaders(t, readAudit(t, log.String()))
	assert.Equal(t, []string{"root", "root", "approle", "approle", "token-billing", "token-billing"}, readers)
	assert.Equal(t, []string{"request", "response", "request", "response", "request", "response", "request", "response"}, kinds)
}

// auditedReaders names who read the secret, one entry a line, and looks at the rest of each line on the way.
func auditedReaders(t *testing.T, lines []auditLine) (readers, kinds []string) {
	t.Helper()
	for _, line := range lines {
		if line.Request.Path != "kv/data/apps/billing/db" {
			continue
		}
		kinds = append(kinds, line.Type)
		assert.Equal(t, "read", line.Request.Operation)
		assert.Equal(t, "kv/", line.Request.MountPoint)
		assert.Equal(t, "kv", line.Request.MountType)
		assert.Equal(t, "127.0.0.1", line.Request.RemoteAddress)
		assert.NotEmpty(t, line.Request.ID)
		assert.NotEmpty(t, line.Time)
		if line.Error != "" {
			assert.Contains(t, line.Error, "permission denied")
			continue
		}
		readers = append(readers, line.Auth.DisplayName)
		assert.True(t, strings.HasPrefix(line.Auth.Accessor, "hmac-sha256:"))
		assert.True(t, strings.HasPrefix(line.Auth.ClientToken, "hmac-sha256:"))
		assert.NotEmpty(t, line.Request.ClientID)
		if line.Auth.DisplayName == "approle" {
			assert.Equal(t, "scaivault-federation", line.Auth.Metadata["role_name"])
			assert.Equal(t, []string{"default", "scaivault-reader"}, line.Auth.TokenPolicies)
			assert.Equal(t, line.Auth.EntityID, line.Request.ClientID)
		}
	}
	return readers, kinds
}

func TestVaultAuditHoldsNoSecretInClear(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var log auditLog
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{AuditLog: &log, RootToken: "clear-root-token"})
	client := vaultClient(t, v)
	file := filepath.Join(t.TempDir(), "audit.log")
	require.NoError(t, client.Sys().EnableAuditWithOptionsWithContext(ctx, "file", &api.EnableAuditOptions{
		Type: "file", Options: map[string]string{"file_path": file, "hmac_accessor": "true"},
	}))
	clear := []string{"clear-root-token"}
	secret := map[string]any{
		"text": "clear-text", "number": json.Number("7319842"), "list": []any{"clear-element", json.Number("9238471.5")},
		"nested": map[string]any{"deep": "clear-deep"},
	}
	clear = append(clear, "clear-text", "7319842", "clear-element", "9238471.5", "clear-deep")
	v.Mount("kv", 2)
	v.Mount("old", 1)
	_, err := client.KVv2("kv").Put(ctx, "db", secret)
	require.NoError(t, err)
	_, err = client.KVv2("kv").Get(ctx, "db")
	require.NoError(t, err)
	require.NoError(t, client.KVv1("old").Put(ctx, "db", secret))
	_, err = client.KVv1("old").Get(ctx, "db")
	require.NoError(t, err)
	login := guideRole(t, client, map[string]any{"token_policies": "scaivault-reader"})
	made, err := client.Logical().WriteWithContext(ctx, "auth/approle/role/scaivault-federation/secret-id", nil)
	require.NoError(t, err)
	auth, err := withToken(t, client, "").Auth().Login(ctx, login)
	require.NoError(t, err)
	_, err = withToken(t, client, auth.Auth.ClientToken).Auth().Token().RenewSelfWithContext(ctx, 0)
	require.NoError(t, err)
	_, err = withToken(t, client, "clear-bad-token").Auth().Token().LookupSelfWithContext(ctx)
	require.Error(t, err)
	clear = append(clear, "clear-bad-token", auth.Auth.ClientToken, auth.Auth.Accessor, made.Data["secret_id"].(string))

	written, err := os.ReadFile(file)
	require.NoError(t, err)
	for name, text := range map[string]string{"writer": log.String(), "file": string(written)} {
		require.Contains(t, text, `"path":"kv/data/db"`, name)
		for i, word := range clear {
			assert.False(t, strings.Contains(text, word), "%s: word %d stands there in clear", name, i)
		}
	}
	hash, err := client.Sys().AuditHashWithContext(ctx, "file", "clear-text")
	require.NoError(t, err)
	assert.Contains(t, string(written), hash, "who knows a value can find it")
	assert.NotContains(t, log.String(), hash, "each device has a key of its own")
}

func TestVaultAuditDevices(t *testing.T) {
	t.Parallel()
	overVault(t, func(t *testing.T, v *scaivaulttest.Vault, client *api.Client) {
		ctx := t.Context()
		file := filepath.Join(t.TempDir(), "audit.log")
		enable := func(path string, options map[string]string) error {
			return client.Sys().EnableAuditWithOptionsWithContext(ctx, path, &api.EnableAuditOptions{Type: "file", Options: options})
		}
		require.NoError(t, enable("file", map[string]string{"file_path": file}))
		require.NoError(t, enable("nowhere", map[string]string{"file_path": "discard"}))
		for _, options := range []map[string]string{
			{},
			{"file_path": filepath.Join(t.TempDir(), "none", "audit.log")},
			{"file_path": file, "log_raw": "true"},
			{"file_path": file, "hmac_accessor": "perhaps"},
			{"file_path": file, "mode": "rw"},
			{"file_path": file, "elide_list_responses": "perhaps"},
		} {
			assert.Equal(t, http.StatusBadRequest, statusOf(t, enable("other", options)), "%v", options)
		}
		devices, err := client.Sys().ListAuditWithContext(ctx)
		require.NoError(t, err)
		assert.Len(t, devices, 2)
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

		require.NoError(t, client.Sys().DisableAuditWithContext(ctx, "file"))
		before, err := os.ReadFile(file)
		require.NoError(t, err)
		_, err = client.Sys().ListMountsWithContext(ctx)
		require.NoError(t, err)
		after, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, len(before), len(after), "a disabled device logs nothing more")
	})
}

func TestVaultAuditDeviceShapes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	v := scaivaulttest.NewVault(t)
	client := vaultClient(t, v)
	v.Mount("kv", 2)
	v.Seed("kv/data/db", map[string]any{"a": "b"})
	file := filepath.Join(t.TempDir(), "audit.log")
	require.NoError(t, client.Sys().EnableAuditWithOptionsWithContext(ctx, "file", &api.EnableAuditOptions{
		Type: "file", Options: map[string]string{"file_path": file, "hmac_accessor": "false", "elide_list_responses": "true"},
	}))
	_, err := client.Logical().ListWithContext(ctx, "kv/metadata")
	require.NoError(t, err)
	self, err := client.Auth().Token().LookupSelfWithContext(ctx)
	require.NoError(t, err)
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, line := range readAudit(t, string(written)) {
		if line.Request.Path == "kv/metadata/" && line.Response != nil {
			assert.Equal(t, map[string]any{"keys": float64(1)}, line.Response.Data)
			assert.Equal(t, self.Data["accessor"], line.Auth.Accessor)
		}
	}
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestVaultAnswersNothingThatItCannotLog(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{AuditLog: fullDisk{}})
	client := vaultClient(t, v)
	v.Mount("kv", 2)
	v.Seed("kv/data/db", map[string]any{"a": "b"})
	_, err := client.KVv2("kv").Get(t.Context(), "db")
	assert.Equal(t, http.StatusInternalServerError, statusOf(t, err))
}
