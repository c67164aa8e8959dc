// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"go/ast"
	"go/token"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
)

// functions returns the functions and methods of a file.
func functions(s source) []*ast.FuncDecl {
	var all []*ast.FuncDecl
	for _, declaration := range s.file.Decls {
		if f, ok := declaration.(*ast.FuncDecl); ok {
			all = append(all, f)
		}
	}
	return all
}

func TestEveryExportedNameIsExplained(t *testing.T) {
	t.Parallel()
	for _, s := range librarySources(t) {
		if s.file.Name.Name == "main" {
			continue
		}
		for _, declaration := range s.file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && receiverIsExported(d) {
					assertStartsWithName(t, s, d, d.Name.Name, d.Doc)
				}
			case *ast.GenDecl:
				checkGroup(t, s, d)
			}
		}
	}
}

func TestEveryPackageIsExplained(t *testing.T) {
	t.Parallel()
	explained := map[string]int{}
	for _, s := range librarySources(t) {
		if s.file.Doc != nil {
			explained[s.folder()]++
			assert.Regexp(t, `^Package `+s.file.Name.Name+`\b`, s.file.Doc.Text(), "the comment of the package in %s", s.path)
		}
	}
	for _, s := range librarySources(t) {
		assert.Equal(t, 1, explained[s.folder()], "comments of package %s", s.folder())
	}
}

// receiverIsExported tells whether users can see a method; a function is seen.
func receiverIsExported(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	receiver := f.Recv.List[0].Type
	for {
		switch r := receiver.(type) {
		case *ast.StarExpr:
			receiver = r.X
		case *ast.IndexExpr:
			receiver = r.X
		case *ast.IndexListExpr:
			receiver = r.X
		case *ast.Ident:
			return r.IsExported()
		default:
			return false
		}
	}
}

// checkGroup checks types, constants and variables. Of the latter two one comment may
// explain a whole group.
func checkGroup(t *testing.T, s source, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			doc := spec.Doc
			if doc == nil && len(d.Specs) == 1 {
				doc = d.Doc
			}
			if spec.Name.IsExported() {
				assertStartsWithName(t, s, spec, spec.Name.Name, doc)
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				explained := spec.Doc != nil || spec.Comment != nil || d.Doc != nil && d.Tok != token.IMPORT
				assert.True(t, explained || !name.IsExported(), "%s:%d: %s has no comment", s.path, s.line(name), name.Name)
			}
		}
	}
}

func assertStartsWithName(t *testing.T, s source, at ast.Node, name string, doc *ast.CommentGroup) {
	t.Helper()
	if !assert.NotNil(t, doc, "%s:%d: %s has no comment", s.path, s.line(at), name) {
		return
	}
	starts := regexp.MustCompile(`^(A |An |The )?` + regexp.QuoteMeta(name) + `\b`)
	assert.Regexp(t, starts, doc.Text(), "%s:%d: the comment does not start with the name", s.path, s.line(at))
}
