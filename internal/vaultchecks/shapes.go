// SPDX-License-Identifier: Apache-2.0

package vaultchecks

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// shapeChecks are about what ten years of use leave in a Vault.
func shapeChecks() map[string]func(*lab) {
	return map[string]func(*lab){
		"a secret of 1 MiB goes out and comes back": func(l *lab) {
			l.mount("kv", 2)
			l.mount("secret", 1)
			large := strings.Repeat("0123456789abcdef", 1<<20/16)
			for _, path := range []string{"kv/data/large", "secret/large"} {
				l.write(path, map[string]any{"pem": large}, nil)
				got, _ := l.get(path).Field("pem")
				assert.True(l, got == large, path) // no diff of a mebibyte
			}
		},
		"a secret of 1,000 versions is read as any other": thousandVersions,
		"secrets that are a name and a folder at once": func(l *lab) {
			l.mount("kv", 2)
			l.mount("secret", 1)
			for _, top := range []string{"kv/data/", "secret/"} {
				for _, name := range []string{"foo", "foo/bar", "foo/bar/baz"} {
					l.write(top+name, map[string]any{"name": name}, nil)
				}
				for _, name := range []string{"foo", "foo/bar", "foo/bar/baz"} {
					got, _ := l.get(top + name).Field("name")
					assert.Equal(l, name, got)
				}
				require.NoError(l, l.src.Delete(l.Context(), top+"foo"))
				got, _ := l.get(top + "foo/bar").Field("name")
				assert.Equal(l, "foo/bar", got)
				_, err := l.src.Get(l.Context(), top+"foo/")
				require.ErrorIs(l, err, scaivault.ErrInvalid, "a folder is no secret")
			}
		},
		"values of KV v1 that are no texts": func(l *lab) {
			l.mount("secret", 1)
			data := `{"list":[1,"a",null,{"b":[]}],"null":null,"no":false,"n":9007199254740993,"f":1.10,"nested":{"deep":{"x":""}},"":"empty name"}`
			l.seed("secret/a", data)
			assert.JSONEq(l, data, string(l.get("secret/a").JSON()))
			assert.Contains(l, string(l.get("secret/a").JSON()), "9007199254740993")
		},
		"an empty secret is one": func(l *lab) {
			l.mount("kv", 2)
			l.write("kv/data/a", map[string]any{}, nil)
			assert.JSONEq(l, `{}`, string(l.get("kv/data/a").JSON()))
			l.put("kv/data/null", `{"data":null}`)
			assert.JSONEq(l, `{}`, string(l.get("kv/data/null").JSON()))
		},
		"a token that may list and not read": func(l *lab) {
			l.mount("kv", 2)
			l.seed("kv/data/a", `{"v":"1"}`)
			src := l.source(l.token(`path "kv/metadata/*" { capabilities = ["list"] }`))
			paths, err := list(l, src, "kv/data")
			require.NoError(l, err)
			assert.Equal(l, []string{"kv/data/a"}, paths)
			_, err = src.Get(l.Context(), "kv/data/a")
			require.ErrorIs(l, err, scaivault.ErrPermission)
		},
		"a token that may read and not list": func(l *lab) {
			l.mount("kv", 2)
			l.seed("kv/data/a", `{"v":"1"}`)
			src := l.source(l.token(`path "kv/data/*" { capabilities = ["read"] }`))
			_, err := src.Get(l.Context(), "kv/data/a")
			require.NoError(l, err)
			_, err = list(l, src, "kv/data")
			require.ErrorIs(l, err, scaivault.ErrPermission)
			var e *scaivault.Error
			require.ErrorAs(l, err, &e)
			assert.Equal(l, "kv/data", e.Path)
		},
		"mounts that are named need no look-up": namedMounts,
	}
}

func thousandVersions(l *lab) {
	const versions = 1000
	l.mount("kv", 2)
	l.put("kv/metadata/a", fmt.Sprintf(`{"max_versions":%d}`, versions))
	for n := range versions {
		l.seed("kv/data/a", fmt.Sprintf(`{"n":"%d"}`, n+1))
	}
	assert.Equal(l, versions, l.get("kv/data/a").Version())
	for _, n := range []int{1, 500, versions} {
		secret, err := l.src.GetVersion(l.Context(), "kv/data/a", n)
		require.NoError(l, err)
		got, _ := secret.Field("n")
		assert.Equal(l, fmt.Sprint(n), got)
	}
	all, err := l.src.Versions(l.Context(), "kv/data/a")
	require.NoError(l, err)
	assert.Len(l, all, versions)
	assert.Equal(l, versions+1, l.write("kv/data/a", map[string]any{"n": "last"}, nil))
	_, err = l.src.GetVersion(l.Context(), "kv/data/a", 1)
	require.ErrorIs(l, err, scaivault.ErrNotFound)
}

// namedMounts: the token's policy denies the look-up itself.
func namedMounts(l *lab) {
	l.mount("team/kv", 2)
	l.mount("secret", 1)
	token := l.token(`
		path "sys/internal/ui/mounts/*" { capabilities = ["deny"] }
		path "team/kv/*" { capabilities = ["create", "update", "read", "list", "delete"] }
		path "secret/*" { capabilities = ["create", "update", "read", "list", "delete"] }`)
	src := l.open(vault.Config{Client: l.client(token), Mounts: map[string]int{"team/kv": 2, "secret/": 1}})
	for _, path := range []string{"team/kv/data/a", "secret/a"} {
		_, err := src.Get(l.Context(), path)
		require.ErrorIs(l, err, scaivault.ErrNotFound)
		_, err = src.Put(l.Context(), path, map[string]any{"v": "1"}, nil)
		require.NoError(l, err, path)
		_, err = src.Get(l.Context(), path)
		require.NoError(l, err, path)
		require.NoError(l, src.Delete(l.Context(), path))
	}
	_, err := src.Get(l.Context(), "team/kv/a")
	require.ErrorIs(l, err, scaivault.ErrInvalid)
	assert.Contains(l, err.Error(), "use team/kv/data/a")
	wrong := l.open(vault.Config{Client: l.client(l.root), Mounts: map[string]int{"team/kv": 1, "gone": 2}})
	_, err = wrong.Get(l.Context(), "team/kv/a")
	require.ErrorIs(l, err, scaivault.ErrInvalid, "the configuration is wrong, and Vault says so")
	_, err = wrong.Get(l.Context(), "gone/data/a")
	requireMountNotFound(l, err)
}
