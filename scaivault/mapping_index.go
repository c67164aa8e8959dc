// SPDX-License-Identifier: Apache-2.0

package scaivault

import "strings"

// An index finds the first rule that matches a path. A look-up costs one map
// access for each level of the path.
type index struct {
	exact map[string]int   // path → number of the rule
	tails map[string]int   // path before "/**" → number of the rule
	below map[string][]int // path → numbers of the copied wildcards that lie below it
}

func newIndex() index {
	return index{exact: map[string]int{}, tails: map[string]int{}, below: map[string][]int{}}
}

// add indexes one side of rule i. With copied, a wildcard is also found by
// what it lies below.
func (ix index) add(pattern string, i int, copied bool) {
	prefix, tail := splitPattern(pattern)
	if !tail {
		ix.exact[prefix] = i
		return
	}
	ix.tails[prefix] = i
	if !copied || prefix == "" {
		return
	}
	for above := range ancestors(prefix) {
		ix.below[above] = append(ix.below[above], i)
	}
}

// first returns the number of the first rule that matches path. That is the
// exact one, if there is one: NewMapping refuses it behind a wildcard that
// covers it.
func (ix index) first(path string) (int, bool) {
	if i, ok := ix.exact[path]; ok {
		return i, true
	}
	best, found := 0, false
	if len(ix.tails) == 0 || !wellFormed(path) {
		return best, found
	}
	for above := range ancestors(path) {
		if i, ok := ix.tails[above]; ok && (!found || i < best) {
			best, found = i, true
		}
	}
	return best, found
}

// covering finds a rule that matches everything that pattern matches.
func (ix index) covering(pattern string) (int, bool) {
	path, tail := splitPattern(pattern)
	if !tail {
		return ix.first(path)
	}
	if i, ok := ix.tails[path]; ok {
		return i, true
	}
	if path == "" {
		return 0, false
	}
	for above := range ancestors(path) {
		if i, ok := ix.tails[above]; ok {
			return i, true
		}
	}
	return 0, false
}

// ancestors yields what a path lies below: "", "a" and "a/b" for "a/b/c".
func ancestors(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if !yield("") {
			return
		}
		for i := 1; i < len(path); i++ {
			if path[i] == '/' && !yield(path[:i]) {
				return
			}
		}
	}
}

// wellFormed tells whether every level of path is a name: not empty, "." or
// "..", which could lead out of the subtree that a wildcard stands for.
func wellFormed(path string) bool {
	for rest, more := path, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		if level == "" || level == "." || level == ".." {
			return false
		}
	}
	return true
}

// splitPattern returns the part before "/**" and whether there was one.
func splitPattern(pattern string) (prefix string, tail bool) {
	if pattern == "**" {
		return "", true
	}
	return strings.CutSuffix(pattern, "/**")
}

func matches(prefix string, tail bool, path string) bool {
	if !tail {
		return path == prefix
	}
	if prefix == "" {
		return path != ""
	}
	return len(path) > len(prefix)+1 && path[len(prefix)] == '/' && strings.HasPrefix(path, prefix)
}

// translate takes a path that matches the pattern from to its name under to.
func translate(from, to, path string) string {
	prefix, tail := splitPattern(from)
	if !tail {
		return to
	}
	rest := path
	if prefix != "" {
		rest = path[len(prefix)+1:]
	}
	if base, _ := splitPattern(to); base != "" {
		return base + "/" + rest
	}
	return rest
}
