// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestGateLooksAtThePathsOwnLastComparison, also while the verdict of its pattern
// is still the one from before.
func TestGateLooksAtThePathsOwnLastComparison(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d lever
		var seen atomic.Uint32
		p := newGated(t, &d, scaivault.Gate{}, traceStage(&seen))
		p.seedBoth()
		const other = "environments/production/other/key"
		p.vault.Seed("kv/data/apps/other/key", valueA)
		p.scai.Seed(other, valueA)
		at := func(path string) scaivault.Stage {
			_, err := p.store.Get(t.Context(), path)
			require.NoError(t, err)
			synctest.Wait()
			return scaivault.Stage(seen.Load())
		}
		d.set(scaivault.StageShadow)
		p.reads(t, other, 12)
		p.reads(t, appPath, 12)
		start := time.Now()
		d.set(scaivault.StageCanary)
		require.Equal(t, scaivault.StageCanary, at(other))
		d.set(scaivault.StageShadow)
		p.scai.Seed(appPath, valueB)
		require.Equal(t, scaivault.StageShadow, at(appPath))
		d.set(scaivault.StageCanary)
		require.Equal(t, scaivault.StageShadow, at(appPath), "was different a moment ago")
		require.Zero(t, time.Since(start))
	})
}

// TestAVerdictHoldsForASecond: a Gate asks for it no more often, and a Get that the
// cache could answer goes on when it is allowed.
func TestAVerdictHoldsForASecond(t *testing.T) {
	t.Parallel()
	flag := &countedLever{}
	flag.set(scaivault.StageShadow)
	inDuo(t, scaivault.StageShadow, func(t *testing.T, d *duo) {
		d.vault.now(holds("s1"))
		source := func() string {
			secret, err := d.store.Get(t.Context(), "a")
			require.NoError(t, err)
			return secret.Source()
		}
		require.Equal(t, "vault", source())
		flag.set(scaivault.StageCanary)
		require.Equal(t, "vault", source())
		for range 20 {
			_, err := d.store.Refresh(t.Context(), "a")
			require.NoError(t, err)
			synctest.Wait()
		}
		require.True(t, d.store.Verdict("a", scaivault.StageCanary).Allowed)
		time.Sleep(999 * time.Millisecond)
		require.Equal(t, "vault", source())
		time.Sleep(time.Millisecond)
		require.Equal(t, "scaivault", source())
	}, caching(time.Hour, 0), sampling(1), func(c *scaivault.StoreConfig) {
		c.Flag, c.Verdict.MinSamples = &scaivault.Gate{Flag: flag}, 10
	})
}
