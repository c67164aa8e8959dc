// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
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

// A method makes tokens of the root token, with a lease, and counts.
type method struct {
	ttl    string
	max    string // beyond which nothing renews a token; empty: for ever
	token  atomic.Pointer[string]
	logins atomic.Int32
	fail   atomic.Pointer[error]
	policy string
}

func (m *method) Login(ctx context.Context, client *api.Client) (*api.Secret, error) {
	m.logins.Add(1)
	if err := m.fail.Load(); err != nil {
		return nil, *err
	}
	client.SetToken(rootToken)
	secret, err := client.Logical().WriteWithContext(ctx, "auth/token/create", map[string]any{
		"ttl": m.ttl, "explicit_max_ttl": m.max, "policies": []string{m.policy},
	})
	if err == nil {
		m.token.Store(&secret.Auth.ClientToken)
	}
	return secret, err
}

// last is the token of the last login.
func (m *method) last() string { return *m.token.Load() }

func (m *method) setFail(err error) { m.fail.Store(&err) }

// leased is a small Vault and a Source that logs in for an hour.
func leased(t *testing.T) (*scaivaulttest.Vault, *vault.Source, *method) {
	t.Helper()
	m := &method{ttl: "1h", policy: "root"}
	v, s := small(t, func(c *vault.Config) { c.Auth = m })
	v.Seed(kvPath, map[string]any{"p": "q"})
	return v, s, m
}

func read(t *testing.T, s *vault.Source) error {
	t.Helper()
	_, err := s.Get(t.Context(), kvPath)
	return err
}

func TestLoginThatHangsHoldsNobodyLongerThanTheirCtx(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s, m := leased(t)
		v.Inject(scaivaulttest.Fault{Path: "/v1/auth/**", Hang: true})
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*time.Second)
				defer cancel()
				start := time.Now()
				_, err := s.Get(ctx, kvPath)
				assert.ErrorIs(t, err, scaivault.ErrUnavailable)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Duration(i+1)*time.Second, time.Since(start))
			})
		}
		all.Wait()
		assert.EqualValues(t, 1, m.logins.Load(), "one login, however many wait")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := s.Get(ctx, kvPath)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, s.Close(), "it ends the login")
	})
}

func TestLoginErrorsAreTold(t *testing.T) {
	t.Parallel()
	missing := func() error {
		_, err := os.Open("/nowhere/secret-id")
		return fmt.Errorf("read: %w", err)
	}()
	for name, c := range map[string]struct {
		err  error
		want error
		says string
	}{
		"refused":          {&api.ResponseError{StatusCode: 400, Errors: []string{canary}}, scaivault.ErrUnauthenticated, "credentials"},
		"denied":           {&api.ResponseError{StatusCode: 403, Errors: []string{canary}}, scaivault.ErrUnauthenticated, "credentials"},
		"sealed":           {&api.ResponseError{StatusCode: 503, Errors: []string{canary}}, scaivault.ErrUnavailable, "status 503"},
		"a balancer's 403": {&api.ResponseError{StatusCode: 403, RawError: true, Errors: []string{canary}}, scaivault.ErrUnavailable, "status 403"},
		"rate limited":     {&api.ResponseError{StatusCode: 429}, scaivault.ErrRateLimited, "status 429"},
		"a missing file":   {missing, scaivault.ErrUnavailable, "/nowhere/secret-id"},
		"anything else":    {errors.New(canary), scaivault.ErrUnavailable, "login"},
		"a strange end":    {context.Canceled, scaivault.ErrUnavailable, "login"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s, m := leased(t)
			m.setFail(c.err)
			err := read(t, s)
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.says)
			require.NotErrorIs(t, err, context.Canceled)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), canary)
			var e *scaivault.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, "get", e.Op)
			assert.Equal(t, kvPath, e.Path)
		})
	}
}

func TestRefusedLoginIsNotTriedAtEachRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s, m := leased(t)
		m.setFail(&api.ResponseError{StatusCode: 400, Errors: []string{"invalid role or secret ID"}})
		for range 50 {
			require.ErrorIs(t, read(t, s), scaivault.ErrUnauthenticated)
		}
		require.EqualValues(t, 1, m.logins.Load())
		m.fail.Store(nil)
		time.Sleep(2 * time.Second)
		require.NoError(t, read(t, s))
	})
}

// Older Vaults answer 403 "permission denied" to a token that has expired, as
// to any other refusal.
func TestOldVaultsPlainRefusalIsLookedInto(t *testing.T) {
	t.Parallel()
	const plain = "1 error occurred:\n\t* permission denied\n\n"
	synctest.Test(t, func(t *testing.T) {
		v, s, m := leased(t)
		require.NoError(t, read(t, s))
		denied := scaivaulttest.Fault{Path: "/v1/kv/**", Status: 403, Code: "x", Message: plain, Count: 1}

		v.Inject(denied)
		require.ErrorIs(t, read(t, s), scaivault.ErrPermission)
		require.Equal(t, 1, v.RequestCount("", "/v1/auth/token/lookup-self"), "the token is good")
		v.Inject(denied)
		require.ErrorIs(t, read(t, s), scaivault.ErrPermission)
		require.Equal(t, 1, v.RequestCount("", "/v1/auth/token/lookup-self"), "and stays so for a while")
		require.EqualValues(t, 1, m.logins.Load())

		time.Sleep(2 * time.Minute)
		remove := v.Inject(scaivaulttest.Fault{Path: "/v1/auth/token/lookup-self", Status: 403, Code: "x", Message: plain})
		v.Inject(denied)
		require.NoError(t, read(t, s), "a look that is refused too is worth a login")
		require.EqualValues(t, 2, m.logins.Load())
		v.Inject(denied)
		require.ErrorIs(t, read(t, s), scaivault.ErrPermission, "but not for a token that is new")
		require.EqualValues(t, 2, m.logins.Load())
		remove()

		time.Sleep(2 * time.Minute)
		v.Inject(scaivaulttest.Fault{Path: "/v1/kv/**", Status: 403, Body: "<html>"})
		require.ErrorIs(t, read(t, s), scaivault.ErrUnavailable, "a page says nothing of the token")
		require.EqualValues(t, 2, m.logins.Load())
	})
}

func TestRefusedWriteIsSentAgainWithANewTokenOnly(t *testing.T) {
	t.Parallel()
	v, s, m := leased(t)
	require.NoError(t, read(t, s))
	v.Inject(scaivaulttest.Fault{Method: http.MethodPut, Path: "/v1/kv/data/**", Status: 403, Code: "x", Message: "invalid token", Count: 1})
	written, err := s.Put(t.Context(), kvPath, map[string]any{"p": "new"}, nil)
	require.NoError(t, err)
	assert.Equal(t, 2, written.Version)
	assert.Equal(t, 2, v.RequestCount(http.MethodPut, "/v1/kv/data/**"))
	assert.EqualValues(t, 2, m.logins.Load())
	v.Inject(scaivaulttest.Fault{Method: http.MethodPut, Path: "/v1/kv/data/**", Status: 403, Code: "x", Message: "invalid token"})
	_, err = s.Put(t.Context(), kvPath, map[string]any{"p": "newer"}, nil)
	require.ErrorIs(t, err, scaivault.ErrUnauthenticated)
	assert.Equal(t, 4, v.RequestCount(http.MethodPut, "/v1/kv/data/**"), "once, and once with a new token")
}

func TestCallersTokenThatWasRenewedMeanwhileIsTried(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
	v.Mount("kv", 2)
	v.Seed(kvPath, map[string]any{"p": "q"})
	renewing := &hook{next: v.RoundTripper()}
	client := clientOf(t, "http://127.0.0.1:8200", renewing)
	client.SetToken("hvs.old")
	renewing.before = func(*http.Request) { client.SetToken(rootToken) }
	require.NoError(t, read(t, sourceOf(t, client)))
}

// A hook sees requests before they are sent.
type hook struct {
	next   http.RoundTripper
	before func(*http.Request)
}

func (h *hook) RoundTrip(r *http.Request) (*http.Response, error) {
	h.before(r)
	return h.next.RoundTrip(r)
}

func TestCloseTellsThatATokenCouldNotBeRevoked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault scaivaulttest.Fault
		want  error
	}{
		"revoked before":  {scaivaulttest.Fault{Status: 403, Code: "x", Message: "invalid token"}, nil},
		"a batch token":   {scaivaulttest.Fault{Status: 400, Code: "x", Message: "batch tokens cannot be revoked"}, nil},
		"Vault is sealed": {scaivaulttest.Fault{Status: 503, Code: "x", Message: "Vault is sealed"}, scaivault.ErrUnavailable},
		"Vault hangs":     {scaivaulttest.Fault{Hang: true}, scaivault.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
				v.Mount("kv", 2)
				v.Seed(kvPath, map[string]any{"p": "q"})
				s, err := vault.NewSource(vault.Config{
					Client: clientOf(t, "http://127.0.0.1:8200", v.RoundTripper()),
					Auth:   &method{ttl: "1h", policy: "root"},
				})
				require.NoError(t, err)
				require.NoError(t, read(t, s))
				fault := c.fault
				fault.Path = "/v1/auth/token/revoke-self"
				v.Inject(fault)
				start := time.Now()
				err = s.Close()
				require.LessOrEqual(t, time.Since(start), 5*time.Second)
				if c.want == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, c.want)
				}
				require.NoError(t, s.Close(), "the second has nothing to do")
			})
		})
	}
}

// A lease without an end needs no second login.
func TestTokenWithoutEndStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s, m := leased(t)
		m.ttl = "0"
		require.NoError(t, read(t, s))
		time.Sleep(400 * 24 * time.Hour)
		require.NoError(t, read(t, s))
		require.EqualValues(t, 1, m.logins.Load())
	})
}
