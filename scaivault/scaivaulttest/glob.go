// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import "strings"

// A glob is a pattern on a slash-separated path: "**" is any number of segments,
// also none; "*" any run of characters within a segment, "?" one of them.
// The nil glob matches everything.
type glob []string

// parseGlob splits pattern; the empty pattern matches everything. A leading slash
// does not count, so that one form serves URL paths and secret paths.
func parseGlob(pattern string) glob {
	if pattern == "" {
		return nil
	}
	return strings.Split(strings.TrimPrefix(pattern, "/"), "/")
}

func (g glob) match(path string) bool {
	if g == nil {
		return true
	}
	rest, more := strings.TrimPrefix(path, "/"), true
	// Where to go on after a mismatch: behind the last "**", with one segment more
	// given to it. One such place is enough, as in matching of characters.
	back, backRest := -1, ""
	i := 0
	for more {
		if i < len(g) && g[i] == "**" {
			i++
			back, backRest = i, rest
			continue
		}
		segment, tail, found := strings.Cut(rest, "/")
		if i < len(g) && matchSegment(g[i], segment) {
			i++
			rest, more = tail, found
			continue
		}
		if back < 0 {
			return false
		}
		_, after, found := strings.Cut(backRest, "/")
		if !found {
			return onlyDoubleStars(g[back:])
		}
		i, rest, backRest = back, after, after
	}
	return onlyDoubleStars(g[i:])
}

func onlyDoubleStars(g glob) bool {
	for _, segment := range g {
		if segment != "**" {
			return false
		}
	}
	return true
}

// matchSegment matches one segment against a pattern with "*" and "?".
func matchSegment(pattern, segment string) bool {
	if pattern == "*" || pattern == segment {
		return true
	}
	star, again := -1, 0
	p, s := 0, 0
	for s < len(segment) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, again = p, s
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == segment[s]):
			p++
			s++
		case star >= 0:
			again++
			p, s = star+1, again
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
