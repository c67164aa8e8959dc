// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"context"
	"log/slog"
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

func (p *pair) get(t *testing.T) string {
	t.Helper()
	secret, err := p.store.Get(t.Context(), appPath)
	return cellOf(secret, err)
}

// TestCanaryTrustsForMaxAge: after an equal comparison ScaiVault answers alone;
// the comparison is renewed in the background while the path is read, and
// counts no longer when it is too old.
func TestCanaryTrustsForMaxAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCanary), func(c *scaivault.StoreConfig) { c.Compare.MaxAge = time.Minute })
		p.seedBoth()
		require.Equal(t, "sA", p.get(t))
		asked := len(p.vault.Requests())
		require.Equal(t, "sA", p.get(t))
		require.Len(t, p.vault.Requests(), asked, "a clean path asks Vault for nothing")

		time.Sleep(40 * time.Second)
		require.Equal(t, "sA", p.get(t))
		synctest.Wait()
		require.Greater(t, len(p.vault.Requests()), asked, "the comparison is renewed in the second half of its time")

		time.Sleep(2 * time.Minute)
		p.vault.Seed(vaultPath, valueB)
		require.Equal(t, "vB", p.get(t), "too old a comparison counts no longer")
		synctest.Wait()
		require.Equal(t, uint64(1), p.store.Stats().Different)
	})
}

// TestCanaryFindsARotationInVault: a difference makes the path dirty until the
// sides are equal again.
func TestCanaryFindsARotationInVault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCanary), func(c *scaivault.StoreConfig) { c.Compare.MaxAge = 10 * time.Second })
		p.seedBoth()
		require.Equal(t, "sA", p.get(t))
		p.vault.Seed(vaultPath, valueB)
		time.Sleep(6 * time.Second)
		p.get(t)
		synctest.Wait()
		require.Equal(t, "vB", p.get(t))
		p.scai.Seed(appPath, valueB)
		time.Sleep(time.Minute)
		require.Equal(t, "vB", p.get(t), "Vault first until they are equal again")
		synctest.Wait()
		require.Equal(t, "sB", p.get(t))
	})
}

// TestFirstReadDoesNotWaitForAHangingScaiVault beyond the comparison's limit,
// and later reads do not wait at all.
func TestFirstReadDoesNotWaitForAHangingScaiVault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCanary), func(c *scaivault.StoreConfig) { c.Compare.Timeout = 300 * time.Millisecond })
		p.seedBoth()
		p.scai.Inject(scaivaulttest.Fault{Hang: true})
		start := time.Now()
		require.Equal(t, "vA", p.get(t))
		require.Equal(t, 300*time.Millisecond, time.Since(start))
		start = time.Now()
		require.Equal(t, "vA", p.get(t))
		require.Zero(t, time.Since(start))
	})
}

// TestStageChangeForgetsComparisons: what was compared at canary says nothing
// after the path was at cutover.
func TestStageChangeForgetsComparisons(t *testing.T) {
	t.Parallel()
	var stage atomic.Uint32
	p := newPair(t, &switchFlag{stage: func() scaivault.Stage { return scaivault.Stage(stage.Load()) }})
	set := func(s scaivault.Stage) { stage.Store(uint32(s)) }
	p.seedBoth()
	set(scaivault.StageCanary)
	require.Equal(t, "sA", p.get(t))
	set(scaivault.StageCutover)
	require.Equal(t, "sA", p.get(t))
	p.scai.Seed(appPath, valueB)
	set(scaivault.StageFreeze)
	require.Equal(t, "vA", p.get(t), "the authority is Vault again and the sides differ")
}

// TestFlagIsObeyedAtOnce: the very next read after a flip follows it.
func TestFlagIsObeyedAtOnce(t *testing.T) {
	t.Parallel()
	var stage atomic.Uint32
	p := newPair(t, &switchFlag{stage: func() scaivault.Stage { return scaivault.Stage(stage.Load()) }})
	p.vault.Seed(vaultPath, valueA)
	p.scai.Seed(appPath, valueB)
	for range 20 {
		stage.Store(uint32(scaivault.StageVault))
		require.Equal(t, "vA", p.get(t))
		stage.Store(uint32(scaivault.StageScaiVault))
		require.Equal(t, "sB", p.get(t))
	}
}

// TestUnknownStageKeepsTheLastKnown, also when the flag panics or answers what
// is no stage; before the first answer InitialStage holds.
func TestUnknownStageKeepsTheLastKnown(t *testing.T) {
	t.Parallel()
	var answer atomic.Value
	answer.Store(func() scaivault.Stage { return scaivault.StageUnknown })
	flag := &switchFlag{stage: func() scaivault.Stage { return answer.Load().(func() scaivault.Stage)() }}
	p := newPair(t, flag, func(c *scaivault.StoreConfig) { c.InitialStage = scaivault.StageVault })
	p.vault.Seed(vaultPath, valueA)
	p.scai.Seed(appPath, valueB)
	require.Equal(t, "vA", p.get(t))
	answer.Store(func() scaivault.Stage { return scaivault.StageScaiVault })
	require.Equal(t, "sB", p.get(t))
	for _, silent := range []func() scaivault.Stage{
		func() scaivault.Stage { return scaivault.StageUnknown },
		func() scaivault.Stage { return scaivault.Stage(77) },
		func() scaivault.Stage { panic("the flag service is gone") },
	} {
		answer.Store(silent)
		require.Equal(t, "sB", p.get(t))
	}
	require.Equal(t, uint64(1), p.store.Stats().FlagPanics)
	require.Equal(t, uint64(4), p.store.Stats().FlagUnknown)
}

func TestUnknownStageWithoutInitialStage(t *testing.T) {
	t.Parallel()
	p := newPair(t, constant(scaivault.StageUnknown))
	_, err := p.store.Get(t.Context(), appPath)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	require.ErrorContains(t, err, "InitialStage")
	require.Empty(t, p.vault.Requests())
}

// TestUnmappedPath is an error while Vault is the authority, and ScaiVault's
// alone afterwards.
func TestUnmappedPath(t *testing.T) {
	t.Parallel()
	for stage := scaivault.StageVault; stage <= scaivault.StageScaiVault; stage++ {
		p := newPair(t, constant(stage))
		p.scai.Seed("shared/x", valueA)
		secret, err := p.store.Get(t.Context(), "shared/x")
		if stage < scaivault.StageCutover {
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			require.Empty(t, p.vault.Requests())
			continue
		}
		require.NoError(t, err)
		require.Equal(t, "sA", cellOf(secret, nil))
		w, err := p.store.Put(t.Context(), "shared/x", valueB, nil)
		require.NoError(t, err)
		require.Equal(t, "scaivault", w.Source)
	}
}

// TestSamplesAreComparedEvenly at shadow and cutover, in the background.
func TestSamplesAreComparedEvenly(t *testing.T) {
	t.Parallel()
	for _, stage := range []scaivault.Stage{scaivault.StageShadow, scaivault.StageCutover} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, constant(stage), func(c *scaivault.StoreConfig) { c.Compare.SampleRate = 0.1 })
			p.vault.Seed(vaultPath, valueA)
			p.scai.Seed(appPath, valueB)
			for range 100 {
				p.get(t)
				synctest.Wait()
			}
			require.Equal(t, uint64(10), p.store.Stats().Different)
			require.Equal(t, uint64(10), p.store.Stats().Compared)
		})
	}
}

// TestComparisonNeverDelaysTheRead: a side that hangs costs nothing, what is
// over the bound is dropped and counted, and Close ends what is under way.
func TestComparisonNeverDelaysTheRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageShadow), func(c *scaivault.StoreConfig) {
			c.Compare = scaivault.CompareConfig{SampleRate: 1, Timeout: time.Hour, MaxParallel: 4}
		})
		p.vault.Seed(vaultPath, valueA)
		p.scai.Inject(scaivaulttest.Fault{Hang: true})
		start := time.Now()
		for range 50 {
			require.Equal(t, "vA", p.get(t))
		}
		require.Zero(t, time.Since(start))
		require.Equal(t, uint64(46), p.store.Stats().Dropped)
		require.NoError(t, p.store.Close())
		require.Zero(t, time.Since(start))
	})
}

// TestTraceAndLogNameEverythingButValues.
func TestTraceAndLogNameEverythingButValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var log bytes.Buffer
		var gets []scaivault.GetInfo
		var puts []scaivault.PutInfo
		var compares []scaivault.CompareInfo
		var stage atomic.Uint32
		stage.Store(uint32(scaivault.StageShadow))
		flag := &switchFlag{stage: func() scaivault.Stage { return scaivault.Stage(stage.Load()) }}
		p := newPair(t, flag, func(c *scaivault.StoreConfig) {
			c.Compare.SampleRate = 1
			c.Logger = slog.New(slog.NewTextHandler(&locked{w: &log, mu: &mu}, nil))
			c.Trace = &scaivault.Trace{
				Get:     func(i scaivault.GetInfo) { mu.Lock(); defer mu.Unlock(); gets = append(gets, i) },
				Put:     func(i scaivault.PutInfo) { mu.Lock(); defer mu.Unlock(); puts = append(puts, i) },
				Compare: func(i scaivault.CompareInfo) { mu.Lock(); defer mu.Unlock(); compares = append(compares, i) },
			}
		})
		p.vault.Seed(vaultPath, valueA)
		p.scai.Seed(appPath, valueB)
		require.Equal(t, "vA", p.get(t))
		synctest.Wait()
		stage.Store(uint32(scaivault.StageCutover))
		p.scai.SetDown(true)
		require.Equal(t, "vA!", p.get(t))
		_, err := p.store.Put(t.Context(), appPath, valueB, nil)
		require.ErrorIs(t, err, scaivault.ErrUnavailable)
		synctest.Wait()

		mu.Lock()
		defer mu.Unlock()
		require.Len(t, compares, 1)
		assert.Equal(t, scaivault.CompareDifferent, compares[0].Outcome)
		assert.Equal(t, []string{"password"}, compares[0].Fields)
		require.Len(t, gets, 2)
		assert.True(t, gets[1].Failover)
		assert.Equal(t, "scaivault", gets[1].Attempts[0].Source)
		require.Len(t, puts, 1)
		assert.Equal(t, scaivault.StageCutover, puts[0].Stage)
		assert.Contains(t, log.String(), "password")
		assert.Contains(t, log.String(), "failover")
		assert.NotContains(t, log.String(), "value-")
	})
}

type locked struct {
	w  *bytes.Buffer
	mu *sync.Mutex
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// TestFailoverErrorNamesEveryAttempt and unwraps to the authority's error only:
// missing there and down here must not look like missing.
func TestFailoverErrorNamesEveryAttempt(t *testing.T) {
	t.Parallel()
	p := newPair(t, constant(scaivault.StageCutover))
	p.scai.SetDown(true)
	_, err := p.store.Get(t.Context(), appPath)
	var failover *scaivault.FailoverError
	require.ErrorAs(t, err, &failover)
	require.Len(t, failover.Attempts, 2)
	assert.Equal(t, "scaivault", failover.Attempts[0].Source)
	assert.Equal(t, "vault", failover.Attempts[1].Source)
	assert.ErrorIs(t, failover.Attempts[1].Err, scaivault.ErrNotFound)
	assert.ErrorIs(t, err, scaivault.ErrUnavailable)
	assert.NotErrorIs(t, err, scaivault.ErrNotFound)
	assert.Contains(t, err.Error(), "stage cutover")
	assert.NotContains(t, err.Error(), "\n")
}

// TestCancelledCallerIsNotAnOutage: the caller's own end shows through.
func TestCancelledCallerIsNotAnOutage(t *testing.T) {
	t.Parallel()
	for stage := scaivault.StageVault; stage <= scaivault.StageScaiVault; stage++ {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, constant(stage))
			p.scai.Inject(scaivaulttest.Fault{Hang: true})
			p.vault.Inject(scaivaulttest.Fault{Hang: true})
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			start := time.Now()
			_, err := p.store.Get(ctx, appPath)
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, 100*time.Millisecond, time.Since(start))
		})
	}
}

// TestProxiedSecretAtCutoverAsksVaultWhenScaiVaultIsGone.
func TestProxiedSecretAtCutoverAsksVaultWhenScaiVaultIsGone(t *testing.T) {
	t.Parallel()
	p := newPair(t, constant(scaivault.StageCutover))
	p.vault.Seed("kv/data/fed/db", valueA)
	p.scai.SetDown(true)
	secret, err := p.store.Get(t.Context(), "external/vault/db")
	require.NoError(t, err)
	require.Equal(t, "vA!", cellOf(secret, nil))
}
