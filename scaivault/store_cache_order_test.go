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

// TestAWrittenSecretIsNotServedAfterItsEnd, also when nobody answers.
func TestAWrittenSecretIsNotServedAfterItsEnd(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		_, err := d.store.Put(t.Context(), "a", map[string]any{"v": "v2"}, &scaivault.PutOptions{ExpiresIn: 10 * time.Second})
		require.NoError(t, err)
		d.vault.now(fails(scaivault.ErrUnavailable))
		time.Sleep(10*time.Second - 1)
		require.Equal(t, "v2~", d.get())
		time.Sleep(time.Nanosecond)
		require.Equal(t, "<un>", d.get())
	}, caching(time.Hour, time.Hour), withoutBreakers)
}

// TestA429StretchesNoOtherSidesValue: what a side has said that the stage does not
// allow any more is no answer.
func TestA429StretchesNoOtherSidesValue(t *testing.T) {
	t.Parallel()
	for stage, other := range map[scaivault.Stage]scaivault.Stage{
		scaivault.StageVault: scaivault.StageScaiVault, scaivault.StageScaiVault: scaivault.StageShadow,
	} {
		inDuo(t, stage, func(t *testing.T, d *duo) {
			d.get()
			d.lever.set(other)
			d.scai.now(rateLimited(time.Minute))
			d.vault.now(rateLimited(time.Minute))
			require.Equal(t, "<rl>", d.get(), other.String())
		}, caching(time.Hour, time.Hour))
	}
}

// TestA429ThatAnEventOvertookKeepsNobodyFromAsking: it was the answer to a
// question from before the event.
func TestA429ThatAnEventOvertookKeepsNobodyFromAsking(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.get()
		d.vault.now(takes(time.Second, rateLimited(time.Minute)))
		time.AfterFunc(500*time.Millisecond, func() { d.store.Invalidate("a") })
		require.Equal(t, "v1~", told(d.store.Refresh(t.Context(), "a")))
		d.vault.now(holds("v2"))
		require.Equal(t, "v2", d.get())
	}, caching(time.Hour, 0))
}

// TestANoOfTheOldAuthorityTakesNothingAway: it comes after the authority has moved.
func TestANoOfTheOldAuthorityTakesNothingAway(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageScaiVault, func(t *testing.T, d *duo) {
		require.Equal(t, "s1", d.get())
		d.lever.set(scaivault.StageVault)
		d.vault.now(takes(time.Second, fails(scaivault.ErrNotFound)))
		late := make(chan string)
		go func() { late <- d.get() }()
		time.Sleep(500 * time.Millisecond)
		d.lever.set(scaivault.StageScaiVault)
		d.scai.now(fails(scaivault.ErrUnavailable))
		require.Equal(t, "s1~", d.get())
		require.Equal(t, "<nf>", <-late)
		require.Equal(t, "s1~", d.get())
	}, caching(time.Second, time.Hour))
}

// TestAnEventDoesNotMakeAnEarlierNoALaterOne: a read that began before what the
// cache has takes it away neither before the event nor after it.
func TestAnEventDoesNotMakeAnEarlierNoALaterOne(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageVault, func(t *testing.T, d *duo) {
		d.vault.now(takes(time.Second, fails(scaivault.ErrNotFound)))
		late := make(chan string)
		go func() { late <- d.get() }()
		time.Sleep(500 * time.Millisecond)
		d.vault.now(holds("v1"))
		require.Equal(t, "v1", told(d.store.Refresh(t.Context(), "a")))
		d.store.Invalidate("a")
		d.vault.now(fails(scaivault.ErrUnavailable))
		require.Equal(t, "<nf>", <-late)
		require.Equal(t, "v1~", d.get())
	}, caching(time.Hour, time.Hour))
}

// TestAnEventEndsAFailoverAnswerButItMayBeServedStale, as any last known value.
func TestAnEventEndsAFailoverAnswerButItMayBeServedStale(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
		d.scai.now(fails(scaivault.ErrUnavailable))
		require.Equal(t, "v1!", d.get())
		d.vault.now(holds("v2"))
		require.Equal(t, "v1!", d.get(), "from the cache")
		d.store.Invalidate("a")
		require.Equal(t, "v2!", d.get())
		d.store.Invalidate("a")
		d.vault.now(fails(scaivault.ErrUnavailable))
		require.Equal(t, "v2!~", d.get())
		time.Sleep(time.Minute)
		require.Equal(t, "<un>", d.get())
	}, caching(time.Hour, time.Minute), withoutBreakers)
}

// TestAnEventAtCanaryHasTheSidesComparedAnew before an answer.
func TestAnEventAtCanaryHasTheSidesComparedAnew(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCanary, func(t *testing.T, d *duo) {
		d.makeClean(t)
		d.store.Invalidate("a")
		secret, err := d.store.Get(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, "scaivault", secret.Source())
		require.EqualValues(t, 2, d.store.Stats().Equal)
		require.EqualValues(t, 1, d.vault.asked.Load())
	}, caching(time.Hour, 0))
}

// TestADifferenceEndsWhatScaiVaultHasAnswered at canary, however long the cache
// may keep it.
func TestADifferenceEndsWhatScaiVaultHasAnswered(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCanary, func(t *testing.T, d *duo) {
		d.makeClean(t)
		d.vault.now(holds("v2")) // rotated
		time.Sleep(40 * time.Second)
		require.Equal(t, "s1", told(d.store.Refresh(t.Context(), "a")))
		synctest.Wait()
		require.EqualValues(t, 1, d.store.Stats().Different)
		require.Equal(t, "v2", d.get())
	}, caching(time.Hour, 0))
}

// TestVaultsAnswerInPlaceOfScaiVaultsNoIsKept, and what was asked of ScaiVault
// meanwhile is not.
func TestVaultsAnswerInPlaceOfScaiVaultsNoIsKept(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCanary, func(t *testing.T, d *duo) {
		d.makeClean(t)
		d.vault.now(holds("v2"))
		d.scai.now(fails(scaivault.ErrNotFound))
		slow := make(chan string)
		refresh := func(ctx context.Context) string { return told(d.store.Refresh(ctx, "a")) }
		require.Equal(t, "v2!", refresh(t.Context()))
		asked := d.vault.asked.Load()
		require.Equal(t, "v2!", d.get())
		require.Equal(t, asked, d.vault.asked.Load(), "from the cache")

		d.scai.now(holds("v2"))
		time.Sleep(time.Minute)
		require.Equal(t, "v2", refresh(t.Context())) // equal, found in the background
		synctest.Wait()
		d.vault.now(holds("v3"))
		d.scai.now(takes(400*time.Millisecond, fails(scaivault.ErrNotFound)))
		go func() { slow <- refresh(t.Context()) }()
		time.Sleep(100 * time.Millisecond)
		d.scai.now(takes(450*time.Millisecond, holds("v2")))
		later := make(chan string)
		go func() { later <- refresh(t.Context()) }()
		require.Equal(t, "v3!", <-slow)
		require.Equal(t, "v2", <-later)
		require.Contains(t, d.get(), "v3")
	}, caching(time.Hour, 0))
}

// TestVaultsAnswerThatAnEventOvertookIsNotKept, though ScaiVault's no came after
// the event.
func TestVaultsAnswerThatAnEventOvertookIsNotKept(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCanary, func(t *testing.T, d *duo) {
		d.makeClean(t)
		d.scai.now(fails(scaivault.ErrNotFound))
		d.vault.now(takes(time.Second, holds("v2")))
		time.AfterFunc(500*time.Millisecond, func() {
			d.vault.now(holds("v3"))
			d.store.Invalidate("a")
		})
		require.Equal(t, "v2!", told(d.store.Refresh(t.Context(), "a")))
		require.Equal(t, "v3", d.get())
	}, caching(time.Hour, 0))
}
