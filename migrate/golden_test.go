// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

var update = flag.Bool("update", false, "write the golden files anew")

// changing is what is another in each run: times, how long it took, digests.
var changing = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "2026-01-02T03:04:05Z"},
	{regexp.MustCompile(`sha256:[0-9a-f]{64}`), "sha256:…"},
	{regexp.MustCompile(`time="[\d.]+"`), `time="0.000"`},
	{regexp.MustCompile(`("to_write_id":)"[^"]+"`), `$1"…"`},
	{regexp.MustCompile(`(: \d+ in )\S+`), "${1}1ms"},
}

// golden compares a format with the file that keeps it. Where a change is
// meant: go test ./migrate -run Golden -update
func golden(t *testing.T, file, got string) {
	t.Helper()
	for _, c := range changing {
		got = c.pattern.ReplaceAllString(got, c.with)
	}
	file = filepath.Join("testdata", "golden", file)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))), got)
}

func TestGoldenPlan(t *testing.T) {
	t.Parallel()
	vault, scai, m := planned(t)
	p := newPlan(t, vault, scai, m, &migrate.PlanOptions{Prefixes: []string{"kv/data"}, Instances: 100, TTL: 60e9})
	golden(t, "plan.jsonl", planText(t, p))
	golden(t, "plan.txt", p.String()+p.Err().Error()+"\n")
}

func TestGoldenDiff(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	scatter(vault, scai)
	vault.seed("kv/data/apps/odd name]]>\n", `{"v":1}`)
	vault.seed("kv/data/apps/rounded", `{"n":9007199254740992}`)
	scai.seed("environments/production/rounded", `{"n":9007199254740993}`)
	log := &migrate.ItemLog{}
	t.Cleanup(func() { assert.NoError(t, log.Close()) })
	report, err := migrate.Diff(t.Context(), vault, scai, apps(t), &migrate.DiffOptions{Each: log.Add})
	require.NoError(t, err)
	for file, format := range map[string]string{"diff.txt": "text", "diff.jsonl": "lines", "diff.xml": "JUnit"} {
		golden(t, file, rendered(t, format, report, log.All()))
	}
	_, rows, _ := strings.Cut(rendered(t, "HTML", report, log.All()), `id="items">`)
	rows, _, _ = strings.Cut(rows, "</script>")
	golden(t, "diff_rows.json", rows+"\n")
}

func TestGoldenInventory(t *testing.T) {
	t.Parallel()
	inventory, err := migrate.TakeInventory(t.Context(), newMountedVault(), nil)
	require.NoError(t, err)
	golden(t, "inventory.txt", inventory.String())
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/**", ScaiVault: "production/**"})
	vault := newMountedVault()
	for _, path := range []string{"kv/data/Db", "kv/data/db"} {
		vault.seed(path, `{"v":1}`)
	}
	proposal, err := migrate.ProposeMapping(t.Context(), vault, m, nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, proposal.Close()) })
	golden(t, "proposal.txt", proposal.String()+proposal.Err().Error()+"\n")
}
