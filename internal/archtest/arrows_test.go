// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A listed package is what the go command tells of one package.
type listed struct {
	ImportPath   string
	Name         string
	Standard     bool
	Imports      []string // of the package alone
	Deps         []string // of everything that is linked with it
	TestImports  []string
	XTestImports []string
}

// folder returns where the package lies within the module, and false for a package of
// another module.
func folder(importPath string) (string, bool) {
	return strings.CutPrefix(importPath, module+"/")
}

// listPackages asks the go command for the packages of the main module.
func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Name,Standard,Imports,Deps,TestImports,XTestImports", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		all = append(all, p)
	}
	require.NotEmpty(t, all)
	return all
}

// mayImport says which packages of this module a package may import, by the folders
// in which they lie. The most special folder counts.
var mayImport = map[string][]string{
	"internal":                {"internal"},
	"scaivault":               {"internal"},
	"scaivault/vault":         {"internal", "scaivault"},
	"scaivault/scaivaulttest": {"internal", "scaivault"},
	"federation":              {"internal", "scaivault"},
	"migrate":                 {"internal", "scaivault"},
	"internal/vaultchecks":    {"internal", "scaivault", "scaivault/vault", "scaivault/scaivaulttest"},
	"examples":                {"internal", "scaivault", "scaivault/vault", "scaivault/scaivaulttest", "federation", "migrate", "examples"},
}

// home returns the folder of mayImport to which a package belongs.
func home(folder string) string {
	best := ""
	for name := range mayImport {
		if (folder == name || strings.HasPrefix(folder, name+"/")) && len(name) > len(best) {
			best = name
		}
	}
	return best
}

func TestArrowsPointOneWay(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		from, ok := folder(p.ImportPath)
		require.True(t, ok, "%s: no package at the top", p.ImportPath)
		allowed, ok := mayImport[home(from)]
		require.True(t, ok, "%s: say in mayImport what it may import", from)
		for _, imported := range p.Imports {
			if to, ok := folder(imported); ok {
				assert.Contains(t, allowed, home(to), "%s imports %s", from, to)
			}
		}
	}
}

func TestFederationAndMigrateDoNotKnowEachOther(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		from, _ := folder(p.ImportPath)
		other := map[string]string{"federation": "migrate", "migrate": "federation"}[home(from)]
		if other == "" {
			continue
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			to, _ := folder(imported)
			assert.NotEqual(t, other, home(to), "%s, or its tests, imports %s", from, to)
		}
	}
}

// TestTheVaultDependencyCanBeDropped looks at everything that a program links which
// imports one of the packages.
func TestTheVaultDependencyCanBeDropped(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, p := range listPackages(t) {
		from, _ := folder(p.ImportPath)
		at := home(from)
		if at == "scaivault/vault" || at == "examples" || slices.Contains(testSupport, at) {
			continue
		}
		seen++
		for _, dep := range p.Deps {
			assert.False(t, strings.HasPrefix(dep, "github.com/hashicorp/"), "%s links %s", from, dep)
			assert.NotEqual(t, module+"/scaivault/vault", dep, "%s links it", from)
			assert.NotEqual(t, "testing", dep, "%s links it", from)
		}
	}
	assert.GreaterOrEqual(t, seen, 4)
}

// direct are the modules that may stand behind an import, with where that is. The
// examples may import all of them.
var direct = map[string][]string{
	"github.com/hashicorp/vault/api":      {"scaivault/vault", "internal/vaultchecks"},
	"github.com/cenkalti/backoff/v4":      {"internal", "scaivault", "scaivault/vault", "federation", "migrate"},
	"github.com/sony/gobreaker/v2":        {"internal", "scaivault"},
	"go.yaml.in/yaml/v3":                  {"scaivault", "migrate"},
	"golang.org/x/oauth2":                 {"scaivault"},
	"golang.org/x/sync":                   {"scaivault", "scaivault/vault", "migrate"},
	"golang.org/x/time":                   {"scaivault", "scaivault/vault", "migrate"},
	"github.com/schollz/progressbar/v3":   {},
	"github.com/stretchr/testify":         testSupport,
	"go.uber.org/goleak":                  testSupport,
	"pgregory.net/rapid":                  testSupport,
	"github.com/hashicorp/vault/api/auth": {},
}

// moduleOf returns the longest name in direct that an import lies below.
func moduleOf(importPath string) string {
	best := ""
	for name := range direct {
		if (importPath == name || strings.HasPrefix(importPath, name+"/")) && len(name) > len(best) {
			best = name
		}
	}
	return best
}

func TestDependenciesAreFewAndInTheirPlace(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		from, _ := folder(p.ImportPath)
		for _, imported := range p.Imports {
			if _, own := folder(imported); own || !strings.Contains(strings.Split(imported, "/")[0], ".") {
				continue // of this module, or of the standard library
			}
			behind := moduleOf(imported)
			assert.NotEmpty(t, behind, "%s imports %s: take a dependency only after thinking, and name it in direct", from, imported)
			if home(from) != "examples" {
				assert.Contains(t, direct[behind], home(from), "%s imports %s", from, imported)
			}
		}
	}
}

func TestTheModuleRequiresOnlyWhatIsKnown(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)
	var mod struct {
		Module  struct{ Path string }
		Require []struct {
			Path     string
			Indirect bool
		}
		Replace []struct{}
	}
	require.NoError(t, json.Unmarshal(out, &mod))
	assert.Equal(t, module, mod.Module.Path)
	assert.Empty(t, mod.Replace, "a replacement holds for this repository alone, not for those who import it")
	for _, r := range mod.Require {
		if !r.Indirect {
			assert.NotEmpty(t, moduleOf(r.Path), "%s: say in direct where it may be imported", r.Path)
		}
	}
}
