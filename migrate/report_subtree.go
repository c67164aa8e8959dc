// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"maps"
	"slices"
	"strings"
)

// A Subtree says what became of the secrets in one part of the estate.
type Subtree struct {
	// Path is where the subtree is, by the names of the side that was read;
	// "" for everything, and "…" for the parts that are too many to tell.
	Path string `json:"path"`
	// Counts has the number of items by outcome.
	Counts map[Outcome]int `json:"counts"`
}

// Total returns the number of items in the subtree.
func (s Subtree) Total() int {
	n := 0
	for _, count := range s.Counts {
		n += count
	}
	return n
}

// Bad returns how many of them need attention.
func (s Subtree) Bad() int {
	n := 0
	for outcome, count := range s.Counts {
		if outcome.Bad() {
			n += count
		}
	}
	return n
}

const (
	// subtreeLevels is how deep subtrees are told apart.
	subtreeLevels = 5
	// maxSubtrees bounds how many are told apart during a run, and
	// maxSubtreesShown how many are in a Report.
	maxSubtrees      = 1000
	maxSubtreesShown = 24
	otherSubtrees    = "…"
)

// subtrees counts items by folder.
type subtrees map[string]map[Outcome]int

func (s subtrees) add(item Item) {
	name := item.From
	if name == "" {
		name = item.To
	}
	path := folderOf(name, subtreeLevels)
	if _, ok := s[path]; !ok && len(s) >= maxSubtrees {
		path = otherSubtrees
	}
	s.count(path, item.Outcome, 1)
}

func (s subtrees) count(path string, outcome Outcome, n int) {
	if s[path] == nil {
		s[path] = map[Outcome]int{}
	}
	s[path][outcome] += n
}

// folderOf is the folder that a name lies in, down to a number of levels.
func folderOf(name string, levels int) string {
	end := 0
	for i := range len(name) {
		if name[i] == '/' {
			end = i
			if levels--; levels == 0 {
				break
			}
		}
	}
	return name[:end]
}

// shown are the subtrees as deep as not too many of them are there.
func (s subtrees) shown() []Subtree {
	for levels := subtreeLevels; len(s) > maxSubtreesShown && levels > 0; levels-- {
		joined := subtrees{}
		for path, counts := range s {
			shorter := path
			if path != otherSubtrees && strings.Count(path, "/") >= levels-1 {
				shorter = folderOf(path+"/", levels-1)
			}
			if levels == 1 {
				shorter = ""
			}
			for outcome, n := range counts {
				joined.count(shorter, outcome, n)
			}
		}
		s = joined
	}
	var all []Subtree
	for _, path := range slices.Sorted(maps.Keys(s)) {
		all = append(all, Subtree{Path: path, Counts: s[path]})
	}
	return all
}
