// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// build builds the command as its users get it.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "vault-dev")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return binary
}

// lookupSelf asks the printed server about the printed token.
func lookupSelf(t *testing.T, addr, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, addr+"/v1/auth/token/lookup-self", nil)
	require.NoError(t, err)
	req.Header.Set("X-Vault-Token", token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode
}

// start starts the command and returns it with what it prints.
func start(t *testing.T, binary, env string, args ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append(os.Environ(), env)
	cmd.Stderr = &bytes.Buffer{}
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, bufio.NewScanner(stdout)
}

func TestVaultDev(t *testing.T) {
	binary := build(t)
	for name, test := range map[string]func(*testing.T, string){
		"prints what to export, serves, and ends at SIGTERM": servesUntilSIGTERM,
		"removes its own audit log":                          removesItsAuditLog,
		"says that the address is taken":                     saysAddressTaken,
		"refuses arguments and explains flags":               explainsFlags,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, binary)
		})
	}
}

func servesUntilSIGTERM(t *testing.T, binary string) {
	audit := filepath.Join(t.TempDir(), "audit.log")
	cmd, lines := start(t, binary, "", "-addr", "127.0.0.1:0", "-audit", audit)
	next := func() string {
		require.True(t, lines.Scan(), "a line: %v", lines.Err())
		return lines.Text()
	}
	addr := regexp.MustCompile(`^export VAULT_ADDR=(http://127\.0\.0\.1:\d+)$`).FindStringSubmatch(next())
	token := regexp.MustCompile(`^export VAULT_TOKEN=(\S+)$`).FindStringSubmatch(next())
	note := next()
	require.NotNil(t, addr)
	require.NotNil(t, token)
	assert.Contains(t, note, "Ctrl-C")
	assert.Contains(t, note, audit)
	assert.Equal(t, 200, lookupSelf(t, addr[1], token[1]))

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	assert.False(t, lines.Scan(), "nothing more is printed")
	require.NoError(t, cmd.Wait(), "the exit code is 0")
	assert.Empty(t, cmd.Stderr.(*bytes.Buffer).String(), "the server says nothing by itself")
	log, err := os.ReadFile(audit)
	require.NoError(t, err, "the file that was named stays")
	assert.Contains(t, string(log), `"path":"auth/token/lookup-self"`)
}

func removesItsAuditLog(t *testing.T, binary string) {
	temp := t.TempDir()
	cmd, lines := start(t, binary, "TMPDIR="+temp, "-addr", "127.0.0.1:0")
	require.True(t, lines.Scan())
	require.True(t, strings.HasPrefix(lines.Text(), "export VAULT_ADDR="))
	entries, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Len(t, entries, 1)

	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	for lines.Scan() {
		require.NoError(t, lines.Err())
	}
	require.NoError(t, cmd.Wait())
	entries, err = os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func saysAddressTaken(t *testing.T, binary string) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	addr := taken.Addr().String()
	out, err := exec.CommandContext(t.Context(), binary, "-addr", addr).CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 1, exit.ExitCode())
	assert.Contains(t, string(out), addr+" is in use by another program")
}

func explainsFlags(t *testing.T, binary string) {
	out, err := exec.CommandContext(t.Context(), binary, "start").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), `unexpected argument "start"`)
	out, err = exec.CommandContext(t.Context(), binary, "-h").CombinedOutput()
	require.NoError(t, err)
	assert.Contains(t, string(out), "-audit file")
}
