// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// The answers of the authority to a write, and what Put makes of them.
var writeAnswers = []struct {
	name  string
	fault *scaivaulttest.Fault // nil: none
	down  bool
	want  string // "ok" or a kind, as in the tables of reads
	done  bool   // the authority holds the new value afterwards
}{
	{name: "takes it", want: "ok", done: true},
	{name: "denied", fault: &scaivaulttest.Fault{Status: 403, Code: "access_denied", Message: "permission denied"}, want: "pd"},
	{name: "unauthenticated", fault: &scaivaulttest.Fault{Status: 401, Code: "token_expired"}, want: "ua"},
	{name: "rate limited", fault: &scaivaulttest.Fault{Status: 429, Code: "rate_limited", Header: http.Header{"Retry-After": {"60"}}}, want: "rl"},
	{name: "invalid", fault: &scaivaulttest.Fault{Status: 400, Code: "invalid_request", Message: "bad"}, want: "iv"},
	{name: "5xx, not done", fault: &scaivaulttest.Fault{Status: 503, Code: "service_unavailable"}, want: "uc"},
	{name: "5xx, done", fault: &scaivaulttest.Fault{Status: 502, Body: balancerPage, After: true, Count: 1}, want: "ok", done: true},
	{name: "cut, done", fault: &scaivaulttest.Fault{Cut: scaivaulttest.CutBeforeAnswer, After: true, Count: 1}, want: "ok", done: true},
	{name: "cut in the body, done", fault: &scaivaulttest.Fault{Cut: scaivaulttest.CutInBody, After: true, Count: 1}, want: "ok", done: true},
	{name: "cut, not done", fault: &scaivaulttest.Fault{Cut: scaivaulttest.CutBeforeAnswer}, want: "uc"},
	{name: "hangs", fault: &scaivaulttest.Fault{Hang: true}, want: "uc"},
	{name: "malformed", fault: &scaivaulttest.Fault{Status: 200, Body: `{"data": {`}, want: "uc"},
	{name: "balancer", fault: &scaivaulttest.Fault{Status: 403, Body: balancerPage, ContentType: "text/html"}, want: "un"},
	{name: "refused", down: true, want: "un"},
}

// TestWriteTable writes through every cell of stage × the authority's answer:
// a write goes to the authority or fails, and to nobody in its place.
func TestWriteTable(t *testing.T) {
	t.Parallel()
	for _, stage := range []scaivault.Stage{scaivault.StageVault, scaivault.StageShadow, scaivault.StageCanary, scaivault.StageCutover, scaivault.StageScaiVault} {
		for _, a := range writeAnswers {
			t.Run(stage.String()+"/"+a.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := newPair(t, constant(stage))
					p.seedBoth()
					vaultRules := stage < scaivault.StageCutover
					if a.fault != nil {
						p.injectWrite(vaultRules, *a.fault)
					}
					p.setDown(vaultRules, a.down)
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
					defer cancel()
					w, err := p.store.Put(ctx, appPath, valueB, nil)
					p.setDown(vaultRules, false)
					if a.want != "ok" {
						require.Error(t, err)
						require.Equal(t, a.want, kindOf(err), "%v", err)
						require.Nil(t, w)
						require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "value-")
					} else {
						require.NoError(t, err)
						require.NoError(t, w.Mirror)
						require.Equal(t, 2, w.Version)
					}
					mirrored := a.want == "ok" && (stage == scaivault.StageCanary || stage == scaivault.StageCutover)
					require.Equal(t, a.done, p.holdsB(vaultRules), "the authority")
					require.Equal(t, mirrored, p.holdsB(!vaultRules), "the other side")
				})
			})
		}
	}
}

func (p *pair) seedBoth() {
	p.vault.Seed(vaultPath, valueA)
	p.scai.Seed(appPath, valueA)
}

func (p *pair) injectWrite(inVault bool, f scaivaulttest.Fault) {
	if inVault {
		f.Path = "/v1/kv/data/**"
		p.vault.Inject(f)
		return
	}
	f.Path = "/v1/secrets/**"
	p.scai.Inject(f)
}

func (p *pair) setDown(inVault, down bool) {
	if inVault {
		p.vault.SetDown(down)
	} else {
		p.scai.SetDown(down)
	}
}

func (p *pair) holdsB(inVault bool) bool {
	if inVault {
		raw, _ := p.vault.Value(vaultPath)
		return string(raw) == `{"password":"value-b"}`
	}
	raw, _ := p.scai.Value(appPath)
	return string(raw) == `{"password":"value-b"}`
}

// TestMirrorNeverFailsTheWrite: whatever the other side does, the write stands
// and Written.Mirror says that the copy does not.
func TestMirrorNeverFailsTheWrite(t *testing.T) {
	t.Parallel()
	for _, stage := range []scaivault.Stage{scaivault.StageCanary, scaivault.StageCutover} {
		for _, a := range writeAnswers[1:] {
			if a.done {
				continue
			}
			t.Run(stage.String()+"/"+a.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := newPair(t, constant(stage))
					p.seedBoth()
					vaultRules := stage < scaivault.StageCutover
					if a.fault != nil {
						p.injectWrite(!vaultRules, *a.fault)
					}
					p.setDown(!vaultRules, a.down)
					w, err := p.store.Put(t.Context(), appPath, valueB, nil)
					require.NoError(t, err)
					require.Error(t, w.Mirror)
					require.True(t, p.holdsB(vaultRules))
					require.Equal(t, uint64(1), p.store.Stats().MirrorErrors)
					if stage != scaivault.StageCanary {
						return
					}
					secret, err := p.store.Get(t.Context(), appPath)
					require.NoError(t, err)
					require.Equal(t, "vB", cellOf(secret, nil), "a failed mirror makes the path dirty")
				})
			})
		}
	}
}

func TestMirrorAtShadowOnlyIfAsked(t *testing.T) {
	t.Parallel()
	for _, asked := range []bool{false, true} {
		p := newPair(t, constant(scaivault.StageShadow), func(c *scaivault.StoreConfig) { c.Mirror.Shadow = asked })
		p.seedBoth()
		_, err := p.store.Put(t.Context(), appPath, valueB, nil)
		require.NoError(t, err)
		require.Equal(t, asked, p.holdsB(false))
	}
}

func TestMirrorDisabledMakesThePathDirty(t *testing.T) {
	t.Parallel()
	p := newPair(t, constant(scaivault.StageCanary), func(c *scaivault.StoreConfig) { c.Mirror.Disabled = true })
	p.seedBoth()
	secret, err := p.store.Get(t.Context(), appPath)
	require.NoError(t, err)
	require.Equal(t, "sA", cellOf(secret, nil))
	_, err = p.store.Put(t.Context(), appPath, valueB, nil)
	require.NoError(t, err)
	require.False(t, p.holdsB(false))
	secret, err = p.store.Get(t.Context(), appPath)
	require.NoError(t, err)
	require.Equal(t, "vB", cellOf(secret, nil))
}

// TestMirrorCarriesTheMark: a mirrored copy keeps the metadata that was there
// and says what it is a copy of.
func TestMirrorCarriesTheMark(t *testing.T) {
	t.Parallel()
	p := newPair(t, constant(scaivault.StageCanary))
	p.vault.Seed(vaultPath, valueA)
	_, err := p.client.Put(t.Context(), appPath, valueA, &scaivault.PutOptions{Metadata: scaivault.Metadata{Owner: "team:billing"}})
	require.NoError(t, err)
	_, err = p.store.Put(t.Context(), appPath, valueB, nil)
	require.NoError(t, err)
	secret, err := p.client.Get(t.Context(), appPath)
	require.NoError(t, err)
	meta := secret.Info().Metadata
	assert.Equal(t, "team:billing", meta.Owner)
	assert.Equal(t, vaultPath, meta.Values["migration_source"])
	assert.Equal(t, "2", meta.Values["migration_source_version"])
	assert.Equal(t, "2", meta.Values["migration_version"])
	assert.Len(t, meta.Values["migration_write_id"], 32)
}

// TestMirrorsOfManyWritersKeepTheNewestValue: of concurrent writes, both sides
// end with the one that the authority took last.
func TestMirrorsOfManyWritersKeepTheNewestValue(t *testing.T) {
	t.Parallel()
	for _, stage := range []scaivault.Stage{scaivault.StageCanary, scaivault.StageCutover} {
		p := newPair(t, constant(stage))
		p.seedBoth()
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				for j := range 10 {
					w, err := p.store.Put(t.Context(), appPath, map[string]any{"password": fmt.Sprintf("%d-%d", i, j)}, nil)
					if assert.NoError(t, err) {
						assert.NoError(t, w.Mirror)
					}
				}
			})
		}
		group.Wait()
		inVault, _ := p.vault.Value(vaultPath)
		inScai, _ := p.scai.Value(appPath)
		require.Equal(t, string(inVault), string(inScai))
	}
}

// TestMirrorLooksAtTheStageBeforeItWrites: a mirror to what has become the
// authority is dropped; at freeze it brings over the last write.
func TestMirrorLooksAtTheStageBeforeItWrites(t *testing.T) {
	t.Parallel()
	for next, mirrored := range map[scaivault.Stage]bool{scaivault.StageFreeze: true, scaivault.StageCanary: false, scaivault.StageScaiVault: true} {
		synctest.Test(t, func(t *testing.T) {
			var stage atomic.Uint32
			stage.Store(uint32(scaivault.StageCutover))
			p := newPair(t, &switchFlag{stage: func() scaivault.Stage { return scaivault.Stage(stage.Load()) }})
			p.seedBoth()
			p.vault.Inject(scaivaulttest.Fault{Method: http.MethodGet, Path: "/v1/kv/data/**", Delay: time.Second})
			time.AfterFunc(500*time.Millisecond, func() { stage.Store(uint32(next)) })
			w, err := p.store.Put(t.Context(), appPath, valueB, nil)
			require.NoError(t, err)
			require.Equal(t, mirrored, w.Mirror == nil, "%s: %v", next, w.Mirror)
			require.Equal(t, mirrored, p.holdsB(true), next.String())
		})
	}
}

func TestFreezeHoldsWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageFreeze))
		p.seedBoth()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		w, err := p.store.Put(ctx, appPath, valueB, nil)
		require.Nil(t, w)
		require.ErrorIs(t, err, scaivault.ErrFrozen)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(start))
		require.False(t, p.holdsB(true) || p.holdsB(false))
	})
}

// TestFreezeLetsWritesGoOn: a Put that waits writes to the authority of the
// stage that comes after freeze.
func TestFreezeLetsWritesGoOn(t *testing.T) {
	t.Parallel()
	for _, next := range []scaivault.Stage{scaivault.StageCanary, scaivault.StageCutover} {
		synctest.Test(t, func(t *testing.T) {
			var stage atomic.Uint32
			stage.Store(uint32(scaivault.StageFreeze))
			p := newPair(t, &switchFlag{stage: func() scaivault.Stage { return scaivault.Stage(stage.Load()) }})
			p.seedBoth()
			done := make(chan *scaivault.Written, 1)
			go func() {
				w, err := p.store.Put(t.Context(), appPath, valueB, nil)
				assert.NoError(t, err)
				done <- w
			}()
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Empty(t, done, "Put must wait while the path is frozen")
			stage.Store(uint32(next))
			w := <-done
			require.Equal(t, map[bool]string{true: "vault", false: "scaivault"}[next == scaivault.StageCanary], w.Source)
		})
	}
}

func TestCloseEndsFrozenPut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageFreeze))
		failed := make(chan error, 1)
		go func() {
			_, err := p.store.Put(t.Context(), appPath, valueB, nil)
			failed <- err
		}()
		synctest.Wait()
		require.NoError(t, p.store.Close())
		require.ErrorIs(t, <-failed, scaivault.ErrClosed)
		_, err := p.store.Get(t.Context(), appPath)
		require.ErrorIs(t, err, scaivault.ErrClosed)
		_, err = p.store.Put(t.Context(), appPath, valueB, nil)
		require.ErrorIs(t, err, scaivault.ErrClosed)
	})
}

func TestPutRefusesBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	version := 1
	for _, c := range []struct {
		name  string
		stage scaivault.Stage
		path  string
		data  map[string]any
		opts  *scaivault.PutOptions
		hint  string
	}{
		{"IfVersion", scaivault.StageCanary, appPath, valueB, &scaivault.PutOptions{IfVersion: &version}, "IfUnchanged"},
		{"nil data", scaivault.StageCanary, appPath, nil, nil, "map[string]any{}"},
		{"data that is no JSON", scaivault.StageCanary, appPath, map[string]any{"f": func() {}}, nil, `"f"`},
		{"upper case", scaivault.StageCanary, "environments/Prod/x", valueB, nil, "upper-case"},
		{"unmapped at canary", scaivault.StageCanary, "shared/x", valueB, nil, "no rule"},
		{"unmapped at freeze", scaivault.StageFreeze, "shared/x", valueB, nil, "no rule"},
		{"proxied at cutover", scaivault.StageCutover, "external/vault/x", valueB, nil, "federated"},
		{"proxied at scaivault", scaivault.StageScaiVault, "external/vault/x", valueB, nil, "federated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, constant(c.stage))
			_, err := p.store.Put(t.Context(), c.path, c.data, c.opts)
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			require.ErrorContains(t, err, c.hint)
			require.Empty(t, p.scai.Requests())
			require.Empty(t, p.vault.Requests())
		})
	}
}

// TestIfUnchangedComparesAtTheAuthority: a Put loses against another writer.
func TestIfUnchangedComparesAtTheAuthority(t *testing.T) {
	t.Parallel()
	for _, stage := range []scaivault.Stage{scaivault.StageVault, scaivault.StageCanary, scaivault.StageCutover} {
		p := newPair(t, constant(stage))
		p.seedBoth()
		read, err := p.store.Get(t.Context(), appPath)
		require.NoError(t, err)
		p.vault.Seed(vaultPath, map[string]any{"password": "somebody else"})
		p.scai.Seed(appPath, map[string]any{"password": "somebody else"})
		_, err = p.store.Put(t.Context(), appPath, valueB, &scaivault.PutOptions{IfUnchanged: read})
		require.ErrorIs(t, err, scaivault.ErrConflict)
		require.False(t, p.holdsB(true) || p.holdsB(false))
		again, err := p.store.Refresh(t.Context(), appPath)
		require.NoError(t, err)
		_, err = p.store.Put(t.Context(), appPath, valueB, &scaivault.PutOptions{IfUnchanged: again})
		require.NoError(t, err)
	}
}

// TestProxiedPath: a federated path is written to Vault while Vault rules, and
// is never mirrored or compared.
func TestProxiedPath(t *testing.T) {
	t.Parallel()
	p := newPair(t, constant(scaivault.StageCanary))
	w, err := p.store.Put(t.Context(), "external/vault/db", valueA, nil)
	require.NoError(t, err)
	require.Equal(t, "vault", w.Source)
	secret, err := p.store.Get(t.Context(), "external/vault/db")
	require.NoError(t, err)
	require.Equal(t, "vA", cellOf(secret, nil))
	require.Empty(t, p.scai.Requests())
	require.Zero(t, p.store.Stats().Compared)
}
