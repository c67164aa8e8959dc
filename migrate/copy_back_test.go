// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

func TestCopyBackToVault(t *testing.T) {
	t.Parallel()
	const vaultPath, scaiPath = "kv/data/apps/web", "environments/production/web"
	for _, tc := range []struct {
		name    string
		prepare func(t *testing.T, vault, scai *fakeSide)
		want    migrate.Outcome
	}{
		{"nothing there", func(_ *testing.T, vault, _ *fakeSide) { delete(vault.secrets, vaultPath) }, migrate.Created},
		{"copied from this very version", func(*testing.T, *fakeSide, *fakeSide) {}, migrate.Updated},
		{"changed in Vault since", func(_ *testing.T, vault, _ *fakeSide) { vault.seed(vaultPath, `{"v":"theirs"}`) }, migrate.Conflict},
		{"copied back before", func(t *testing.T, vault, scai *fakeSide) {
			copyAll(t, scai, vault)
			scai.seed(scaiPath, `{"v":"newest"}`) // without the mark, so only Vault's own mark speaks
		}, migrate.Updated},
		{"copied back before and changed since", func(t *testing.T, vault, scai *fakeSide) {
			copyAll(t, scai, vault)
			scai.seed(scaiPath, `{"v":"newest"}`)
			vault.seed(vaultPath, `{"v":"theirs"}`)
		}, migrate.Conflict},
		{"deleted in Vault", func(t *testing.T, vault, _ *fakeSide) {
			require.NoError(t, vault.Delete(t.Context(), vaultPath))
		}, migrate.Created},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			vault, scai := newVaultSide(), newScaiVaultSide()
			vault.seed(vaultPath, `{"v":1}`)
			copyAll(t, vault, scai)
			scai.mu.Lock()
			scai.store(scaiPath, `{"v":2}`, scai.secrets[scaiPath].meta) // written after cutover, metadata kept
			scai.mu.Unlock()
			tc.prepare(t, vault, scai)
			before := vault.data(vaultPath)

			report := copyAll(t, scai, vault)
			assert.Equal(t, map[migrate.Outcome]int{tc.want: 1}, report.Counts)
			if tc.want == migrate.Conflict {
				require.Error(t, report.Err())
				assert.Equal(t, before, vault.data(vaultPath))
				return
			}
			require.NoError(t, report.Err())
			assert.JSONEq(t, scai.data(scaiPath), vault.data(vaultPath))
			m := vault.mark(t, vaultPath)
			assert.Equal(t, scaiPath, m.Source)
			assert.Equal(t, vault.secrets[vaultPath].version, m.Version)
			assert.Empty(t, vault.meta(vaultPath).Description)
			assert.Empty(t, vault.meta(vaultPath).Tags)
			assert.NotNil(t, vault.opts[vaultPath].IfVersion, "KV v2 is written with check-and-set")
		})
	}
}

// A service writes through a Store while its secret is copied back: the Store
// writes to ScaiVault, and then mirrors that to Vault. The copy, which has read
// ScaiVault before and looks at Vault after, must not take Vault back.
func TestCopyBackOvertakesNoWriteOfAService(t *testing.T) {
	t.Parallel()
	const vaultPath, scaiPath = "kv/data/apps/web", "environments/production/web"
	for name, marked := range map[string]bool{"with a mark": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vault, scai := newVaultSide(), newScaiVaultSide()
			scai.seed(scaiPath, `{"v":2}`)
			require.NoError(t, copyAll(t, scai, vault).Err())
			scai.seed(scaiPath, `{"v":3}`) // which Vault has missed
			var once sync.Once
			vault.onGet = func(string) error {
				once.Do(func() {
					m := mark.Mark{Source: scaiPath, SourceVersion: scai.seed(scaiPath, `{"v":4}`), WriteID: "w"}
					vault.mu.Lock()
					defer vault.mu.Unlock()
					m.Version = vault.secrets[vaultPath].version + 1
					meta := scaivault.Metadata{Values: m.AddTo(nil)}
					if !marked {
						meta = scaivault.Metadata{}
					}
					vault.store(vaultPath, `{"v":4}`, meta)
				})
				return nil
			}
			m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
			report, err := migrate.Copy(t.Context(), scai, vault, m, &migrate.CopyOptions{Overwrite: !marked})
			require.NoError(t, err)
			require.NoError(t, report.Err())
			assert.Equal(t, map[migrate.Outcome]int{migrate.Unchanged: 1}, report.Counts)
			assert.JSONEq(t, `{"v":4}`, vault.data(vaultPath))
		})
	}
}

// The destination's version moved between the look and the write: what it is now
// is looked at once more.
func TestCopyBackLooksAgainWhereVaultHasMovedOn(t *testing.T) {
	t.Parallel()
	const vaultPath, scaiPath = "kv/data/apps/web", "environments/production/web"
	for name, tc := range map[string]struct {
		marked bool
		want   migrate.Outcome
	}{"by a mirror": {true, migrate.Unchanged}, "by somebody else": {false, migrate.Conflict}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vault, scai := newVaultSide(), newScaiVaultSide()
			scai.seed(scaiPath, `{"v":2}`)
			require.NoError(t, copyAll(t, scai, vault).Err())
			scai.seed(scaiPath, `{"v":3}`)
			var once sync.Once
			vault.onPut = func(string, int) error {
				once.Do(func() {
					data, meta := `{"v":"theirs"}`, scaivault.Metadata{}
					vault.mu.Lock()
					defer vault.mu.Unlock()
					if tc.marked {
						data = `{"v":4}`
						m := mark.Mark{Source: scaiPath, SourceVersion: scai.seed(scaiPath, data), WriteID: "w", Version: vault.secrets[vaultPath].version + 1}
						meta.Values = m.AddTo(nil)
					}
					vault.store(vaultPath, data, meta)
				})
				return nil
			}
			report := copyAll(t, scai, vault)
			assert.Equal(t, map[migrate.Outcome]int{tc.want: 1}, report.Counts)
			want := `{"v":"theirs"}`
			if tc.marked {
				want = scai.data(scaiPath)
			}
			assert.JSONEq(t, want, vault.data(vaultPath))
		})
	}
}

// copyAll copies the two sides of one wildcard rule.
func copyAll(t *testing.T, from migrate.From, to migrate.To) *migrate.Report {
	t.Helper()
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	report, err := migrate.Copy(t.Context(), from, to, m, nil)
	require.NoError(t, err)
	return report
}

func TestCopyBackKeepsVaultsCustomMetadata(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.store("kv/data/apps/web", `{"v":1}`, scaivault.Metadata{Values: map[string]any{"team": "a"}})
	scai.store("environments/production/web", `{"v":2}`, scaivault.Metadata{
		Description: "new", Tags: []string{"t"},
		Values: mark.Mark{Source: "kv/data/apps/web", SourceVersion: 1, Version: 9, WriteID: "x"}.AddTo(nil),
	})
	require.NoError(t, copyAll(t, scai, vault).Err())
	assert.Equal(t, "a", vault.meta("kv/data/apps/web").Values["team"])
	assert.Empty(t, vault.meta("kv/data/apps/web").Description)
}

func TestCopyToKV1(t *testing.T) {
	t.Parallel()
	for _, vaultRoot := range []string{"secret/apps", "old/data/apps"} { // the second looks like KV v2
		t.Run(vaultRoot, func(t *testing.T) {
			t.Parallel()
			m := mustMapping(t, scaivault.Rule{Vault: vaultRoot + "/**", ScaiVault: "apps/**"})
			vault, scai := newVaultSide(), newScaiVaultSide()
			vault.kv1 = true
			scai.seed("apps/new", `{"n":12345}`)
			scai.seed("apps/same", `{"v":1}`)
			vault.seed(vaultRoot+"/same", `{"v":1.0}`)
			scai.seed("apps/other", `{"v":1}`)
			vault.seed(vaultRoot+"/other", `{"v":2}`)

			report, err := migrate.Copy(t.Context(), scai, vault, m, nil)
			require.NoError(t, err)
			assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 1, migrate.Unchanged: 1, migrate.Conflict: 1}, report.Counts)
			assert.JSONEq(t, `{"n":12345}`, vault.data(vaultRoot+"/new"))
			assert.JSONEq(t, `{"v":2}`, vault.data(vaultRoot+"/other"))

			report, err = migrate.Copy(t.Context(), scai, vault, m, &migrate.CopyOptions{Overwrite: true})
			require.NoError(t, err)
			require.NoError(t, report.Err())
			assert.JSONEq(t, `{"v":1}`, vault.data(vaultRoot+"/other"))
			assert.NotNil(t, vault.opts[vaultRoot+"/other"].IfUnchanged, "an overwrite of KV v1 holds on to what was looked at")
		})
	}
}

func TestCopySaysBeforeWritingWhatKV2WouldRound(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		data  string
		holds bool
	}{
		{`{"n":9007199254740993}`, false},
		{`{"a":{"b":[1,{"n":0.1000000000000000055511151231257827}]}}`, false},
		{`{"n":1e400}`, false},
		{`{"n":9007199254740992}`, true},
		{`{"n":1.10,"m":-0,"o":1e22,"p":0.1}`, true},
		{`{"n":"9007199254740993","e":{},"z":null}`, true},
	} {
		t.Run(tc.data, func(t *testing.T) {
			t.Parallel()
			vault, scai := newVaultSide(), newScaiVaultSide()
			scai.seed("environments/production/web", tc.data)
			report := copyAll(t, scai, vault)
			if tc.holds {
				require.NoError(t, report.Err())
				assert.Equal(t, 1, report.Count(migrate.Created))
				return
			}
			assert.Equal(t, 1, report.Count(migrate.Failed))
			require.ErrorIs(t, report.Err(), scaivault.ErrInvalid)
			assert.Contains(t, report.String(), "round")
			assert.Zero(t, vault.writes())
		})
	}
}

func TestCopyBackAfterAWriteThatWasCutOff(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name         string
		marked, data int // versions in Vault
		want         migrate.Outcome
	}{
		{"the mark was written and the data was not", 3, 2, migrate.Updated},
		{"both were written", 2, 2, migrate.Updated},
		{"somebody has written since", 2, 3, migrate.Conflict},
		{"the mark is of no write that we know", 4, 2, migrate.Conflict},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			vault, scai := newVaultSide(), newScaiVaultSide()
			scai.seed(webInScai, `{"v":"new"}`)
			for range tc.data {
				vault.store(webInVault, `{"v":"old"}`, scaivault.Metadata{
					Values: mark.Mark{Source: webInScai, SourceVersion: 1, Version: tc.marked, WriteID: "x"}.AddTo(nil),
				})
			}
			report := copyAll(t, scai, vault)
			assert.Equal(t, map[migrate.Outcome]int{tc.want: 1}, report.Counts)
			if tc.want == migrate.Conflict {
				assert.JSONEq(t, `{"v":"old"}`, vault.data(webInVault))
			}
		})
	}
}

// remembering is a ScaiVault that also has its history.
type remembering struct {
	*fakeSide
	then map[int]string
	err  error
}

func (r *remembering) GetVersion(_ context.Context, path string, version int) (*scaivault.Secret, error) {
	data, ok := r.then[version]
	switch {
	case r.err != nil:
		return nil, r.err
	case !ok:
		return nil, r.fail(scaivault.ErrNotFound, "get", path, "")
	}
	return scaivault.NewSecret(scaivault.SecretInfo{Path: path, Version: version}, json.RawMessage(data))
}

func TestCopyBackProvesAMarkByTheSourcesHistory(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		then map[int]string
		err  error
		want migrate.Outcome
	}{
		{"it holds what was copied", map[int]string{1: `{"v":"old"}`}, nil, migrate.Updated},
		{"it holds what somebody else wrote", map[int]string{1: `{"v":"refused"}`}, nil, migrate.Conflict},
		{"the history does not go back that far", nil, nil, migrate.Updated},
		{"the history can't be read", nil, &scaivault.Error{Kind: scaivault.ErrPermission, Op: "get"}, migrate.Failed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			vault, scai := newVaultSide(), newScaiVaultSide()
			scai.seed(webInScai, `{"v":"new"}`)
			vault.store(webInVault, `{"v":"old"}`, scaivault.Metadata{
				Values: mark.Mark{Source: webInScai, SourceVersion: 1, Version: 1, WriteID: "x"}.AddTo(nil),
			})
			report := copyAll(t, &remembering{fakeSide: scai, then: tc.then, err: tc.err}, vault)
			assert.Equal(t, map[migrate.Outcome]int{tc.want: 1}, report.Counts)
		})
	}
}
