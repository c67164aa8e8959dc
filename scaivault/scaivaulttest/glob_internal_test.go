// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, path string
		want          bool
	}{
		{"", "/anything/at/all", true},
		{"/v1/secrets/**", "/v1/secrets/a/b", true},
		{"/v1/secrets/**", "/v1/secrets", true},
		{"/v1/secrets/**", "/v1/secretsx", false},
		{"v1/secrets/**", "/v1/secrets/a", true},
		{"/v1/*/a", "/v1/secrets/a", true},
		{"/v1/*/a", "/v1/secrets/x/a", false},
		{"a/*", "a", false},
		{"**", "a/b/c", true},
		{"**/c", "a/b/c", true},
		{"**/c", "c", true},
		{"**/c", "a/b/d", false},
		{"a/**/z", "a/z", true},
		{"a/**/z", "a/b/c/z", true},
		{"a/**/z", "a/b/c", false},
		{"**/b/**/d", "a/b/c/b/d", true},
		{"**/b/**/d", "a/b/c", false},
		{"a/**/**", "a", true},
		{"db-*", "db-1", true},
		{"db-*", "xdb-1", false},
		{"*-db-*", "prod-db-main", true},
		{"d?", "db", true},
		{"d?", "d", false},
		{"a//b", "a//b", true},
	} {
		assert.Equal(t, tc.want, parseGlob(tc.pattern).match(tc.path), "%q on %q", tc.pattern, tc.path)
	}
}

func FuzzGlobMatchesAsTheObviousWay(f *testing.F) {
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if pattern == "" || len(pattern) > 24 || len(path) > 24 {
			return
		}
		want := obviousMatch(parseGlob(pattern), strings.Split(strings.TrimPrefix(path, "/"), "/"))
		if got := parseGlob(pattern).match(path); got != want {
			t.Fatalf("%q on %q: %v, want %v", pattern, path, got, want)
		}
	})
}

// obviousMatch is the definition, which may take exponential time.
func obviousMatch(pattern glob, path []string) bool {
	switch {
	case len(pattern) == 0:
		return len(path) == 0
	case pattern[0] == "**":
		return obviousMatch(pattern[1:], path) || (len(path) > 0 && obviousMatch(pattern, path[1:]))
	case len(path) == 0:
		return false
	}
	return obviousSegment(pattern[0], path[0]) && obviousMatch(pattern[1:], path[1:])
}

func obviousSegment(pattern, segment string) bool {
	switch {
	case pattern == "":
		return segment == ""
	case pattern[0] == '*':
		return obviousSegment(pattern[1:], segment) || (segment != "" && obviousSegment(pattern, segment[1:]))
	case segment == "":
		return false
	}
	return (pattern[0] == '?' || pattern[0] == segment[0]) && obviousSegment(pattern[1:], segment[1:])
}
