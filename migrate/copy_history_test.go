// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

const (
	dbInVault = "kv/data/apps/db"
	dbInScai  = "environments/production/db"
)

// putRecorder keeps what the writes of a client have sent.
type putRecorder struct {
	http.RoundTripper
	mu   sync.Mutex
	puts []sentPut
}

type sentPut struct {
	Data     map[string]any     `json:"data"`
	Metadata scaivault.Metadata `json:"metadata"`
	Options  struct {
		ExpiresIn string `json:"expires_in"`
	} `json:"options"`
}

func (p *putRecorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPut {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		var put sentPut
		_ = json.Unmarshal(body, &put)
		p.mu.Lock()
		p.puts = append(p.puts, put)
		p.mu.Unlock()
	}
	return p.RoundTripper.RoundTrip(req)
}

// history is an estate with one secret of five versions, of which the second
// was deleted and the third destroyed.
func history(t *testing.T) (*estate, *scaivault.Client, *putRecorder, *scaivault.Mapping) {
	t.Helper()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	for v := range 5 {
		e.vault.Seed(dbInVault, map[string]any{"v": v + 1})
	}
	e.vaultDo(t, http.MethodPut, "kv/delete/apps/db", `{"versions":[2]}`)
	e.vaultDo(t, http.MethodPut, "kv/destroy/apps/db", `{"versions":[3]}`)
	e.vaultDo(t, http.MethodPost, "kv/metadata/apps/db", `{"custom_metadata":{"team":"billing"}}`)
	recorder := &putRecorder{RoundTripper: e.scai.RoundTripper()}
	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs: []string{"https://scaivault.example"}, Token: scaivault.StaticToken(e.scai.IssueToken("sa:migrator")),
		HTTPClient: &http.Client{Transport: recorder},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return e, client, recorder, mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
}

// vaultDo sends a request of Vault's own API.
func (e *estate) vaultDo(t *testing.T, method, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://vault.example/v1/"+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("X-Vault-Token", e.vault.RootToken())
	resp, err := e.vault.RoundTripper().RoundTrip(req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Less(t, resp.StatusCode, 300, "%s %s", method, path)
}

func TestCopyOfTheHistoryWritesOldestFirst(t *testing.T) {
	t.Parallel()
	e, client, sent, m := history(t)
	requests := len(e.vault.Requests())
	var items []migrate.Item
	report, err := migrate.Copy(t.Context(), e.source, client, m, &migrate.CopyOptions{History: 10, Each: func(i migrate.Item) error {
		items = append(items, i)
		return nil
	}})
	require.NoError(t, err)
	require.NoError(t, report.Err(), report.String())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 1, migrate.NotRepresentable: 2}, report.Counts)
	require.Len(t, items, 3)
	assert.Equal(t, []int{2, 3, 5}, []int{items[0].FromVersion, items[1].FromVersion, items[2].FromVersion}, "what can't be held is told first")
	assert.Contains(t, report.String(), "version 2 was deleted in the source")

	require.Len(t, sent.puts, 3)
	for i, want := range []int{1, 4, 5} {
		put := sent.puts[i]
		assert.EqualValues(t, want, put.Data["v"])
		found, ok := mark.Parse(put.Metadata.Values)
		require.True(t, ok)
		assert.Equal(t, want, found.SourceVersion, "each bears its number in Vault")
		assert.Equal(t, i+1, found.Version)
		assert.Equal(t, "billing", put.Metadata.Values["team"], "custom metadata is carried over")
		old, err := client.GetVersion(t.Context(), dbInScai, i+1)
		require.NoError(t, err)
		assert.JSONEq(t, fmt.Sprintf(`{"v":%d}`, want), string(old.JSON()))
	}
	for _, r := range e.vault.Requests()[requests:] {
		assert.Equal(t, http.MethodGet, r.Method, "the source is never touched: %s", r.Path)
	}

	// Nothing has changed, then two versions come.
	for range 2 {
		report, err = migrate.Copy(t.Context(), e.source, client, m, &migrate.CopyOptions{History: 10})
		require.NoError(t, err)
		assert.Equal(t, map[migrate.Outcome]int{migrate.Unchanged: 1}, report.Counts)
	}
	require.Len(t, sent.puts, 3)
	e.vault.Seed(dbInVault, map[string]any{"v": 6})
	e.vault.Seed(dbInVault, map[string]any{"v": 5})
	report, err = migrate.Copy(t.Context(), e.source, client, m, &migrate.CopyOptions{History: 10})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	require.Len(t, sent.puts, 5, "the version between is written too, though the latest has the data that is there")
	assert.EqualValues(t, 6, sent.puts[3].Data["v"])
}

func TestCopyOfTheLastVersionsOfTheHistory(t *testing.T) {
	t.Parallel()
	e, client, sent, m := history(t)
	report, err := migrate.Copy(t.Context(), e.source, client, m, &migrate.CopyOptions{History: 2, DryRun: true})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 1}, report.Counts)
	assert.Empty(t, sent.puts)
	report, err = migrate.Copy(t.Context(), e.source, client, m, &migrate.CopyOptions{History: 2})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	require.Len(t, sent.puts, 2)
	assert.EqualValues(t, 4, sent.puts[0].Data["v"])
	assert.EqualValues(t, 5, sent.puts[1].Data["v"])
}

func TestCopyOfTheHistoryGoesOnWhereItWasCutOff(t *testing.T) {
	t.Parallel()
	e, client, sent, m := history(t)
	remove := e.scai.Inject(scaivaulttest.Fault{Method: http.MethodPut, Path: "/v1/secrets/**", Status: http.StatusForbidden, Code: "access_denied"})
	e.scai.Inject(scaivaulttest.Fault{Method: http.MethodPut, Path: "/v1/secrets/**", Count: 1, After: true}) // the first is done
	report, err := migrate.Copy(t.Context(), e.source, client, m, &migrate.CopyOptions{History: 10})
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), scaivault.ErrPermission)
	assert.Equal(t, 1, e.scai.SecretVersion(dbInScai))
	remove()
	sent.puts = nil
	report, err = migrate.Copy(t.Context(), e.source, client, m, &migrate.CopyOptions{History: 10})
	require.NoError(t, err)
	require.NoError(t, report.Err(), report.String())
	require.Len(t, sent.puts, 2, "what is there is not written twice")
	assert.EqualValues(t, 4, sent.puts[0].Data["v"])
	assert.EqualValues(t, 5, sent.puts[1].Data["v"])
}

func TestCopyMapsTheExpiryOfTheLatestVersion(t *testing.T) {
	t.Parallel()
	e, client, sent, m := history(t)
	e.vaultDo(t, http.MethodPost, "kv/metadata/apps/db", `{"delete_version_after":"24h"}`)
	e.vault.Seed(dbInVault, map[string]any{"v": 6})
	report, err := migrate.Copy(t.Context(), e.source, client, m, &migrate.CopyOptions{History: 2})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	require.Len(t, sent.puts, 2)
	assert.Empty(t, sent.puts[0].Options.ExpiresIn)
	assert.NotEmpty(t, sent.puts[1].Options.ExpiresIn)
	got, err := client.Get(t.Context(), dbInScai)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(24*time.Hour), got.Info().ExpiresAt, time.Hour)
}

func TestCopyOfTheHistoryBackToVault(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	for v := range 3 {
		e.scai.Seed(dbInScai, map[string]any{"v": v + 1})
	}
	report, err := migrate.Copy(t.Context(), e.client, e.source, m, &migrate.CopyOptions{History: 5})
	require.NoError(t, err)
	require.NoError(t, report.Err(), report.String())
	for v := range 3 {
		old, err := e.source.GetVersion(t.Context(), dbInVault, v+1)
		require.NoError(t, err)
		assert.JSONEq(t, fmt.Sprintf(`{"v":%d}`, v+1), string(old.JSON()))
	}
	report, err = migrate.Copy(t.Context(), e.client, e.source, m, &migrate.CopyOptions{History: 5})
	require.NoError(t, err)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Unchanged: 1}, report.Counts)
}

func TestCopyRefusesAHistoryBelowZero(t *testing.T) {
	t.Parallel()
	_, err := migrate.Copy(t.Context(), newVaultSide(), newScaiVaultSide(), billing(t), &migrate.CopyOptions{History: -1})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Contains(t, err.Error(), "History")
}

func TestCopyOfTheHistoryToKV1WritesTheLatestAlone(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	m := mustMapping(t, scaivault.Rule{Vault: "secret/**", ScaiVault: "legacy/**"})
	for v := range 3 {
		e.scai.Seed("legacy/x", map[string]any{"v": v})
	}
	got := e.counted(func() {
		report, err := migrate.Copy(t.Context(), e.client, e.source, m, &migrate.CopyOptions{History: 5})
		require.NoError(t, err)
		require.NoError(t, report.Err(), report.String())
	})
	assert.Equal(t, 1, got["vault PUT"], "KV v1 has no versions to keep them in")
	raw, _ := e.vault.Value("secret/x")
	assert.JSONEq(t, `{"v":2}`, string(raw))
}
