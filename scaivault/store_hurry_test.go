// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestWhoHurriesAtTheFirstReadAtCanaryGetsVaultsValue, also when ScaiVault has
// answered by then: the two are still being compared.
func TestWhoHurriesAtTheFirstReadAtCanaryGetsVaultsValue(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCanary, func(t *testing.T, d *duo) {
		d.vault.now(takes(50*time.Millisecond, holds("v1")))
		d.scai.now(takes(100*time.Millisecond, holds("s1")))
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		start := time.Now()
		require.Equal(t, "v1", told(d.store.Get(ctx, "a")))
		require.Equal(t, 200*time.Millisecond, time.Since(start))
	}, func(c *scaivault.StoreConfig) {
		c.Trace = &scaivault.Trace{Compare: func(scaivault.CompareInfo) { time.Sleep(300 * time.Millisecond) }}
	})
}

// A lateCtx is of a caller that looks for its answer only after a while.
type lateCtx struct {
	context.Context //nolint:containedctx // it is one
	looks           chan struct{}
}

func (c lateCtx) Done() <-chan struct{} {
	<-c.looks
	return c.Context.Done()
}

// TestAPanicAfterTheAnswerOfTheOtherSourceIsNotRaised: who looks late has the
// answer as well.
func TestAPanicAfterTheAnswerOfTheOtherSourceIsNotRaised(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCanary, func(t *testing.T, d *duo) {
		d.makeClean(t)
		d.scai.now(func(ctx context.Context) (*scaivault.Secret, error) {
			<-ctx.Done()
			panic("boom")
		})
		caller := lateCtx{t.Context(), make(chan struct{})}
		go func() {
			time.Sleep(time.Second)
			synctest.Wait()
			close(caller.looks)
		}()
		require.Equal(t, "s1!", told(d.store.Get(caller, "a")))
		require.EqualValues(t, 1, d.store.Stats().Panics)
	})
}
