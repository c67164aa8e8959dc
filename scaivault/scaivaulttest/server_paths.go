// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"strings"
)

// The documented bounds of a secret's path.
const (
	maxPathLength = 512
	maxPathLevels = 10
)

// checkPath refuses what is not a secret's path.
func checkPath(path string) *refusal {
	invalid := func(why string) *refusal {
		return refuse(http.StatusBadRequest, "invalid_path", "invalid path: %s", why)
	}
	switch {
	case path == "":
		return invalid("it is empty")
	case len(path) > maxPathLength:
		return invalid("more than 512 characters")
	case strings.Count(path, "/") >= maxPathLevels:
		return invalid("more than 10 levels")
	case path[0] == '/' || path[len(path)-1] == '/':
		return invalid("a slash at its end")
	case strings.Contains(path, "//"):
		return invalid("an empty segment")
	}
	for i := range len(path) {
		if !pathCharacter(path[i]) {
			return invalid("only a-z, 0-9, -, _ and / are allowed")
		}
	}
	return nil
}

// pathCharacter reports whether a path may hold c.
func pathCharacter(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '/'
}
