// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheTopLevelIsExactlyThis(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		// In a linked worktree .git is a file.
		if (entry.IsDir() || entry.Name() == ".git") && strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		names = append(names, entry.Name())
	}
	want := []string{"LICENSE", "README.md", "examples", "federation", "go.mod", "go.sum", "internal", "migrate", "scaivault"}
	assert.ElementsMatch(t, want, names, "whatever else there is lives below one of these, or in a folder whose name starts with a dot")
}

func TestEveryFileNamesItsLicence(t *testing.T) {
	t.Parallel()
	for _, s := range allSources(t) {
		first, _, _ := strings.Cut(s.text, "\n")
		assert.Equal(t, "// SPDX-License-Identifier: Apache-2.0", first, "the first line of %s", s.path)
	}
}

const (
	maxLines    = 600
	maxFuncSize = 80
)

func TestFilesAndFunctionsStayShort(t *testing.T) {
	t.Parallel()
	for _, s := range allSources(t) {
		lines := strings.Count(s.text, "\n")
		assert.LessOrEqual(t, lines, maxLines, "lines of %s: split it by concept", s.path)
		if !s.isLibrary() {
			continue
		}
		for _, f := range functions(s) {
			length := s.set.Position(f.End()).Line - s.line(f) + 1
			assert.LessOrEqual(t, length, maxFuncSize, "lines of %s in %s", f.Name.Name, s.path)
		}
	}
}

func TestFilesAreNamedByWhatTheyHold(t *testing.T) {
	t.Parallel()
	vague := []string{"utils", "util", "helpers", "helper", "types", "common", "constants", "misc"}
	for _, s := range allSources(t) {
		name := strings.TrimSuffix(strings.TrimSuffix(path.Base(s.path), ".go"), "_test")
		assert.False(t, slices.Contains(vague, name), "%s: name the concept", s.path)
	}
}

func TestEveryPackageHasTests(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{}
	for _, s := range allSources(t) {
		if s.isTest() {
			tested[s.folder()] = true
		}
	}
	for _, s := range librarySources(t) {
		assert.True(t, tested[s.folder()], "package %s has no test", s.folder())
	}
}
