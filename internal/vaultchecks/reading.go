// SPDX-License-Identifier: Apache-2.0

package vaultchecks

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

func readChecks() map[string]func(*lab) {
	return map[string]func(*lab){
		"KV v2 secrets are read with version, times and metadata": readKV2,
		"KV v1 secrets are read as Vault sends them": func(l *lab) {
			l.mount("secret", 1)
			data := `{"n":9007199254740993,"f":1.10,"big":123456789012345678901234567890,"z":null,"empty":"","html":"<&>","nested":{"b":[1,2]}}`
			l.seed("secret/apps/db", data)
			secret := l.get("secret/apps/db")
			assert.JSONEq(l, data, string(secret.JSON()))
			assert.Contains(l, string(secret.JSON()), "9007199254740993")
			assert.Contains(l, string(secret.JSON()), "1.10")
			info := secret.Info()
			assert.Equal(l, scaivault.SecretInfo{Path: "secret/apps/db", Source: "vault"}, info)
			_, err := l.src.GetVersion(l.Context(), "secret/apps/db", 1)
			require.ErrorIs(l, err, scaivault.ErrInvalid)
			assert.Contains(l, err.Error(), "KV v1")
		},
		"a version can be read": func(l *lab) {
			l.mount("kv", 2)
			l.seed("kv/data/a", `{"v":"1"}`)
			l.seed("kv/data/a", `{"v":"2"}`)
			secret, err := l.src.GetVersion(l.Context(), "kv/data/a", 1)
			require.NoError(l, err)
			assert.Equal(l, 1, secret.Version())
			assert.JSONEq(l, `{"v":"1"}`, string(secret.JSON()))
			_, err = l.src.GetVersion(l.Context(), "kv/data/a", 3)
			require.ErrorIs(l, err, scaivault.ErrNotFound)
			for _, n := range []int{0, -1} {
				_, err = l.src.GetVersion(l.Context(), "kv/data/a", n)
				require.ErrorIs(l, err, scaivault.ErrInvalid)
			}
		},
		"what is not there is ErrNotFound": func(l *lab) {
			l.mount("kv", 2)
			l.mount("secret", 1)
			l.put("kv/metadata/onlymeta", `{"custom_metadata":{"a":"b"}}`)
			l.seed("kv/data/dir/x", `{"a":"1"}`)
			for _, path := range []string{"kv/data/missing", "kv/data/onlymeta", "kv/data/dir", "secret/missing", "secret/a/b/c"} {
				secret, err := l.src.Get(l.Context(), path)
				require.ErrorIs(l, err, scaivault.ErrNotFound, path)
				assert.Nil(l, secret)
			}
		},
		"deleted and destroyed versions are ErrNotFound": func(l *lab) {
			l.mount("kv", 2)
			l.seed("kv/data/a", `{"v":"1"}`)
			l.seed("kv/data/a", `{"v":"2"}`)
			l.remove("kv/data/a")
			l.put("kv/destroy/a", `{"versions":[1]}`)
			secret, err := l.src.Get(l.Context(), "kv/data/a")
			require.ErrorIs(l, err, scaivault.ErrNotFound)
			assert.Nil(l, secret)
			assert.Contains(l, err.Error(), "version 2 was deleted")
			_, err = l.src.GetVersion(l.Context(), "kv/data/a", 1)
			require.ErrorIs(l, err, scaivault.ErrNotFound)
			assert.Contains(l, err.Error(), "destroyed")
		},
		"a version of null is an empty secret": func(l *lab) {
			l.mount("kv", 2)
			l.put("kv/data/a", `{"data":null}`)
			secret := l.get("kv/data/a")
			assert.JSONEq(l, `{}`, string(secret.JSON()))
			assert.Equal(l, 1, secret.Version())
		},
		"a time of deletion to come is ExpiresAt": func(l *lab) {
			l.mount("kv", 2)
			l.put("kv/metadata/a", `{"delete_version_after":"3h"}`)
			l.seed("kv/data/a", `{"v":"1"}`)
			info := l.get("kv/data/a").Info()
			assert.WithinDuration(l, info.CreatedAt.Add(3*time.Hour), info.ExpiresAt, time.Second)
		},
		"a KV v1 secret may look like one of KV v2": func(l *lab) {
			l.mount("secret", 1)
			data := `{"data":{"a":"b"},"metadata":{"version":3,"created_time":"2026-01-01T00:00:00Z"}}`
			l.put("secret/data/x", data)
			for range 2 {
				secret := l.get("secret/data/x")
				assert.JSONEq(l, data, string(secret.JSON()))
				assert.Zero(l, secret.Version())
			}
		},
	}
}

func readKV2(l *lab) {
	before := time.Now().Add(-2 * time.Second)
	l.mount("kv", 2)
	data := `{"password":"p","n":12345.5,"z":null,"empty":"","nested":{"b":1,"a":[1,2]},"html":"<a&b>","ü":"日本"}`
	l.put("kv/metadata/apps/db", `{"custom_metadata":{"description":"a database","tags":"prod,billing","owner":"ops","team":"x"}}`)
	l.seed("kv/data/apps/db", data)
	l.seed("kv/data/apps/db", data)
	secret := l.get("kv/data/apps/db")
	assert.JSONEq(l, data, string(secret.JSON()))
	assert.Equal(l, "kv/data/apps/db", secret.Path())
	assert.Equal(l, 2, secret.Version())
	assert.Equal(l, "vault", secret.Source())
	info := secret.Info()
	assert.Equal(l, scaivault.Metadata{
		Description: "a database", Tags: []string{"prod", "billing"}, Owner: "ops",
		Values: map[string]any{"team": "x"},
	}, info.Metadata)
	assert.WithinRange(l, info.CreatedAt, before, time.Now().Add(2*time.Second))
	assert.Equal(l, info.CreatedAt, info.UpdatedAt)
	assert.Zero(l, info.ExpiresAt)
	assert.Empty(l, info.Type)
}
