// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestCloseOfTheTokenCache cancels what is under way and leaves nothing behind.
func TestCloseOfTheTokenCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &mint{life: time.Hour}
		c, closeCache := scaivault.CacheTokens(scaivault.FetchFunc(m.fetch))
		requireToken(t, c)
		m.takes = time.Minute
		var wg sync.WaitGroup
		start := time.Now()
		for range 10 {
			wg.Go(func() {
				_, err := c.Renew(t.Context(), "skt_1")
				requireMatches(t, err, scaivault.ErrClosed)
			})
		}
		synctest.Wait()
		wg.Go(closeCache)
		closeCache()
		wg.Wait()
		require.Zero(t, time.Since(start))
		_, err := c.Token(t.Context())
		requireMatches(t, err, scaivault.ErrClosed)
		_, err = c.Renew(t.Context(), "skt_1")
		requireMatches(t, err, scaivault.ErrClosed)
		time.Sleep(24 * time.Hour)
		require.EqualValues(t, 2, m.requests.Load())
	})
}

// TestCloseLetsCallsGoWhoseSourceDoesNotListen, and waits for the source.
func TestCloseLetsCallsGoWhoseSourceDoesNotListen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, closeCache := scaivault.CacheTokens(scaivault.FetchFunc(func(context.Context) (string, time.Time, error) {
			time.Sleep(time.Minute)
			return "skt_1", time.Time{}, nil
		}))
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.Token(t.Context())
			requireMatches(t, err, scaivault.ErrClosed)
			require.Zero(t, time.Since(start))
		})
		synctest.Wait()
		closeCache()
		require.Equal(t, time.Minute, time.Since(start))
		wg.Wait()
	})
}

// TestPanicOfATokenSourceIsAnError, and shows nothing of it.
func TestPanicOfATokenSourceIsAnError(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(){
		"a panic":           func() { panic(testToken) },
		"an error":          func() { panic(errors.New(testToken)) },
		"nil":               func() { panic(nil) },
		"the goroutine end": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				broken := true
				tokens := cached(t, scaivault.ClientCredentials{
					ClientID: "sa:billing", ClientSecret: scaivault.TokenFunc(func(context.Context) (string, error) {
						if broken {
							fail()
						}
						return canaryText, nil
					}), HTTPClient: says1(200, `{"access_token":"skt_1"}`),
				})
				_, err := tokens.Token(t.Context())
				requireMatches(t, err, scaivault.ErrUnauthenticated)
				broken = false
				time.Sleep(time.Second)
				require.Equal(t, "skt_1", requireToken(t, tokens))
			})
		})
	}
}

// TestErrorOfATokenSourceKeepsItsCategory.
func TestErrorOfATokenSourceKeepsItsCategory(t *testing.T) {
	t.Parallel()
	foreign := errors.New("the issuer\nis away")
	for name, c := range map[string]struct {
		err  error
		want []error
	}{
		"unavailable":     {&outage, []error{scaivault.ErrUnavailable}},
		"permission":      {&scaivault.Error{Kind: scaivault.ErrPermission, Op: "x"}, []error{scaivault.ErrPermission}},
		"wrapped":         {fmt.Errorf("issuer: %w", &outage), []error{scaivault.ErrUnavailable}},
		"foreign":         {foreign, []error{scaivault.ErrUnauthenticated}},
		"of no call":      {context.Canceled, []error{scaivault.ErrUnauthenticated}},
		"of another call": {fmt.Errorf("read: %w", scaivault.ErrNotFound), []error{scaivault.ErrUnauthenticated}},
		"of no category":  {&scaivault.Error{Op: "x", Err: context.Canceled}, []error{scaivault.ErrUnauthenticated}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokens := cached(t, scaivault.FetchFunc(func(context.Context) (string, time.Time, error) { return "", time.Time{}, c.err }))
			_, err := tokens.Token(t.Context())
			requireMatches(t, err, c.want...)
		})
	}
}
