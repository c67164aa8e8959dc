// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file that lost its end is an error, and not the end of the texts.
func TestAFileThatWasCutOff(t *testing.T) {
	t.Parallel()
	s := &Spool{Dir: t.TempDir(), Memory: 10}
	for range 100 {
		s.Add([]byte("some text"))
	}
	for size := s.end - 1; size >= 0; size-- {
		require.NoError(t, s.file.Truncate(size))
		var last error
		n := 0
		for _, err := range s.All() {
			if last = err; err == nil {
				n++
			}
		}
		require.Error(t, last, "cut off at %d", size)
		require.Less(t, n, 100)
	}
	require.NoError(t, s.Close())
}

// What was written when the disk was full is still there, and so is the rest.
func TestADiskThatFillsUp(t *testing.T) {
	t.Parallel()
	s := &Spool{Dir: t.TempDir(), Memory: 10}
	for range 50 {
		s.Add([]byte("before"))
	}
	name := s.file.Name() + ".read"
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	whole := make([]byte, s.end)
	_, err := s.file.ReadAt(whole, 0)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, whole, 0o600))
	require.NoError(t, s.file.Close())
	s.file, err = os.Open(name) // takes no more
	require.NoError(t, err)
	for range 50 {
		s.Add([]byte("behind"))
	}
	n := 0
	for text, err := range s.All() {
		require.NoError(t, err)
		require.Len(t, text, 6)
		n++
	}
	require.Equal(t, 100, n)
	require.True(t, s.full)
	require.NoError(t, s.Close())
}
