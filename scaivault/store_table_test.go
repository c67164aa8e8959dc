// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

const (
	appPath   = "environments/production/billing/database"
	vaultPath = "kv/data/apps/billing/db"
)

var (
	valueA = map[string]any{"password": "value-a"}
	valueB = map[string]any{"password": "value-b"}
)

// A pair is both services in memory, and a Store on top of them.
type pair struct {
	scai   *scaivaulttest.Server
	vault  *scaivaulttest.Vault
	client *scaivault.Client
	source *vault.Source
	store  *scaivault.Store
	flag   *switchFlag
}

// A switchFlag is flipped by the test.
type switchFlag struct{ stage func() scaivault.Stage }

func (f *switchFlag) Stage(context.Context, string) scaivault.Stage { return f.stage() }

func constant(s scaivault.Stage) *switchFlag {
	return &switchFlag{stage: func() scaivault.Stage { return s }}
}

func newPair(t *testing.T, flag *switchFlag, change ...func(*scaivault.StoreConfig)) *pair {
	t.Helper()
	p := &pair{
		flag:  flag,
		scai:  scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{NoLimits: true}),
		vault: scaivaulttest.NewVault(t),
	}
	p.vault.Mount("kv", 2)
	var err error
	p.client, err = scaivault.NewClient(scaivault.ClientConfig{
		URLs:       []string{"http://127.0.0.1"},
		Token:      scaivault.StaticToken(p.scai.IssueToken("sa:app")),
		HTTPClient: &http.Client{Transport: p.scai.RoundTripper()},
	})
	require.NoError(t, err)
	conf := api.DefaultConfig()
	conf.Address = "http://127.0.0.1"
	conf.HttpClient = &http.Client{Transport: p.vault.RoundTripper()}
	vc, err := api.NewClient(conf)
	require.NoError(t, err)
	vc.SetToken(p.vault.RootToken())
	p.source, err = vault.NewSource(vault.Config{Client: vc})
	require.NoError(t, err)
	m, err := scaivault.NewMapping(
		scaivault.Rule{Vault: vaultPath, ScaiVault: appPath},
		scaivault.Rule{Vault: "kv/data/fed/**", ScaiVault: "external/vault/**", Proxied: true},
		scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	require.NoError(t, err)
	cfg := scaivault.StoreConfig{ScaiVault: p.client, Vault: p.source, Mapping: m, Flag: flag}
	for _, c := range change {
		c(&cfg)
	}
	p.store, err = scaivault.NewStore(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, p.store.Close())
		require.NoError(t, p.source.Close())
		require.NoError(t, p.client.Close())
	})
	return p
}

// The answers of a source, in the order of the rows and columns below.
var answers = []string{"value", "other value", "not found", "denied", "unauthenticated", "rate limited", "5xx", "refused", "hangs", "malformed", "balancer"}

const balancerPage = "<html><h1>403 Forbidden</h1>value-a</html>"

// scaiAnswers makes ScaiVault answer a read so.
func (p *pair) scaiAnswers(answer string) {
	p.scai.Seed(appPath, valueA)
	switch answer {
	case "other value":
		p.scai.Seed(appPath, valueB)
	case "refused":
		p.scai.SetDown(true)
	default:
		if f, ok := faultOf(answer); ok {
			f.Path = "/v1/secrets/**"
			p.scai.Inject(f)
		}
	}
}

// vaultAnswers makes Vault answer a read so.
func (p *pair) vaultAnswers(answer string) {
	p.vault.Seed(vaultPath, valueA)
	switch answer {
	case "other value":
		p.vault.Seed(vaultPath, valueB)
	case "refused":
		p.vault.SetDown(true)
	default:
		if f, ok := faultOf(answer); ok {
			f.Path = "/v1/kv/**"
			p.vault.Inject(f)
		}
	}
}

func faultOf(answer string) (scaivaulttest.Fault, bool) {
	switch answer {
	case "not found":
		return scaivaulttest.Fault{Status: 404, Code: "secret_not_found"}, true
	case "denied":
		return scaivaulttest.Fault{Status: 403, Code: "access_denied", Message: "permission denied"}, true
	case "unauthenticated":
		return scaivaulttest.Fault{Status: 401, Code: "token_expired"}, true
	case "rate limited":
		return scaivaulttest.Fault{Status: 429, Code: "rate_limited", Header: http.Header{"Retry-After": {"60"}}}, true
	case "5xx":
		return scaivaulttest.Fault{Status: 503, Code: "service_unavailable"}, true
	case "hangs":
		return scaivaulttest.Fault{Hang: true}, true
	case "malformed":
		return scaivaulttest.Fault{Status: 200, Body: `{"data": {"password": "val`, ContentType: "application/json"}, true
	case "balancer":
		return scaivaulttest.Fault{Status: 403, Body: balancerPage, ContentType: "text/html"}, true
	default:
		return scaivaulttest.Fault{}, false
	}
}

// The tables. A row is ScaiVault's answer, a column Vault's, both in the order
// of answers. A cell is the expected result:
//
//	sA sB vA vB  the value A or B, from ScaiVault or Vault; with ! by failover
//	nf pd ua rl un  the error ErrNotFound, ErrPermission, ErrUnauthenticated, ErrRateLimited, ErrUnavailable
const vaultAlone = `
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un`

const canaryFirst = `
 sA  vB  nf  pd  sA! sA! sA! sA! sA! sA! sA!
 vA  sB  nf  pd  sB! sB! sB! sB! sB! sB! sB!
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un`

const canaryDirty = `
 vA  vB  nf  pd  sA! sA! sA! sA! sA! sA! sA!
 vA  vB  nf  pd  sB! sB! sB! sB! sB! sB! sB!
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un
 vA  vB  nf  pd  ua  rl  un  un  un  un  un`

const canaryClean = `
 sA  sA  sA  sA  sA  sA  sA  sA  sA  sA  sA
 sB  sB  sB  sB  sB  sB  sB  sB  sB  sB  sB
 vA! vB! nf  pd  ua  rl  un  un  un  un  un
 vA! vB! nf  pd  ua  rl  un  un  un  un  un
 vA! vB! nf  pd  ua  rl  un  un  un  un  un
 vA! vB! nf  pd  ua  rl  un  un  un  un  un
 vA! vB! nf  pd  ua  rl  un  un  un  un  un
 vA! vB! nf  pd  ua  rl  un  un  un  un  un
 vA! vB! nf  pd  ua  rl  un  un  un  un  un
 vA! vB! nf  pd  ua  rl  un  un  un  un  un
 vA! vB! nf  pd  ua  rl  un  un  un  un  un`

const cutover = `
 sA  sA  sA  sA  sA  sA  sA  sA  sA  sA  sA
 sB  sB  sB  sB  sB  sB  sB  sB  sB  sB  sB
 nf  nf  nf  nf  nf  nf  nf  nf  nf  nf  nf
 pd  pd  pd  pd  pd  pd  pd  pd  pd  pd  pd
 vA! vB! ua  ua  ua  ua  ua  ua  ua  ua  ua
 vA! vB! rl  rl  rl  rl  rl  rl  rl  rl  rl
 vA! vB! un  un  un  un  un  un  un  un  un
 vA! vB! un  un  un  un  un  un  un  un  un
 vA! vB! un  un  un  un  un  un  un  un  un
 vA! vB! un  un  un  un  un  un  un  un  un
 vA! vB! un  un  un  un  un  un  un  un  un`

const scaiVaultAlone = `
 sA  sA  sA  sA  sA  sA  sA  sA  sA  sA  sA
 sB  sB  sB  sB  sB  sB  sB  sB  sB  sB  sB
 nf  nf  nf  nf  nf  nf  nf  nf  nf  nf  nf
 pd  pd  pd  pd  pd  pd  pd  pd  pd  pd  pd
 ua  ua  ua  ua  ua  ua  ua  ua  ua  ua  ua
 rl  rl  rl  rl  rl  rl  rl  rl  rl  rl  rl
 un  un  un  un  un  un  un  un  un  un  un
 un  un  un  un  un  un  un  un  un  un  un
 un  un  un  un  un  un  un  un  un  un  un
 un  un  un  un  un  un  un  un  un  un  un
 un  un  un  un  un  un  un  un  un  un  un`

// TestReadTable reads through every cell of stage × ScaiVault's answer ×
// Vault's answer, over both wire protocols.
func TestReadTable(t *testing.T) {
	t.Parallel()
	for _, table := range []struct {
		name     string
		stage    scaivault.Stage
		before   string // what both sides answered to a read before
		expected string
	}{
		{"vault", scaivault.StageVault, "", vaultAlone},
		{"shadow", scaivault.StageShadow, "", vaultAlone},
		{"canary, first read", scaivault.StageCanary, "", canaryFirst},
		{"canary, dirty", scaivault.StageCanary, "different", canaryDirty},
		{"canary, clean", scaivault.StageCanary, "equal", canaryClean},
		{"freeze, first read", scaivault.StageFreeze, "", canaryFirst},
		{"freeze, dirty", scaivault.StageFreeze, "different", canaryDirty},
		{"freeze, clean", scaivault.StageFreeze, "equal", canaryClean},
		{"cutover", scaivault.StageCutover, "", cutover},
		{"scaivault", scaivault.StageScaiVault, "", scaiVaultAlone},
	} {
		rows := strings.Split(strings.TrimPrefix(table.expected, "\n"), "\n")
		require.Len(t, rows, len(answers))
		for i, row := range rows {
			cells := strings.Fields(row)
			require.Len(t, cells, len(answers))
			for j, cell := range cells {
				t.Run(fmt.Sprintf("%s/scaivault %s/vault %s", table.name, answers[i], answers[j]), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						readCell(t, table.stage, table.before, answers[i], answers[j], cell)
					})
				})
			}
		}
	}
}

func readCell(t *testing.T, stage scaivault.Stage, before, scaiAnswer, vaultAnswer, want string) {
	p := newPair(t, constant(stage))
	p.prepare(t, before)
	p.scaiAnswers(scaiAnswer)
	p.vaultAnswers(vaultAnswer)
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	secret, err := p.store.Get(ctx, appPath)
	require.Equal(t, want, cellOf(secret, err))
	require.Less(t, time.Since(start), 10*time.Second, "a source that hangs must not take all of the caller's time")
	if secret != nil {
		require.Equal(t, appPath, secret.Path())
		require.False(t, strings.Contains(fmt.Sprint(secret), "value-"), "printed in clear")
		return
	}
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "value-")
	require.NotContains(t, err.Error(), "\n")
}

// prepare makes the path clean or dirty by a read of two sides that are equal
// or not.
func (p *pair) prepare(t *testing.T, before string) {
	t.Helper()
	if before == "" {
		return
	}
	p.vault.Seed(vaultPath, valueA)
	p.scai.Seed(appPath, valueA)
	if before == "different" {
		p.scai.Seed(appPath, valueB)
	}
	_, err := p.store.Get(t.Context(), appPath)
	require.NoError(t, err)
}

// cellOf writes a result as the tables do.
func cellOf(secret *scaivault.Secret, err error) string {
	if err != nil {
		return kindOf(err)
	}
	password, _ := secret.Field("password")
	cell := secret.Source()[:1] + map[string]string{"value-a": "A", "value-b": "B"}[password]
	if secret.Failover() {
		cell += "!"
	}
	return cell
}

func kindOf(err error) string {
	for _, k := range []struct {
		name string
		kind error
	}{
		{"nf", scaivault.ErrNotFound},
		{"pd", scaivault.ErrPermission},
		{"ua", scaivault.ErrUnauthenticated},
		{"rl", scaivault.ErrRateLimited},
		{"un", scaivault.ErrUnavailable},
		{"uc", scaivault.ErrUncertain},
		{"cf", scaivault.ErrConflict},
		{"iv", scaivault.ErrInvalid},
		{"fz", scaivault.ErrFrozen},
		{"cl", scaivault.ErrClosed},
	} {
		if errors.Is(err, k.kind) {
			return k.name
		}
	}
	return "??"
}
