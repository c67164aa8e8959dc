// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// A diary is what a Trace was told, in order.
type diary struct {
	mu          sync.Mutex // guards all below
	logins      []vault.LoginInfo
	renewals    []vault.RenewalInfo
	revocations []vault.RevocationInfo
}

func (d *diary) trace() *vault.Trace {
	return &vault.Trace{
		Login:   func(i vault.LoginInfo) { d.mu.Lock(); defer d.mu.Unlock(); d.logins = append(d.logins, i) },
		Renewal: func(i vault.RenewalInfo) { d.mu.Lock(); defer d.mu.Unlock(); d.renewals = append(d.renewals, i) },
		Revocation: func(i vault.RevocationInfo) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.revocations = append(d.revocations, i)
		},
	}
}

func (d *diary) counts() (logins, renewals, revocations int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.logins), len(d.renewals), len(d.revocations)
}

const revokeSelf, renewSelf = "/v1/auth/token/revoke-self", "/v1/auth/token/renew-self"

func TestTokenIsRenewedInTheBackgroundBeforeItsLeaseEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, d := &method{ttl: "1h", policy: "root"}, &diary{}
		v, s := small(t, func(c *vault.Config) { c.Auth, c.Trace = m, d.trace() })
		v.Seed(kvPath, map[string]any{"p": "q"})
		require.NoError(t, read(t, s))
		time.Sleep(24 * time.Hour) // nobody asks for anything
		require.EqualValues(t, 1, m.logins.Load(), "renewed, and not replaced")
		renewals := v.RequestCount(http.MethodPut, renewSelf)
		require.Greater(t, renewals, 24)
		require.Less(t, renewals, 24*2)
		require.NoError(t, read(t, s))
		require.EqualValues(t, 1, m.logins.Load())
		logins, told, _ := d.counts()
		require.Equal(t, 1, logins)
		require.Equal(t, renewals, told)
		require.Equal(t, time.Hour, d.logins[0].Lease)
		require.True(t, d.logins[0].Renewable)
		require.NotEmpty(t, d.logins[0].Why)
		require.Equal(t, time.Hour, d.renewals[0].Lease)
		require.NoError(t, s.Close())
		time.Sleep(2 * time.Hour)
		require.Equal(t, renewals, v.RequestCount(http.MethodPut, renewSelf), "none after Close")
		require.Equal(t, 1, v.RequestCount(http.MethodPut, revokeSelf))
		require.Len(t, d.revocations, 1)
	})
}

// limited logs in for tokens that no renewal carries beyond 90 minutes.
func limited(t *testing.T) (*scaivaulttest.Vault, *vault.Source, *diary) {
	t.Helper()
	d := &diary{}
	var v *scaivaulttest.Vault
	v, s := small(t, func(c *vault.Config) {
		c.Trace = d.trace()
		c.Auth = &method{ttl: "1h", max: "90m", policy: "root"}
	})
	v.Seed(kvPath, map[string]any{"p": "q"})
	return v, s, d
}

func TestTokenThatCannotBeRenewedLongerIsReplacedAndGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s, d := limited(t)
		require.NoError(t, read(t, s))
		for range 24 * 60 {
			time.Sleep(time.Minute)
			require.NoError(t, read(t, s))
		}
		synctest.Wait()
		logins, renewals, revocations := d.counts()
		require.Greater(t, logins, 12)
		require.Less(t, logins, 24)
		require.Greater(t, renewals, logins/2)
		require.LessOrEqual(t, renewals, 2*logins, "a renewal that gives little is the last one")
		require.Equal(t, logins-1, revocations, "leases do not pile up")
		require.Equal(t, logins-1, v.RequestCount(http.MethodPut, revokeSelf))
		for _, revoked := range d.revocations {
			require.NoError(t, revoked.Err)
		}
	})
}

func TestTokenServesToItsEndWhileRenewalAndLoginFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s, m := leased(t)
		require.NoError(t, read(t, s))
		m.setFail(errors.New(canary))
		v.Inject(scaivaulttest.Fault{Path: renewSelf, Status: 403, Code: "x", Message: "permission denied"})
		for range 59 {
			time.Sleep(time.Minute)
			require.NoError(t, read(t, s))
		}
		synctest.Wait()
		tries := m.logins.Load()
		require.Greater(t, tries, int32(10), "it is tried again and again")
		require.Less(t, tries, int32(60), "and not all the time")
		time.Sleep(2 * time.Minute)
		err := read(t, s)
		require.ErrorIs(t, err, scaivault.ErrUnavailable, "the lease has ended")
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), canary)
		m.fail.Store(nil)
		require.NoError(t, read(t, s))
	})
}

func TestLoginThatIsRefusedForGoodIsTriedLessAndLess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s, m := leased(t)
		m.setFail(&api.ResponseError{StatusCode: 400, Errors: []string{"invalid role or secret ID"}})
		for range 60 * 60 { // an hour with a read each second
			require.ErrorIs(t, read(t, s), scaivault.ErrUnauthenticated)
			time.Sleep(time.Second)
		}
		require.Less(t, m.logins.Load(), int32(70), "about one a minute")
		m.fail.Store(nil)
		time.Sleep(time.Minute)
		require.NoError(t, read(t, s), "mended, it works within a minute")
	})
}

func TestLoginWithoutAnAnswerIsNotTriedAtEachRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s, m := leased(t)
		m.setFail(errors.New("no route to host"))
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				for range 10 {
					assert.ErrorIs(t, read(t, s), scaivault.ErrUnavailable)
				}
			})
		}
		all.Wait()
		require.LessOrEqual(t, m.logins.Load(), int32(20), "of 1,000 reads")
	})
}

func TestTokenThatIsAlwaysRefusedMakesNoStormOfLogins(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault scaivaulttest.Fault
		most  int32
	}{
		"each token":               {scaivaulttest.Fault{Path: "/v1/kv/**"}, 1 + 60/10 + 3},
		"the writes of each token": {scaivaulttest.Fault{Path: "/v1/kv/**", Method: http.MethodPut}, 1 + 60/10 + 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v, s, m := leased(t)
				require.NoError(t, read(t, s))
				c.fault.Status, c.fault.Code, c.fault.Message = 403, "x", "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"
				v.Inject(c.fault)
				for range 600 {
					_ = read(t, s)
					_, err := s.Put(t.Context(), kvPath, map[string]any{"p": "q"}, nil)
					require.ErrorIs(t, err, scaivault.ErrUnauthenticated)
					time.Sleep(100 * time.Millisecond)
				}
				require.LessOrEqual(t, m.logins.Load(), c.most, "in a minute")
			})
		})
	}
}

func TestRevokedTokenFailsNoCall(t *testing.T) {
	t.Parallel()
	v, s, m := leased(t)
	require.NoError(t, read(t, s))
	root := clientOf(t, "http://127.0.0.1:8200", v.RoundTripper())
	_, err := root.Logical().WriteWithContext(t.Context(), "auth/token/revoke", map[string]any{"token": m.last()})
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { assert.NoError(t, read(t, s)) })
	}
	all.Wait()
	require.EqualValues(t, 2, m.logins.Load(), "one login for all")
}

func TestPolicysRefusalIsNoReasonToLogIn(t *testing.T) {
	t.Parallel()
	v, s, m := leased(t)
	v.Inject(scaivaulttest.Fault{Path: "/v1/kv/**", Status: 403, Code: "x", Message: "1 error occurred:\n\t* permission denied\n\n"})
	for range 100 {
		require.ErrorIs(t, read(t, s), scaivault.ErrPermission)
	}
	require.EqualValues(t, 1, m.logins.Load())
	require.Equal(t, 1, v.RequestCount("", "/v1/auth/token/lookup-self"))
}

func TestLoginGoesToTheNextAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, 3)
		c.nodes[0].SetDown(true)
		c.nodes[1].Seal()
		m := &method{ttl: "1h", policy: "root"}
		s := c.source(t, func(c *vault.Config) { c.Auth = m })
		require.NoError(t, read(t, s))
		require.EqualValues(t, 1, m.logins.Load())
	})
}
