// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// An estate is both services, and a mapping in a file.
type estate struct {
	vault *scaivaulttest.Vault
	scai  *scaivaulttest.Server
	dir   string
	env   map[string]string
}

func newEstate(t *testing.T) *estate {
	t.Helper()
	e := &estate{vault: scaivaulttest.NewVault(t), scai: scaivaulttest.NewServer(t), dir: t.TempDir()}
	e.vault.Mount("kv", 2)
	for _, name := range []string{"a", "b"} {
		e.vault.Seed("kv/data/apps/"+name, map[string]any{"password": "hunter2"})
		e.scai.Seed("production/"+name, map[string]any{"password": "hunter2"})
	}
	require.NoError(t, os.WriteFile(e.file("mapping.yaml"), []byte("rules:\n  - vault: kv/data/apps/**\n    scaivault: production/**\n"), 0o600))
	e.env = map[string]string{
		"VAULT_ADDR": e.vault.URL(), "VAULT_TOKEN": e.vault.RootToken(),
		"SCAIVAULT_URL": e.scai.URL(), "SCAIVAULT_TOKEN": e.scai.IssueToken("sa:diff"),
	}
	return e
}

func (e *estate) file(name string) string { return filepath.Join(e.dir, name) }

func (e *estate) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"-mapping", e.file("mapping.yaml")}, args...)
	code = command(t.Context(), args, func(key string) string { return e.env[key] }, &out, &errs)
	assert.NotContains(t, out.String()+errs.String(), "hunter2")
	return code, out.String(), errs.String()
}

func TestTheExitCodeSaysWhatWasFound(t *testing.T) {
	e := newEstate(t)
	code, out, errs := e.run(t)
	assert.Equal(t, exitSame, code, errs)
	assert.Contains(t, out, "2 same")

	e.scai.Seed("production/a", map[string]any{"password": "hunter2-new"})
	e.scai.Seed("production/extra", map[string]any{"v": 1})
	code, out, _ = e.run(t)
	assert.Equal(t, exitDifferent, code)
	assert.Contains(t, out, "1 same, 1 different, 1 only in scaivault")

	e.scai.Deny("sa:diff", "production/b")
	code, out, _ = e.run(t)
	assert.Equal(t, exitError, code, "what could not be read is no difference")
	assert.Contains(t, out, "1 unreadable")

	e.vault.SetDown(true)
	code, _, _ = e.run(t)
	assert.Equal(t, exitError, code)
}

func TestWrongSettingsAreAnError(t *testing.T) {
	e := newEstate(t)
	code, _, errs := e.run(t, "-mapping", e.file("none.yaml"))
	assert.Equal(t, exitError, code)
	assert.Contains(t, errs, "-mapping")
	code, _, _ = e.run(t, "-nonsense")
	assert.Equal(t, exitError, code)
	code, _, errs = e.run(t, "-mapping", "")
	assert.Equal(t, exitError, code)
	assert.Contains(t, errs, "is missing")
	code, _, errs = e.run(t, "-versions", "true")
	assert.Equal(t, exitError, code)
	assert.Contains(t, errs, `unexpected argument "true"`)
	for name, value := range e.env {
		e.env[name] = ""
		code, _, errs = e.run(t)
		assert.Equal(t, exitError, code)
		assert.Contains(t, errs, name+" is not set")
		e.env[name] = value
	}
	code, _, errs = e.run(t, "-h")
	assert.Equal(t, exitSame, code)
	assert.Contains(t, errs, "-html")
}

func TestReportsAreWrittenWholeOrNotAtAll(t *testing.T) {
	e := newEstate(t)
	code, _, errs := e.run(t, "-text", e.file("r.txt"), "-lines", e.file("r.jsonl"), "-junit", e.file("r.xml"), "-html", e.file("r.html"))
	require.Equal(t, exitSame, code, errs)
	for name, holds := range map[string]string{
		"r.txt": "= kv/data/apps/a → production/a: same", "r.jsonl": `"from":"kv/data/apps/a"`, "r.xml": `name="a"`, "r.html": "<svg",
	} {
		text, err := os.ReadFile(e.file(name))
		require.NoError(t, err)
		assert.Contains(t, string(text), holds)
		assert.NotContains(t, string(text), "hunter2")
		if strings.HasSuffix(name, "xml") {
			var suites struct {
				XMLName xml.Name `xml:"testsuites"`
				Tests   int      `xml:"tests,attr"`
			}
			require.NoError(t, xml.Unmarshal(text, &suites))
			assert.Equal(t, 2, suites.Tests)
		}
	}
	code, _, errs = e.run(t, "-html", e.file("no/such/folder.html"), "-text", e.file("again.txt"))
	assert.Equal(t, exitError, code)
	assert.Contains(t, errs, "folder.html")
	assert.FileExists(t, e.file("again.txt"), "the others are written")
	left, err := filepath.Glob(e.file(".report-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}
