// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"bufio"
	"bytes"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheServerEndsWithItsParent kills the parent, which then cannot tell the
// server. Both hold the other end of stderr, so Wait returns when both are gone.
func TestTheServerEndsWithItsParent(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	require.NoError(t, err)
	parent := exec.CommandContext(t.Context(), program, parentArg)
	var stderr bytes.Buffer
	parent.Stderr = &stderr
	parent.WaitDelay = time.Minute // for a server that stays
	stdin, err := parent.StdinPipe()
	require.NoError(t, err)
	defer stdin.Close()
	stdout, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	address, err := url.Parse(strings.TrimSpace(line))
	require.NoError(t, err)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address.Host)
	require.NoError(t, err, "the server listens while the parent lives")
	require.NoError(t, conn.Close())

	require.NoError(t, parent.Process.Kill())
	require.Error(t, parent.Wait(), "it was killed")
	_, err = new(net.Dialer).DialContext(t.Context(), "tcp", address.Host)
	require.Error(t, err, "the server is gone")
	assert.Empty(t, stderr.String(), "and went in silence")
}

func TestTheServerEndsWithClose(t *testing.T) {
	t.Parallel()
	var host string
	t.Run("while it is open", func(t *testing.T) { // closes it in the end
		address, err := url.Parse(openServer(t))
		require.NoError(t, err)
		host = address.Host
	})
	_, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
	assert.Error(t, err)
}
