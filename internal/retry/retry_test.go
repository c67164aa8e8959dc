// SPDX-License-Identifier: Apache-2.0

package retry_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/retry"
)

func TestZeroBoundsAreTheDefaults(t *testing.T) {
	t.Parallel()
	var b retry.Bounds
	require.Equal(t, 2, b.Repeats())
	require.Equal(t, 50, b.NewBudget().Left())
	require.Zero(t, retry.Bounds{MaxRetries: -1}.Repeats())
	require.False(t, retry.Bounds{Budget: -1}.NewBudget().Bounded())
	waits := b.Waits()
	for _, bound := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		wait := waits.NextBackOff()
		require.GreaterOrEqual(t, wait, time.Duration(0))
		require.LessOrEqual(t, wait, bound)
	}
}

func TestBudgetIsSpentByFailuresAndEarnedBySuccesses(t *testing.T) {
	t.Parallel()
	b := retry.NewBudget(2)
	require.True(t, b.Failed())
	require.True(t, b.Failed())
	require.False(t, b.Failed(), "two may be repeated")
	for range 11 {
		b.Succeeded()
	}
	require.Equal(t, 0, b.Left())
	for range 10 {
		b.Succeeded()
	}
	require.True(t, b.Failed())
	unbounded := retry.NewBudget(-1)
	for range 1000 {
		require.True(t, unbounded.Failed())
	}
}

func TestSleepDoesNotOutlastCtx(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		require.True(t, retry.Sleep(t.Context(), time.Second))
		require.Equal(t, time.Second, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.False(t, retry.Sleep(ctx, time.Second), "at once, as it could not end in time")
		require.Equal(t, time.Second, time.Since(start))
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		require.False(t, retry.Sleep(ctx, time.Hour))
		require.Equal(t, 2*time.Second, time.Since(start))
	})
}
