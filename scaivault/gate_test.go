// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// newGated is a pair whose flag d is behind a Gate, and that compares every read.
func newGated(t *testing.T, d *lever, gate scaivault.Gate, change ...func(*scaivault.StoreConfig)) *pair {
	t.Helper()
	gate.Flag = d
	return newPair(t, nil, append([]func(*scaivault.StoreConfig){func(c *scaivault.StoreConfig) {
		c.Flag, c.Compare.SampleRate, c.Verdict.MinSamples = gate, 1, 10
	}}, change...)...)
}

// reads reads a path so often, with time for the comparisons.
func (p *pair) reads(t *testing.T, path string, times int) {
	t.Helper()
	for range times {
		_, err := p.store.Get(t.Context(), path)
		require.NoError(t, err)
		time.Sleep(time.Second)
		synctest.Wait()
	}
}

// stageNow is the stage at which the Store reads a path.
func stageNow(t *testing.T, p *pair, seen *atomic.Uint32) scaivault.Stage {
	t.Helper()
	_, err := p.store.Get(t.Context(), appPath)
	require.NoError(t, err)
	return scaivault.Stage(seen.Load())
}

func traceStage(seen *atomic.Uint32) func(*scaivault.StoreConfig) {
	return func(c *scaivault.StoreConfig) {
		c.Trace = &scaivault.Trace{Get: func(i scaivault.GetInfo) { seen.Store(uint32(i.Stage)) }}
	}
}

// TestGateHoldsUntilTheEvidenceIsThere goes through a whole move: each step is
// held back until enough comparisons at the stage before it were equal.
func TestGateHoldsUntilTheEvidenceIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d lever
		var seen atomic.Uint32
		var text bytes.Buffer
		p := newGated(t, &d, scaivault.Gate{}, traceStage(&seen), func(c *scaivault.StoreConfig) {
			c.Logger, c.Compare.MaxAge = slog.New(slog.NewTextHandler(&text, nil)), time.Second
		})
		p.seedBoth()
		d.set(scaivault.StageVault)
		require.Equal(t, scaivault.StageVault, stageNow(t, p, &seen))
		for _, step := range []struct{ to, meanwhile scaivault.Stage }{
			{scaivault.StageCanary, scaivault.StageShadow},
			{scaivault.StageCutover, scaivault.StageFreeze},
			{scaivault.StageScaiVault, scaivault.StageCutover},
		} {
			require.False(t, p.store.Verdict("**", step.to).Allowed)
			d.set(step.to)
			require.Equal(t, step.meanwhile, stageNow(t, p, &seen))
			held := p.store.Stats().Held
			require.NotZero(t, held)
			p.reads(t, appPath, 12)
			require.Greater(t, p.store.Stats().Held, held)
			v := p.store.Verdict("**", step.to)
			require.True(t, v.Allowed, v.String())
			require.Equal(t, step.to, stageNow(t, p, &seen))
		}
		require.Equal(t, 3, strings.Count(text.String(), "held back"), "said once for each step")
		d.set(scaivault.StageVault)
		require.Equal(t, scaivault.StageVault, stageNow(t, p, &seen), "the way back is open")
	})
}

// TestGateHoldsADifferentPath: a path whose sides differ is held back, with all
// that are judged together with it, until it was quiet for long enough.
func TestGateHoldsADifferentPath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d lever
		var seen atomic.Uint32
		p := newGated(t, &d, scaivault.Gate{Patterns: []string{"environments/production/billing/**"}}, traceStage(&seen),
			func(c *scaivault.StoreConfig) { c.Verdict.MaxMismatchRate, c.Verdict.QuietFor = 0.5, 5*time.Minute })
		p.seedBoth()
		p.scai.Seed(appPath, valueB)
		const other = "environments/production/other/key"
		p.vault.Seed("kv/data/apps/other/key", valueA)
		p.scai.Seed(other, valueA)
		d.set(scaivault.StageShadow)
		p.reads(t, other, 12)
		p.reads(t, appPath, 12)
		d.set(scaivault.StageCanary)
		require.Equal(t, scaivault.StageShadow, stageNow(t, p, &seen))
		_, err := p.store.Get(t.Context(), other)
		require.NoError(t, err)
		require.Equal(t, scaivault.StageCanary, scaivault.Stage(seen.Load()), "is judged alone")
		synctest.Wait()
		v := p.store.Verdict(appPath, scaivault.StageCanary)
		require.ErrorContains(t, fmt.Errorf("%s", v), "13 of 13 comparisons were unequal")
		require.Contains(t, v.String(), "such as "+appPath)

		p.scai.Seed(appPath, valueA)
		p.reads(t, appPath, 30)
		require.Equal(t, scaivault.StageShadow, stageNow(t, p, &seen), "not quiet for long enough")
		require.Contains(t, p.store.Verdict(appPath, scaivault.StageCanary).String(), "wait for 5m0s")
		time.Sleep(5 * time.Minute)
		require.Equal(t, scaivault.StageCanary, stageNow(t, p, &seen))
	})
}

// TestPathHeldFromCutoverIsFrozen: it is read as at canary and not written, as
// another instance may write to ScaiVault already.
func TestPathHeldFromCutoverIsFrozen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d lever
		p := newGated(t, &d, scaivault.Gate{})
		p.seedBoth()
		d.set(scaivault.StageCanary)
		require.Equal(t, "sA", p.get(t))
		d.set(scaivault.StageCutover)
		require.Equal(t, "sA", p.get(t))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := p.store.Put(ctx, appPath, valueB, nil)
		require.ErrorIs(t, err, scaivault.ErrFrozen)
		require.False(t, p.holdsB(true) || p.holdsB(false))
		d.set(scaivault.StageFreeze)
		require.Equal(t, "sA", p.get(t))
		d.set(scaivault.StageCanary)
		_, err = p.store.Put(t.Context(), appPath, valueB, nil)
		require.NoError(t, err)
		require.True(t, p.holdsB(true))
	})
}

// TestGateLetsAStartedServiceIn: what a process asks for the first time takes the
// stage that the flag says.
func TestGateLetsAStartedServiceIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d lever
		d.set(scaivault.StageCutover)
		p := newGated(t, &d, scaivault.Gate{})
		p.seedBoth()
		require.Equal(t, "sA", p.get(t))
		_, err := p.store.Put(t.Context(), appPath, valueB, nil)
		require.NoError(t, err)
		require.True(t, p.holdsB(false))
		require.Zero(t, p.store.Stats().Held)
	})
}

// TestHeldPathIsReleasedThoughItIsCached: a hit does not outlive the verdict.
func TestHeldPathIsReleasedThoughItIsCached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		flag := &countedLever{}
		flag.set(scaivault.StageShadow)
		var seen atomic.Uint32
		p := newPair(t, nil, traceStage(&seen), func(c *scaivault.StoreConfig) {
			c.Flag, c.Compare.SampleRate, c.Verdict.MinSamples = &scaivault.Gate{Flag: flag}, 1, 10
			c.Cache.TTL = time.Hour
		})
		p.seedBoth()
		require.Equal(t, scaivault.StageShadow, stageNow(t, p, &seen))
		flag.set(scaivault.StageCanary)
		for range 20 {
			require.Equal(t, scaivault.StageShadow, stageNow(t, p, &seen))
		}
		for range 10 {
			_, err := p.store.Refresh(t.Context(), appPath)
			require.NoError(t, err)
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		require.Equal(t, scaivault.StageCanary, stageNow(t, p, &seen))
	})
}

// TestVerdictChecks: each threshold speaks for itself.
func TestVerdictChecks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageShadow), func(c *scaivault.StoreConfig) {
			c.Compare.SampleRate, c.Verdict = 1, scaivault.VerdictConfig{MinSamples: 10, MaxErrorRate: 0.2, MaxMismatchRate: -1, QuietFor: -1, Window: 10 * time.Minute}
		})
		p.seedBoth()
		failing := func(v scaivault.Verdict) (names []string) {
			for _, c := range v.Checks {
				assert.Equal(t, c.OK, c.Reason == "", "%+v", c)
				assert.NotEmpty(t, c.Value)
				assert.NotEmpty(t, c.Threshold)
				if !c.OK {
					names = append(names, c.Name)
				}
			}
			assert.Equal(t, v.Allowed, len(names) == 0)
			return names
		}
		verdict := func() []string { return failing(p.store.Verdict("**", scaivault.StageCanary)) }
		require.Equal(t, []string{"samples"}, verdict())
		p.reads(t, appPath, 10)
		require.Empty(t, verdict())
		require.Equal(t, []string{"samples"}, failing(p.store.Verdict("**", scaivault.StageCutover)), "what was seen at shadow is no evidence for cutover")
		require.Equal(t, []string{"samples"}, failing(p.store.Verdict("shared/**", scaivault.StageCanary)))

		broken := p.scai.Inject(scaivaulttest.Fault{Status: 503, Body: "down"})
		p.reads(t, appPath, 3)
		require.Equal(t, []string{"errors"}, verdict())
		broken()
		p.reads(t, appPath, 10)
		require.Empty(t, verdict())

		p.scai.Seed(appPath, valueB)
		p.reads(t, appPath, 1)
		require.Equal(t, []string{"mismatches", "differing"}, verdict())
		p.scai.Seed(appPath, valueA)
		p.reads(t, appPath, 1)
		require.Equal(t, []string{"mismatches"}, verdict())
		time.Sleep(10 * time.Minute)
		require.Equal(t, []string{"samples"}, verdict(), "what is older than the window does not count")

		require.Equal(t, []string{"pattern"}, failing(p.store.Verdict("Not/**", scaivault.StageCanary)))
		require.Equal(t, []string{"stage"}, failing(p.store.Verdict("**", scaivault.StageUnknown)))
		require.True(t, p.store.Verdict("**", scaivault.StageShadow).Allowed)
	})
}

// TestVerdictWaitsForRepairs: the authority does not move while a write is still
// to be copied.
func TestVerdictWaitsForRepairs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCanary), func(c *scaivault.StoreConfig) {
			c.Compare.MaxAge, c.Verdict.MinSamples, c.Verdict.MaxErrorRate = time.Second, 3, 1
		})
		p.seedBoth()
		p.reads(t, appPath, 10)
		v := p.store.Verdict("**", scaivault.StageCutover)
		require.True(t, v.Allowed, v.String())
		p.setDown(false, true)
		_, err := p.store.Put(t.Context(), appPath, valueB, nil)
		require.NoError(t, err)
		v = p.store.Verdict(appPath, scaivault.StageCutover)
		require.Contains(t, v.String(), "1 writes are still to be copied")
		require.NotContains(t, p.store.Verdict("shared/**", scaivault.StageCutover).String(), "still to be copied")
		p.setDown(false, false)
	})
}

// TestProxiedPathIsNoEvidence: it is counted apart, read from Vault when ScaiVault
// is gone, and never compared.
func TestProxiedPathIsNoEvidence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var infos []scaivault.GetInfo
		p := newPair(t, constant(scaivault.StageCutover), func(c *scaivault.StoreConfig) {
			c.Compare.SampleRate = 1
			c.Trace = &scaivault.Trace{Get: func(i scaivault.GetInfo) { infos = append(infos, i) }}
		})
		const federated = "external/vault/db"
		p.vault.Seed("kv/data/fed/db", valueA)
		p.scai.SetDown(true)
		secret, err := p.store.Get(t.Context(), federated)
		require.NoError(t, err)
		require.Equal(t, "vA!", cellOf(secret, nil))
		require.True(t, infos[0].Proxied)
		require.Equal(t, uint64(1), p.store.Stats().Proxied)
		require.Zero(t, p.store.Stats().Compared)
		require.False(t, p.store.Verdict("external/**", scaivault.StageScaiVault).Allowed)
		_, err = p.store.Put(t.Context(), federated, valueB, nil)
		require.ErrorIs(t, err, scaivault.ErrInvalid)
		require.ErrorContains(t, err, "federated to Vault (kv/data/fed/db)")
		p.scai.SetDown(false)
	})
}

func TestGateRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	source := &plainSource{name: "scaivault"}
	gate := scaivault.Gate{Flag: scaivault.StageScaiVault}
	for hint, flag := range map[string]scaivault.Flag{
		"Gate.Flag: is nil":             scaivault.Gate{},
		"can match no path":             scaivault.Gate{Flag: scaivault.StageScaiVault, Patterns: []string{"UPPER/**"}},
		"inside of another flag":        scaivault.PathFlags{{Pattern: "**", Flag: gate}},
		"put it around the whole flag":  scaivault.Gate{Flag: gate},
		"stands inside of another flag": scaivault.Rollout{From: gate, To: &gate},
	} {
		_, err := scaivault.NewStore(scaivault.StoreConfig{ScaiVault: source, Flag: flag})
		require.ErrorIs(t, err, scaivault.ErrInvalid, hint)
		require.ErrorContains(t, err, hint)
	}
	_, err := scaivault.NewStore(scaivault.StoreConfig{ScaiVault: source, Verdict: scaivault.VerdictConfig{MaxErrorRate: 2, Window: -1}})
	require.ErrorContains(t, err, "Verdict.Window")
	require.ErrorContains(t, err, "a rate of 2 is not a part")
}
