// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"iter"
	"slices"
	"sort"
)

// maxBlock is how many paths a block of sortedPaths holds before it is split.
const maxBlock = 1024

// A sortedPaths is a set of paths in the order of their bytes. Its blocks are small,
// so that a path comes and goes at the cost of one of them, and not of all. It is not
// safe for concurrent use.
type sortedPaths struct {
	blocks [][]string // ascending and never empty
}

// block returns the place of the block where path stands, or would stand.
func (s *sortedPaths) block(path string) int {
	return max(0, sort.Search(len(s.blocks), func(i int) bool { return s.blocks[i][0] > path })-1)
}

func (s *sortedPaths) add(path string) {
	if len(s.blocks) == 0 {
		s.blocks = [][]string{{path}}
		return
	}
	i := s.block(path)
	at, found := slices.BinarySearch(s.blocks[i], path)
	if found {
		return
	}
	block := slices.Insert(s.blocks[i], at, path)
	s.blocks[i] = block
	if len(block) <= maxBlock {
		return
	}
	// Paths that come in order fill the last block: it leaves a full one behind.
	half := len(block) / 2
	if i == len(s.blocks)-1 && at == len(block)-1 {
		half = len(block) - 1
	}
	s.blocks[i] = slices.Clip(block[:half])
	s.blocks = slices.Insert(s.blocks, i+1, slices.Clone(block[half:]))
}

func (s *sortedPaths) remove(path string) {
	if len(s.blocks) == 0 {
		return
	}
	i := s.block(path)
	at, found := slices.BinarySearch(s.blocks[i], path)
	if !found {
		return
	}
	if s.blocks[i] = slices.Delete(s.blocks[i], at, at+1); len(s.blocks[i]) == 0 {
		s.blocks = slices.Delete(s.blocks, i, i+1)
	}
}

func (s *sortedPaths) has(path string) bool {
	if len(s.blocks) == 0 {
		return false
	}
	_, found := slices.BinarySearch(s.blocks[s.block(path)], path)
	return found
}

// from yields the paths from start on, ascending.
func (s *sortedPaths) from(start string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(s.blocks) == 0 {
			return
		}
		i := s.block(start)
		at, _ := slices.BinarySearch(s.blocks[i], start)
		for ; i < len(s.blocks); i, at = i+1, 0 {
			for _, path := range s.blocks[i][at:] {
				if !yield(path) {
					return
				}
			}
		}
	}
}

// before yields the paths before end, descending; an empty end is behind all.
func (s *sortedPaths) before(end string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(s.blocks) == 0 {
			return
		}
		i := len(s.blocks) - 1
		to := len(s.blocks[i])
		if end != "" {
			i = s.block(end)
			to, _ = slices.BinarySearch(s.blocks[i], end)
		}
		for {
			for at := to - 1; at >= 0; at-- {
				if !yield(s.blocks[i][at]) {
					return
				}
			}
			if i--; i < 0 {
				return
			}
			to = len(s.blocks[i])
		}
	}
}

// behind returns the first text that is behind every text with this prefix, and ""
// where there is none.
func behind(prefix string) string {
	for end := []byte(prefix); len(end) > 0; end = end[:len(end)-1] {
		if last := len(end) - 1; end[last] < 0xff {
			end[last]++
			return string(end)
		}
	}
	return ""
}
