// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// What ScaiVault allows a path; [scaivault.ValidatePath] holds the same.
const (
	maxLevels = 10
	maxLength = 512
)

// Sanitize proposes a path that ScaiVault allows for a name that it may not:
//
//   - upper-case letters of ASCII become lower-case;
//   - every other character that is not a-z, 0-9, "-", "_" or "/" becomes "-";
//   - empty levels are left out;
//   - from the tenth level on, the levels are joined by "-";
//   - what is longer than 512 characters is cut, and ends in a digest of the
//     whole name.
//
// What is allowed stays as it is, and so does what Sanitize returned. A name of
// slashes alone has no proposal: the result is empty. Two names can have the
// same proposal, as Db and db have; [ProposeMapping] finds them.
func Sanitize(name string) string {
	var levels []string
	for level := range strings.SplitSeq(name, "/") {
		if level != "" {
			levels = append(levels, sanitizeLevel(level))
		}
	}
	if len(levels) > maxLevels {
		levels = append(levels[:maxLevels-1], strings.Join(levels[maxLevels-1:], "-"))
	}
	path := strings.Join(levels, "/")
	if len(path) <= maxLength {
		return path
	}
	digest := sha256.Sum256([]byte(name)) // of a name, which is no secret
	tail := "-" + hex.EncodeToString(digest[:4])
	return strings.TrimRight(path[:maxLength-len(tail)], "/") + tail
}

func sanitizeLevel(level string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_':
			return r
		default:
			return '-'
		}
	}, level)
}
