// SPDX-License-Identifier: Apache-2.0

package spool_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/spool"
)

func all(t *testing.T, s *spool.Spool) []string {
	t.Helper()
	var texts []string
	for text, err := range s.All() {
		require.NoError(t, err)
		texts = append(texts, string(text))
	}
	return texts
}

func TestTextsComeBackInOrder(t *testing.T) {
	t.Parallel()
	for _, memory := range []int{0, 1, 100, 5000} {
		s := &spool.Spool{Dir: t.TempDir(), Memory: memory}
		var want []string
		for i := range 1000 {
			text := fmt.Sprintf("%*d\n\x00", i%200, i)
			if i%50 == 0 {
				text = ""
			}
			want = append(want, text)
			s.Add([]byte(text))
		}
		require.Equal(t, want, all(t, s), "%d bytes in memory", memory)
		require.Equal(t, want, all(t, s), "and once more")
		for range s.All() {
			break // who stops early stops
		}
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		require.Empty(t, all(t, s))
		left, err := os.ReadDir(s.Dir)
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

// Where there is no room on the disk, memory has to do: nothing is lost.
func TestNoRoomOnTheDisk(t *testing.T) {
	t.Parallel()
	s := &spool.Spool{Dir: filepath.Join(t.TempDir(), "none"), Memory: 10}
	for i := range 100 {
		s.Add(fmt.Append(nil, i))
	}
	require.Len(t, all(t, s), 100)
	require.Equal(t, "99", all(t, s)[99])
	require.NoError(t, s.Close())
}
