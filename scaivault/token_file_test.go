// SPDX-License-Identifier: Apache-2.0

//go:build unix

package scaivault_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

func writeToken(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// TestFileTokenIsReadAgainWhenTheFileChanges, but not more than once a second.
func TestFileTokenIsReadAgainWhenTheFileChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	synctest.Test(t, func(t *testing.T) {
		writeToken(t, path, "skt_1 \t\r\n\n")
		source := scaivault.FileToken(path)
		requireTokenOf(t, source, "skt_1")
		writeToken(t, path, "skt_2\n")
		time.Sleep(time.Second - time.Nanosecond)
		requireTokenOf(t, source, "skt_1")
		time.Sleep(time.Nanosecond)
		requireTokenOf(t, source, "skt_2")
	})
}

// TestFileTokenFollowsTheSwapOfKubernetes: a file is a link into a folder that
// is itself a link, and that one is renamed over.
func TestFileTokenFollowsTheSwapOfKubernetes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	swap := func(t *testing.T, folder, token string) {
		t.Helper()
		require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
		writeToken(t, filepath.Join(dir, folder, "token"), token)
		require.NoError(t, os.Symlink(folder, filepath.Join(dir, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	synctest.Test(t, func(t *testing.T) {
		swap(t, "..2030_01_01", "skt_1")
		require.NoError(t, os.Symlink(filepath.Join("..data", "token"), filepath.Join(dir, "token")))
		source := scaivault.FileToken(filepath.Join(dir, "token"))
		requireTokenOf(t, source, "skt_1")
		swap(t, "..2030_01_02", "skt_2")
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "..2030_01_01")))
		time.Sleep(time.Second)
		requireTokenOf(t, source, "skt_2")
	})
}

// TestRefusedFileTokenIsLookedAtAtOnce.
func TestRefusedFileTokenIsLookedAtAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	synctest.Test(t, func(t *testing.T) {
		writeToken(t, path, "skt_1")
		source := scaivault.FileToken(path).(scaivault.TokenRenewer)
		requireTokenOf(t, source, "skt_1")
		for _, c := range []struct{ file, refused, want string }{
			{"skt_2", "skt_0", "skt_1"}, // there is another one already
			{"skt_2", "skt_1", "skt_2"},
			{"skt_2", "skt_2", "skt_2"}, // there is no other
			{"", "skt_2", "skt_2"},
		} {
			writeToken(t, path, c.file)
			token, err := source.Renew(t.Context(), c.refused)
			require.NoError(t, err)
			require.Equal(t, c.want, token)
		}
	})
}

// TestLastGoodFileTokenStays while the file holds none, whatever is wrong. If
// there was none yet, the error names the file, and never what it holds.
func TestLastGoodFileTokenStays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, path string)
		hint  string
	}{
		"empty":     {func(t *testing.T, path string) { writeToken(t, path, "") }, "empty"},
		"blank":     {func(t *testing.T, path string) { writeToken(t, path, " \n\n") }, "empty"},
		"missing":   {func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }, "no such file"},
		"two lines": {func(t *testing.T, path string) { writeToken(t, path, canaryNested+"\nx\n") }, "newline"},
		"a space":   {func(t *testing.T, path string) { writeToken(t, path, "Bearer "+canaryNested) }, "space"},
		"binary":    {func(t *testing.T, path string) { writeToken(t, path, canaryNested+"\x00\xff") }, "unprintable"},
		"too large": {func(t *testing.T, path string) { writeToken(t, path, strings.Repeat("x", 1<<20+1)) }, "1 MiB"},
		"a folder": {func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		}, "not a regular file"},
		"a pipe": {func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, syscall.Mkfifo(path, 0o600))
		}, "not a regular file"},
		"a device": {func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Symlink("/dev/zero", path))
		}, "not a regular file"},
		"a circle": {func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Symlink(path, path))
		}, "symbolic links"},
		"not ours": {func(t *testing.T, path string) {
			if os.Getuid() == 0 {
				t.Skip("nothing is closed to root")
			}
			require.NoError(t, os.Chmod(path, 0))
		}, "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "token")
			synctest.Test(t, func(t *testing.T) {
				writeToken(t, path, "skt_1")
				old, fresh := scaivault.FileToken(path), scaivault.FileToken(path)
				requireTokenOf(t, old, "skt_1")
				c.spoil(t, path)
				time.Sleep(time.Minute)
				requireTokenOf(t, old, "skt_1")

				_, err := fresh.Token(t.Context())
				requireMatches(t, err, scaivault.ErrUnauthenticated)
				require.ErrorContains(t, err, path)
				require.ErrorContains(t, err, c.hint)
				require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), canaryNested)
				_, err = fresh.(scaivault.TokenRenewer).Renew(t.Context(), "skt_1")
				requireMatches(t, err, scaivault.ErrUnauthenticated)

				require.NoError(t, os.RemoveAll(path))
				writeToken(t, path, "skt_2")
				requireTokenOf(t, fresh, "skt_2") // at once: there was none
				time.Sleep(time.Second)
				requireTokenOf(t, old, "skt_2")
			})
		})
	}
}

// TestFileTokenIsForManyAtOnce.
func TestFileTokenIsForManyAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	writeToken(t, path, "skt_1")
	source := scaivault.FileToken(path).(scaivault.TokenRenewer)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			token, err := source.Token(t.Context())
			assert.NoError(t, err)
			assert.Equal(t, "skt_1", token)
			token, err = source.Renew(t.Context(), fmt.Sprintf("skt_%d", i%2))
			assert.NoError(t, err)
			assert.Equal(t, "skt_1", token)
		})
	}
	wg.Wait()
}

// TestFileTokenIsShownNowhere.
func TestFileTokenIsShownNowhere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	writeToken(t, path, canaryNested)
	source := scaivault.FileToken(path)
	_, err := source.Token(context.Background())
	require.NoError(t, err)
	detect := newDetector(canaryNested)
	require.Equal(t, "token of file "+path, fmt.Sprintf("%+v", source))
	for output, how := range outputsOf(t, source) {
		assert.Empty(t, detect.leak(output), how)
	}
}
