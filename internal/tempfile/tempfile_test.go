// SPDX-License-Identifier: Apache-2.0

package tempfile_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/tempfile"
)

func TestNobodyElseReadsTheFileAndNothingStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, err := tempfile.Create(dir)
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		info, err := file.Stat()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left, "it has no name while it is open")
	}
	require.NoError(t, tempfile.Discard(file))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	require.ErrorIs(t, tempfile.Discard(file), os.ErrClosed)
}

func TestNoFolderNoFile(t *testing.T) {
	t.Parallel()
	_, err := tempfile.Create(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
