// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// moved is an estate that was copied and is no longer used in Vault.
func moved(t *testing.T) (vault, scai *fakeSide, m *scaivault.Mapping) {
	t.Helper()
	vault, scai = newVaultSide(), newScaiVaultSide()
	m = mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	for _, name := range []string{"a", "b", "c"} {
		vault.seed("kv/data/apps/"+name, `{"v":1}`)
	}
	copyAll(t, vault, scai)
	return vault, scai, m
}

// quietLog says that nobody but root used anything for ten days.
func quietLog(t *testing.T, extra string, opts *migrate.ReadersOptions) *migrate.Readers {
	t.Helper()
	now := time.Now()
	log := both(now.AddDate(0, 0, -10), "sys/mounts", "read", `{"display_name":"root"}`) + extra +
		both(now.Add(-time.Minute), "sys/mounts", "read", `{"display_name":"root"}`)
	readers, err := migrate.FindReaders(t.Context(), strings.NewReader(log), opts)
	require.NoError(t, err)
	return readers
}

func TestRetireDeletesWhatIsProvedElsewhere(t *testing.T) {
	t.Parallel()
	vault, scai, m := moved(t)
	evidence := migrate.Evidence{Flag: scaivault.StageScaiVault, Readers: quietLog(t, "", nil)}

	report, err := migrate.Retire(t.Context(), vault, scai, m, evidence, &migrate.RetireOptions{DryRun: true})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, 3, report.Count(migrate.Deleted))
	assert.Empty(t, vault.deletes)

	report, err = migrate.Retire(t.Context(), vault, scai, m, evidence, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Deleted: 3}, report.Counts)
	assert.ElementsMatch(t, []string{"kv/data/apps/a", "kv/data/apps/b", "kv/data/apps/c"}, vault.deletes)
	assert.JSONEq(t, `{"v":1}`, scai.data("environments/production/a"))

	report, err = migrate.Retire(t.Context(), vault, scai, m, evidence, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err(), "again is fine")
	assert.Equal(t, map[migrate.Outcome]int{migrate.Skipped: 3}, report.Counts)
}

func TestRetireDeletesNothingUnlessAllIsProved(t *testing.T) {
	t.Parallel()
	recent := both(time.Now().Add(-time.Hour), "kv/data/apps/b", "read", approle("billing", "e1"))
	longAgo := both(time.Now().AddDate(0, 0, -9), "kv/data/apps/b", "read", approle("billing", "e1"))
	oneAtCutover := scaivault.PathFlags{{Pattern: "environments/production/b", Flag: scaivault.StageCutover}, {Pattern: "**", Flag: scaivault.StageScaiVault}}
	panics := scaivault.FlagFunc(func(context.Context, string) scaivault.Stage { panic("no") })
	for _, tc := range []struct {
		name    string
		flag    scaivault.Flag
		log     string
		readers *migrate.ReadersOptions
		prepare func(vault, scai *fakeSide)
		says    string // empty: all are deleted
	}{
		{"all is well", scaivault.StageScaiVault, longAgo, nil, nil, ""},
		{"another stage", oneAtCutover, "", nil, nil, "stage is cutover"},
		{"a flag that panics", panics, "", nil, nil, "stage is unknown"},
		{"a recent reader", scaivault.StageScaiVault, recent, nil, nil, "used in Vault by approle (billing)"},
		{"a recent reader that does not count", scaivault.StageScaiVault, recent, &migrate.ReadersOptions{Exclude: []string{"billing"}}, nil, ""},
		{"not searched for", scaivault.StageScaiVault, "", &migrate.ReadersOptions{Paths: []string{"kv/data/apps/a", "kv/data/apps/c"}}, nil, "not searched"},
		{"another mapping was searched", scaivault.StageScaiVault, "", &migrate.ReadersOptions{Mapping: mustMapping(t, scaivault.Rule{Vault: "kv/data/x", ScaiVault: "x"})}, nil, "not searched"},
		{"different", scaivault.StageScaiVault, "", nil, func(_, scai *fakeSide) {
			scai.seed("environments/production/b", `{"v":2}`)
		}, "differs"},
		{"missing", scaivault.StageScaiVault, "", nil, func(_, scai *fakeSide) {
			scai.secrets["environments/production/b"].deleted = true
		}, "not in scaivault"},
		{"unreadable", scaivault.StageScaiVault, "", nil, func(_, scai *fakeSide) {
			scai.onGet = func(path string) error {
				if path == "environments/production/b" {
					return scai.fail(scaivault.ErrPermission, "get", path, "")
				}
				return nil
			}
		}, "permission denied"},
		{"name not allowed", scaivault.StageScaiVault, "", nil, func(vault, _ *fakeSide) {
			vault.seed("kv/data/apps/Upper", `{"v":1}`)
		}, "name not allowed"},
		{"a part that can't be listed", scaivault.StageScaiVault, "", nil, func(vault, _ *fakeSide) {
			vault.onList = func(prefix string) error { return vault.fail(scaivault.ErrPermission, "list", prefix, "") }
		}, "could not be listed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			vault, scai, m := moved(t)
			if tc.prepare != nil {
				tc.prepare(vault, scai)
			}
			evidence := migrate.Evidence{Flag: tc.flag, Readers: quietLog(t, tc.log, tc.readers)}
			report, err := migrate.Retire(t.Context(), vault, &batchSide{fakeSide: scai}, m, evidence, nil)
			require.NoError(t, err)
			if tc.says == "" {
				require.NoError(t, report.Err())
				assert.Len(t, vault.deletes, 3)
				return
			}
			require.Error(t, report.Err())
			assert.Contains(t, report.String(), tc.says)
			assert.Empty(t, vault.deletes)
		})
	}
}

func TestRetireRefusesReadersThatProveNothing(t *testing.T) {
	t.Parallel()
	vault, scai, m := moved(t)
	readers := func(log string, opts *migrate.ReadersOptions) *migrate.Readers {
		r, err := migrate.FindReaders(t.Context(), strings.NewReader(log), opts)
		require.NoError(t, err)
		return r
	}
	now := time.Now()
	old := both(now.AddDate(0, 0, -10), "sys/mounts", "read", `{}`)
	fresh := both(now, "sys/mounts", "read", `{}`)
	for _, tc := range []struct {
		name     string
		evidence migrate.Evidence
		opts     *migrate.RetireOptions
		says     string
	}{
		{"no flag", migrate.Evidence{Readers: readers(old+fresh, nil)}, nil, "Flag"},
		{"no readers", migrate.Evidence{Flag: scaivault.StageScaiVault}, nil, "WaiveReaders"},
		{"an empty log", migrate.Evidence{Flag: scaivault.StageScaiVault, Readers: readers("", nil)}, nil, "empty"},
		{"too short a log", migrate.Evidence{Flag: scaivault.StageScaiVault, Readers: readers(fresh, nil)}, nil, "reach back"},
		{"too short a search", migrate.Evidence{Flag: scaivault.StageScaiVault, Readers: readers(old+fresh, &migrate.ReadersOptions{Since: now.Add(-time.Hour)})}, nil, "Since"},
		{"too old a log", migrate.Evidence{Flag: scaivault.StageScaiVault, Readers: readers(old, nil)}, nil, "MaxLogAge"},
		{"a broken log", migrate.Evidence{Flag: scaivault.StageScaiVault, Readers: readers(old+"x\n"+fresh, nil)}, nil, "1 lines"},
		{"a longer quiet", migrate.Evidence{Flag: scaivault.StageScaiVault, Readers: readers(old+fresh, nil)}, &migrate.RetireOptions{QuietFor: 30 * 24 * time.Hour}, "reach back"},
		{"nonsense", migrate.Evidence{Flag: scaivault.StageScaiVault, Readers: readers(old+fresh, nil)}, &migrate.RetireOptions{QuietFor: -1}, "negative"},
	} {
		_, err := migrate.Retire(t.Context(), vault, scai, m, tc.evidence, tc.opts)
		require.ErrorIs(t, err, scaivault.ErrInvalid, tc.name)
		assert.Contains(t, err.Error(), tc.says, tc.name)
	}
	assert.Empty(t, vault.deletes)
	_, err := migrate.Retire(t.Context(), scai, vault, m, migrate.Evidence{Flag: scaivault.StageScaiVault}, &migrate.RetireOptions{WaiveReaders: true})
	require.ErrorIs(t, err, scaivault.ErrInvalid, "only Vault is retired")

	report, err := migrate.Retire(t.Context(), vault, scai, m, migrate.Evidence{Flag: scaivault.StageScaiVault}, &migrate.RetireOptions{WaiveReaders: true})
	require.NoError(t, err)
	assert.Equal(t, 3, report.Count(migrate.Deleted))
}

// versioned also deletes one version, and somebody writes in between.
type versioned struct {
	*fakeSide
	deleted map[string]int
}

func (v *versioned) DeleteVersion(_ context.Context, path string, version int) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.deleted[path] = version
	if s := v.secrets[path]; path != "kv/data/apps/b" && s.version == version {
		s.deleted = true
		return nil
	}
	v.store(path, `{"v":"newer"}`, scaivault.Metadata{})
	return nil
}

func TestRetireDeletesTheVersionThatItCompared(t *testing.T) {
	t.Parallel()
	vault, scai, m := moved(t)
	v := &versioned{vault, map[string]int{}}
	evidence := migrate.Evidence{Flag: scaivault.StageScaiVault, Readers: quietLog(t, "", nil)}
	report, err := migrate.Retire(t.Context(), v, scai, m, evidence, &migrate.RetireOptions{Workers: 1})
	require.NoError(t, err)
	require.Error(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Deleted: 2, migrate.Kept: 1}, report.Counts)
	assert.Contains(t, report.String(), "version 2 was written in Vault meanwhile")
	assert.JSONEq(t, `{"v":"newer"}`, vault.data("kv/data/apps/b"))
	assert.Empty(t, vault.deletes)
}

func TestRetireComparesAgainRightBeforeItDeletes(t *testing.T) {
	t.Parallel()
	vault, scai, m := moved(t)
	reads := map[string]int{}
	vault.onGet = func(path string) error { // one worker, so not concurrently
		if reads[path]++; path == "kv/data/apps/b" && reads[path] == 2 {
			vault.seed(path, `{"v":"rotated"}`)
		}
		return nil
	}
	evidence := migrate.Evidence{Flag: scaivault.StageScaiVault, Readers: quietLog(t, "", nil)}
	report, err := migrate.Retire(t.Context(), vault, scai, m, evidence, &migrate.RetireOptions{Workers: 1})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Deleted: 2, migrate.Kept: 1}, report.Counts)
	assert.NotContains(t, vault.deletes, "kv/data/apps/b")
}

// unsure is a Vault whose deletes get no answer.
type unsure struct {
	*fakeSide
	done bool
}

func (u *unsure) Delete(ctx context.Context, path string) error {
	if u.done {
		if err := u.fakeSide.Delete(ctx, path); err != nil {
			return err
		}
	}
	return u.fail(scaivault.ErrUncertain, "delete", path, "")
}

func TestRetireLooksUpADeleteOfUnknownFate(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{true, false} {
		vault, scai, m := moved(t)
		report, err := migrate.Retire(t.Context(), &unsure{vault, done}, scai, m, migrate.Evidence{Flag: scaivault.StageScaiVault}, &migrate.RetireOptions{WaiveReaders: true})
		require.NoError(t, err)
		if done {
			require.NoError(t, report.Err())
			assert.Equal(t, 3, report.Count(migrate.Deleted))
			continue
		}
		require.ErrorIs(t, report.Err(), scaivault.ErrUncertain)
		assert.Equal(t, 3, report.Count(migrate.Failed))
	}
}

func TestRetireTellsADeleteThatIsRefused(t *testing.T) {
	t.Parallel()
	vault, scai, m := moved(t)
	report, err := migrate.Retire(t.Context(), denying{vault}, scai, m, migrate.Evidence{Flag: scaivault.StageScaiVault}, &migrate.RetireOptions{WaiveReaders: true})
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), scaivault.ErrPermission)
	assert.Equal(t, 3, report.Count(migrate.Failed))
	assert.Contains(t, report.String(), "could not be deleted")
}

type denying struct{ *fakeSide }

func (d denying) Delete(_ context.Context, path string) error {
	return d.fail(scaivault.ErrPermission, "delete", path, "")
}

func TestRetireLeavesAloneWhatIsNotMapped(t *testing.T) {
	t.Parallel()
	vault, scai, m := moved(t)
	vault.seed("kv/data/other/x", `{"v":1}`)
	report, err := migrate.Retire(t.Context(), vault, scai, m, migrate.Evidence{Flag: scaivault.StageScaiVault}, &migrate.RetireOptions{WaiveReaders: true, Prefixes: []string{"kv/data"}})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Deleted: 3, migrate.Skipped: 1}, report.Counts)
	assert.NotEmpty(t, vault.data("kv/data/other/x"))
}
