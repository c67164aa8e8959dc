// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestCopyTwiceWritesNothing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		to   func(*fakeSide) migrate.To
	}{
		{"one by one", func(f *fakeSide) migrate.To { return f }},
		{"in batches", func(f *fakeSide) migrate.To { return &batchSide{fakeSide: f} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			vault, scai := newVaultSide(), newScaiVaultSide()
			vault.seed("kv/data/apps/billing/db", `{"password":"a"}`)
			vault.seed("kv/data/apps/billing/stripe", `{"key":"b"}`)
			scai.seed("environments/production/billing/stripe", `{"key":"b"}`) // by somebody else, and equal

			report, err := migrate.Copy(t.Context(), vault, tc.to(scai), billing(t), nil)
			require.NoError(t, err)
			require.NoError(t, report.Err())
			assert.Equal(t, 1, report.Count(migrate.Created))
			assert.Equal(t, 1, report.Count(migrate.Unchanged))
			assert.Equal(t, 1, scai.writes())
			assert.JSONEq(t, `{"password":"a"}`, scai.data("environments/production/billing/database"))

			report, err = migrate.Copy(t.Context(), vault, tc.to(scai), billing(t), nil)
			require.NoError(t, err)
			require.NoError(t, report.Err())
			assert.Equal(t, 2, report.Count(migrate.Unchanged))
			assert.Equal(t, 2, report.Total())
			assert.Equal(t, 1, scai.writes(), "the second run must write nothing")
			assert.Zero(t, vault.writes(), "the source is never written")
		})
	}
}

func TestCopyWritesWhatTheGuideSays(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.store("kv/data/apps/billing/db", `{"password":"a"}`, scaivault.Metadata{})
	version := vault.store("kv/data/apps/billing/db", `{"password":"b"}`, scaivault.Metadata{
		Description: "their words", Tags: []string{"team-a"}, Owner: "billing", Values: map[string]any{"cost-centre": "7", "tags": "x"},
	})

	report, err := migrate.Copy(t.Context(), vault, scai, billing(t), nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())

	const path = "environments/production/billing/database"
	opts := scai.opts[path]
	assert.Equal(t, scaivault.TypeJSON, opts.Type)
	assert.Equal(t, 10, opts.MaxVersions)
	assert.Nil(t, opts.IfVersion)
	meta := scai.meta(path)
	assert.Equal(t, "Migrated from vault: kv/data/apps/billing/db", meta.Description)
	assert.Equal(t, []string{"migrated-from-vault", "team-a"}, meta.Tags)
	assert.Equal(t, "billing", meta.Owner)
	assert.Equal(t, "7", meta.Values["cost-centre"])
	assert.Equal(t, "their words", meta.Values["vault_description"])
	assert.Equal(t, "x", meta.Values["vault_tags"], "a key of Metadata's own fields gets another name")
	_, err = meta.MarshalJSON()
	require.NoError(t, err, "no key is set twice")

	m := scai.mark(t, path)
	assert.Equal(t, "kv/data/apps/billing/db", m.Source)
	assert.Equal(t, version, m.SourceVersion)
	assert.Equal(t, 1, m.Version)
	assert.Len(t, m.WriteID, 32)
}

func TestCopyUpdatesItsOwnCopyOnly(t *testing.T) {
	t.Parallel()
	const from, to = "kv/data/apps/web", "environments/production/web"
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(from, `{"v":1}`)
	copyOnce := func(opts *migrate.CopyOptions) *migrate.Report {
		report, err := migrate.Copy(t.Context(), vault, scai, billing(t), opts)
		require.NoError(t, err)
		return report
	}
	require.NoError(t, copyOnce(nil).Err())

	vault.seed(from, `{"v":2}`)
	report := copyOnce(nil)
	require.NoError(t, report.Err())
	assert.Equal(t, 1, report.Count(migrate.Updated))
	assert.JSONEq(t, `{"v":2}`, scai.data(to))
	assert.Equal(t, 2, scai.mark(t, to).Version)

	// Somebody writes and keeps the metadata: the mark's version is no longer
	// the actual one.
	meta := scai.meta(to)
	scai.mu.Lock()
	scai.store(to, `{"v":"theirs"}`, meta)
	scai.mu.Unlock()
	report = copyOnce(nil)
	assert.Equal(t, 1, report.Count(migrate.Conflict))
	require.Error(t, report.Err())
	assert.Equal(t, to, report.Problems[0].To)
	assert.JSONEq(t, `{"v":"theirs"}`, scai.data(to), "a conflict is not touched")

	report = copyOnce(&migrate.CopyOptions{DryRun: true, Overwrite: true})
	assert.Equal(t, 1, report.Count(migrate.Updated))
	assert.JSONEq(t, `{"v":"theirs"}`, scai.data(to), "a dry run writes nothing")

	report = copyOnce(&migrate.CopyOptions{Overwrite: true})
	require.NoError(t, report.Err())
	assert.JSONEq(t, `{"v":2}`, scai.data(to))
}

func TestCopyLeavesADeletedDestinationAlone(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed("kv/data/apps/web", `{"v":1}`)
	scai.seed("environments/production/web", `{"v":0}`)
	require.NoError(t, scai.Delete(t.Context(), "environments/production/web"))

	report, err := migrate.Copy(t.Context(), vault, scai, billing(t), nil)
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), scaivault.ErrConflict)
	assert.Equal(t, 1, report.Count(migrate.Conflict))
	assert.Empty(t, scai.data("environments/production/web"))
}

func TestCopyKeepsEveryByte(t *testing.T) {
	t.Parallel()
	const data = `{"big":12345678901234567890.10,"empty":"","null":null,"obj":{},"list":[],"e\u0301":"e\u0301","é":"<&>","deep":{"n":1e-30}}`
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed("kv/data/apps/web", data)
	require.NoError(t, copyAll(t, vault, scai).Err())
	got := scai.data("environments/production/web")
	assert.Contains(t, got, "12345678901234567890.10")
	assert.Contains(t, got, "1e-30")
	for _, piece := range []string{`"empty":""`, `"null":null`, `"obj":{}`, `"list":[]`} {
		assert.Contains(t, got, piece)
	}
	for _, name := range []string{"e\u0301", "é"} {
		assert.Contains(t, got, `"`+name+`":`, "unicode stays unnormalised")
	}
}

func TestCopyStopsWhenCtxEnds(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	for i := range 500 {
		vault.seed(fmt.Sprintf("kv/data/apps/s%03d", i), `{"v":1}`)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := 0
	report, err := migrate.Copy(ctx, vault, scai, billing(t), &migrate.CopyOptions{Workers: 2, Each: func(migrate.Item) error {
		if told++; told == 10 {
			cancel()
		}
		return nil
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.NotNil(t, report)
	assert.True(t, report.Incomplete)
	require.Error(t, report.Err())
	assert.Less(t, report.Total(), 50, "nothing new is begun")
	assert.Equal(t, report.Total(), told)
	assert.False(t, report.Finished.IsZero())
}

func TestCopyStopsWhenEachSaysSo(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	for i := range 500 {
		vault.seed(fmt.Sprintf("kv/data/apps/s%03d", i), `{"v":1}`)
	}
	stop := errors.New("enough")
	told := 0
	report, err := migrate.Copy(t.Context(), vault, scai, billing(t), &migrate.CopyOptions{Each: func(migrate.Item) error {
		told++
		return stop
	}})
	require.ErrorIs(t, err, stop)
	assert.Equal(t, 1, told)
	assert.True(t, report.Incomplete)
	assert.Less(t, scai.writes(), 100)
}

func TestCopySurvivesAPanicInEach(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	for i := range 100 {
		vault.seed(fmt.Sprintf("kv/data/apps/s%03d", i), `{"v":1}`)
	}
	assert.PanicsWithValue(t, "theirs", func() {
		_, _ = migrate.Copy(t.Context(), vault, scai, billing(t), &migrate.CopyOptions{Each: func(migrate.Item) error { panic("theirs") }})
	}) // goleak in TestMain sees that no worker is left
}

func TestCopyRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	vault, scai, m := newVaultSide(), newScaiVaultSide(), billing(t)
	proxied := mustMapping(t, scaivault.Rule{Vault: "kv/data/**", ScaiVault: "external/**", Proxied: true})
	clusters := mustMapping(t, scaivault.Rule{Vault: "kv/data/**", ScaiVault: "a/**", Cluster: "a"}, scaivault.Rule{Vault: "kv/data/**", ScaiVault: "b/**", Cluster: "b"})
	for _, tc := range []struct {
		name string
		from migrate.From
		to   migrate.To
		m    *scaivault.Mapping
		opts *migrate.CopyOptions
		says string
	}{
		{"no source", nil, scai, m, nil, "one is nil"},
		{"no destination", vault, nil, m, nil, "one is nil"},
		{"a client that could not be made", vault, (*scaivault.Client)(nil), m, nil, "one is nil"},
		{"no mapping", vault, scai, nil, nil, "mapping"},
		{"same side", vault, newVaultSide(), m, nil, "both on the vault side"},
		{"no side", &fakeSide{}, scai, m, nil, "neither side"},
		{"workers", vault, scai, m, &migrate.CopyOptions{Workers: -1}, "Workers"},
		{"more workers than a machine carries", vault, scai, m, &migrate.CopyOptions{Workers: 1 << 30}, "Workers is 1073741824; give at most 10000"},
		{"rate", vault, scai, m, &migrate.CopyOptions{PerSecond: -1}, "PerSecond"},
		{"prefix", vault, scai, m, &migrate.CopyOptions{Prefixes: []string{"/kv/data"}}, "/kv/data"},
		{"prefix without mount", vault, scai, m, &migrate.CopyOptions{Prefixes: []string{"**"}}, "mount"},
		{"all proxied", vault, scai, proxied, nil, "proxied"},
		{"which cluster", vault, scai, clusters, nil, `["a" "b"]`},
		{"unknown cluster", vault, scai, clusters, &migrate.CopyOptions{Cluster: "c"}, `"c"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report, err := migrate.Copy(t.Context(), tc.from, tc.to, tc.m, tc.opts)
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			assert.Contains(t, err.Error(), tc.says)
			assert.Nil(t, report)
		})
	}
	assert.Zero(t, vault.gets+scai.gets, "before any I/O")
}

// A mark of a version that is still to come is one of a write that was cut off
// in KV v2 alone, which takes the mark before the data.
func TestCopyTakesNoMarkOfALaterVersionInScaiVault(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	vault.seed(webInVault, `{"v":2}`)
	theirs := mark.Mark{Source: webInVault, SourceVersion: 1, Version: 2, WriteID: "x"}
	scai.store(webInScai, `{"v":"theirs"}`, scaivault.Metadata{Values: theirs.AddTo(nil)})
	report := copyAll(t, vault, scai)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Conflict: 1}, report.Counts)
	assert.JSONEq(t, `{"v":"theirs"}`, scai.data(webInScai))
}

// A client that writes back the metadata that it has read takes our mark along.
func TestCopySeesAChangeThatKeptTheMark(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	e.vault.Seed(dbInVault, map[string]any{"v": "ours"})
	_, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	copied, err := e.client.Get(t.Context(), dbInScai)
	require.NoError(t, err)
	_, err = e.client.Put(t.Context(), dbInScai, map[string]any{"v": "theirs"}, &scaivault.PutOptions{Metadata: copied.Info().Metadata})
	require.NoError(t, err)

	report, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Conflict: 1}, report.Counts, "the source stands still, and yet the two differ")
	raw, _ := e.scai.Value(dbInScai)
	assert.JSONEq(t, `{"v":"theirs"}`, string(raw))
}
