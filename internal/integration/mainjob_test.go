// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/integration/realvault"
)

// buildMainJob builds the program that the README runs.
func buildMainJob(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "migration")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./examples/migration")
	build.Dir = filepath.Join("..", "..")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

// mainJob is the program, told to use a real Vault.
func mainJob(ctx context.Context, program string, v *realvault.Server, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "VAULT_") && !strings.HasPrefix(setting, "SCAIVAULT_") {
			cmd.Env = append(cmd.Env, setting)
		}
	}
	cmd.Env = append(cmd.Env, "VAULT_ADDR="+v.Address(), "VAULT_TOKEN="+v.RootToken())
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// TestMainJobAgainstTheRealVault moves 300 secrets out of a real Vault, as JSON
// for a script and as lines for a person, and leaves the Vault as it was.
func TestMainJobAgainstTheRealVault(t *testing.T) {
	t.Parallel()
	program := buildMainJob(t)
	v := realvault.New(t)
	before := furniture(t, v)
	t.Run("JSON", func(t *testing.T) {
		var stdout, stderr bytes.Buffer
		cmd := mainJob(t.Context(), program, v, "-json")
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		require.NoError(t, cmd.Run(), stderr.String()+stdout.String())
		var got map[string]any
		require.NoError(t, json.Unmarshal(stdout.Bytes(), &got), "only a JSON object")
		for key, want := range map[string]any{
			"secrets": 300.0, "failed_reads": 0.0, "wrong_reads": 0.0, "lost_writes": 0.0,
			"differences_found": 1.0, "differences_left": 0.0, "vault": v.Address(), "scaivault": "embedded",
		} {
			assert.Equal(t, want, got[key], key)
		}
		for _, key := range []string{"reads", "writes", "failovers"} {
			assert.Greater(t, got[key], 0.0, key)
		}
		assert.Empty(t, stderr.String())
	})
	require.Equal(t, before, furniture(t, v), "left behind")
	t.Run("lines", func(t *testing.T) {
		out, err := mainJob(t.Context(), program, v, "-secrets", "60").CombinedOutput()
		require.NoError(t, err, string(out))
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		assert.Regexp(t, regexp.MustCompile(`^done: 60 secrets moved, \d+ reads, 0 failed, 0 wrong$`), lines[len(lines)-1])
		for _, want := range []string{
			"1. Take inventory", "2. Set up AppRole", "3. Store the AppRole credentials", "4. Configure federation",
			"5. Migrate one subtree", "6. Turn the feature flag", "7. Find and repoint", "8. Flip the authority",
			"token-nightly-report still reads", "60 secrets deleted in Vault, 0 kept",
		} {
			assert.Contains(t, string(out), want)
		}
		assert.NotContains(t, string(out), v.RootToken())
	})
	require.Equal(t, before, furniture(t, v), "left behind")
}

// TestMainJobCleansUpAfterCtrlC in the middle of the move.
func TestMainJobCleansUpAfterCtrlC(t *testing.T) {
	t.Parallel()
	program := buildMainJob(t)
	v := realvault.New(t)
	before := furniture(t, v)
	cmd := mainJob(t.Context(), program, v)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "cutover: ScaiVault is the authority") {
			require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		}
	}
	var failed *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &failed)
	require.Equal(t, 1, failed.ExitCode())
	require.Equal(t, before, furniture(t, v), "left behind")
}

// furniture is what stands in a Vault: mounts, auth methods, policies, audit
// devices and the number of tokens.
func furniture(t *testing.T, v *realvault.Server) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, path := range []string{"sys/mounts", "sys/auth", "sys/policies/acl?list=true", "sys/audit", "auth/token/accessors?list=true"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.Address()+"/v1/"+path, nil)
		require.NoError(t, err)
		req.Header.Set("X-Vault-Token", v.RootToken())
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		var answer struct {
			Data map[string]any `json:"data"`
		}
		require.NoError(t, json.Unmarshal(body, &answer))
		all[path] = answer.Data
	}
	return all
}
