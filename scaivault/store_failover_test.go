// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// makeClean has both sides say "s1" to a read at canary.
func (d *duo) makeClean(t *testing.T) {
	t.Helper()
	d.vault.now(holds("s1"))
	require.Equal(t, "s1", d.get())
	synctest.Wait()
	d.scai.asked.Store(0)
	d.vault.asked.Store(0)
}

// takesExactly reads and wants the answer after a time.
func (d *duo) takesExactly(t *testing.T, want string, after time.Duration) {
	t.Helper()
	start := time.Now()
	require.Equal(t, want, d.get())
	require.Equal(t, after, time.Since(start))
}

func TestAtCanaryTheFirstAnswerWinsAndTheLoserIsCancelled(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCanary, func(t *testing.T, d *duo) {
		d.makeClean(t)
		d.scai.now(stalls)
		d.vault.now(takes(100*time.Millisecond, holds("v1")))
		d.takesExactly(t, "v1!", 600*time.Millisecond)
		synctest.Wait()
		require.EqualValues(t, 1, d.scai.ended.Load(), "ScaiVault's attempt is cancelled")

		d.scai.now(takes(700*time.Millisecond, holds("s1")))
		d.vault.now(stalls)
		d.takesExactly(t, "s1", 700*time.Millisecond)
		synctest.Wait()
		require.EqualValues(t, 1, d.vault.ended.Load(), "Vault's attempt is cancelled")

		d.scai.now(takes(400*time.Millisecond, holds("s1")))
		d.takesExactly(t, "s1", 400*time.Millisecond)
		require.EqualValues(t, 2, d.vault.asked.Load(), "not asked before After")
	})
}

// TestVaultsNoIsFinalAtCanaryWhenItComesFirst, and the path is clean no longer.
func TestVaultsNoIsFinalAtCanaryWhenItComesFirst(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCanary, func(t *testing.T, d *duo) {
		d.makeClean(t)
		d.scai.now(takes(time.Second, holds("s1")))
		d.vault.now(fails(scaivault.ErrNotFound))
		d.takesExactly(t, "<nf>", 500*time.Millisecond)
		d.scai.now(holds("s1"))
		require.Equal(t, "<nf>", d.get(), "Vault is asked first now")
	})
}

// TestAtCutoverASlowNoStaysANo, and a slow value a value: Vault's is ready and
// not released.
func TestAtCutoverASlowNoStaysANo(t *testing.T) {
	t.Parallel()
	for want, answer := range map[string]behaviour{
		"<nf>": fails(scaivault.ErrNotFound), "<pd>": fails(scaivault.ErrPermission), "s1": holds("s1"),
	} {
		inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
			d.scai.now(takes(1900*time.Millisecond, answer))
			d.takesExactly(t, want, 1900*time.Millisecond)
			require.EqualValues(t, 1, d.vault.asked.Load(), "asked meanwhile")
		})
	}
}

func TestAtCutoverVaultsValueIsReleased(t *testing.T) {
	t.Parallel()
	after := func(d time.Duration) func(*scaivault.StoreConfig) {
		return func(c *scaivault.StoreConfig) { c.Failover.After = d }
	}
	for name, c := range map[string]struct {
		scai, vault behaviour
		after       time.Duration
		takes       time.Duration
	}{
		"when ScaiVault has failed at once":   {fails(scaivault.ErrUnavailable), takes(time.Second, holds("v1")), 0, time.Second},
		"when ScaiVault has failed late":      {takes(700*time.Millisecond, fails(scaivault.ErrUnavailable)), takes(100*time.Millisecond, holds("v1")), 0, 700 * time.Millisecond},
		"when ScaiVault has timed out":        {stalls, takes(time.Second, holds("v1")), 0, 2 * time.Second},
		"without a race, after the time-out":  {stalls, takes(time.Second, holds("v1")), -1, 3 * time.Second},
		"when ScaiVault fails before Vault":   {takes(600*time.Millisecond, fails(scaivault.ErrUnavailable)), takes(400*time.Millisecond, holds("v1")), 0, 900 * time.Millisecond},
		"when the token is not accepted":      {fails(scaivault.ErrUnauthenticated), holds("v1"), 0, 0},
		"when ScaiVault wants to be left":     {rateLimited(time.Minute), holds("v1"), 0, 0},
		"when the source says what no one is": {func(context.Context) (*scaivault.Secret, error) { return nil, nil }, holds("v1"), 0, 0},
	} {
		inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
			d.scai.now(c.scai)
			d.vault.now(c.vault)
			start := time.Now()
			require.Equal(t, "v1!", d.get(), name)
			require.Equal(t, c.takes, time.Since(start), name)
			require.EqualValues(t, 1, d.vault.asked.Load(), name)
		}, after(c.after))
	}
}

// TestWhoHasLittleTimeGetsVaultsValueAtHalfOfIt, and the others still wait.
func TestWhoHasLittleTimeGetsVaultsValueAtHalfOfIt(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
		d.scai.now(takes(900*time.Millisecond, holds("s1")))
		patient := make(chan string)
		go func() { patient <- d.get() }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		start := time.Now()
		require.Equal(t, "v1!", told(d.store.Get(ctx, "a")))
		require.Equal(t, 200*time.Millisecond, time.Since(start))
		require.Equal(t, "s1", <-patient)
	})
}

// TestTheFirstReadAtCanaryReleasesVaultsValueToWhoCannotWait, not what ScaiVault
// said and nobody compared.
func TestTheFirstReadAtCanaryReleasesVaultsValueToWhoCannotWait(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCanary, func(t *testing.T, d *duo) {
		d.scai.now(stalls)
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		start := time.Now()
		require.Equal(t, "v1", told(d.store.Get(ctx, "a")))
		require.Equal(t, 200*time.Millisecond, time.Since(start))
	})
}

// TestWhenBothAreDown there is the stale value, and without one an error with
// every attempt, in order, in one line, that is the authority's.
func TestWhenBothAreDown(t *testing.T) {
	t.Parallel()
	for stage, order := range map[scaivault.Stage][]string{
		scaivault.StageVault: nil, scaivault.StageShadow: nil, scaivault.StageScaiVault: nil,
		scaivault.StageCanary: {"vault", "scaivault"}, scaivault.StageFreeze: {"vault", "scaivault"}, scaivault.StageCutover: {"scaivault", "vault"},
	} {
		inDuo(t, stage, func(t *testing.T, d *duo) {
			cause := errors.New("line 1\nline 2")
			authority, other := d.vault, d.scai
			if stage >= scaivault.StageCutover {
				authority, other = d.scai, d.vault
			}
			authority.now(func(context.Context) (*scaivault.Secret, error) { return nil, cause })
			other.now(fails(scaivault.ErrNotFound))
			for range 10 { // also after the breakers have opened
				_, err := d.store.Get(t.Context(), "a")
				require.ErrorIs(t, err, scaivault.ErrUnavailable)
				require.NotErrorIs(t, err, scaivault.ErrNotFound, "missing there and down here")
				require.Equal(t, 0, strings.Count(err.Error(), "\n"))
				require.ErrorIs(t, err, cause)
				var all *scaivault.FailoverError
				if order == nil {
					require.False(t, errors.As(err, &all))
					continue
				}
				require.ErrorAs(t, err, &all)
				require.Len(t, all.Attempts, 2)
				require.ElementsMatch(t, order, []string{all.Attempts[0].Source, all.Attempts[1].Source})
				require.Contains(t, err.Error(), "stage "+stage.String())
			}
			authority.now(holds("x"))
			time.Sleep(6 * time.Second) // the breakers let one through
			d.get()
			synctest.Wait()
			require.Equal(t, "x", strings.Trim(d.get(), "!"))
			authority.now(func(context.Context) (*scaivault.Secret, error) { return nil, cause })
			time.Sleep(2 * time.Minute)
			require.Equal(t, "x~", strings.Replace(d.get(), "!", "", 1))
		}, caching(time.Minute, time.Hour))
	}
}
