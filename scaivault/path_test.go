// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

func TestValidatePathTakesTheDocumentedNames(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"a", "0", "-", "_", "environments/production/billing/database", "a-b_c/0/9",
		strings.Repeat("a", 512), strings.Repeat("a/", 9) + "a",
	} {
		assert.NoError(t, scaivault.ValidatePath(path), path)
	}
}

func TestValidatePathNamesTheBrokenRule(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, path, want string }{
		{"empty", "", "check path: invalid: the path is empty; name a secret, as in environments/production/billing/database"},
		{"a slash", "/", "no leading slash; remove it"},
		{"a leading slash", "/a", "check path /a: invalid: a path has no leading slash; remove it"},
		{"a trailing slash", "a/", "no trailing slash; remove it"},
		{"an empty level", "a//b", "no empty level; replace // by /"},
		{"11 levels", strings.Repeat("a/", 10) + "a", "the path has 11 levels, at most 10 are allowed"},
		{"513 characters", strings.Repeat("a", 513), "the path has 513 characters, at most 512 are allowed"},
		{"characters, not bytes", strings.Repeat("ä", 513), "the path has 513 characters"},
		{"an upper-case letter", "apps/Db", "upper-case letter 'D' at position 6; allowed are a-z, 0-9, - and _"},
		{"a dot", "apps/db.json", "character '.' at position 8; allowed are a-z, 0-9, - and _"},
		{"a way up", "apps/../db", "character '.' at position 6"},
		{"a space", "a b", `check path a b: invalid: character ' ' at position 2`},
		{"a newline", "a\nb", `check path "a\nb": invalid: character '\n' at position 2`},
		{"a line separator", "a\u2028b", `check path "a\u2028b": invalid: character '\u2028' at position 2`},
		{"text from right to left", "a\u202eb", `check path "a\u202eb": invalid`},
		{"an escape of a terminal", "a\x1b[2J", `check path "a\x1b[2J": invalid`},
		{"no UTF-8", "a\xff", `check path "a\xff": invalid`},
		{"a letter of another alphabet", "größe", "character 'ö' at position 3"},
		{"an escape of a URL", "a%2fb", "character '%' at position 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := scaivault.ValidatePath(tt.path)
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			assert.Contains(t, err.Error(), tt.want)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestAnErrorCutsAPathThatIsTooLong(t *testing.T) {
	t.Parallel()
	err := scaivault.ValidatePath(strings.Repeat("ä", 1<<20))
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Less(t, len(err.Error()), 4096)
	assert.Contains(t, err.Error(), "…")
}
