// SPDX-License-Identifier: Apache-2.0

//go:build unix

package migrate_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

func TestCheckpointIsARegularFile(t *testing.T) {
	t.Parallel()
	e, m, file := checkpointed(t)
	before := len(e.vault.Requests())
	dir := filepath.Dir(file)
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(os.DevNull, link))
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for target, says := range map[string]string{os.DevNull: "a device", link: "a device", dir: "a directory", pipe: "a pipe"} {
		report, err := migrate.Copy(t.Context(), e.source, e.client, m, &migrate.CopyOptions{Checkpoint: target})
		require.ErrorIs(t, err, scaivault.ErrInvalid, target)
		assert.Contains(t, err.Error(), target+" is no regular file but "+says)
		assert.True(t, report.Incomplete)
	}
	assert.Len(t, e.vault.Requests(), before, "nothing is asked for")
	kept, err := os.Readlink(link)
	require.NoError(t, err)
	assert.Equal(t, os.DevNull, kept, "it is not replaced")
}
