// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// An operator runs the program, one task after the other.
type operator struct {
	vault *scaivaulttest.Vault
	scai  *scaivaulttest.Server
	dir   string
	env   map[string]string
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	o := &operator{vault: scaivaulttest.NewVault(t), scai: scaivaulttest.NewServer(t), dir: t.TempDir()}
	o.vault.Mount("kv", 2)
	o.vault.Seed("kv/data/apps/Billing.Team/db", map[string]any{"password": "hunter2"})
	o.vault.Seed("kv/data/apps/web", map[string]any{"password": "hunter2"})
	require.NoError(t, os.WriteFile(o.file("rules.yaml"), []byte("rules:\n  - vault: kv/data/apps/**\n    scaivault: production/**\n"), 0o600))
	o.env = map[string]string{
		"VAULT_ADDR": o.vault.URL(), "VAULT_TOKEN": o.vault.RootToken(),
		"SCAIVAULT_URL": o.scai.URL(), "SCAIVAULT_TOKEN": o.scai.IssueToken("sa:plan"),
	}
	return o
}

func (o *operator) file(name string) string { return filepath.Join(o.dir, name) }

// run runs the program in the operator's folder; "@name" is a file there.
func (o *operator) run(t *testing.T, line string) (code int, stdout, stderr string) {
	t.Helper()
	args := strings.Fields(line)
	for i, arg := range args {
		if name, ok := strings.CutPrefix(arg, "@"); ok {
			args[i] = o.file(name)
		}
	}
	var out, errs bytes.Buffer
	code = command(t.Context(), args, func(key string) string { return o.env[key] }, &out, &errs)
	assert.NotContains(t, out.String()+errs.String(), "hunter2")
	return code, out.String(), errs.String()
}

func TestFromInventoryToCopy(t *testing.T) {
	o := newOperator(t)
	all := o.env
	o.env = map[string]string{"VAULT_ADDR": all["VAULT_ADDR"], "VAULT_TOKEN": all["VAULT_TOKEN"]} // no more is needed
	code, out, errs := o.run(t, "inventory -versions -mapping @rules.yaml")
	require.Equal(t, exitDone, code, errs)
	assert.Contains(t, out, "name not allowed: kv/data/apps/Billing.Team/db")

	o.env = all
	code, out, _ = o.run(t, "make -mapping @rules.yaml -out @plan.jsonl")
	assert.Equal(t, exitAttention, code, "a name is not allowed")
	assert.Contains(t, out, "1 create, 1 not allowed")

	code, out, errs = o.run(t, "names -mapping @rules.yaml -out @mapping.json")
	require.Equal(t, exitDone, code, errs)
	assert.Contains(t, out, "2 secrets, renamed: 1")

	code, out, errs = o.run(t, "make -mapping @mapping.json -out @plan.jsonl -instances 10 -ttl 1m")
	require.Equal(t, exitDone, code, errs)
	assert.Contains(t, out, "2 writes ÷ 100 a minute")
	assert.Contains(t, out, "10 instances × 2 secrets")
	text, err := os.ReadFile(o.file("plan.jsonl"))
	require.NoError(t, err)
	assert.NotContains(t, string(text), "hunter2")

	code, _, errs = o.run(t, "apply -mapping @rules.yaml -in @plan.jsonl")
	assert.Equal(t, exitError, code)
	assert.Contains(t, errs, "another mapping")

	o.vault.Seed("kv/data/apps/web", map[string]any{"password": "hunter2", "since": 1})
	code, out, _ = o.run(t, "apply -mapping @mapping.json -in @plan.jsonl")
	assert.Equal(t, exitAttention, code)
	assert.Contains(t, out, "1 created, 1 source changed")
	_, ok := o.scai.Value("production/billing-team/db")
	assert.True(t, ok)
}

func TestCollisionsAndMistakesAreTold(t *testing.T) {
	o := newOperator(t)
	o.vault.Seed("kv/data/apps/Web", map[string]any{"v": 1})
	code, out, errs := o.run(t, "names -mapping @rules.yaml -out @mapping.json")
	assert.Equal(t, exitAttention, code)
	assert.Contains(t, out, "collision: kv/data/apps/Web, kv/data/apps/web would all be called production/web")
	assert.Contains(t, errs, "exact rule")
	assert.NoFileExists(t, o.file("mapping.json"))

	require.NoError(t, os.WriteFile(o.file("short"), []byte("0123"), 0o600))
	for line, says := range map[string]string{
		"":                                    "say what to do",
		"fly":                                 "say what to do",
		"make":                                "-mapping is missing",
		"make -mapping @none.yaml":            "-mapping",
		"make -mapping @rules.yaml":           "-out is missing",
		"make -mapping @rules.yaml -out @p x": "unexpected argument",
		"apply -mapping @rules.yaml":          "-in is missing",
		"apply -mapping @rules.yaml -in @no":  "-in",
		"make -mapping @rules.yaml -out @p -fingerprint-key @no":    "-fingerprint-key",
		"make -mapping @rules.yaml -out @p -fingerprint-key @short": "openssl rand",
		"apply -mapping @rules.yaml -in @rules.yaml":                "header",
	} {
		code, _, errs := o.run(t, line)
		assert.Equal(t, exitError, code, line)
		assert.Contains(t, errs, says, line)
	}
	o.env["SCAIVAULT_TOKEN"] = ""
	code, _, errs = o.run(t, "make -mapping @rules.yaml -out @p")
	assert.Equal(t, exitError, code)
	assert.Contains(t, errs, "SCAIVAULT_TOKEN is not set")
	code, _, _ = o.run(t, "make -h")
	assert.Equal(t, exitDone, code)
}

func TestAChangeInKV1IsSeenByTheFingerprint(t *testing.T) {
	o := newOperator(t)
	o.vault.Mount("old", 1)
	o.vault.Seed("old/a", map[string]any{"password": "hunter2"})
	o.vault.Seed("old/b.tmp", map[string]any{"password": "hunter2"})
	require.NoError(t, os.WriteFile(o.file("old.yaml"), []byte("rules:\n  - vault: old/**\n    scaivault: old/**\n"), 0o600))
	require.NoError(t, os.WriteFile(o.file("key"), []byte(strings.Repeat("k", 32)), 0o600))
	code, _, errs := o.run(t, "make -mapping @old.yaml -out @plan.jsonl -exclude old/*.tmp -fingerprint-key @key")
	require.Equal(t, exitDone, code, errs)
	code, _, errs = o.run(t, "apply -mapping @old.yaml -in @plan.jsonl")
	assert.Equal(t, exitError, code)
	assert.Contains(t, errs, "-fingerprint-key is missing")
	o.vault.Seed("old/a", map[string]any{"password": "hunter22"})
	code, out, _ := o.run(t, "apply -mapping @old.yaml -in @plan.jsonl -fingerprint-key @key")
	assert.Equal(t, exitAttention, code)
	assert.Contains(t, out, "1 source changed")
}

func TestAFullDiskIsAnErrorAndADeviceIsNotReplaced(t *testing.T) {
	o := newOperator(t)
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	require.NoError(t, os.Symlink("/dev/full", o.file("full")))
	code, _, errs := o.run(t, "make -mapping @rules.yaml -out @full")
	assert.Equal(t, exitError, code)
	assert.Contains(t, errs, "no space left")
	target, err := os.Readlink(o.file("full"))
	require.NoError(t, err)
	assert.Equal(t, "/dev/full", target)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, full.Close()) }()
	code = command(t.Context(), []string{"inventory"}, func(key string) string { return o.env[key] }, full, &bytes.Buffer{})
	assert.Equal(t, exitError, code, "a table that nobody saw is no success")
}
