// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

var valueC = map[string]any{"password": "value-c"}

// TestShortDeadlineLeavesTimeForTheOtherSource: a source that hangs gets no more
// than half of what the caller's deadline leaves.
func TestShortDeadlineLeavesTimeForTheOtherSource(t *testing.T) {
	t.Parallel()
	for stage, want := range map[scaivault.Stage]string{scaivault.StageCutover: "vA!", scaivault.StageCanary: "sA!"} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, constant(stage))
			p.seedBoth()
			if stage == scaivault.StageCutover {
				p.scai.Inject(scaivaulttest.Fault{Hang: true})
			} else {
				p.vault.Inject(scaivaulttest.Fault{Hang: true})
			}
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer cancel()
			secret, err := p.store.Get(ctx, appPath)
			require.NoError(t, err)
			require.Equal(t, want, cellOf(secret, nil))
		})
	}
}

// TestMirroredWriteKeepsThePathClean: after a Put whose mirror succeeded,
// ScaiVault answers at once, with the new value; while the Put is under way,
// Vault does.
func TestMirroredWriteKeepsThePathClean(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCanary))
		p.seedBoth()
		require.Equal(t, "sA", p.get(t))
		p.scai.Inject(scaivaulttest.Fault{Method: http.MethodPut, Delay: time.Second})
		done := make(chan struct{})
		go func() {
			defer close(done)
			w, err := p.store.Put(t.Context(), appPath, valueB, nil)
			assert.NoError(t, err)
			assert.NoError(t, w.Mirror)
		}()
		time.Sleep(500 * time.Millisecond)
		require.Equal(t, "vB", p.get(t), "the mirror is not written yet")
		<-done
		require.Equal(t, "sB", p.get(t))
	})
}

// TestComparisonBegunBeforeAWriteCountsNot: what it saw is no longer so.
func TestComparisonBegunBeforeAWriteCountsNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCanary), func(c *scaivault.StoreConfig) {
			c.Mirror.Disabled, c.Compare.Timeout, c.Failover.After = true, 5*time.Second, 5*time.Second
		})
		p.seedBoth()
		p.scai.Inject(scaivaulttest.Fault{Method: http.MethodGet, Delay: time.Second, Count: 1})
		first := make(chan string)
		go func() { first <- p.get(t) }()
		time.Sleep(500 * time.Millisecond)
		_, err := p.store.Put(t.Context(), appPath, valueB, nil)
		require.NoError(t, err)
		require.Equal(t, "sA", <-first, "it was right when it began")
		require.Equal(t, "vB", p.get(t))
	})
}

// TestNoOfScaiVaultMakesThePathDirty: Vault has it and ScaiVault says that there
// is none, so the two are not equal.
func TestNoOfScaiVaultMakesThePathDirty(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCanary))
		p.seedBoth()
		require.Equal(t, "sA", p.get(t))
		p.scai.Inject(scaivaulttest.Fault{Status: 404, Code: "secret_not_found", Count: 1})
		require.Equal(t, "vA!", p.get(t))
		require.Equal(t, "vA", p.get(t), "Vault first now")
	})
}

// TestMissingTenantIsNoAbsence: at cutover Vault answers in its place.
func TestMissingTenantIsNoAbsence(t *testing.T) {
	t.Parallel()
	p := newPair(t, constant(scaivault.StageCutover))
	p.seedBoth()
	p.scai.Inject(scaivaulttest.Fault{Status: 404, Code: "tenant_not_found"})
	require.Equal(t, "vA!", p.get(t))
}

// TestRevokedTokenIsANo: at cutover it is final, as no new token will come.
func TestRevokedTokenIsANo(t *testing.T) {
	t.Parallel()
	p := newPair(t, constant(scaivault.StageCutover))
	p.seedBoth()
	p.scai.Inject(scaivaulttest.Fault{Status: 401, Code: "token_revoked"})
	require.Equal(t, "ua", p.get(t))
}

// TestMirrorGoesOnUntilTheAuthorityStandsStill: another instance writes between.
func TestMirrorGoesOnUntilTheAuthorityStandsStill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCanary))
		p.seedBoth()
		p.scai.Inject(scaivaulttest.Fault{Method: http.MethodPut, Delay: time.Second})
		time.AfterFunc(500*time.Millisecond, func() { p.vault.Seed(vaultPath, valueC) })
		w, err := p.store.Put(t.Context(), appPath, valueB, nil)
		require.NoError(t, err)
		require.NoError(t, w.Mirror)
		raw, _ := p.scai.Value(appPath)
		require.JSONEq(t, `{"password":"value-c"}`, string(raw))
	})
}

// TestMirrorWritesOnlyWhatDiffers: an equal copy gets no further version.
func TestMirrorWritesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	p := newPair(t, constant(scaivault.StageCanary))
	p.vault.Seed(vaultPath, valueA)
	p.scai.Seed(appPath, valueB)
	w, err := p.store.Put(t.Context(), appPath, valueB, nil)
	require.NoError(t, err)
	require.NoError(t, w.Mirror)
	require.Equal(t, 1, p.scai.SecretVersion(appPath))
}

// TestMirrorGoesOnWhenTheCallerLeaves, and Close waits for it.
func TestMirrorGoesOnWhenTheCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCanary))
		p.seedBoth()
		p.scai.Inject(scaivaulttest.Fault{Method: http.MethodPut, Delay: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		w, err := p.store.Put(ctx, appPath, valueB, nil)
		require.NoError(t, err)
		require.ErrorIs(t, w.Mirror, context.DeadlineExceeded)
		require.False(t, p.holdsB(false))
		require.NoError(t, p.store.Close())
		require.True(t, p.holdsB(false))
	})
}
