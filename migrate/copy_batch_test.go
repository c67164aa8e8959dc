// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestCopyReadsEachWriteBackInBatches(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), &batchSide{fakeSide: newScaiVaultSide()}
	for i := range 10 {
		vault.seed(fmt.Sprintf("kv/data/apps/s%d", i), `{"v":1}`)
	}
	scai.putErr = func(path string) error { // called with the lock
		switch path {
		case "environments/production/s3":
			scai.secrets[path].data = `{"v":"altered"}`
		case "environments/production/s4":
			scai.secrets[path].deleted = true
		}
		return nil
	}
	report := copyAll(t, vault, scai)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 8, migrate.Failed: 2}, report.Counts)
	assert.Contains(t, report.String(), "does not hold what was written")
	assert.Equal(t, 10, scai.writes())
}

func TestCopyTellsWhoWroteAtTheSameTime(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	e.vault.Seed(dbInVault, map[string]any{"v": "ours"})
	once := sync.Once{}
	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs: []string{"https://scaivault.example"}, Token: scaivault.StaticToken(e.scai.IssueToken("sa:migrator")),
		HTTPClient: &http.Client{Transport: beforePut{e.scai.RoundTripper(), func() {
			once.Do(func() { e.scai.Seed(dbInScai, map[string]any{"v": "theirs"}) })
		}}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})

	report, err := migrate.Copy(t.Context(), e.source, client, m, nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Conflict: 1}, report.Counts)
	require.Error(t, report.Err())
	assert.Contains(t, report.String(), "somebody wrote version 1 at the same time")
	theirs, err := client.GetVersion(t.Context(), dbInScai, 1)
	require.NoError(t, err)
	assert.JSONEq(t, `{"v":"theirs"}`, string(theirs.JSON()), "nothing is lost")
}

// A Store of a service mirrors what it writes while it is copied. Nobody's write
// is lost by that, and the copy stays ours.
func TestCopyMeetsTheMirrorOfAService(t *testing.T) {
	t.Parallel()
	for name, newer := range map[string]bool{"of the same": false, "of what is newer": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
			e.vault.Seed(dbInVault, map[string]any{"v": "old"})
			once := sync.Once{}
			client, err := scaivault.NewClient(scaivault.ClientConfig{
				URLs: []string{"https://scaivault.example"}, Token: scaivault.StaticToken(e.scai.IssueToken("sa:migrator")),
				HTTPClient: &http.Client{Transport: beforePut{e.scai.RoundTripper(), func() {
					once.Do(func() {
						value := map[string]any{"v": "old"}
						if newer {
							value = map[string]any{"v": "new"}
							e.vault.Seed(dbInVault, value)
						}
						e.scai.Seed(dbInScai, value)
					})
				}}},
			})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, client.Close()) })
			m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})

			report, err := migrate.Copy(t.Context(), e.source, client, m, nil)
			require.NoError(t, err)
			require.NoError(t, report.Err(), report.String())
			assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 1}, report.Counts)
			if newer {
				var order []string
				for _, r := range e.scai.Requests() {
					if r.Method == http.MethodPut || r.Method == http.MethodPost {
						order = append(order, r.Method)
					}
				}
				assert.Equal(t, []string{"POST", "PUT", "PUT"}, order, "what was overwritten is put right at once")
			}
			same := func() {
				t.Helper()
				there, err := client.Get(t.Context(), dbInScai)
				require.NoError(t, err)
				here, err := e.source.Get(t.Context(), dbInVault)
				require.NoError(t, err)
				assert.JSONEq(t, string(here.JSON()), string(there.JSON()))
			}
			same()
			e.vault.Seed(dbInVault, map[string]any{"v": "newest"})
			report, err = migrate.Copy(t.Context(), e.source, client, m, nil)
			require.NoError(t, err)
			require.NoError(t, report.Err(), report.String())
			same()
		})
	}
}

// beforePut does something before each write.
type beforePut struct {
	http.RoundTripper
	do func()
}

func (b beforePut) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPut {
		b.do()
	}
	return b.RoundTripper.RoundTrip(req)
}

func TestCopyCountsAWriteAsSuchThatIsReadBackLater(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	for i := range 5 {
		e.vault.Seed(fmt.Sprintf("kv/data/apps/s%d", i), map[string]any{"v": i})
	}
	// Right after the writes nothing can be read: not by batch, not one by one.
	e.scai.Inject(scaivaulttest.Fault{Method: http.MethodPost, Path: "/v1/secrets/batch", Count: 6, Status: http.StatusServiceUnavailable, Code: "service_unavailable"})
	e.scai.Inject(scaivaulttest.Fault{Method: http.MethodPost, Path: "/v1/secrets/batch", Count: 1, After: true}) // the first is answered
	e.scai.Inject(scaivaulttest.Fault{Method: http.MethodGet, Path: "/v1/secrets/**", Count: 15, Status: http.StatusServiceUnavailable, Code: "service_unavailable"})
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	report, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err(), report.String())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 5}, report.Counts)
	assert.Equal(t, 5, e.scaiWrites())
}

func TestCopyWorksWithoutBatchReads(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	const n = 120
	for i := range n {
		e.vault.Seed(fmt.Sprintf("kv/data/apps/s%03d", i), map[string]any{"v": i})
	}
	e.scai.Inject(scaivaulttest.Fault{Method: http.MethodPost, Path: "/v1/secrets/batch", Status: http.StatusNotFound, Code: "not_found"})
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	for _, want := range []map[migrate.Outcome]int{{migrate.Created: n}, {migrate.Unchanged: n}} {
		report, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
		require.NoError(t, err)
		require.NoError(t, report.Err())
		assert.Equal(t, want, report.Counts)
	}
	assert.Equal(t, n, e.scaiWrites())
}

func TestCopyStopsAtTheFirstProblem(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	for i := range 500 {
		vault.seed(fmt.Sprintf("kv/data/apps/s%03d", i), `{"v":1}`)
	}
	scai.seed("environments/production/s000", `{"v":"theirs"}`)
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	report, err := migrate.Copy(t.Context(), vault, scai, m, &migrate.CopyOptions{FailFast: true, Workers: 2})
	var problems *migrate.ProblemsError
	require.ErrorAs(t, err, &problems)
	assert.Same(t, report, problems.Report)
	assert.True(t, report.Incomplete)
	assert.Equal(t, 1, report.Count(migrate.Conflict))
	assert.Less(t, scai.writes(), 100)

	report, err = migrate.Copy(t.Context(), vault, scai, m, nil)
	require.NoError(t, err)
	require.Error(t, report.Err(), "one bad secret never ends in success")
	assert.Equal(t, 500, report.Total(), "and never stops the run")
}

func TestCopyOfWhatCannotBeCopied(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	e.vault.Seed("kv/data/apps/a", map[string]any{"v": 1})
	e.vault.Seed("kv/data/apps/b", map[string]any{"v": 1})
	ctx := t.Context()
	apps := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})

	t.Run("a subtree that does not exist", func(t *testing.T) {
		report, err := migrate.Copy(ctx, e.source, e.client, apps, &migrate.CopyOptions{Prefixes: []string{"kv/data/apps", "kv/data/apps/typo"}, DryRun: true})
		require.NoError(t, err)
		require.NoError(t, report.Err(), "one prefix lies within the other, and is no subtree of its own")
		report, err = migrate.Copy(ctx, e.source, e.client, apps, &migrate.CopyOptions{Prefixes: []string{"kv/data/apps/a", "kv/data/apps/typo"}, DryRun: true})
		require.NoError(t, err)
		require.ErrorIs(t, report.Err(), scaivault.ErrNotFound)
		assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 1, migrate.Failed: 1}, report.Counts)
		assert.Contains(t, report.Err().Error(), "kv/data/apps/typo")
	})
	t.Run("a mount that is not KV", func(t *testing.T) {
		e.vault.Inject(scaivaulttest.Fault{Path: "/v1/sys/internal/ui/mounts/**", Status: 200, ContentType: "application/json",
			Body: `{"request_id":"r","data":{"path":"pki/","type":"pki"}}`})
		m := mustMapping(t, scaivault.Rule{Vault: "pki/certs/**", ScaiVault: "certs/**"})
		report, err := migrate.Copy(ctx, e.source, e.client, m, nil)
		require.NoError(t, err)
		require.ErrorIs(t, report.Err(), scaivault.ErrInvalid)
		assert.Contains(t, report.Err().Error(), "not KV")
	})
}

func TestCopyWithATokenThatMayListAndNotRead(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), &batchSide{fakeSide: newScaiVaultSide()}
	for i := range 5 {
		vault.seed(fmt.Sprintf("kv/data/apps/s%d", i), `{"v":1}`)
	}
	vault.onGet = func(path string) error { return vault.fail(scaivault.ErrPermission, "get", path, "") }
	report := copyAll(t, vault, scai)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Failed: 5}, report.Counts)
	require.ErrorIs(t, report.Err(), scaivault.ErrPermission)
	assert.Zero(t, scai.writes())
	assert.False(t, errors.Is(report.Err(), scaivault.ErrNotFound))
}

func TestCopyNamesTheVersionItCopied(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), &batchSide{fakeSide: newScaiVaultSide()}
	vault.seed(webInVault, `{"v":1}`)
	var once sync.Once
	scai.onPut = func(string, int) error {
		once.Do(func() { vault.seed(webInVault, `{"v":2}`) }) // while it is copied
		return nil
	}
	for version := 1; version <= 2; version++ {
		var items []migrate.Item
		m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
		report, err := migrate.Copy(t.Context(), vault, scai, m, &migrate.CopyOptions{Each: func(i migrate.Item) error {
			items = append(items, i)
			return nil
		}})
		require.NoError(t, err)
		require.NoError(t, report.Err())
		require.Len(t, items, 1)
		assert.Equal(t, version, items[0].FromVersion, "what has changed since is carried by the next copy")
		assert.Equal(t, version, scai.mark(t, webInScai).SourceVersion)
	}
	assert.Equal(t, 2, scai.writes())
}

// Values that do not fit into one answer of a batch are copied, compared and
// verified all the same.
func TestCopyAndDiffOfLargeValues(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	for i := range 110 {
		e.vault.Seed(fmt.Sprintf("kv/data/apps/s%03d", i), map[string]any{"v": strings.Repeat("x", 4<<10)})
	}
	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs: []string{"https://scaivault.example"}, Token: scaivault.StaticToken(e.scai.IssueToken("sa:migrator")),
		HTTPClient: &http.Client{Transport: e.scai.RoundTripper()}, MaxResponseBytes: 64 << 10,
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	for _, want := range []migrate.Outcome{migrate.Created, migrate.Unchanged} {
		report, err := migrate.Copy(t.Context(), e.source, client, m, nil)
		require.NoError(t, err)
		require.NoError(t, report.Err())
		require.Equal(t, map[migrate.Outcome]int{want: 110}, report.Counts)
	}
	require.Equal(t, 110, e.scaiWrites())
	report, err := migrate.Diff(t.Context(), e.source, client, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	require.Equal(t, map[migrate.Outcome]int{migrate.Same: 110}, report.Counts)
}
