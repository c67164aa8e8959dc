// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
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

// A mirrorLog collects what a Trace is told of mirrors.
type mirrorLog struct {
	mu  sync.Mutex
	all []scaivault.MirrorInfo
}

func (l *mirrorLog) add(i scaivault.MirrorInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, i)
}

func (l *mirrorLog) last() scaivault.MirrorInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[len(l.all)-1]
}

// putWhileDown writes value-b at a stage whose mirror is down.
func putWhileDown(t *testing.T, p *pair, vaultRules bool) {
	t.Helper()
	p.seedBoth()
	p.setDown(!vaultRules, true)
	w, err := p.store.Put(t.Context(), appPath, valueB, nil)
	require.NoError(t, err)
	require.Error(t, w.Mirror)
	require.Equal(t, 1, p.store.Stats().RepairsWaiting)
}

// TestFailedMirrorIsRepaired: when the other side is back, it gets what it missed.
func TestFailedMirrorIsRepaired(t *testing.T) {
	t.Parallel()
	for _, stage := range []scaivault.Stage{scaivault.StageCanary, scaivault.StageCutover} {
		synctest.Test(t, func(t *testing.T) {
			var told mirrorLog
			var text bytes.Buffer
			p := newPair(t, constant(stage), func(c *scaivault.StoreConfig) {
				c.Trace = &scaivault.Trace{Mirror: told.add}
				c.Logger = slog.New(slog.NewTextHandler(&text, nil))
			})
			vaultRules := stage == scaivault.StageCanary
			p.seedBoth()
			require.Equal(t, "sA", p.get(t))
			putWhileDown(t, p, vaultRules)
			require.Equal(t, scaivault.MirrorWaiting, told.last().Outcome)
			time.Sleep(10 * time.Minute)
			require.Equal(t, 1, p.store.Stats().RepairsWaiting)
			require.Equal(t, scaivault.MirrorWaiting, told.last().Outcome)
			require.Greater(t, told.last().Tries, 10)
			for range 100 { // comparisons that fail make the next ones rarer
				require.Equal(t, map[bool]string{true: "vB", false: "sB"}[vaultRules], p.get(t))
				time.Sleep(time.Second)
			}
			p.setDown(!vaultRules, false)
			time.Sleep(time.Minute)
			synctest.Wait()
			require.True(t, p.holdsB(!vaultRules))
			stats := p.store.Stats()
			require.Equal(t, [3]uint64{0, 1, 0}, [3]uint64{uint64(stats.RepairsWaiting), stats.Repaired, stats.RepairsGivenUp})
			require.Equal(t, scaivault.MirrorDone, told.last().Outcome)
			require.NoError(t, told.last().Err)
			require.Equal(t, map[bool]string{true: "scaivault", false: "vault"}[vaultRules], told.last().Mirror)
			scaivaulttest.AssertNoLeak(t, "value-b", text.String(), fmt.Sprintf("%+v", told.all))
			if vaultRules {
				require.Equal(t, "vB", p.get(t), "Vault answers until the sides were compared")
				synctest.Wait()
				require.Equal(t, "sB", p.get(t))
			}
		})
	}
}

// TestRepairCopiesTheNewestValueOnce: what the authority holds when the mirror is
// back, whoever wrote it, in one write.
func TestRepairCopiesTheNewestValueOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCutover))
		putWhileDown(t, p, false)
		_, err := p.store.Put(t.Context(), appPath, map[string]any{"password": "value-c"}, nil)
		require.NoError(t, err)
		_, err = p.client.Put(t.Context(), appPath, map[string]any{"password": "value-d"}, nil)
		require.NoError(t, err)
		p.setDown(true, false)
		before := len(p.vault.Requests())
		time.Sleep(time.Minute)
		synctest.Wait()
		raw, _ := p.vault.Value(vaultPath)
		require.JSONEq(t, `{"password":"value-d"}`, string(raw))
		writes := 0
		for _, r := range p.vault.Requests()[before:] {
			if r.Method != http.MethodGet && r.Path == "/v1/"+vaultPath {
				writes++
			}
		}
		require.Equal(t, 1, writes)
		require.Zero(t, p.store.Stats().RepairsWaiting)
	})
}

// TestLaterWriteEndsTheRepair: a Put whose own mirror succeeds leaves nothing to
// repair.
func TestLaterWriteEndsTheRepair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCutover))
		putWhileDown(t, p, false)
		p.setDown(true, false)
		w, err := p.store.Put(t.Context(), appPath, valueC, nil)
		require.NoError(t, err)
		require.NoError(t, w.Mirror)
		stats := p.store.Stats()
		require.Zero(t, stats.RepairsWaiting)
		require.Equal(t, uint64(1), stats.Repaired)
	})
}

// TestRepairLooksAtTheStage: what waits is dropped where the path's stage does not
// copy that way any more, and finished at freeze.
func TestRepairLooksAtTheStage(t *testing.T) {
	t.Parallel()
	for next, mirrored := range map[scaivault.Stage]bool{
		scaivault.StageFreeze: true, scaivault.StageCutover: true,
		scaivault.StageCanary: false, scaivault.StageVault: false, scaivault.StageShadow: false, scaivault.StageScaiVault: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			var stage atomic.Uint32
			stage.Store(uint32(scaivault.StageCutover))
			p := newPair(t, &switchFlag{stage: func() scaivault.Stage { return scaivault.Stage(stage.Load()) }})
			putWhileDown(t, p, false)
			stage.Store(uint32(next))
			p.setDown(true, false)
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, mirrored, p.holdsB(true), next.String())
			stats := p.store.Stats()
			require.Zero(t, stats.RepairsWaiting)
			require.Equal(t, mirrored, stats.RepairsDropped == 0)
		})
	}
}

// TestRepairHasLimits: it ends after RepairFor, more than MaxRepairs do not wait,
// and a negative RepairFor switches it off; each time it is said.
func TestRepairHasLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mirror  scaivault.MirrorConfig
		waiting int // after the writes
		givenUp uint64
		later   uint64 // given up in the end
	}{
		"time":     {scaivault.MirrorConfig{RepairFor: time.Minute}, 3, 0, 3},
		"number":   {scaivault.MirrorConfig{MaxRepairs: 2}, 2, 1, 1},
		"disabled": {scaivault.MirrorConfig{RepairFor: -1}, 0, 3, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			var text bytes.Buffer
			p := newPair(t, constant(scaivault.StageCutover), func(cfg *scaivault.StoreConfig) {
				cfg.Mirror, cfg.Logger = c.mirror, slog.New(slog.NewTextHandler(&text, nil))
			})
			p.setDown(true, true)
			for i := range 3 {
				_, err := p.store.Put(t.Context(), fmt.Sprintf("environments/production/p%d", i), valueB, nil)
				require.NoError(t, err)
			}
			stats := p.store.Stats()
			require.Equal(t, c.waiting, stats.RepairsWaiting, name)
			require.Equal(t, c.givenUp, stats.RepairsGivenUp, name)
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			require.Equal(t, c.later, p.store.Stats().RepairsGivenUp, name)
			require.Contains(t, text.String(), "a write will not be mirrored", name)
		})
	}
}

// TestOutageOfTheMirrorIsNotHammered: however many paths wait, few requests go to
// a mirror that gives no answers.
func TestOutageOfTheMirrorIsNotHammered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCutover))
		down := p.vault.Inject(scaivaulttest.Fault{Path: "/v1/kv/**", Status: 503, Body: "sealed"})
		const paths = 200
		for i := range paths {
			_, err := p.store.Put(t.Context(), fmt.Sprintf("environments/production/p%d", i), valueB, nil)
			require.NoError(t, err)
		}
		before := len(p.vault.Requests())
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		require.Less(t, len(p.vault.Requests())-before, 20*60/10)
		require.Equal(t, paths, p.store.Stats().RepairsWaiting)
		down()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Zero(t, p.store.Stats().RepairsWaiting)
		for i := range paths {
			_, ok := p.vault.Value(fmt.Sprintf("kv/data/apps/p%d", i))
			require.True(t, ok)
		}
	})
}

// TestOnePathThatCannotBeMirroredStopsNoOther: what the mirror refuses for one
// path says nothing about the rest.
func TestOnePathThatCannotBeMirroredStopsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCutover))
		p.vault.Inject(scaivaulttest.Fault{Method: http.MethodPut, Path: "/v1/kv/data/apps/bad", Status: 500, Body: "broken"})
		for _, path := range []string{"bad", "good1", "good2"} {
			if path != "bad" {
				p.setDown(true, true)
			}
			_, err := p.store.Put(t.Context(), "environments/production/"+path, valueB, nil)
			require.NoError(t, err)
		}
		require.Equal(t, 3, p.store.Stats().RepairsWaiting)
		p.setDown(true, false)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		require.Equal(t, 1, p.store.Stats().RepairsWaiting)
		require.Equal(t, uint64(2), p.store.Stats().Repaired)
	})
}

// TestCloseFlushesRepairs: what waits is tried once more, and Close does not wait
// for a mirror that stays away.
func TestCloseFlushesRepairs(t *testing.T) {
	t.Parallel()
	for _, back := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, constant(scaivault.StageCutover), func(c *scaivault.StoreConfig) { c.Mirror.Timeout = 3 * time.Second })
			p.seedBoth()
			answer := p.vault.Inject(scaivaulttest.Fault{Path: "/v1/kv/**", Hang: true})
			for i := range 5 {
				_, err := p.store.Put(t.Context(), fmt.Sprintf("environments/production/p%d", i), valueB, nil)
				require.NoError(t, err)
			}
			if back {
				answer()
			}
			start := time.Now()
			require.NoError(t, p.store.Close())
			require.LessOrEqual(t, time.Since(start), 6*time.Second, "one try under way, and one more")
			_, ok := p.vault.Value("kv/data/apps/p0")
			require.Equal(t, back, ok)
			stats := p.store.Stats()
			require.Zero(t, stats.RepairsWaiting)
			require.Equal(t, map[bool]uint64{true: 0, false: 5}[back], stats.RepairsGivenUp)
			require.NoError(t, p.store.Close())
		})
	}
}

// TestUncertainWriteIsMirroredIfItWasDone: a Put that cannot say whether the
// authority has it leaves no mirror behind.
func TestUncertainWriteIsMirroredIfItWasDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCutover))
		p.seedBoth()
		lost := p.scai.Inject(scaivaulttest.Fault{Method: http.MethodPut, After: true, Hang: true})
		gone := p.scai.Inject(scaivaulttest.Fault{Method: http.MethodGet, Status: 503, Body: "down"})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := p.store.Put(ctx, appPath, valueB, nil)
		require.ErrorIs(t, err, scaivault.ErrUncertain)
		lost()
		gone()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.True(t, p.holdsB(false))
		require.True(t, p.holdsB(true))
	})
}

// TestMirrorKnownToBeBehindDoesNotAnswer: an older value never takes the place of
// one that this Store has written, while that one may be served.
func TestMirrorKnownToBeBehindDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, stale := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, constant(scaivault.StageCutover), func(c *scaivault.StoreConfig) {
				c.Cache = scaivault.CacheConfig{TTL: time.Minute, StaleFor: stale}
			})
			putWhileDown(t, p, false)
			p.setDown(true, false)
			p.setDown(false, true)
			for range 5 {
				want := "vA!"
				if stale > 0 {
					want = "sB"
				}
				secret, err := p.store.Get(t.Context(), appPath)
				require.NoError(t, err)
				require.Equal(t, want, cellOf(secret, nil))
				require.Equal(t, stale > 0, secret.Stale() > 0)
			}
			p.setDown(false, false)
		})
	}
}

// TestRepairsNeverPutAnOlderValueOverANewer: through outages of either side and
// many writers, both sides end with the same, and what was acknowledged last.
func TestRepairsNeverPutAnOlderValueOverANewer(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		stage := []scaivault.Stage{scaivault.StageCanary, scaivault.StageCutover}[seed%2]
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			p := newPair(t, constant(stage))
			p.seedBoth()
			vaultRules := stage == scaivault.StageCanary
			var writers sync.WaitGroup
			for i := range 4 {
				pause := time.Duration(random.IntN(3000)) * time.Millisecond
				writers.Go(func() {
					for j := range 15 {
						w, err := p.store.Put(t.Context(), appPath, map[string]any{"password": fmt.Sprintf("%d-%d", i, j)}, nil)
						if assert.NoError(t, err) {
							assert.NotZero(t, w.Version)
						}
						time.Sleep(pause)
					}
				})
			}
			for range 10 {
				p.setDown(!vaultRules, true)
				time.Sleep(time.Duration(random.IntN(4000)) * time.Millisecond)
				p.setDown(!vaultRules, false)
				time.Sleep(time.Duration(random.IntN(4000)) * time.Millisecond)
			}
			writers.Wait()
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			require.Zero(t, p.store.Stats().RepairsWaiting)
			inVault, _ := p.vault.Value(vaultPath)
			inScai, _ := p.scai.Value(appPath)
			require.JSONEq(t, string(inVault), string(inScai))
			require.NotContains(t, string(inVault), "value-a")
		})
	}
}
