// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"fmt"
	"go/ast"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// forbidden is what a library must not use, by package path and name, with the reason.
// A name that ends in "*" stands for all that begin so.
var forbidden = map[string]string{
	"fmt.Print*":                "a library does not write to the terminal",
	"os.Stdout":                 "a library does not write to the terminal",
	"os.Stderr":                 "a library does not write to the terminal",
	"log.*":                     "a library logs to the *slog.Logger that it was given",
	"log/slog.Default":          "a library logs to the *slog.Logger that it was given",
	"os.Exit":                   "a library does not end the program",
	"os.Getenv":                 "the environment is read only where the name says so",
	"os.LookupEnv":              "the environment is read only where the name says so",
	"os.Environ":                "the environment is read only where the name says so",
	"net/http.DefaultClient":    "a library does not share the program's client",
	"net/http.DefaultTransport": "a library does not share the program's connections",
	"net/http.Get":              "a library does not share the program's client",
	"net/http.Post":             "a library does not share the program's client",
	"context.Background":        "a library inherits its caller's context",
	"context.TODO":              "a library inherits its caller's context",
}

// excused are the uses that are right, by file and name, each with the reason.
var excused = map[string]string{
	"scaivault/token.go os.Getenv":                       "EnvToken",
	"scaivault/flag.go os.LookupEnv":                     "EnvFlag",
	"scaivault/lane.go context.Background":               "the lifetime of a Store's own work",
	"scaivault/vault/source.go context.Background":       "Close revokes the token, and has no caller's context",
	"scaivault/scaivaulttest/host.go context.Background": "the lifetime of a server",
}

func TestALibraryKeepsToItself(t *testing.T) {
	t.Parallel()
	for _, s := range librarySources(t) {
		for _, use := range uses(s) {
			reason, found := lookUp(use.name)
			if _, ok := excused[s.path+" "+use.short]; ok || !found {
				continue
			}
			assert.Fail(t, fmt.Sprintf("%s:%d uses %s", s.path, use.line, use.short), reason)
		}
	}
}

func lookUp(name string) (reason string, found bool) {
	for pattern, reason := range forbidden {
		prefix, wild := strings.CutSuffix(pattern, "*")
		if name == pattern || wild && strings.HasPrefix(name, prefix) {
			return reason, true
		}
	}
	return "", false
}

// A use is one mention of a name of another package.
type use struct {
	name  string // with the path of the package, as in net/http.Get
	short string // with its name, as in http.Get
	line  int
}

func uses(s source) []use {
	imports := s.imports()
	var all []use
	ast.Inspect(s.file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := selector.X.(*ast.Ident); ok && imports[pkg.Name] != "" {
			all = append(all, use{
				name:  imports[pkg.Name] + "." + selector.Sel.Name,
				short: pkg.Name + "." + selector.Sel.Name,
				line:  s.line(selector),
			})
		}
		return true
	})
	return all
}

func TestALibraryHasNoInitAndNoPanic(t *testing.T) {
	t.Parallel()
	for _, s := range librarySources(t) {
		for _, f := range functions(s) {
			assert.False(t, f.Recv == nil && f.Name.Name == "init", "%s:%d: nothing happens by being imported", s.path, s.line(f))
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if name, ok := call.Fun.(*ast.Ident); ok && name.Name == "panic" {
				assert.True(t, isAbort(call) || raisers[s.path] != "", "%s:%d: return an error instead of a panic", s.path, s.line(call))
			}
			return true
		})
	}
}

// isAbort tells the one panic that is an agreement with net/http: it cuts the
// connection and nothing else.
func isAbort(call *ast.CallExpr) bool {
	if len(call.Args) != 1 {
		return false
	}
	selector, ok := call.Args[0].(*ast.SelectorExpr)
	return ok && selector.Sel.Name == "ErrAbortHandler"
}

// raisers are the files that may raise a panic that they caught, each with what
// it was caught in.
var raisers = map[string]string{
	"scaivault/store_flight.go": "a read that several callers share: each of them is told, as it would be alone",
}

// owners are the files that may start goroutines: they know when these end.
var owners = map[string]string{
	"scaivault/lane.go":                                 "the work of a Store",
	"scaivault/store_crew.go":                           "the reads of a Store: Close waits for those under way and ends who rests",
	"scaivault/store_repair.go":                         "the last tries of Close, which waits for them",
	"scaivault/vault/calls.go":                          "the calls of a Source",
	"migrate/pool.go":                                   "the lanes of a migration",
	"migrate/diff.go":                                   "the listing of the other side, which Diff waits for",
	"scaivault/scaivaulttest/socket.go":                 "a server's listener",
	"scaivault/scaivaulttest/roundtrip.go":              "a request in memory",
	"scaivault/scaivaulttest/server_sync_api.go":        "a sync in the background, which Close waits for",
	"scaivault/scaivaulttest/conformance_concurrent.go": "the callers of one check, which waits for them",
}

func TestGoroutinesStartOnlyWhereTheirLifetimeIsOwned(t *testing.T) {
	t.Parallel()
	for _, s := range librarySources(t) {
		for _, start := range starts(s) {
			assert.Contains(t, owners, s.path, "%s:%d starts a goroutine; start it where somebody waits for it", s.path, s.line(start))
		}
	}
}

// starts returns where a file starts goroutines: by a go statement, or by a method Go
// such as that of sync.WaitGroup.
func starts(s source) []ast.Node {
	var all []ast.Node
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			all = append(all, n)
		case *ast.CallExpr:
			if method, ok := n.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "Go" {
				all = append(all, n)
			}
		}
		return true
	})
	return all
}

// TestNoExcuseIsLeftOver keeps the two lists above from growing old.
func TestNoExcuseIsLeftOver(t *testing.T) {
	t.Parallel()
	used, starting := map[string]bool{}, map[string]bool{}
	for _, s := range librarySources(t) {
		for _, use := range uses(s) {
			used[s.path+" "+use.short] = true
		}
		starting[s.path] = len(starts(s)) > 0
	}
	for excuse := range excused {
		assert.True(t, used[excuse], "%s: there is nothing to excuse any more", excuse)
	}
	for file := range owners {
		assert.True(t, starting[file], "%s starts no goroutine any more", file)
	}
}
