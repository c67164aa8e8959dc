// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// Both real endpoints stand on both sides.
var (
	_ migrate.From        = (*scaivault.Client)(nil)
	_ migrate.To          = (*scaivault.Client)(nil)
	_ migrate.Keeper      = (*scaivault.Client)(nil)
	_ migrate.From        = (*vault.Source)(nil)
	_ migrate.To          = (*vault.Source)(nil)
	_ migrate.Retiree     = (*vault.Source)(nil)
	_ migrate.VaultReader = (*vault.Source)(nil)
)

// An estate is both services with their clients.
type estate struct {
	vault  *scaivaulttest.Vault
	scai   *scaivaulttest.Server
	source *vault.Source
	client *scaivault.Client
	audit  *auditBuffer
}

type auditBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (a *auditBuffer) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.b.Write(p)
}

func (a *auditBuffer) text() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.b.String()
}

func newEstate(t *testing.T, opts *scaivaulttest.ServerOptions) *estate {
	t.Helper()
	e := &estate{audit: &auditBuffer{}}
	e.vault = scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{AuditLog: e.audit})
	e.vault.Mount("kv", 2)
	e.vault.Mount("secret", 1)
	e.scai = scaivaulttest.NewServer(t, opts)
	e.source = e.sourceFor(t, e.vault.RootToken())
	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs: []string{"https://scaivault.example"}, Token: scaivault.StaticToken(e.scai.IssueToken("sa:migrator")),
		HTTPClient: &http.Client{Transport: e.scai.RoundTripper()},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	e.client = client
	return e
}

func (e *estate) sourceFor(t *testing.T, token string) *vault.Source {
	t.Helper()
	return e.sourceOver(t, token, e.vault.RoundTripper())
}

func (e *estate) sourceOver(t *testing.T, token string, transport http.RoundTripper) *vault.Source {
	t.Helper()
	cfg := api.DefaultConfig()
	require.NoError(t, cfg.Error)
	cfg.Address = "https://vault.example"
	cfg.HttpClient = &http.Client{Transport: transport}
	c, err := api.NewClient(cfg)
	require.NoError(t, err)
	c.SetToken(token)
	source, err := vault.NewSource(vault.Config{Client: c})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, source.Close()) })
	return source
}

func (e *estate) seedGuide() {
	e.vault.Seed("kv/data/apps/billing/db", map[string]any{"user": "billing", "password": "pa$$<&>word"})
	e.vault.Seed("kv/data/apps/billing/stripe", map[string]any{"key": "sk_é"})
	e.vault.Seed("kv/data/shared/salesforce", map[string]any{"client": "x"})
	e.vault.Seed("secret/old/one", map[string]any{"n": json.Number("12345678901234567890.10"), "empty": "", "null": nil})
}

func guideMapping(t *testing.T) *scaivault.Mapping {
	return mustMapping(t,
		scaivault.Rule{Vault: "kv/data/apps/billing/db", ScaiVault: "environments/production/billing/database"},
		scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"},
		scaivault.Rule{Vault: "kv/data/shared/salesforce", ScaiVault: "shared/integrations/salesforce/oauth"},
		scaivault.Rule{Vault: "secret/old/**", ScaiVault: "legacy/**"})
}

func (e *estate) scaiWrites() int { return e.scai.RequestCount(http.MethodPut, "/v1/secrets/**") }

func TestGuideFromTheFirstCopyToTheLastDelete(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	e.seedGuide()
	m := guideMapping(t)
	ctx := t.Context()

	inventory, err := migrate.TakeInventory(ctx, e.source, &migrate.InventoryOptions{Mapping: m})
	require.NoError(t, err)
	require.NoError(t, inventory.Err())
	assert.Equal(t, 4, inventory.Secrets())

	report, err := migrate.Copy(ctx, e.source, e.client, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 4}, report.Counts)
	assert.Equal(t, 4, e.scaiWrites())
	got, err := e.client.Get(ctx, "environments/production/billing/database")
	require.NoError(t, err)
	assert.Equal(t, []string{"migrated-from-vault"}, got.Info().Metadata.Tags)
	assert.Equal(t, "Migrated from vault: kv/data/apps/billing/db", got.Info().Metadata.Description)
	raw, ok := e.scai.Value("legacy/one")
	require.True(t, ok)
	assert.Contains(t, string(raw), "12345678901234567890.10", "every digit survives")

	report, err = migrate.Copy(ctx, e.source, e.client, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Unchanged: 4}, report.Counts)
	assert.Equal(t, 4, e.scaiWrites(), "the second run must write nothing")

	report, err = migrate.Diff(ctx, e.source, e.client, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Same: 4}, report.Counts)

	// The migrator's own reads stand in Vault's audit log; no others do.
	readers, err := migrate.FindReaders(ctx, strings.NewReader(e.audit.text()), &migrate.ReadersOptions{Mapping: m})
	require.NoError(t, err)
	require.NotEmpty(t, readers.Of("kv/data/apps/billing/db"))
	assert.Equal(t, "root", readers.Of("kv/data/apps/billing/db")[0].Name)
	evidence := migrate.Evidence{Flag: scaivault.StageScaiVault, Readers: readers}
	_, err = migrate.Retire(ctx, e.source, e.client, m, evidence, nil)
	require.ErrorIs(t, err, scaivault.ErrInvalid, "the log does not reach back far enough")

	evidence.Readers, err = migrate.FindReaders(ctx, strings.NewReader(e.audit.text()), &migrate.ReadersOptions{Mapping: m, Exclude: []string{"root"}})
	require.NoError(t, err)
	report, err = migrate.Retire(ctx, e.source, e.client, m, evidence, &migrate.RetireOptions{QuietFor: time.Nanosecond})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, 4, report.Count(migrate.Deleted))
	_, ok = e.vault.Value("kv/data/apps/billing/db")
	assert.False(t, ok)
	_, ok = e.scai.Value("environments/production/billing/database")
	assert.True(t, ok)

	// And the way back.
	report, err = migrate.Copy(ctx, e.client, e.source, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 4}, report.Counts)
	raw, ok = e.vault.Value("secret/old/one")
	require.True(t, ok)
	assert.Contains(t, string(raw), "12345678901234567890.10")
	report, err = migrate.Diff(ctx, e.client, e.source, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())
}

func TestCopyLeavesForeignSecretsOfTheServiceAlone(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	e.seedGuide()
	ctx, m := t.Context(), guideMapping(t)
	_, err := migrate.Copy(ctx, e.source, e.client, m, nil)
	require.NoError(t, err)

	e.vault.Seed("kv/data/apps/billing/db", map[string]any{"password": "rotated"})
	e.vault.Seed("kv/data/apps/billing/stripe", map[string]any{"key": "rotated"})
	_, err = e.client.Put(ctx, "environments/production/billing/stripe", map[string]any{"key": "theirs"}, nil)
	require.NoError(t, err)
	e.vault.Seed("kv/data/apps/new", map[string]any{"v": 1})
	e.scai.Seed("environments/production/new", map[string]any{"v": 2})

	report, err := migrate.Copy(ctx, e.source, e.client, m, nil)
	require.NoError(t, err)
	require.Error(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Updated: 1, migrate.Conflict: 2, migrate.Unchanged: 2}, report.Counts)
	raw, _ := e.scai.Value("environments/production/billing/stripe")
	assert.JSONEq(t, `{"key":"theirs"}`, string(raw))
	raw, _ = e.scai.Value("environments/production/billing/database")
	assert.JSONEq(t, `{"password":"rotated"}`, string(raw))
}

func TestCopyBackAfterCutover(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	ctx := t.Context()
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	for _, name := range []string{"a", "b"} {
		e.vault.Seed("kv/data/apps/"+name, map[string]any{"v": 1})
	}
	_, err := migrate.Copy(ctx, e.source, e.client, m, nil)
	require.NoError(t, err)
	for _, name := range []string{"a", "b"} { // written after cutover, by somebody who keeps the metadata
		now, err := e.client.Get(ctx, "environments/production/"+name)
		require.NoError(t, err)
		_, err = e.client.Put(ctx, "environments/production/"+name, map[string]any{"v": 2}, &scaivault.PutOptions{Metadata: now.Info().Metadata})
		require.NoError(t, err)
	}
	e.vault.Seed("kv/data/apps/b", map[string]any{"v": "theirs"})

	report, err := migrate.Copy(ctx, e.client, e.source, m, nil)
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Updated: 1, migrate.Conflict: 1}, report.Counts, report.String())
	raw, _ := e.vault.Value("kv/data/apps/a")
	assert.JSONEq(t, `{"v":2}`, string(raw))
	raw, _ = e.vault.Value("kv/data/apps/b")
	assert.JSONEq(t, `{"v":"theirs"}`, string(raw))

	// Now Vault's own mark says that it is ours.
	e.scai.Seed("environments/production/a", map[string]any{"v": 3})
	report, err = migrate.Copy(ctx, e.client, e.source, m, &migrate.CopyOptions{Prefixes: []string{"environments/production/a"}})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Updated: 1}, report.Counts)
}

// A rival writes right before the first write of data to one path.
type rival struct {
	http.RoundTripper
	once  sync.Once
	write func()
}

func (r *rival) RoundTrip(req *http.Request) (*http.Response, error) {
	if (req.Method == http.MethodPut || req.Method == http.MethodPost) && req.URL.Path == "/v1/kv/data/apps/a" {
		r.once.Do(r.write)
	}
	return r.RoundTripper.RoundTrip(req)
}

func TestCopyNeverTakesARivalsVersionForItsOwn(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	ctx := t.Context()
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	e.scai.Seed("environments/production/a", map[string]any{"v": 1})
	report, err := migrate.Copy(ctx, e.client, e.source, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err())

	e.scai.Seed("environments/production/a", map[string]any{"v": 2})
	source := e.sourceOver(t, e.vault.RootToken(), &rival{RoundTripper: e.vault.RoundTripper(), write: func() {
		e.vault.Seed("kv/data/apps/a", map[string]any{"v": "theirs"})
	}})
	for range 2 {
		report, err = migrate.Copy(ctx, e.client, source, m, nil)
		require.NoError(t, err)
		assert.Equal(t, map[migrate.Outcome]int{migrate.Conflict: 1}, report.Counts)
		raw, _ := e.vault.Value("kv/data/apps/a")
		assert.JSONEq(t, `{"v":"theirs"}`, string(raw))
	}
}

func TestCopyWithinTheLimitsOfTheManagedService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEstate(t, nil)
		for i := range 250 {
			e.vault.Seed(fmt.Sprintf("kv/data/apps/s%03d", i), map[string]any{"v": i})
		}
		m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
		start := time.Now()
		report, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
		require.NoError(t, err)
		require.NoError(t, report.Err())
		assert.Equal(t, 250, report.Count(migrate.Created))
		assert.Less(t, time.Since(start), 6*time.Minute)
		for i := range 250 {
			assert.Equal(t, 1, e.scai.SecretVersion(fmt.Sprintf("environments/production/s%03d", i)), "each is written once")
		}
	})
}

func TestCopySurvivesAnswersThatAreLost(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	for i := range 40 {
		e.vault.Seed(fmt.Sprintf("kv/data/apps/s%02d", i), map[string]any{"v": i})
	}
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	e.scai.Inject(scaivaulttest.Fault{Method: http.MethodPut, Path: "/v1/secrets/**", Count: 5, After: true, Cut: scaivaulttest.CutBeforeAnswer})
	e.scai.Inject(scaivaulttest.Fault{Method: http.MethodGet, Path: "/v1/secrets/environments/**", Count: 5, Status: http.StatusBadGateway, Body: "<html>"})
	report, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	require.NoError(t, report.Err(), report.String())
	for i := range 40 {
		assert.Equal(t, 1, e.scai.SecretVersion(fmt.Sprintf("environments/production/s%02d", i)), "no write is repeated")
	}
}

func TestCopyTellsAFolderThatVaultDenies(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	e.vault.Seed("kv/data/apps/a/x", map[string]any{"v": 1})
	e.vault.Seed("kv/data/other/x", map[string]any{"v": 1})
	e.vault.Inject(scaivaulttest.Fault{Path: "/v1/kv/metadata/apps/a/", Status: http.StatusForbidden, Body: `{"errors":["permission denied"]}`, ContentType: "application/json"})
	e.vault.Inject(scaivaulttest.Fault{Path: "/v1/kv/metadata/apps/a", Status: http.StatusForbidden, Body: `{"errors":["permission denied"]}`, ContentType: "application/json"})
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "apps/**"}, scaivault.Rule{Vault: "kv/data/other/**", ScaiVault: "other/**"})
	report, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
	require.NoError(t, err)
	require.Error(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 1, migrate.Failed: 1}, report.Counts)
	assert.Equal(t, "kv/data/apps", report.Problems[0].From)
	require.ErrorIs(t, report.Err(), scaivault.ErrPermission)
}

func TestCopyLeavesASecretAloneThatCanBeRestored(t *testing.T) {
	t.Parallel()
	for name, told := range map[string]scaivaulttest.Deleted{"told": scaivaulttest.DeletedGone, "not told": scaivaulttest.DeletedMissing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true, Quirks: scaivaulttest.Quirks{Deleted: told}})
			e.vault.Seed("kv/data/apps/web", map[string]any{"v": 1})
			e.scai.Seed("environments/production/web", map[string]any{"v": 0})
			require.NoError(t, e.client.Delete(t.Context(), "environments/production/web", nil))
			m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
			p := newPlan(t, e.source, e.client, m, nil)
			want := migrate.ActionConflict
			if told == scaivaulttest.DeletedMissing {
				want = migrate.ActionCreate // to a look it is like one that never was
			}
			assert.Equal(t, map[migrate.Action]int{want: 1}, p.Header.Counts)
			report, err := migrate.CopyPlan(t.Context(), e.source, e.client, p, nil)
			require.NoError(t, err)
			require.ErrorIs(t, report.Err(), scaivault.ErrConflict)
			report, err = migrate.Copy(t.Context(), e.source, e.client, m, nil)
			require.NoError(t, err)
			require.ErrorIs(t, report.Err(), scaivault.ErrConflict)
			assert.Equal(t, 1, report.Count(migrate.Conflict))
		})
	}
}
