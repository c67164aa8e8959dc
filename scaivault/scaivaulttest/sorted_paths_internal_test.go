// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSortedPathsAgainstASlice has some thousand paths come and go, in order and out of
// it, and looks whether each question is answered as a sorted slice answers it.
func TestSortedPathsAgainstASlice(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var set sortedPaths
	var slice []string
	path := func() string { return fmt.Sprintf("%c/%d", 'a'+random.IntN(3), random.IntN(4*maxBlock)) }
	change := func(p string, add bool) {
		at, found := slices.BinarySearch(slice, p)
		switch {
		case add && !found:
			slice = slices.Insert(slice, at, p)
		case !add && found:
			slice = slices.Delete(slice, at, at+1)
		}
		if add {
			set.add(p)
		} else {
			set.remove(p)
		}
	}
	for i := range 3 * maxBlock { // as an import writes them
		change(fmt.Sprintf("b/in-order/%06d", i), true)
	}
	for _, adding := range []int{9, 5, 1, 0} { // of ten
		for range 4000 {
			change(path(), random.IntN(10) < adding)
		}
		require.Equal(t, slice, slices.Collect(set.from("")))
		for _, block := range set.blocks {
			require.NotEmpty(t, block)
			require.LessOrEqual(t, len(block), maxBlock)
		}
		for range 50 {
			requireSameAsSlice(t, &set, slice, path())
		}
	}
	for _, p := range slices.Clone(slice) {
		change(p, false)
	}
	require.Empty(t, set.blocks)
	requireSameAsSlice(t, &set, nil, "a/1")
}

func requireSameAsSlice(t *testing.T, set *sortedPaths, slice []string, p string) {
	t.Helper()
	at, found := slices.BinarySearch(slice, p)
	require.Equal(t, found, set.has(p))
	require.Equal(t, first(slices.Values(slice[at:]), 2000), first(set.from(p), 2000))
	before := slices.Clone(slice[:at])
	slices.Reverse(before)
	require.Equal(t, first(slices.Values(before), 2000), first(set.before(p), 2000))
}

func first(paths iter.Seq[string], most int) []string {
	var got []string
	for p := range paths {
		if got = append(got, p); len(got) == most {
			break
		}
	}
	return got
}

func TestBehind(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{"": "", "a": "b", "a/": "a0", "a\xff": "b", "\xff\xff": ""} {
		require.Equal(t, want, behind(prefix), "%q", prefix)
	}
}

// TestAListingCostsItsFolder counts the paths that are looked at: those of the page,
// however many secrets there are, also right after a write.
func TestAListingCostsItsFolder(t *testing.T) {
	t.Parallel()
	s := newSecretStore(ServerOptions{MaxVersions: 1, Quirks: Quirks{}}, nil)
	for i := range 5000 {
		s.seed(fmt.Sprintf("many/f%03d/s%02d", i/50, i%50), []byte(`{}`))
	}
	for _, order := range []ListOrder{ListByPath, ListByPathDescending} {
		s.seed("many/f000/new", []byte(`{}`))
		looked := 0
		page, more := s.list(&listing{prefix: "many/f050/", order: order, limit: 10, visible: func(path string) bool {
			looked++
			return strings.HasPrefix(path, "many/f050/")
		}})
		require.Len(t, page, 10)
		require.True(t, more)
		require.Equal(t, 11, looked)
	}
}
