// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// noNap has a program built with the race detector end without the second that it
// would sleep.
const noNap = "GORACE=atexit_sleep_ms=0"

// A process is the program, running.
type process struct {
	url    string
	tokens map[string]string // of identities
}

var (
	urlLine   = regexp.MustCompile(`export SCAIVAULT_URL=(\S+)`)
	tokenLine = regexp.MustCompile(`export SCAIVAULT_TOKEN=(\S+) # (\S+), `)
)

// start runs the program, with an address and tokens for the identities, and reads
// what it prints. At the end of the test it has to end cleanly when it is interrupted.
func start(t *testing.T, env []string, identities []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	args = append(args, "-addr", "127.0.0.1:0")
	for _, identity := range identities {
		args = append(args, "-token", identity)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(append(os.Environ(), asMain+"=1", noNap), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, stdout)
		require.NoError(t, cmd.Wait(), stderr.String())
		require.Contains(t, stderr.String(), "ended")
	})
	p := &process{tokens: map[string]string{}}
	lines := bufio.NewScanner(stdout)
	for len(p.tokens) < len(identities) {
		require.True(t, lines.Scan(), "it ended before it said its tokens")
		if m := urlLine.FindStringSubmatch(lines.Text()); m != nil {
			p.url = m[1]
		}
		if m := tokenLine.FindStringSubmatch(lines.Text()); m != nil {
			p.tokens[m[2]] = m[1]
		}
	}
	require.NotEmpty(t, p.url)
	return p
}
