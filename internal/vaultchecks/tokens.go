// SPDX-License-Identifier: Apache-2.0

package vaultchecks

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// An appRole logs in, as the approle package of Vault's own module does, and
// counts.
type appRole struct {
	roleID, secretID string
	logins           atomic.Int32
	token            atomic.Pointer[string]
}

func (a *appRole) Login(ctx context.Context, client *api.Client) (*api.Secret, error) {
	a.logins.Add(1)
	secret, err := client.Logical().WriteWithContext(ctx, "auth/approle/login", map[string]any{
		"role_id": a.roleID, "secret_id": a.secretID,
	})
	if err == nil && secret != nil && secret.Auth != nil {
		a.token.Store(&secret.Auth.ClientToken)
		client.SetToken("set by a careless method")
	}
	return secret, err
}

const readerPolicy = `
path "kv/data/*"     { capabilities = ["read", "list"] }
path "kv/metadata/*" { capabilities = ["read", "list"] }
`

func tokenChecks() map[string]func(*lab) {
	return map[string]func(*lab){
		"a reader may read and nothing else": readerToken,
		"an unknown token is ErrUnauthenticated": func(l *lab) {
			l.mount("kv", 2)
			src := l.source("hvs.unknown-and-secret")
			_, err := src.Get(l.Context(), "kv/data/a")
			require.ErrorIs(l, err, scaivault.ErrUnauthenticated)
			assert.NotContains(l, err.Error(), "unknown-and-secret")
			_, err = src.Put(l.Context(), "kv/data/a", map[string]any{"a": "b"}, nil)
			require.ErrorIs(l, err, scaivault.ErrUnauthenticated)
		},
		"the login is lazy, once, and revoked by Close": func(l *lab) {
			l.mount("kv", 2)
			l.seed("kv/data/a", `{"v":"1"}`)
			role := l.appRole(readerPolicy)
			src := l.open(vault.Config{Client: l.client(""), Auth: role})
			assert.Zero(l, role.logins.Load())
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					_, err := src.Get(l.Context(), "kv/data/a")
					assert.NoError(l, err)
				})
			}
			all.Wait()
			assert.EqualValues(l, 1, role.logins.Load())
			token := *role.token.Load()
			_, err := l.source(token).Get(l.Context(), "kv/data/a")
			require.NoError(l, err)
			require.NoError(l, src.Close())
			_, err = l.source(token).Get(l.Context(), "kv/data/a")
			require.ErrorIs(l, err, scaivault.ErrUnauthenticated, "Close has revoked it")
			_, err = src.Get(l.Context(), "kv/data/a")
			require.ErrorIs(l, err, scaivault.ErrClosed)
			require.NoError(l, src.Close())
		},
		"a revoked token is replaced once": func(l *lab) {
			l.mount("kv", 2)
			l.seed("kv/data/a", `{"v":"1"}`)
			role := l.appRole(readerPolicy)
			src := l.open(vault.Config{Client: l.client(""), Auth: role})
			_, err := src.Get(l.Context(), "kv/data/a")
			require.NoError(l, err)
			l.put("auth/token/revoke", `{"token":"`+*role.token.Load()+`"}`)
			_, err = src.Get(l.Context(), "kv/data/a")
			require.NoError(l, err)
			assert.EqualValues(l, 2, role.logins.Load())
			_, err = src.Get(l.Context(), "secret/a")
			require.ErrorIs(l, err, scaivault.ErrPermission)
			assert.EqualValues(l, 2, role.logins.Load(), "a policy's no is no reason to log in")
		},
		"a refused login is ErrUnauthenticated": func(l *lab) {
			role := l.appRole(readerPolicy)
			role.secretID = "wrong-and-secret"
			src := l.open(vault.Config{Client: l.client(""), Auth: role})
			_, err := src.Get(l.Context(), "kv/data/a")
			require.ErrorIs(l, err, scaivault.ErrUnauthenticated)
			assert.NotContains(l, err.Error(), "wrong-and-secret")
			assert.NotContains(l, err.Error(), "\n")
			require.NoError(l, src.Close())
		},
		"a sealed Vault is ErrUnavailable and loses no write": func(l *lab) {
			l.mount("kv", 2)
			l.write("kv/data/a", map[string]any{"v": "1"}, nil)
			if l.server.Seal != nil {
				l.server.Seal()
			} else {
				l.put("sys/seal", `{}`)
			}
			_, err := l.src.Get(l.Context(), "kv/data/a")
			require.ErrorIs(l, err, scaivault.ErrUnavailable)
			assert.Contains(l, err.Error(), "sealed")
			_, err = l.src.Put(l.Context(), "kv/data/a", map[string]any{"v": "2"}, nil)
			require.ErrorIs(l, err, scaivault.ErrUnavailable)
			require.NotErrorIs(l, err, scaivault.ErrUncertain)
			require.ErrorIs(l, l.src.Delete(l.Context(), "kv/data/a"), scaivault.ErrUnavailable)
		},
	}
}

func readerToken(l *lab) {
	l.mount("kv", 2)
	l.mount("secret", 1)
	l.seed("kv/data/a", `{"v":"1"}`)
	l.seed("secret/a", `{"v":"1"}`)
	src := l.source(l.token(readerPolicy))
	secret, err := src.Get(l.Context(), "kv/data/a")
	require.NoError(l, err)
	assert.Equal(l, 1, secret.Version())
	_, err = src.Get(l.Context(), "kv/data/missing")
	require.ErrorIs(l, err, scaivault.ErrNotFound)
	paths, err := list(l, src, "kv/data")
	require.NoError(l, err)
	assert.Equal(l, []string{"kv/data/a"}, paths)
	for name, call := range map[string]func() error{
		"a write":            func() error { _, err := src.Put(l.Context(), "kv/data/a", map[string]any{"v": "2"}, nil); return err },
		"a delete":           func() error { return src.Delete(l.Context(), "kv/data/a") },
		"another mount":      func() error { _, err := src.Get(l.Context(), "secret/a"); return err },
		"no mount":           func() error { _, err := src.Get(l.Context(), "nosuch/a"); return err },
		"a list of it":       func() error { _, err := list(l, src, "secret"); return err },
		"a write there":      func() error { _, err := src.Put(l.Context(), "secret/a", map[string]any{"v": "2"}, nil); return err },
		"a delete there":     func() error { return src.Delete(l.Context(), "secret/a") },
		"a list of no mount": func() error { _, err := list(l, src, "nosuch/data"); return err },
	} {
		err := call()
		require.ErrorIs(l, err, scaivault.ErrPermission, name)
		var e *scaivault.Error
		require.ErrorAs(l, err, &e, name)
		assert.Equal(l, http.StatusForbidden, e.Status, name)
	}
	assert.Equal(l, 1, l.get("kv/data/a").Version())
}

func mountChecks() map[string]func(*lab) {
	return map[string]func(*lab){
		"a mount that comes back as KV v1 is noticed": func(l *lab) {
			l.mount("kv", 2)
			l.seed("kv/data/a", `{"v":"2"}`)
			l.get("kv/data/a")
			l.remove("sys/mounts/kv")
			l.mount("kv", 1)
			l.put("kv/a", `{"v":"1"}`)
			assert.JSONEq(l, `{"v":"1"}`, string(l.get("kv/a").JSON()))
			l.write("kv/data/a", map[string]any{"v": "3"}, nil)
			assert.JSONEq(l, `{"v":"3"}`, string(l.get("kv/data/a").JSON()))
		},
		"a write to a mount that came back as KV v1 is written as meant": func(l *lab) {
			l.mount("kv", 2)
			l.write("kv/data/a", map[string]any{"v": "1"}, nil)
			l.remove("sys/mounts/kv")
			l.mount("kv", 1)
			assert.Zero(l, l.write("kv/data/a", map[string]any{"v": "2"}, nil))
			assert.JSONEq(l, `{"v":"2"}`, string(l.get("kv/data/a").JSON()))
		},
		"a mount that comes back as KV v2 is noticed": func(l *lab) {
			l.mount("kv", 1)
			l.seed("kv/a", `{"v":"1"}`)
			l.get("kv/a")
			l.remove("sys/mounts/kv")
			l.mount("kv", 2)
			l.seed("kv/data/a", `{"v":"2"}`)
			secret := l.get("kv/data/a")
			assert.Equal(l, 1, secret.Version())
			assert.JSONEq(l, `{"v":"2"}`, string(secret.JSON()))
			_, err := l.src.Get(l.Context(), "kv/a")
			require.ErrorIs(l, err, scaivault.ErrInvalid)
		},
		"writes and listings notice a mount that came back as KV v2": func(l *lab) {
			for name, call := range map[string]func() error{
				"put":    func() error { _, err := l.src.Put(l.Context(), "kv/data/a", map[string]any{"v": "2"}, nil); return err },
				"list":   func() error { _, err := list(l, l.src, "kv/data"); return err },
				"delete": func() error { return l.src.Delete(l.Context(), "kv/data/a") },
			} {
				l.mount("kv", 1)
				l.seed("kv/x", `{"v":"1"}`)
				l.get("kv/x")
				l.remove("sys/mounts/kv")
				l.mount("kv", 2)
				require.NoError(l, call(), name)
				err := l.src.Delete(l.Context(), "kv/x")
				require.ErrorIs(l, err, scaivault.ErrInvalid, name)
				require.ErrorContains(l, err, "use kv/data/x", name)
				l.remove("sys/mounts/kv")
			}
		},
		"listings notice a mount that came back as KV v1": func(l *lab) {
			for _, prefix := range []string{"kv/data", "kv/data/dir"} {
				l.mount("kv", 2)
				l.write("kv/data/a", map[string]any{"v": "1"}, nil)
				l.remove("sys/mounts/kv")
				l.mount("kv", 1)
				l.put("kv/data/dir/x", `{"v":"1"}`)
				paths, err := list(l, l.src, prefix)
				require.NoError(l, err)
				assert.Equal(l, []string{"kv/data/dir/x"}, paths)
				l.remove("sys/mounts/kv")
				_, err = list(l, l.src, prefix)
				requireMountNotFound(l, err)
			}
		},
		"a mount that is gone is noticed": func(l *lab) {
			for _, version := range []int{1, 2} {
				path := map[int]string{1: "kv/a", 2: "kv/data/a"}[version]
				l.mount("kv", version)
				l.write(path, map[string]any{"v": "1"}, nil)
				l.remove("sys/mounts/kv")
				_, err := l.src.Get(l.Context(), path)
				requireMountNotFound(l, err)
				l.mount("kv", version)
				l.write(path, map[string]any{"v": "1"}, nil)
				l.remove("sys/mounts/kv")
				_, err = l.src.Put(l.Context(), path, map[string]any{"v": "1"}, nil)
				requireMountNotFound(l, err)
			}
		},
	}
}
