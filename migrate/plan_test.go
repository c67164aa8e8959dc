// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// apps maps one subtree.
func apps(t *testing.T) *scaivault.Mapping {
	t.Helper()
	return mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
}

// planned puts one secret of each action on the two sides.
func planned(t *testing.T) (vault, scai *fakeSide, m *scaivault.Mapping) {
	t.Helper()
	vault, scai = newVaultSide(), newScaiVaultSide()
	m = mustMapping(t,
		scaivault.Rule{Vault: "kv/data/apps/missing", ScaiVault: "environments/production/missing"},
		scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	vault.seed("kv/data/apps/same", `{"a":"canary"}`)
	vault.seed("kv/data/apps/update", `{"a":1}`)
	_, err := migrate.Copy(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	vault.seed("kv/data/apps/update", `{"a":2}`)
	vault.seed("kv/data/apps/create", `{"a":1}`)
	vault.seed("kv/data/apps/Upper", `{"a":1}`)
	vault.seed("kv/data/apps/conflict", `{"a":1}`)
	scai.seed("environments/production/conflict", `{"a":2}`)
	vault.seed("kv/data/apps/denied", `{"a":1}`)
	vault.seed("kv/data/other", `{"a":1}`)
	vault.onGet = func(path string) error {
		if path == "kv/data/apps/denied" {
			return vault.fail(scaivault.ErrPermission, "get", path, "")
		}
		return nil
	}
	return vault, scai, m
}

func newPlan(t *testing.T, from migrate.From, to migrate.To, m *scaivault.Mapping, opts *migrate.PlanOptions) *migrate.Plan {
	t.Helper()
	p, err := migrate.NewPlan(t.Context(), from, to, m, opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

func planText(t *testing.T, p *migrate.Plan) string {
	t.Helper()
	var b bytes.Buffer
	n, err := p.WriteTo(&b)
	require.NoError(t, err)
	require.EqualValues(t, b.Len(), n)
	return b.String()
}

// through writes a plan and reads it again.
func through(t *testing.T, p *migrate.Plan, m *scaivault.Mapping) *migrate.Plan {
	t.Helper()
	again, err := migrate.ReadPlan(strings.NewReader(planText(t, p)), m)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, again.Close()) })
	return again
}

func TestPlanSaysOfEverySecretWhatWouldBeDoneAndWhy(t *testing.T) {
	t.Parallel()
	vault, scai, m := planned(t)
	writes := vault.writes() + scai.writes()
	told := 0
	p := newPlan(t, vault, scai, m, &migrate.PlanOptions{Prefixes: []string{"kv/data"}, Each: func(migrate.PlanItem) error { told++; return nil }})
	got := map[string]migrate.PlanItem{}
	var order []string
	for item, err := range p.Items() {
		require.NoError(t, err)
		got[strings.TrimPrefix(item.From, "kv/data/")] = item
		order = append(order, item.From)
	}
	assert.IsIncreasing(t, order, "sorted")
	want := map[string]migrate.Action{
		"apps/same": migrate.ActionUnchanged, "apps/update": migrate.ActionUpdate, "apps/create": migrate.ActionCreate,
		"apps/Upper": migrate.ActionNotAllowed, "apps/conflict": migrate.ActionConflict, "apps/denied": migrate.ActionFailed,
		"other": migrate.ActionNotMapped, "apps/missing": migrate.ActionAbsent,
	}
	for name, action := range want {
		assert.Equal(t, action, got[name].Action, name)
		if !action.Writes() && action != migrate.ActionUnchanged {
			assert.NotEmpty(t, got[name].Reason, name)
		}
	}
	assert.Len(t, got, len(want))
	assert.Equal(t, len(want), told)
	assert.Equal(t, 2, got["apps/update"].FromVersion)
	assert.Equal(t, 1, got["apps/update"].ToVersion)
	assert.Equal(t, len(want), p.Total())
	assert.Contains(t, p.String(), "1 create, 1 update, 1 unchanged, 1 not mapped, 1 absent, 1 conflict, 1 not allowed, 1 failed")
	require.ErrorIs(t, p.Err(), scaivault.ErrPermission)
	assert.Contains(t, p.Err().Error(), "3 of 8 need attention")
	assert.Equal(t, writes, vault.writes()+scai.writes(), "nothing is written")
	text := planText(t, p)
	assert.NotContains(t, text, "canary")
	assert.Equal(t, len(want)+1, strings.Count(text, "\n"))
	again := through(t, p, m)
	assert.Equal(t, text, planText(t, again))
	require.ErrorIs(t, again.Err(), scaivault.ErrConflict)
	require.ErrorIs(t, again.Err(), scaivault.ErrInvalid)
}

func TestPlanIsCarriedOut(t *testing.T) {
	t.Parallel()
	for _, batched := range []bool{false, true} {
		vault, scai, m := planned(t)
		var to migrate.To = scai
		if batched {
			to = &batchSide{fakeSide: scai}
		}
		p := through(t, newPlan(t, vault, to, m, nil), m)
		before := scai.writes()
		report, err := migrate.CopyPlan(t.Context(), vault, to, p, nil)
		require.NoError(t, err)
		assert.Equal(t, map[migrate.Outcome]int{
			migrate.Created: 1, migrate.Updated: 1, migrate.Unchanged: 1, migrate.Skipped: 1, migrate.Conflict: 1, migrate.Failed: 2,
		}, report.Counts, report.String())
		assert.Equal(t, before+2, scai.writes())
		assert.JSONEq(t, `{"a":2}`, scai.data("environments/production/update"))
		require.Error(t, report.Err(), "a conflict is left")

		report, err = migrate.CopyPlan(t.Context(), vault, to, p, nil)
		require.NoError(t, err)
		assert.Equal(t, 3, report.Count(migrate.Unchanged), "a second time: it is there already")
		assert.Equal(t, before+2, scai.writes())
	}
}

// What the plan saw and what is there now are told apart per secret.
func TestCopyPlanRefusesWhatHasChangedSince(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	names := []string{"good", "source", "gone", "destination", "appeared", "vanished"}
	for _, name := range names {
		vault.seed("kv/data/apps/"+name, `{"v":1}`)
	}
	m := apps(t)
	_, err := migrate.Copy(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	for _, name := range names {
		vault.seed("kv/data/apps/"+name, `{"v":2}`)
	}
	delete(scai.secrets, "environments/production/appeared")
	p := newPlan(t, vault, scai, m, nil)
	require.NoError(t, p.Err())
	require.Equal(t, 5, p.Count(migrate.ActionUpdate))

	vault.seed("kv/data/apps/source", `{"v":3}`)
	vault.secrets["kv/data/apps/gone"].deleted = true
	scai.seed("environments/production/destination", `{"v":"theirs"}`)
	scai.seed("environments/production/appeared", `{"v":"theirs"}`)
	delete(scai.secrets, "environments/production/vanished")
	vault.seed("kv/data/apps/new", `{"v":"not in the plan"}`)
	before := scai.writes()
	got := map[string]migrate.Item{}
	report, err := migrate.CopyPlan(t.Context(), vault, scai, p, &migrate.CopyOptions{Each: func(i migrate.Item) error {
		got[strings.TrimPrefix(i.From, "kv/data/apps/")] = i
		return nil
	}})
	require.NoError(t, err)
	want := map[string]migrate.Outcome{
		"good": migrate.Updated, "source": migrate.SourceChanged, "gone": migrate.SourceGone,
		"destination": migrate.DestinationChanged, "appeared": migrate.DestinationChanged, "vanished": migrate.DestinationChanged,
	}
	for name, outcome := range want {
		assert.Equal(t, outcome, got[name].Outcome, "%s: %s", name, got[name])
	}
	assert.Len(t, got, len(want))
	assert.Contains(t, got["source"].Reason, "saw version 2 of the source, and it is at 3")
	assert.Contains(t, got["appeared"].Reason, "saw nothing")
	require.Error(t, report.Err())
	assert.Equal(t, before+1, scai.writes())
	assert.JSONEq(t, `{"v":"theirs"}`, scai.data("environments/production/destination"))
}

func TestCopyPlanBackToVault(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	copyAll(t, vault, scai)
	scai.seed(webInScai, `{"v":2}`)
	m := apps(t)
	p := newPlan(t, scai, vault, m, nil)
	assert.Equal(t, 1, p.Count(migrate.ActionUpdate)+p.Count(migrate.ActionConflict), p.String())
	assert.Zero(t, p.Header.Sums.WritesPerMinute, "Vault has no such limit")
	_, err := migrate.CopyPlan(t.Context(), vault, scai, p, nil)
	require.ErrorIs(t, err, scaivault.ErrInvalid, "the other way round")
}

func TestPlanWithOverwriteSaysWhatItOverwrites(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	scai.seed(webInScai, `{"v":"theirs"}`)
	m := apps(t)
	p := through(t, newPlan(t, vault, scai, m, &migrate.PlanOptions{Overwrite: true}), m)
	for item, err := range p.Items() {
		require.NoError(t, err)
		assert.Equal(t, migrate.ActionUpdate, item.Action)
		assert.Contains(t, item.Reason, "overwrites")
	}
	report, err := migrate.CopyPlan(t.Context(), vault, scai, p, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.JSONEq(t, `{"v":1}`, scai.data(webInScai))
}

func TestReadPlanRefusesWhatIsNotAsItWasMade(t *testing.T) {
	t.Parallel()
	vault, scai, m := planned(t)
	text := planText(t, newPlan(t, vault, scai, m, nil))
	lines := strings.SplitAfter(text, "\n")
	edit := func(old, new string) string {
		require.Contains(t, text, old)
		return strings.Replace(text, old, new, 1)
	}
	swapped := strings.Join(append([]string{lines[0], lines[2], lines[1]}, lines[3:]...), "")
	other := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "other/**"})
	for name, c := range map[string]struct {
		text string
		m    *scaivault.Mapping
		says string
	}{
		"empty":             {"", m, "empty"},
		"another file":      {`{"rules":[]}`, m, "header"},
		"not JSON":          {"\x00\x01", m, "header"},
		"another version":   {edit(`"format_version":1`, `"format_version":2`), m, "version 2"},
		"another mapping":   {text, other, "mapping"},
		"action edited":     {edit(`"action":"conflict"`, `"action":"create"`), m, "edited"},
		"version edited":    {edit(`"from_version":2`, `"from_version":3`), m, "edited"},
		"unknown action":    {edit(`"action":"conflict"`, `"action":"erase"`), m, "cannot be read"},
		"unknown key":       {edit(`"action":"conflict"`, `"force":true,"action":"conflict"`), m, "cannot be read"},
		"line removed":      {strings.Join(lines[:len(lines)-2], ""), m, "speaks of"},
		"line removed left": {lines[0] + strings.Join(lines[2:], ""), m, "speaks of"},
		"cut off":           {text[:len(text)-20], m, "cannot be read"},
		"swapped":           {swapped, m, "order"},
		"endless line":      {lines[0] + strings.Repeat("x", 2<<20), m, "longer"},
		"header edited":     {edit(`"made":`, `"maid":`), m, "header"},
		"overwrite set":     {edit(`"mapping":`, `"overwrite":true,"mapping":`), m, "edited"},
		"made later":        {edit(`"made":"2`, `"made":"3`), m, "edited"},
		"prefix added":      {edit(`"mapping":`, `"prefixes":["kv/data/apps"],"mapping":`), m, "edited"},
		"sums edited":       {edit(`"writes_per_minute":100`, `"writes_per_minute":900`), m, "edited"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := migrate.ReadPlan(strings.NewReader(c.text), c.m)
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			assert.Contains(t, err.Error(), c.says)
		})
	}
	p, err := migrate.ReadPlan(strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n")), nil)
	require.NoError(t, err, "line ends of Windows")
	_, err = migrate.CopyPlan(t.Context(), vault, scai, p, nil)
	require.ErrorIs(t, err, scaivault.ErrInvalid, "without its mapping it can only be looked at")
	require.NoError(t, p.Close())
	_, err = migrate.CopyPlan(t.Context(), vault, scai, p, nil)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	_, err = p.WriteTo(&bytes.Buffer{})
	require.ErrorIs(t, err, scaivault.ErrInvalid, "closed")
	broken := errors.New("broken")
	_, err = migrate.ReadPlan(failingReader{broken}, m)
	require.ErrorIs(t, err, broken)
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

func TestPlanLeavesOutAndTellsWhatWasDeleted(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	for _, name := range []string{"a", "b", "tmp/c", "gone"} {
		vault.seed("kv/data/apps/"+name, `{"v":1}`)
	}
	m := apps(t)
	_, err := migrate.Copy(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	vault.secrets["kv/data/apps/gone"].deleted = true
	p := through(t, newPlan(t, vault, scai, m, &migrate.PlanOptions{Exclude: []string{"kv/data/apps/tmp/**"}}), m)
	assert.Equal(t, map[migrate.Action]int{migrate.ActionUnchanged: 2, migrate.ActionLeftOut: 1, migrate.ActionDeletedInSource: 1}, p.Header.Counts)
	require.ErrorContains(t, p.Err(), "kv/data/apps/gone")
	report, err := migrate.CopyPlan(t.Context(), vault, scai, p, nil)
	require.NoError(t, err)
	assert.Equal(t, 1, report.Count(migrate.DeletedInSource))
}

func TestPlanOnAFullDisk(t *testing.T) {
	t.Parallel()
	vault, scai, m := planned(t)
	p := newPlan(t, vault, scai, m, nil)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full here")
	}
	defer func() { require.NoError(t, full.Close()) }()
	_, err = p.WriteTo(full)
	require.ErrorContains(t, err, "write plan")
	require.ErrorContains(t, err, "no space left")
	assert.Equal(t, 7, strings.Count(planText(t, p), "\n")-1, "the plan itself is whole")

	_, err = migrate.NewPlan(t.Context(), vault, scai, m, &migrate.PlanOptions{TempDir: "/dev/full"})
	require.NoError(t, err, "what fits into memory needs no disk")
}

func TestPlanNamesASubtreeThatIsNotThere(t *testing.T) {
	t.Parallel()
	vault, scai, m := planned(t)
	p := newPlan(t, vault, scai, m, &migrate.PlanOptions{Prefixes: []string{"kv/data/apps/**", "kv/data/appz"}})
	require.ErrorContains(t, p.Err(), "need attention")
	assert.Contains(t, planText(t, p), "kv/data/appz")
	assert.Equal(t, 2, p.Count(migrate.ActionFailed))
	empty := newPlan(t, newVaultSide(), scai, apps(t), nil)
	require.ErrorIs(t, empty.Err(), scaivault.ErrNotFound)
}

func TestNewPlanStopsAndSaysWhy(t *testing.T) {
	t.Parallel()
	vault, scai, m := planned(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := migrate.NewPlan(ctx, vault, scai, m, nil)
	require.ErrorIs(t, err, context.Canceled)
	stop := errors.New("enough")
	_, err = migrate.NewPlan(t.Context(), vault, scai, m, &migrate.PlanOptions{Each: func(migrate.PlanItem) error { return stop }})
	require.ErrorIs(t, err, stop)
	for _, opts := range []migrate.PlanOptions{
		{Instances: -1}, {TTL: -1}, {Instances: 3}, {TTL: time.Minute}, {WritesPerMinute: -1}, {ReadsPerMinute: -1},
		{Prefixes: []string{""}}, {Workers: -1}, {Cluster: "none"},
	} {
		_, err := migrate.NewPlan(t.Context(), vault, scai, m, &opts)
		require.ErrorIs(t, err, scaivault.ErrInvalid, "%+v", opts)
	}
	_, err = migrate.NewPlan(t.Context(), vault, vault, m, nil)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	_, err = migrate.NewPlan(t.Context(), vault, scai, nil, nil)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	_, err = migrate.CopyPlan(t.Context(), vault, scai, nil, nil)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	p := newPlan(t, vault, scai, m, nil)
	for _, opts := range []migrate.CopyOptions{{Prefixes: []string{"kv/data"}}, {Cluster: "east"}} {
		_, err = migrate.CopyPlan(t.Context(), vault, scai, p, &opts)
		require.ErrorIs(t, err, scaivault.ErrInvalid)
	}
}

func TestPlanSaysTheSumsAloud(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	for i := range 300 {
		vault.seed(fmt.Sprintf("kv/data/apps/s%03d", i), `{"v":1}`)
	}
	p := newPlan(t, vault, scai, apps(t), &migrate.PlanOptions{Instances: 100, TTL: time.Minute})
	require.NoError(t, p.Err())
	text := p.String()
	assert.Contains(t, text, "300 writes ÷ 100 a minute = 3m0s at least")
	assert.Contains(t, text, "100 instances × 300 secrets ÷ a TTL of 1m0s = 30000 reads a minute; the limit is 1000: TOO MANY")
	assert.Contains(t, text, "with a TTL of 30m0s")
	assert.Equal(t, text, through(t, p, nil).String())
	p = newPlan(t, vault, scai, apps(t), &migrate.PlanOptions{Instances: 2, TTL: time.Minute, WritesPerMinute: 7, ReadsPerMinute: 600})
	assert.Contains(t, p.String(), "300 writes ÷ 7 a minute = 42m52s at least")
	assert.Contains(t, p.String(), "= 600 reads a minute; the limit is 600: it is kept")
}
