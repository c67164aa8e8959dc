// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
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

// It is not parallel: it sets the environment, which api.NewClient reads.
func TestEnvironmentDoesNotReachTheCopy(t *testing.T) {
	var seen http.Header
	srv := httptest.NewServer(mounted(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/auth/token/revoke-self" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		seen = r.Header.Clone()
		says(404, `{"errors":[]}`)(w, r)
	}))
	t.Cleanup(srv.Close)
	client := clientOf(t, srv.URL, nil)
	t.Setenv("VAULT_ADDR", "http://127.0.0.1:1")
	t.Setenv("VAULT_TOKEN", "hvs.of-the-environment")
	t.Setenv("VAULT_NAMESPACE", "of-the-environment")
	t.Setenv("VAULT_WRAP_TTL", "1m")
	t.Setenv("VAULT_MAX_RETRIES", "9")
	s := sourceOf(t, client)
	_, err := s.Get(t.Context(), kvPath)
	require.ErrorIs(t, err, scaivault.ErrNotFound)
	assert.Equal(t, []string{rootToken}, seen.Values("X-Vault-Token"))
	assert.Empty(t, seen.Values("X-Vault-Namespace"))
	assert.Empty(t, seen.Values("X-Vault-Wrap-TTL"))
	client.ClearToken()
	_, err = s.Get(t.Context(), kvPath)
	require.ErrorIs(t, err, scaivault.ErrUnauthenticated)

	var given string
	login := loginFunc(func(_ context.Context, c *api.Client) (*api.Secret, error) {
		given = c.Token()
		return &api.Secret{Auth: &api.SecretAuth{ClientToken: rootToken}}, nil
	})
	_, err = sourceOf(t, client, func(c *vault.Config) { c.Auth = login }).Get(t.Context(), kvPath)
	require.ErrorIs(t, err, scaivault.ErrNotFound)
	assert.Empty(t, given, "a login starts without a token")
}

type loginFunc func(context.Context, *api.Client) (*api.Secret, error)

func (f loginFunc) Login(ctx context.Context, c *api.Client) (*api.Secret, error) { return f(ctx, c) }

func TestLoginWithoutATokenIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]*api.Secret{
		"nothing":               nil,
		"no auth":               {},
		"an empty token":        {Auth: &api.SecretAuth{}},
		"a token with a break":  {Auth: &api.SecretAuth{ClientToken: canary + "\n"}},
		"a wrapped token alone": {WrapInfo: &api.SecretWrapInfo{Token: canary}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s := small(t, func(c *vault.Config) {
				c.Auth = loginFunc(func(context.Context, *api.Client) (*api.Secret, error) { return secret, nil })
			})
			_, err := s.Get(t.Context(), kvPath)
			require.ErrorIs(t, err, scaivault.ErrUnavailable)
			require.NotContains(t, err.Error(), canary)
		})
	}
}

func TestTimeoutBoundsCallsWithoutADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := small(t, func(c *vault.Config) { c.Timeout = 3 * time.Second })
		v.Seed(kvPath, map[string]any{"p": "q"})
		_, err := s.Get(t.Context(), kvPath)
		require.NoError(t, err)
		v.Inject(scaivaulttest.Fault{Hang: true})
		for name, c := range map[string]struct {
			call  func() error
			bound time.Duration
		}{
			"get":    {func() error { _, err := s.Get(t.Context(), kvPath); return err }, 3 * time.Second},
			"put":    {func() error { _, err := s.Put(t.Context(), kvPath, map[string]any{}, nil); return err }, 5 * time.Second},
			"delete": {func() error { return s.Delete(t.Context(), kvPath) }, 5 * time.Second},
			"list":   {func() error { _, err := listed(t, s, "kv/data"); return err }, 3 * time.Second},
			"mounts": {func() error { _, err := s.Mounts(t.Context()); return err }, 3 * time.Second},
		} {
			start := time.Now()
			require.Error(t, c.call(), name)
			require.Equal(t, c.bound, time.Since(start), name)
		}
	})
}

func TestAddressNamespaceAndHeadersAreTheClients(t *testing.T) {
	t.Parallel()
	var seen http.Header
	srv := httptest.NewServer(mounted(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		says(404, `{"errors":[]}`)(w, r)
	}))
	defer srv.Close()
	client := clientOf(t, "https://vault.internal:8200", nil)
	require.NoError(t, client.SetAddress(srv.URL))
	client.SetNamespace("acme/finance")
	client.AddHeader("X-Team", "billing")
	_, err := sourceOf(t, client).Get(t.Context(), kvPath)
	require.ErrorIs(t, err, scaivault.ErrNotFound)
	assert.Equal(t, "acme/finance", seen.Get("X-Vault-Namespace"))
	assert.Equal(t, "billing", seen.Get("X-Team"))
	assert.Equal(t, "true", seen.Get("X-Vault-Request"))
	assert.Equal(t, []string{rootToken}, seen.Values("X-Vault-Token"))
}

func TestUnixSocketIsReached(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
	v.Mount("kv", 2)
	v.Seed(kvPath, map[string]any{"p": "q"})
	socket := filepath.Join(t.TempDir(), "s")
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	require.NoError(t, err)
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: v, ReadHeaderTimeout: time.Second}}
	srv.Start()
	defer srv.Close()
	_, err = sourceOf(t, clientOf(t, "unix://"+socket, nil)).Get(t.Context(), kvPath)
	require.NoError(t, err)
}

func TestLimitOfTheClientIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
		v.Mount("kv", 2)
		v.Seed(kvPath, map[string]any{"p": "q"})
		client := clientOf(t, "http://127.0.0.1:8200", v.RoundTripper())
		client.SetLimiter(1, 1)
		s := sourceOf(t, client)
		start := time.Now()
		for range 5 {
			_, err := s.Get(t.Context(), kvPath)
			require.NoError(t, err)
		}
		require.Equal(t, 5*time.Second, time.Since(start).Round(time.Second), "six requests, the first at once")

		// The library under this one would send at once where there is no turn
		// before the deadline.
		before := len(v.Requests())
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := s.Put(ctx, kvPath, map[string]any{"p": "new"}, nil)
		require.ErrorIs(t, err, scaivault.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, scaivault.ErrUncertain)
		require.IsType(t, &scaivault.Error{}, err)
		require.Len(t, v.Requests(), before)
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		_, err = s.Get(ctx, kvPath)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestTimeoutOfTheClientBoundsEachRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
		v.Mount("kv", 2)
		client := clientOf(t, "http://127.0.0.1:8200", v.RoundTripper())
		client.SetClientTimeout(3 * time.Second)
		s := sourceOf(t, client, once)
		v.Inject(scaivaulttest.Fault{Hang: true})
		start := time.Now()
		_, err := s.Get(t.Context(), kvPath)
		require.ErrorIs(t, err, scaivault.ErrUnavailable)
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestMaxResponseBytesIsExact(t *testing.T) {
	t.Parallel()
	body := `{"request_id":"r","data":{"data":{"p":"` + canary + strings.Repeat("x", 4096) +
		`"},"metadata":{"version":1,"created_time":"2026-01-01T00:00:00Z"}}}`
	chunked := func(w http.ResponseWriter, r *http.Request) {
		says(200, body[:10])(w, r)
		w.(http.Flusher).Flush()
		_, _ = w.Write([]byte(body[10:]))
	}
	for name, answer := range map[string]http.HandlerFunc{"with a length": says(200, body), "chunked": chunked} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(mounted(answer))
			defer srv.Close()
			for size, want := range map[int64]error{int64(len(body)): nil, int64(len(body)) - 1: scaivault.ErrUnavailable} {
				s := sourceOf(t, clientOf(t, srv.URL, nil), func(c *vault.Config) { c.MaxResponseBytes = size })
				_, err := s.Get(t.Context(), kvPath)
				if want == nil {
					require.NoError(t, err)
					continue
				}
				require.ErrorIs(t, err, want)
				require.ErrorContains(t, err, "MaxResponseBytes")
				require.NotContains(t, err.Error(), canary)
			}
		})
	}
	refused := httptest.NewServer(mounted(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		endless(w, r)
	}))
	defer refused.Close()
	_, err := sourceOf(t, clientOf(t, refused.URL, nil)).Get(t.Context(), kvPath)
	require.ErrorIs(t, err, scaivault.ErrUnavailable)
	require.ErrorContains(t, err, "larger than")
}

func TestTransportErrorsAreTold(t *testing.T) {
	t.Parallel()
	tls := httptest.NewTLSServer(mounted(says(404, `{"errors":[]}`)))
	defer tls.Close()
	plain := httptest.NewServer(mounted(says(404, `{"errors":[]}`)))
	defer plain.Close()
	garbage, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := garbage.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 " + canary + " \r\n\r\n"))
			_ = conn.Close()
		}
	}()
	defer func() { _ = garbage.Close(); <-served }()
	for name, c := range map[string]struct{ address, says string }{
		"a certificate that nobody signed": {tls.URL, "is not trusted; give Config.Client the authority"},
		"plain http behind https":          {strings.Replace(plain.URL, "http:", "https:", 1), "plain http"},
		"a host that does not exist":       {"https://vault.invalid:8200", "vault.invalid"},
		"no HTTP at all":                   {"http://" + garbage.Addr().String(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sourceOf(t, clientOf(t, c.address, nil)).Get(t.Context(), kvPath)
			require.ErrorIs(t, err, scaivault.ErrUnavailable)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), canary)
			require.NotContains(t, err.Error(), "/v1/")
		})
	}
}
