// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"net/http"
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

// readAtOnce reads, and it may not take any time: in memory only waiting does.
func readAtOnce(t *testing.T, s *vault.Source) {
	t.Helper()
	start := time.Now()
	require.NoError(t, read(t, s))
	require.Zero(t, time.Since(start), "no call waits for a login")
}

// A renewal without an answer, over and over, is followed by a login while the
// lease still lasts.
func TestLoginTakesThePlaceOfARenewalWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]scaivaulttest.Fault{
		"it hangs":        {Hang: true},
		"it is cut":       {Cut: scaivaulttest.CutInBody},
		"Vault is sealed": {Status: 503, Code: "x", Message: "Vault is sealed"},
		"a limit":         {Status: 429, Code: "x", Message: "request path rate limit quota exceeded"},
		"a page":          {Status: 403, Body: "<html>"},
	} {
		for _, lease := range []time.Duration{20 * time.Second, time.Hour} {
			t.Run(name+", "+lease.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					v, s, m := leased(t)
					m.ttl = lease.String()
					require.NoError(t, read(t, s))
					fault.Path = renewSelf
					v.Inject(fault)
					const leases, reads = 12, 50
					for range leases * reads {
						time.Sleep(lease / reads)
						readAtOnce(t, s)
					}
					synctest.Wait()
					assert.GreaterOrEqual(t, m.logins.Load(), int32(leases))
					assert.LessOrEqual(t, m.logins.Load(), int32(2*leases), "not before the lease is near its end")
					assert.EqualValues(t, v.RequestCount(http.MethodPut, revokeSelf), m.logins.Load()-1, "leases do not pile up")
				})
			})
		}
	}
}

func TestRefusedRenewalIsFollowedByALoginAtOnce(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 403} {
		synctest.Test(t, func(t *testing.T) {
			v, s, m := leased(t)
			require.NoError(t, read(t, s))
			v.Inject(scaivaulttest.Fault{Path: renewSelf, Status: status, Code: "x", Message: "lease is not renewable"})
			time.Sleep(45 * time.Minute)
			require.EqualValues(t, 2, m.logins.Load(), "status %d", status)
		})
	}
}

// After an outage that was longer than the lease, no call pays for the login.
func TestOutageBeyondTheLeaseEndsWithALoginInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s, m := leased(t)
		require.NoError(t, read(t, s))
		v.SetDown(true)
		time.Sleep(5 * time.Hour)
		require.ErrorIs(t, read(t, s), scaivault.ErrUnavailable)
		tries := m.logins.Load()
		require.Greater(t, tries, int32(3*60), "it is tried again and again")
		require.Less(t, tries, int32(6*60), "and not all the time")
		v.SetDown(false)
		time.Sleep(2 * time.Minute)
		logins := m.logins.Load()
		readAtOnce(t, s)
		require.Equal(t, logins, m.logins.Load())
		time.Sleep(30 * time.Minute)
		require.Equal(t, logins, m.logins.Load(), "then there is peace")
	})
}

func TestRefusedLoginIsNotTriedInTheBackgroundWhenTheLeaseHasEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s, m := leased(t)
		require.NoError(t, read(t, s))
		m.setFail(&api.ResponseError{StatusCode: 400, Errors: []string{"invalid role or secret ID"}})
		v.Inject(scaivaulttest.Fault{Path: renewSelf, Status: 403, Code: "x", Message: "permission denied"})
		time.Sleep(time.Hour + time.Minute)
		tries := m.logins.Load()
		require.Greater(t, tries, int32(1))
		time.Sleep(24 * time.Hour)
		require.Equal(t, tries, m.logins.Load(), "nobody asks, and others are not locked out")
		require.ErrorIs(t, read(t, s), scaivault.ErrUnauthenticated)
		require.Equal(t, tries+1, m.logins.Load())
	})
}

// While a renewal is under way a call finds the token revoked, and logs in: the
// renewal's refusal is no reason for another login.
func TestLoginOfACallAndOfTheBackgroundAreOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s, m := leased(t)
		require.NoError(t, read(t, s))
		v.Inject(scaivaulttest.Fault{Path: renewSelf, Delay: 5 * time.Second, Count: 1})
		for v.RequestCount(http.MethodPut, renewSelf) == 0 {
			time.Sleep(time.Second)
		}
		require.NoError(t, revokeLast(t, v, m))
		require.NoError(t, read(t, s))
		require.EqualValues(t, 2, m.logins.Load())
		time.Sleep(time.Minute)
		require.EqualValues(t, 2, m.logins.Load())
		readAtOnce(t, s)
		require.EqualValues(t, 2, m.logins.Load(), "the token in use was not given back")
	})
}

// An outage that ends shortly before the lease does leaves time for an attempt.
func TestOutageThatEndsJustBeforeTheLeaseIsSurvived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s, m := leased(t)
		m.max = m.ttl // so that nothing but a login helps
		for range 10 {
			end := time.Now().Add(time.Hour)
			readAtOnce(t, s)
			time.Sleep(30 * time.Minute)
			v.SetDown(true)
			time.Sleep(time.Until(end) - 20*time.Second)
			v.SetDown(false)
			time.Sleep(time.Until(end) - time.Millisecond)
			logins := m.logins.Load()
			time.Sleep(2 * time.Millisecond)
			readAtOnce(t, s)
			require.Equal(t, logins, m.logins.Load(), "it was made before the lease ended")
			require.NoError(t, revokeLast(t, v, m))
			require.NoError(t, read(t, s)) // begins a new lease
			require.Equal(t, logins+1, m.logins.Load())
		}
	})
}

// revokeLast takes the token of the last login away.
func revokeLast(t *testing.T, v *scaivaulttest.Vault, m *method) error {
	t.Helper()
	root := clientOf(t, "http://127.0.0.1:8200", v.RoundTripper())
	_, err := root.Logical().WriteWithContext(t.Context(), "auth/token/revoke", map[string]any{"token": m.last()})
	return err
}
