// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"slices"
	"strings"
)

// A mappedPattern is one pair of a backend's path_mapping. Both sides are exact, or
// both end in "**", which stands for one or more segments.
type mappedPattern struct {
	backend *backend
	local   string // the ScaiVault side, without "**" and the slash before it
	remote  string // the backend side, likewise
	subtree bool
	proxy   bool
}

// parsePattern checks one pair.
func parsePattern(local, remote string) (mappedPattern, *refusal) {
	p := mappedPattern{local: local, remote: strings.Trim(remote, "/")}
	p.local, p.subtree = cutDoubleStar(local)
	var remoteSubtree bool
	p.remote, remoteSubtree = cutDoubleStar(p.remote)
	switch {
	case strings.ContainsAny(p.local, "*?") || strings.ContainsAny(p.remote, "*?"):
		return p, refuse(http.StatusBadRequest, "invalid_glob", "path_mapping: only a whole last segment ** is supported").with("pattern", local)
	case p.subtree != remoteSubtree:
		return p, refuse(http.StatusBadRequest, "invalid_config", "path_mapping: ** must end both sides, or none").with("pattern", local)
	case p.remote == "" && !p.subtree:
		return p, refuse(http.StatusBadRequest, "invalid_config", "path_mapping: the backend path is empty").with("pattern", local)
	case p.local == "" && p.subtree:
		return p, nil // everything
	}
	return p, checkPath(p.local)
}

// cutDoubleStar takes a last segment "**" away.
func cutDoubleStar(pattern string) (base string, found bool) {
	if pattern == "**" {
		return "", true
	}
	return strings.CutSuffix(pattern, "/**")
}

// remotePath is where a local path that the pattern covers is kept.
func (p *mappedPattern) remotePath(path string) string {
	if !p.subtree {
		return p.remote
	}
	tail := path
	if p.local != "" {
		tail = path[len(p.local)+1:]
	}
	return join(p.remote, tail)
}

// join puts a slash between two paths, of which either may be empty.
func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "/" + b
}

// A mappingTable finds the pattern for a path without looking at all of them. It
// never changes; a new one replaces it.
type mappingTable struct {
	exact   map[string]*mappedPattern
	subtree map[string]*mappedPattern
}

func newMappingTable(patterns []mappedPattern) *mappingTable {
	t := &mappingTable{exact: map[string]*mappedPattern{}, subtree: map[string]*mappedPattern{}}
	for i := range patterns {
		if p := &patterns[i]; p.subtree {
			t.subtree[p.local] = p
		} else {
			t.exact[p.local] = p
		}
	}
	return t
}

// find returns the pattern that covers path, the most specific one, or nil.
func (t *mappingTable) find(path string) *mappedPattern {
	if p := t.exact[path]; p != nil {
		return p
	}
	if len(t.subtree) == 0 {
		return nil
	}
	for base := path; base != ""; {
		base = base[:max(strings.LastIndexByte(base, '/'), 0)]
		if p := t.subtree[base]; p != nil {
			return p
		}
	}
	return nil
}

// dataSegment is where a KV v2 path has its "data", or -1.
func dataSegment(segments []string) int {
	if at := slices.Index(segments[min(1, len(segments)):], "data"); at >= 0 {
		return at + 1
	}
	return -1
}

// versioned reports whether a path of a Vault is one of KV v2.
func versioned(remote string) bool { return dataSegment(strings.Split(remote, "/")) > 0 }

// listPath is where the names below a path are listed.
func listPath(remote string) string {
	segments := strings.Split(remote, "/")
	if at := dataSegment(segments); at > 0 {
		segments[at] = "metadata"
	}
	return strings.Join(segments, "/")
}
