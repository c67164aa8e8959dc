// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// The documented limits of a ScaiVault path.
const (
	maxPathLength = 512
	maxPathLevels = 10
)

// ValidatePath checks a ScaiVault path against the service's documented rules:
// at most 512 characters in at most 10 levels; lower-case letters, digits, '-'
// and '_'; levels parted by single slashes, none at either end. Its error
// matches [ErrInvalid] and names the broken rule. It does no I/O.
func ValidatePath(path string) error {
	if rule := brokenPathRule(path); rule != "" {
		return &Error{Kind: ErrInvalid, Op: "check path", Path: wire.Printable(path), Reason: rule}
	}
	return nil
}

func brokenPathRule(path string) string {
	switch {
	case path == "":
		return "the path is empty; name a secret, as in environments/production/billing/database"
	case strings.HasPrefix(path, "/"):
		return "a path has no leading slash; remove it"
	case strings.HasSuffix(path, "/"):
		return "a path has no trailing slash; remove it"
	case strings.Contains(path, "//"):
		return "a path has no empty level; replace // by /"
	case utf8.RuneCountInString(path) > maxPathLength:
		return fmt.Sprintf("the path has %d characters, at most %d are allowed", utf8.RuneCountInString(path), maxPathLength)
	case strings.Count(path, "/")+1 > maxPathLevels:
		return fmt.Sprintf("the path has %d levels, at most %d are allowed", strings.Count(path, "/")+1, maxPathLevels)
	}
	for i, r := range path {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '/' {
			continue
		}
		if r >= 'A' && r <= 'Z' {
			return fmt.Sprintf("upper-case letter %q at position %d; allowed are a-z, 0-9, - and _", r, i+1)
		}
		return fmt.Sprintf("character %q at position %d; allowed are a-z, 0-9, - and _", r, i+1)
	}
	return ""
}
