// SPDX-License-Identifier: Apache-2.0

package disksort_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/disksort"
)

// sorted returns "key=value" of all records.
func sorted(t *testing.T, s *disksort.Sorter) []string {
	t.Helper()
	var all []string
	for r, err := range s.All() {
		require.NoError(t, err)
		all = append(all, string(r.Key)+"="+string(r.Value))
	}
	return all
}

func TestRecordsComeBackInOrder(t *testing.T) {
	t.Parallel()
	for _, memory := range []int{0, 1, 500, 5000} {
		t.Run(fmt.Sprint(memory), func(t *testing.T) {
			t.Parallel()
			s := &disksort.Sorter{Dir: t.TempDir(), Memory: memory}
			var want []string
			for i := range 1000 {
				key, value := fmt.Sprintf("k\x00\n%d", rand.IntN(300)), fmt.Sprint(i%7)
				want = append(want, key+"="+value)
				require.NoError(t, s.Add(disksort.Record{Key: []byte(key), Value: []byte(value)}))
			}
			slices.Sort(want)
			require.Equal(t, 1000, s.Len())
			got := sorted(t, s)
			slices.Sort(got) // "=" sorts behind what a longer key goes on with
			require.Equal(t, want, got)
			previous := ""
			for r, err := range s.All() { // a second time
				require.NoError(t, err)
				require.LessOrEqual(t, previous, string(r.Key))
				previous = string(r.Key)
			}
			require.NoError(t, s.Add(disksort.Record{Key: []byte("\xff")}), "more may follow")
			require.Len(t, sorted(t, s), 1001)
			require.NoError(t, s.Close())
			require.NoError(t, s.Close())
			require.Empty(t, sorted(t, s))
		})
	}
}

func TestAnEmptySorterIsEmpty(t *testing.T) {
	t.Parallel()
	var s disksort.Sorter
	require.Empty(t, sorted(t, &s))
	require.Zero(t, s.Len())
	require.NoError(t, s.Close())
}

func TestALoopMayEndEarly(t *testing.T) {
	t.Parallel()
	s := &disksort.Sorter{Dir: t.TempDir(), Memory: 1}
	for _, key := range []string{"b", "a", "c"} {
		require.NoError(t, s.Add(disksort.Record{Key: []byte(key)}))
	}
	for r, err := range s.All() {
		require.NoError(t, err)
		require.Equal(t, "a", string(r.Key))
		break
	}
	require.Equal(t, []string{"a=", "b=", "c="}, sorted(t, s))
	require.NoError(t, s.Close())
}

// No other user can read the names, and none are left behind by a process that
// is killed: on Unix the file has no name even while it is used.
func TestNothingIsLeftOnTheDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &disksort.Sorter{Dir: dir, Memory: 1}
	for range 10 {
		require.NoError(t, s.Add(disksort.Record{Key: []byte("name")}))
	}
	names, err := filepath.Glob(dir + "/*")
	require.NoError(t, err)
	for _, name := range names { // only where an open file can't be removed
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077)
	}
	require.NoError(t, s.Close())
	names, err = filepath.Glob(dir + "/*")
	require.NoError(t, err)
	require.Empty(t, names)
}

func TestADirectoryThatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	s := &disksort.Sorter{Dir: filepath.Join(t.TempDir(), "none"), Memory: 1}
	require.NoError(t, s.Add(disksort.Record{Key: []byte("a")}))
	err := s.Add(disksort.Record{Key: []byte("b")})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, []string{"a="}, sorted(t, s), "what was taken is kept")
}

func TestWithoutLeavesOutWhatTheOtherHas(t *testing.T) {
	t.Parallel()
	sorter := func(keys ...string) *disksort.Sorter {
		s := &disksort.Sorter{Dir: t.TempDir(), Memory: 1}
		for _, key := range keys {
			require.NoError(t, s.Add(disksort.Record{Key: []byte(key)}))
		}
		t.Cleanup(func() { assert.NoError(t, s.Close()) })
		return s
	}
	for _, c := range []struct{ all, others, want []string }{
		{nil, nil, nil},
		{[]string{"b", "a", "b"}, nil, []string{"a", "b"}},
		{[]string{"a"}, []string{"a", "a"}, nil},
		{[]string{"d", "b", "a", "c", "d"}, []string{"c", "0", "a", "z"}, []string{"b", "d"}},
		{nil, []string{"a"}, nil},
	} {
		var got []string
		for r, err := range disksort.Without(sorter(c.all...), sorter(c.others...)) {
			require.NoError(t, err)
			got = append(got, string(r.Key))
		}
		assert.Equal(t, c.want, got)
	}
}
