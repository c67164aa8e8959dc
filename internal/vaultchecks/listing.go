// SPDX-License-Identifier: Apache-2.0

package vaultchecks

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

func listChecks() map[string]func(*lab) {
	return map[string]func(*lab){
		"a listing goes through all folders": listFolders,
		"a listing stops when the caller does": func(l *lab) {
			l.mount("secret", 1)
			l.seed("secret/a", `{"v":"1"}`)
			l.seed("secret/b/c", `{"v":"1"}`)
			var seen []string
			for entry, err := range l.src.List(l.Context(), "secret", nil) {
				require.NoError(l, err)
				seen = append(seen, entry.Path)
				break
			}
			assert.Equal(l, []string{"secret/a"}, seen)
		},
		"a folder that may not be listed is one item of a listing": func(l *lab) {
			l.mount("kv", 2)
			for _, name := range []string{"a", "denied/x", "z"} {
				l.seed("kv/data/"+name, `{"v":"1"}`)
			}
			src := l.source(l.token(`
				path "kv/metadata/*" { capabilities = ["list"] }
				path "kv/metadata/denied" { capabilities = ["deny"] }`))
			paths, err := list(l, src, "kv/data")
			require.ErrorIs(l, err, scaivault.ErrPermission)
			var e *scaivault.Error
			require.ErrorAs(l, err, &e)
			assert.Equal(l, "kv/data/denied", e.Path)
			assert.Equal(l, []string{"kv/data/a", "kv/data/z"}, paths)
			_, err = list(l, src, "kv/data/denied")
			require.ErrorIs(l, err, scaivault.ErrPermission)
		},
		"deleted secrets are listed as Vault lists them": func(l *lab) {
			l.mount("kv", 2)
			l.seed("kv/data/a", `{"v":"1"}`)
			l.remove("kv/data/a")
			paths, err := list(l, l.src, "kv/data")
			require.NoError(l, err)
			assert.Equal(l, []string{"kv/data/a"}, paths)
		},
		"mounts are listed": func(l *lab) {
			l.mount("team/kv", 2)
			l.mount("secret", 1)
			l.put("sys/mounts/old", `{"type":"kv","description":"an old one"}`)
			mounts, err := l.src.Mounts(l.Context())
			require.NoError(l, err)
			assert.Contains(l, mounts, scaivault.Mount{Path: "team/kv", Type: "kv", KVVersion: 2})
			assert.Contains(l, mounts, scaivault.Mount{Path: "secret", Type: "kv", KVVersion: 1})
			assert.Contains(l, mounts, scaivault.Mount{Path: "old", Type: "kv", KVVersion: 1, Description: "an old one"})
			types := map[string]string{}
			for i, m := range mounts {
				types[m.Path] = m.Type
				if i > 0 {
					assert.Less(l, mounts[i-1].Path, m.Path)
				}
			}
			assert.Equal(l, "system", types["sys"])

			limited := l.source(l.token(`path "team/kv/data/*" { capabilities = ["read"] }`))
			mounts, err = limited.Mounts(l.Context())
			require.NoError(l, err)
			assert.Contains(l, mounts, scaivault.Mount{Path: "team/kv", Type: "kv", KVVersion: 2})
			assert.NotContains(l, mounts, scaivault.Mount{Path: "secret", Type: "kv", KVVersion: 1})
		},
	}
}

func listFolders(l *lab) {
	l.mount("kv", 2)
	l.mount("secret", 1)
	l.mount("empty", 2)
	names := []string{"apps", "apps-2/x", "apps/db", "apps/db/replica", "apps/ü x/y", "zoo"}
	var v1, v2 []string
	for _, name := range names {
		l.seed("kv/data/"+name, `{"v":"1"}`)
		l.seed("secret/"+name, `{"v":"1"}`)
		v2, v1 = append(v2, "kv/data/"+name), append(v1, "secret/"+name)
	}
	for prefix, want := range map[string][]string{
		"kv/data":             v2,
		"kv/data/":            v2,
		"kv/data/apps":        {"kv/data/apps/db", "kv/data/apps/db/replica", "kv/data/apps/ü x/y"},
		"kv/data/apps/db":     {"kv/data/apps/db/replica"},
		"kv/data/missing":     nil,
		"secret":              v1,
		"secret/apps":         {"secret/apps/db", "secret/apps/db/replica", "secret/apps/ü x/y"},
		"secret/apps/db/nope": nil,
		"empty/data":          nil,
		"":                    append(append([]string{}, v2...), v1...),
	} {
		for range 2 { // with the mount unknown, and known
			paths, err := list(l, l.src, prefix)
			require.NoError(l, err, prefix)
			assert.Equal(l, want, paths, prefix)
		}
	}
	for _, prefix := range []string{"/kv", "kv//data", "kv/data/..", "kv/metadata/apps"} {
		_, err := list(l, l.src, prefix)
		require.ErrorIs(l, err, scaivault.ErrInvalid, prefix)
	}
}
