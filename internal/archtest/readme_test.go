// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// TestReadmeSnippetsAreTested: every Go snippet of the README stands, line by
// line, in a file that the tests compile.
func TestReadmeSnippetsAreTested(t *testing.T) {
	t.Parallel()
	const root = "../.."
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	snippets := goBlock.FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, snippets)
	var tested []string
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") && strings.Contains(filepath.Base(path), "example") {
			text, readErr := os.ReadFile(path)
			tested = append(tested, unindented(string(text)))
			return readErr
		}
		return err
	})
	require.NoError(t, err)
	for _, s := range snippets {
		found := false
		for _, text := range tested {
			found = found || strings.Contains(text, unindented(s[1]))
		}
		require.True(t, found, "no example holds this snippet of the README:\n%s", s[1])
	}
}

// unindented takes the indentation off every line.
func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimLeft(line, "\t ")
	}
	return strings.Join(lines, "\n")
}
