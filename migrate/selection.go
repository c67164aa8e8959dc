// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
)

// A Shard is one part of the secrets of a run, so that several processes can
// share the work without knowing of each other. Which shard a secret belongs to
// follows from its name on the side that is read, and is the same in every
// process, on every machine and in every version of this package: the 64-bit
// FNV-1a hash of the name modulo Count. The zero Shard is everything.
type Shard struct {
	// Index is which of the shards this is, from 0.
	Index int
	// Count is how many there are. If zero, one.
	Count int
}

func (s Shard) check(op string) error {
	switch {
	case s.Count < 0:
		return invalid(op, fmt.Sprintf("Shard.Count is %d; give the number of shards, or 0 for one", s.Count))
	case s.Index < 0 || s.Index >= max(1, s.Count):
		return invalid(op, fmt.Sprintf("Shard.Index is %d, out of range; with Shard.Count %d it is 0 to %d", s.Index, s.Count, max(1, s.Count)-1))
	default:
		return nil
	}
}

// holds tells whether a name belongs to the shard.
func (s Shard) holds(name string) bool {
	if s.Count < 2 {
		return true
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash takes every write
	return h.Sum64()%uint64(s.Count) == uint64(s.Index)
}

// A selection says which of the secrets that were found a run is about.
type selection struct {
	include, exclude []glob
	shard            Shard
}

func newSelection(op string, include, exclude []string, shard Shard) (*selection, error) {
	s := &selection{shard: shard}
	if err := shard.check(op); err != nil {
		return nil, err
	}
	var err error
	if s.include, err = newGlobs(op, "Include", include); err != nil {
		return nil, err
	}
	s.exclude, err = newGlobs(op, "Exclude", exclude)
	return s, err
}

// leftOut says by which pattern a name is none of the run's business, or "".
func (s *selection) leftOut(name string) string {
	for _, g := range s.exclude {
		if g.matches(name) {
			return "left out by the pattern " + g.pattern + " of Exclude"
		}
	}
	for _, g := range s.include {
		if g.matches(name) {
			return ""
		}
	}
	if len(s.include) > 0 {
		return "left out, as no pattern of Include matches"
	}
	return ""
}

// A glob is a pattern in which "*" stands for anything within one level of a
// name, and "**" for anything at all.
type glob struct {
	pattern string
	regexp  *regexp.Regexp
}

func newGlobs(op, field string, patterns []string) ([]glob, error) {
	globs := make([]glob, 0, len(patterns))
	for _, p := range patterns {
		if p == "" || strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/") {
			return nil, invalid(op, fmt.Sprintf("%s: %.100q is not a pattern; give a name, in which * stands for anything within one level and ** for any levels", field, p))
		}
		text := regexp.QuoteMeta(p)
		text = strings.ReplaceAll(text, `\*\*`, `.*`)
		text = strings.ReplaceAll(text, `\*`, `[^/]*`)
		re, err := regexp.Compile(`(?s)\A` + text + `\z`)
		if err != nil { // of a text that is not UTF-8
			return nil, invalid(op, fmt.Sprintf("%s: %.100q is not a pattern", field, p))
		}
		globs = append(globs, glob{p, re})
	}
	return globs, nil
}

func (g glob) matches(name string) bool { return g.regexp.MatchString(name) }
