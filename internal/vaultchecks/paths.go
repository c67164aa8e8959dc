// SPDX-License-Identifier: Apache-2.0

package vaultchecks

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

func pathChecks() map[string]func(*lab) {
	return map[string]func(*lab){
		"a KV v2 path in another form says what was meant": kv2PathForms,
		"a mount that does not exist is not a missing secret": func(l *lab) {
			l.mount("kv", 2)
			_, err := l.src.Get(l.Context(), "nosuch/data/x")
			requireMountNotFound(l, err)
			_, err = l.src.Put(l.Context(), "nosuch/x", map[string]any{"a": "b"}, nil)
			requireMountNotFound(l, err)
			_, err = list(l, l.src, "nosuch/data")
			requireMountNotFound(l, err)
			requireMountNotFound(l, l.src.Delete(l.Context(), "nosuch/x"))
		},
		"an engine that is not KV is refused": func(l *lab) {
			_, err := l.src.Get(l.Context(), "cubbyhole/x")
			require.ErrorIs(l, err, scaivault.ErrInvalid)
			assert.Contains(l, err.Error(), `type "cubbyhole", not KV`)
			for _, path := range []string{"auth", "auth/token/x", "auth/token/create", "auth/nosuch/data/x"} {
				_, err = l.src.Get(l.Context(), path)
				require.ErrorIs(l, err, scaivault.ErrInvalid, path)
				_, err = l.src.Put(l.Context(), path, map[string]any{"a": "b"}, nil)
				require.ErrorIs(l, err, scaivault.ErrInvalid, path)
				assert.Contains(l, err.Error(), "auth methods", path)
				_, err = list(l, l.src, path)
				require.ErrorIs(l, err, scaivault.ErrInvalid, path)
			}
		},
		"nested mounts are found": func(l *lab) {
			l.mount("team/a/kv", 2)
			l.mount("team/b", 1)
			l.seed("team/a/kv/data/x/y", `{"a":"1"}`)
			l.seed("team/b/x/y", `{"b":"2"}`)
			assert.JSONEq(l, `{"a":"1"}`, string(l.get("team/a/kv/data/x/y").JSON()))
			assert.JSONEq(l, `{"b":"2"}`, string(l.get("team/b/x/y").JSON()))
			_, err := l.src.Get(l.Context(), "team/a/kv/x/y")
			require.ErrorIs(l, err, scaivault.ErrInvalid)
			assert.Contains(l, err.Error(), "use team/a/kv/data/x/y")
		},
		"KV v1 holds no name with two dots in a row": func(l *lab) {
			l.mount("secret", 1)
			for _, path := range []string{"secret/a..b", "secret/..dots", "secret/x/..."} {
				_, err := l.src.Put(l.Context(), path, map[string]any{"a": "b"}, nil)
				require.ErrorIs(l, err, scaivault.ErrInvalid, path)
				_, err = l.src.Get(l.Context(), path)
				require.ErrorIs(l, err, scaivault.ErrInvalid, path)
				require.ErrorIs(l, l.src.Delete(l.Context(), path), scaivault.ErrInvalid, path)
				_, err = list(l, l.src, path)
				require.ErrorIs(l, err, scaivault.ErrInvalid, path)
			}
		},
		"names with special characters are encoded rightly": func(l *lab) {
			l.mount("kv", 2)
			l.mount("secret", 1)
			for _, name := range oddNames() {
				for _, path := range []string{"kv/data/odd/" + name, "secret/odd/" + name} {
					l.write(path, map[string]any{"name": name}, nil)
					got, ok := l.get(path).Field("name")
					assert.True(l, ok, path)
					assert.Equal(l, name, got, path)
				}
			}
			for _, name := range []string{"..dots", "...", "a..b"} { // KV v1 holds none of them
				assert.Equal(l, 1, l.write("kv/data/dots/"+name, map[string]any{"name": name}, nil))
				assert.Equal(l, 1, l.get("kv/data/dots/"+name).Version())
			}
			paths, err := list(l, l.src, "kv/data/odd")
			require.NoError(l, err)
			want := make([]string, 0, len(oddNames()))
			for _, name := range oddNames() {
				want = append(want, "kv/data/odd/"+name)
			}
			assert.ElementsMatch(l, want, paths)
		},
	}
}

func oddNames() []string {
	return []string{
		"with space", "dot.ted", "ünï—cödé", "per%cent", "per%2Fcent", "pl+us", "ha#sh", "quest?ion=1&b=2",
		"semi;colon", "at@home:x", `back\slash`, `quo"te`, ".dot", "data", "metadata", "日本/語",
	}
}

func kv2PathForms(l *lab) {
	l.mount("kv", 2)
	l.seed("kv/data/apps/db", `{"a":"1"}`)
	for path, want := range map[string]string{
		"kv/apps/db":          "use kv/data/apps/db",
		"kv/metadata/apps/db": "use kv/data/apps/db",
		"kv/db":               "use kv/data/db",
		"kv/data":             "name a secret",
		"kv/metadata":         "name a secret",
		"kv":                  "name a secret",
	} {
		for name, call := range map[string]func() error{
			"get":    func() error { _, err := l.src.Get(l.Context(), path); return err },
			"put":    func() error { _, err := l.src.Put(l.Context(), path, map[string]any{"a": "b"}, nil); return err },
			"delete": func() error { return l.src.Delete(l.Context(), path) },
		} {
			err := call()
			require.ErrorIs(l, err, scaivault.ErrInvalid, "%s %s", name, path)
			assert.Contains(l, err.Error(), want, "%s %s", name, path)
			assert.NotErrorIs(l, err, scaivault.ErrNotFound)
		}
	}
	_, err := list(l, l.src, "kv")
	require.ErrorIs(l, err, scaivault.ErrInvalid)
	assert.Contains(l, err.Error(), "use kv/data")
	assert.JSONEq(l, `{"a":"1"}`, string(l.get("kv/data/apps/db").JSON()))
}

func requireMountNotFound(l *lab, err error) {
	l.Helper()
	require.ErrorIs(l, err, scaivault.ErrInvalid)
	require.NotErrorIs(l, err, scaivault.ErrNotFound)
	var e *scaivault.Error
	require.ErrorAs(l, err, &e)
	assert.Equal(l, vault.CodeMountNotFound, e.Code)
	assert.Contains(l, err.Error(), "check the path")
}
