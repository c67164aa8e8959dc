// SPDX-License-Identifier: Apache-2.0

// Package archtest holds tests that read the source of the whole repository, and keep
// its rules: which package may import which, what a library must not do, and how files
// look. It has no code of its own.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the top of the repository, seen from this package.
const root = "../.."

const module = "github.com/scailabs/scaivault-go"

// A source is one Go file of the repository.
type source struct {
	path string // from the top of the repository, with slashes
	text string
	file *ast.File
	set  *token.FileSet
}

// folder returns the package's folder, "." for the top.
func (s source) folder() string { return path.Dir(s.path) }

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// below tells whether the file lies in one of the folders or below.
func (s source) below(folders ...string) bool {
	for _, folder := range folders {
		if strings.HasPrefix(s.path, folder+"/") {
			return true
		}
	}
	return false
}

// testSupport are the folders whose packages only tests import.
var testSupport = []string{"internal/bench", "internal/integration", "internal/vaultchecks"}

// isLibrary tells whether the file is linked into the programs of those who import
// this module.
func (s source) isLibrary() bool {
	return !s.isTest() && !s.below("examples") && !s.below(testSupport...)
}

// line says where a node is, for failures.
func (s source) line(n ast.Node) int { return s.set.Position(n.Pos()).Line }

// imports maps the names under which the file knows packages to their paths.
func (s source) imports() map[string]string {
	names := map[string]string{}
	for _, spec := range s.file.Imports {
		imported := strings.Trim(spec.Path.Value, `"`)
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = imported
	}
	return names
}

// sources parses every Go file once.
var sources = sync.OnceValues(func() ([]source, error) {
	var all []source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if hidden := strings.HasPrefix(entry.Name(), ".") && name != root; hidden || entry.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		s, err := parseSource(name)
		all = append(all, s)
		return err
	})
	return all, err
})

func parseSource(name string) (source, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return source{}, err
	}
	relative, err := filepath.Rel(root, name)
	if err != nil {
		return source{}, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return source{path: filepath.ToSlash(relative), text: string(text), file: file, set: set}, err
}

func allSources(t *testing.T) []source {
	t.Helper()
	all, err := sources()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// librarySources are those that are linked into other people's programs.
func librarySources(t *testing.T) []source {
	t.Helper()
	var library []source
	for _, s := range allSources(t) {
		if s.isLibrary() {
			library = append(library, s)
		}
	}
	require.NotEmpty(t, library)
	return library
}
