// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A mint is an issuer of numbered tokens.
type mint struct {
	life     time.Duration // of a token; 0: unknown
	takes    time.Duration // a request
	requests atomic.Int64
	down     atomic.Pointer[scaivault.Error]
	same     bool // each token is the first one
}

func (m *mint) fetch(ctx context.Context) (string, time.Time, error) {
	n := m.requests.Add(1)
	select {
	case <-time.After(m.takes):
	case <-ctx.Done():
		return "", time.Time{}, ctx.Err()
	}
	if e := m.down.Load(); e != nil {
		return "", time.Time{}, e
	}
	if m.same {
		n = 1
	}
	var expires time.Time
	if m.life != 0 {
		expires = time.Now().Add(m.life)
	}
	return fmt.Sprintf("skt_%d", n), expires, nil
}

// cached puts a cache around a source for the time of a test.
func cached(t *testing.T, source any) scaivault.TokenRenewer {
	t.Helper()
	c, closeCache := scaivault.CacheTokens(source)
	t.Cleanup(closeCache)
	return c
}

func (m *mint) cache(t *testing.T) scaivault.TokenRenewer {
	t.Helper()
	return cached(t, scaivault.FetchFunc(m.fetch))
}

var outage = scaivault.Error{Kind: scaivault.ErrUnavailable, Op: "get token", Status: 503}

// requireToken asks for a token that must be there at once.
func requireToken(t *testing.T, c scaivault.TokenSource) string {
	t.Helper()
	start := time.Now()
	token, err := c.Token(t.Context())
	require.NoError(t, err)
	require.Zero(t, time.Since(start), "the call waited")
	return token
}

// TestTokenIsRenewedBeforeItExpires in the background, while calls go on with
// the old one without waiting.
func TestTokenIsRenewedBeforeItExpires(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		life, every time.Duration
		earliest    time.Duration // when the second token may be there
		latest      time.Duration
	}{
		"an hour, many calls":   {time.Hour, time.Second, 55 * time.Minute, 56*time.Minute + 10*time.Second},
		"an hour, few calls":    {time.Hour, 20 * time.Minute, 55 * time.Minute, time.Hour},
		"a minute":              {time.Minute, time.Second, 48 * time.Second, 56 * time.Second},
		"no word of its expiry": {0, time.Second, 55 * time.Minute, 56*time.Minute + 10*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &mint{life: c.life, takes: 5 * time.Second}
				tokens := m.cache(t)
				first, err := tokens.Token(t.Context())
				require.NoError(t, err)
				start := time.Now()
				for requireToken(t, tokens) == first {
					require.Less(t, time.Since(start), c.latest)
					time.Sleep(c.every)
				}
				require.GreaterOrEqual(t, time.Since(start), c.earliest)
				require.EqualValues(t, 2, m.requests.Load())
				for range 5 * 60 {
					requireToken(t, tokens)
					time.Sleep(time.Second)
				}
			})
		})
	}
}

// TestRenewalsOfManyInstancesAreSpread by jitter.
func TestRenewalsOfManyInstancesAreSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		at := map[time.Duration]bool{}
		for range 20 {
			m := &mint{life: time.Hour}
			tokens := m.cache(t)
			requireToken(t, tokens)
			start := time.Now()
			for m.requests.Load() == 1 {
				time.Sleep(time.Second)
				synctest.Wait()
			}
			at[time.Since(start)] = true
		}
		require.Greater(t, len(at), 5)
	})
}

// TestTokenIsRenewedOnlyWhileThereAreCalls: an idle service does not ask for
// ever.
func TestTokenIsRenewedOnlyWhileThereAreCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &mint{life: time.Hour}
		tokens := m.cache(t)
		time.Sleep(24 * time.Hour)
		require.Zero(t, m.requests.Load(), "nothing happens before the first call")
		requireToken(t, tokens)
		time.Sleep(24 * time.Hour)
		require.EqualValues(t, 2, m.requests.Load())
		require.Equal(t, "skt_3", requireToken(t, tokens))
	})
}

// TestTokenThatWasIdleIsRenewedByACall shortly before it ends, which the call
// does not wait for.
func TestTokenThatWasIdleIsRenewedByACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &mint{life: time.Hour}
		tokens := m.cache(t)
		requireToken(t, tokens)
		time.Sleep(113 * time.Minute) // the second one is there since 55 to 56 minutes
		require.Equal(t, "skt_2", requireToken(t, tokens))
		synctest.Wait()
		require.Equal(t, "skt_3", requireToken(t, tokens))
	})
}

// TestOneRequestServesAllWhoWait, and each keeps its own ctx: one who gives up
// costs the others nothing.
func TestOneRequestServesAllWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &mint{life: time.Hour, takes: 5 * time.Second}
		tokens := m.cache(t)
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				switch i % 3 {
				case 1:
					ctx, cancel = context.WithTimeout(ctx, time.Second)
					defer cancel()
				case 2:
					time.AfterFunc(time.Second, cancel)
				}
				start := time.Now()
				token, err := tokens.Token(ctx)
				switch i % 3 {
				case 0:
					assert.NoError(t, err)
					assert.Equal(t, "skt_1", token)
				case 1:
					requireMatches(t, err, scaivault.ErrUnavailable, context.DeadlineExceeded)
					assert.Equal(t, time.Second, time.Since(start))
				case 2:
					requireMatches(t, err, context.Canceled)
				}
			})
		}
		wg.Wait()
		require.Equal(t, "skt_1", requireToken(t, tokens))
		require.EqualValues(t, 1, m.requests.Load())
	})
}

// TestFlightGoesOnWhenAllGiveUp.
func TestFlightGoesOnWhenAllGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &mint{life: time.Hour, takes: 5 * time.Second}
		tokens := m.cache(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := tokens.Token(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		require.Equal(t, "skt_1", requireToken(t, tokens))
	})
}

// TestIssuerThatIsDownFailsNoCallWhileTheTokenIsValid, and is not hammered.
func TestIssuerThatIsDownFailsNoCallWhileTheTokenIsValid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &mint{life: time.Hour}
		tokens := m.cache(t)
		requireToken(t, tokens)
		expires := time.Now().Add(time.Hour)
		m.down.Store(&outage)
		for time.Now().Before(expires) {
			require.Equal(t, "skt_1", requireToken(t, tokens))
			time.Sleep(time.Second / 2)
		}
		require.Less(t, m.requests.Load(), int64(25))
		require.Greater(t, m.requests.Load(), int64(5))

		// From now on there is nothing left.
		before := m.requests.Load()
		for range 600 {
			start := time.Now()
			_, err := tokens.Token(t.Context())
			requireMatches(t, err, scaivault.ErrUnavailable)
			require.Zero(t, time.Since(start))
			time.Sleep(time.Second)
		}
		require.Less(t, m.requests.Load()-before, int64(25))
		m.down.Store(nil)
		time.Sleep(2 * time.Minute)
		requireToken(t, tokens)
	})
}

// TestRenewalIsTriedAgainWithoutACall, so that a service with few calls does
// not see an outage that ends before its token does.
func TestRenewalIsTriedAgainWithoutACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &mint{life: time.Hour, takes: time.Second}
		tokens := m.cache(t)
		_, err := tokens.Token(t.Context())
		require.NoError(t, err)
		m.down.Store(&outage)
		time.Sleep(57 * time.Minute)
		require.Greater(t, m.requests.Load(), int64(2))
		m.down.Store(nil)
		time.Sleep(10 * time.Minute)
		token := requireToken(t, tokens)

		// The next outage is met as the first one was, without a long wait.
		before := m.requests.Load()
		m.down.Store(&outage)
		_, err = tokens.Renew(t.Context(), token)
		requireMatches(t, err, scaivault.ErrUnavailable)
		m.down.Store(nil)
		time.Sleep(time.Second)
		_, err = tokens.Renew(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, before+2, m.requests.Load())
	})
}

// TestCallsWaitForTheIssuerWhenNothingIsLeft, and get the last error at once
// while it is too early for another request.
func TestCallsWaitForTheIssuerWhenNothingIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &mint{life: time.Hour, takes: 5 * time.Second}
		m.down.Store(&outage)
		tokens := m.cache(t)
		start := time.Now()
		_, err := tokens.Token(t.Context())
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.Equal(t, 5*time.Second, time.Since(start))
		for range 1000 {
			_, err = tokens.Token(t.Context())
			requireMatches(t, err, scaivault.ErrUnavailable)
			_, err = tokens.Renew(t.Context(), "")
			requireMatches(t, err, scaivault.ErrUnavailable)
		}
		require.Equal(t, 5*time.Second, time.Since(start))
		require.EqualValues(t, 1, m.requests.Load())
		m.down.Store(nil)
		time.Sleep(time.Second)
		_, err = tokens.Token(t.Context())
		require.NoError(t, err)
	})
}

// TestTokenSourceThatHangsIsLeft after a minute. That is not the end of the
// caller's own ctx.
func TestTokenSourceThatHangsIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &mint{takes: time.Hour}
		start := time.Now()
		_, err := m.cache(t).Token(t.Context())
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.ErrorContains(t, err, "within 1m0s")
		require.Equal(t, time.Minute, time.Since(start))
	})
}

// TestRetryAfterOfTheIssuerIsHonoured, and told for what is left of it; but for
// ten minutes at most.
func TestRetryAfterOfTheIssuerIsHonoured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &mint{life: time.Hour}
		m.down.Store(&scaivault.Error{Kind: scaivault.ErrRateLimited, Op: "get token", RetryAfter: 2 * time.Minute})
		tokens := m.cache(t)
		start := time.Now()
		for time.Since(start) < 2*time.Minute {
			_, err := tokens.Token(t.Context())
			requireMatches(t, err, scaivault.ErrRateLimited)
			require.Equal(t, 2*time.Minute-time.Since(start), requireError(t, err).RetryAfter)
			time.Sleep(time.Second)
		}
		require.EqualValues(t, 1, m.requests.Load())
		m.down.Store(&scaivault.Error{Kind: scaivault.ErrRateLimited, Op: "get token", RetryAfter: 24 * time.Hour})
		_, err := tokens.Token(t.Context())
		requireMatches(t, err, scaivault.ErrRateLimited)
		m.down.Store(nil)
		time.Sleep(10 * time.Minute)
		requireToken(t, tokens)
	})
}

// TestTokensThatAreExpiredWhenTheyCome are used for a while all the same: the
// clocks may differ. No token is so short that there is a request at each call.
func TestTokensThatAreExpiredWhenTheyCome(t *testing.T) {
	t.Parallel()
	for life, most := range map[time.Duration]int64{-time.Hour: 8, time.Millisecond: 76} {
		t.Run(life.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &mint{life: life}
				tokens := m.cache(t)
				for range 600 { // a minute
					requireToken(t, tokens)
					time.Sleep(100 * time.Millisecond)
				}
				require.LessOrEqual(t, m.requests.Load(), most)
				require.GreaterOrEqual(t, m.requests.Load(), most*3/4)
			})
		})
	}
}

// TestRenewReturnsAnotherToken: the one that is there if it is another already,
// without a request.
func TestRenewReturnsAnotherToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &mint{life: time.Hour, takes: time.Second}
		tokens := m.cache(t)
		token, err := tokens.Renew(t.Context(), "skt_of_old")
		require.NoError(t, err)
		require.Equal(t, "skt_1", token)
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				token, err := tokens.Renew(t.Context(), "skt_1")
				assert.NoError(t, err)
				assert.Equal(t, "skt_2", token)
			})
		}
		wg.Wait()
		for range 100 {
			token, err := tokens.Renew(t.Context(), "skt_1")
			require.NoError(t, err)
			require.Equal(t, "skt_2", token)
		}
		require.EqualValues(t, 2, m.requests.Load())
		m.down.Store(&outage)
		_, err = tokens.Renew(t.Context(), "skt_2")
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.Equal(t, "skt_2", requireToken(t, tokens), "what was refused may be good again")
	})
}

// TestRefusalsOfFreshTokensDoNotHammerTheIssuer.
func TestRefusalsOfFreshTokensDoNotHammerTheIssuer(t *testing.T) {
	t.Parallel()
	for name, same := range map[string]bool{"new tokens": false, "the same token": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &mint{life: time.Hour, same: same}
				tokens := m.cache(t)
				token := requireToken(t, tokens)
				for range 600 { // a minute
					var err error
					for range 10 {
						token, err = tokens.Renew(t.Context(), token)
						require.NoError(t, err)
					}
					time.Sleep(100 * time.Millisecond)
				}
				require.LessOrEqual(t, m.requests.Load(), int64(1+5+6))
				require.GreaterOrEqual(t, m.requests.Load(), int64(1+5+5))
				token, err := tokens.Renew(t.Context(), token)
				require.NoError(t, err)
				again, err := tokens.Renew(t.Context(), token)
				require.NoError(t, err)
				require.Equal(t, token, again)
			})
		})
	}
}
