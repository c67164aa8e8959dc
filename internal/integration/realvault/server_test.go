// SPDX-License-Identifier: Apache-2.0

package realvault_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/scailabs/scaivault-go/internal/integration/realvault"
)

// call sends one request with a connection of its own and returns the status
// and the decoded body, if there is one.
func call(t *testing.T, s *realvault.Server, method, path, body string) (int, map[string]any, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.Address()+"/v1/"+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("X-Vault-Token", s.RootToken())
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var answer map[string]any
	if len(raw) > 0 {
		require.NoError(t, json.Unmarshal(raw, &answer), "%s %s", method, path)
	}
	return resp.StatusCode, answer, nil
}

func mustCall(t *testing.T, s *realvault.Server, method, path, body string) (int, map[string]any) {
	t.Helper()
	status, answer, err := call(t, s, method, path, body)
	require.NoError(t, err)
	return status, answer
}

func TestMountKVReturnsWhenWritesSucceed(t *testing.T) {
	t.Parallel()
	s := realvault.New(t)
	for _, mount := range []struct {
		path    string
		version int
		write   string
	}{
		{"secret", 1, "secret/a"},
		{"kv", 2, "kv/data/a"},
		{"teams/billing/kv/", 2, "teams/billing/kv/data/a"},
	} {
		require.NoError(t, s.MountKV(t.Context(), mount.path, mount.version))
		status, _ := mustCall(t, s, http.MethodPost, mount.write, `{"data":{"a":"1"}}`)
		assert.Less(t, status, 300, mount.path)
	}
	status, answer := mustCall(t, s, "LIST", "kv/metadata", "")
	assert.Equal(t, 200, status)
	assert.Equal(t, map[string]any{"keys": []any{"a"}}, answer["data"], "the probe is gone")
}

func TestMountKVTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := realvault.New(t)
	require.NoError(t, s.MountKV(t.Context(), "kv", 2))
	err := s.MountKV(t.Context(), "kv", 2)
	require.ErrorContains(t, err, "path is already in use at kv/")
	assert.NotContains(t, err.Error(), "\n")
	require.ErrorContains(t, s.MountKV(t.Context(), "other", 3), "no version 3")
}

func TestInertEnginesAreListedAndAnswerNothing(t *testing.T) {
	t.Parallel()
	s := realvault.New(t)
	for _, engine := range []string{"pki", "database", "aws", "azure", "gcp", "transit"} {
		status, _ := mustCall(t, s, http.MethodPost, "sys/mounts/"+engine, `{"type":"`+engine+`"}`)
		require.Equal(t, 204, status, engine)
		_, answer := mustCall(t, s, http.MethodGet, "sys/mounts/"+engine, "")
		assert.Equal(t, engine, answer["type"])
		status, _ = mustCall(t, s, http.MethodGet, engine+"/anything", "")
		assert.Equal(t, 404, status, engine)
	}
}

func TestSetDownRefusesConnectionsAndKeepsData(t *testing.T) {
	t.Parallel()
	s := realvault.New(t)
	require.NoError(t, s.MountKV(t.Context(), "secret", 1))
	mustCall(t, s, http.MethodPost, "secret/a", `{"a":"1"}`)
	address := s.Address()

	require.NoError(t, s.SetDown(true))
	require.NoError(t, s.SetDown(true))
	_, _, err := call(t, s, http.MethodGet, "secret/a", "")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)

	require.NoError(t, s.SetDown(false))
	require.NoError(t, s.SetDown(false))
	assert.Equal(t, address, s.Address())
	_, answer := mustCall(t, s, http.MethodGet, "secret/a", "")
	assert.Equal(t, map[string]any{"a": "1"}, answer["data"])
}

func TestSetDownEndsLiveConnections(t *testing.T) {
	t.Parallel()
	s := realvault.New(t)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.Address(), "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /v1/sys/health HTTP/1.1\r\nHost: vault\r\n\r\n")
	require.NoError(t, err)
	_, err = io.ReadFull(conn, make([]byte, 1))
	require.NoError(t, err)

	require.NoError(t, s.SetDown(true))
	_, err = io.Copy(io.Discard, conn)
	if err != nil {
		require.ErrorIs(t, err, syscall.ECONNRESET)
	}
}

func TestSealedServerAnswers503UntilUnseal(t *testing.T) {
	t.Parallel()
	s := realvault.New(t)
	require.NoError(t, s.MountKV(t.Context(), "kv", 2))
	mustCall(t, s, http.MethodPost, "kv/data/a", `{"data":{"a":"1"}}`)

	require.NoError(t, s.Seal(t.Context()))
	status, answer := mustCall(t, s, http.MethodGet, "kv/data/a", "")
	assert.Equal(t, 503, status)
	assert.Equal(t, []any{"Vault is sealed"}, answer["errors"])

	require.NoError(t, s.Unseal(t.Context()))
	status, _ = mustCall(t, s, http.MethodGet, "kv/data/a", "")
	assert.Equal(t, 200, status)
}

func TestSealAndUnsealWorkWhileDown(t *testing.T) {
	t.Parallel()
	s := realvault.New(t)
	require.NoError(t, s.SetDown(true))
	require.NoError(t, s.Seal(t.Context()))
	require.NoError(t, s.Unseal(t.Context()))
	require.NoError(t, s.SetDown(false))
	status, _ := mustCall(t, s, http.MethodGet, "sys/health", "")
	assert.Equal(t, 200, status)
}

func TestAuditLogHoldsRequests(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "audit.log")
	s, err := realvault.Start(t.Context(), &realvault.Options{AuditLog: file})
	require.NoError(t, err)
	assert.Equal(t, file, s.AuditLogPath())
	mustCall(t, s, http.MethodGet, "sys/mounts", "")
	require.NoError(t, s.Close())

	raw, err := os.ReadFile(file)
	require.NoError(t, err, "a file that the caller named stays")
	assert.Contains(t, string(raw), `"path":"sys/mounts"`)
	assert.NotContains(t, string(raw), s.RootToken())
}

func TestStartNamesTheAddressInUse(t *testing.T) {
	t.Parallel()
	s := realvault.New(t)
	addr := strings.TrimPrefix(s.Address(), "http://")
	_, err := realvault.Start(t.Context(), &realvault.Options{Addr: addr})
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	assert.Contains(t, err.Error(), addr+" is in use")
}

func TestStartTellsWhyTheAuditLogCannotBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := realvault.Start(t.Context(), &realvault.Options{AuditLog: filepath.Join(file, "audit.log")})
	require.ErrorContains(t, err, "not a directory")
	assert.NotContains(t, err.Error(), "\n")
}

// It is not parallel: the goroutines of another test's server would be seen.
func TestCloseLeavesNothingBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, err := realvault.Start(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, s.MountKV(t.Context(), "kv", 2))
	require.DirExists(t, filepath.Dir(s.AuditLogPath()))

	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	assert.NoDirExists(t, filepath.Dir(s.AuditLogPath()))
	_, _, err = call(t, s, http.MethodGet, "sys/health", "")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.Error(t, s.SetDown(false), "a closed server stays closed")
	goleak.VerifyNone(t, before,
		// Vault itself never ends these: one is of Initialize, and the caches
		// are ended by the garbage collector.
		goleak.IgnoreTopFunction("github.com/hashicorp/vault/vault.(*Core).setupCachedMFAResponseAuth.func1"),
		goleak.IgnoreTopFunction("github.com/patrickmn/go-cache.(*janitor).Run"),
	)
}
