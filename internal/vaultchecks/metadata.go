// SPDX-License-Identifier: Apache-2.0

package vaultchecks

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

func metadataChecks() map[string]func(*lab) {
	return map[string]func(*lab){
		"metadata goes out and comes back": func(l *lab) {
			l.mount("kv", 2)
			meta := scaivault.Metadata{Description: "<a> database", Tags: []string{"prod", "b c"}, Owner: "ops", Values: map[string]any{"team": "ünï"}}
			l.write("kv/data/a", map[string]any{"v": "1"}, &scaivault.PutOptions{Metadata: meta, MaxVersions: 2})
			assert.Equal(l, meta, l.get("kv/data/a").Info().Metadata)
			l.write("kv/data/a", map[string]any{"v": "2"}, nil)
			assert.Equal(l, meta, l.get("kv/data/a").Info().Metadata, "a write without metadata leaves it")
			l.write("kv/data/a", map[string]any{"v": "3"}, &scaivault.PutOptions{Metadata: scaivault.Metadata{Owner: "dev"}})
			assert.Equal(l, scaivault.Metadata{Owner: "dev"}, l.get("kv/data/a").Info().Metadata)
			_, err := l.src.GetVersion(l.Context(), "kv/data/a", 1)
			require.ErrorIs(l, err, scaivault.ErrNotFound, "MaxVersions is 2")
		},
		"without permission for metadata nothing is written": func(l *lab) {
			l.mount("kv", 2)
			src := l.source(l.token(`path "kv/data/*" { capabilities = ["create", "update", "read"] }`))
			_, err := src.Put(l.Context(), "kv/data/a", map[string]any{"v": "1"}, &scaivault.PutOptions{Metadata: scaivault.Metadata{Owner: "ops"}})
			require.ErrorIs(l, err, scaivault.ErrPermission)
			assert.Contains(l, err.Error(), "metadata")
			_, err = l.src.Get(l.Context(), "kv/data/a")
			require.ErrorIs(l, err, scaivault.ErrNotFound)
		},
		"a condition that does not hold leaves the metadata alone": func(l *lab) {
			l.mount("kv", 2)
			l.write("kv/data/a", map[string]any{"v": "1"}, &scaivault.PutOptions{Metadata: scaivault.Metadata{Owner: "ops"}})
			five := 5
			for _, opts := range []scaivault.PutOptions{{IfAbsent: true}, {IfVersion: &five}} {
				opts.Metadata = scaivault.Metadata{Owner: "intruder"}
				_, err := l.src.Put(l.Context(), "kv/data/a", map[string]any{"v": "2"}, &opts)
				require.ErrorIs(l, err, scaivault.ErrConflict)
			}
			assert.Equal(l, "ops", l.get("kv/data/a").Info().Metadata.Owner)
			one := 1
			assert.Equal(l, 2, l.write("kv/data/a", map[string]any{"v": "2"},
				&scaivault.PutOptions{IfVersion: &one, Metadata: scaivault.Metadata{Owner: "heir"}}))
			assert.Equal(l, "heir", l.get("kv/data/a").Info().Metadata.Owner)
		},
		"metadata of limits and odd tags survive": func(l *lab) {
			l.mount("kv", 2)
			opts := manyValues(64)
			l.write("kv/data/a", map[string]any{"v": "1"}, opts)
			assert.Equal(l, opts.Metadata, l.get("kv/data/a").Info().Metadata)
			l.put("kv/metadata/b", `{"custom_metadata":{"tags":"a,,b"}}`)
			l.write("kv/data/b", map[string]any{"v": "1"}, nil)
			assert.Equal(l, scaivault.Metadata{Values: map[string]any{"tags": "a,,b"}}, l.get("kv/data/b").Info().Metadata)
		},
	}
}

func historyChecks() map[string]func(*lab) {
	return map[string]func(*lab){
		"metadata is what a read says, without the value": func(l *lab) {
			l.mount("kv", 2)
			l.write("kv/data/a", map[string]any{"v": "1"}, &scaivault.PutOptions{Metadata: scaivault.Metadata{Owner: "ops"}})
			l.seed("kv/data/a", `{"v":"2"}`)
			src := l.source(l.token(`path "kv/metadata/*" { capabilities = ["read"] }`))
			info, err := src.Metadata(l.Context(), "kv/data/a")
			require.NoError(l, err)
			assert.Equal(l, l.get("kv/data/a").Info(), *info)
		},
		"metadata of what is not there is ErrNotFound": func(l *lab) {
			l.mount("kv", 2)
			l.put("kv/metadata/onlymeta", `{"custom_metadata":{"a":"b"}}`)
			l.seed("kv/data/gone", `{"v":"1"}`)
			l.remove("kv/data/gone")
			l.seed("kv/data/broken", `{"v":"1"}`)
			l.put("kv/destroy/broken", `{"versions":[1]}`)
			for _, path := range []string{"kv/data/missing", "kv/data/onlymeta", "kv/data/gone", "kv/data/broken"} {
				_, err := l.src.Metadata(l.Context(), path)
				require.ErrorIs(l, err, scaivault.ErrNotFound, path)
			}
			_, err := l.src.Versions(l.Context(), "kv/data/missing")
			require.ErrorIs(l, err, scaivault.ErrNotFound)
		},
		"versions are told with what became of them": func(l *lab) {
			l.mount("kv", 2)
			for range 4 {
				l.seed("kv/data/a", `{"v":"1"}`)
			}
			l.put("kv/delete/a", `{"versions":[2]}`)
			l.put("kv/destroy/a", `{"versions":[3]}`)
			versions, err := l.src.Versions(l.Context(), "kv/data/a")
			require.NoError(l, err)
			require.Len(l, versions, 4)
			for i, gone := range []bool{false, true, true, false} {
				assert.Equal(l, i+1, versions[i].Version)
				assert.Equal(l, gone, versions[i].Deleted, "version %d", i+1)
				assert.False(l, versions[i].CreatedAt.IsZero())
			}
			assert.False(l, versions[1].DeletedAt.IsZero())
			assert.True(l, versions[3].ExpiresAt.IsZero())
		},
		"a version that expires is there until then": func(l *lab) {
			l.mount("kv", 2)
			l.put("kv/metadata/a", `{"delete_version_after":"1h"}`)
			l.seed("kv/data/a", `{"v":"1"}`)
			info, err := l.src.Metadata(l.Context(), "kv/data/a")
			require.NoError(l, err)
			assert.Equal(l, l.get("kv/data/a").Info().ExpiresAt, info.ExpiresAt)
			versions, err := l.src.Versions(l.Context(), "kv/data/a")
			require.NoError(l, err)
			assert.False(l, versions[0].Deleted)
			assert.Equal(l, info.ExpiresAt, versions[0].ExpiresAt)
		},
		"a version that has expired is gone, and told": expiredVersion,
		"metadata of KV v1 and of what is no secret is ErrInvalid": func(l *lab) {
			l.mount("secret", 1)
			l.mount("kv", 2)
			l.seed("secret/a", `{"v":"1"}`)
			for _, path := range []string{"secret/a", "kv/metadata/a", "kv/a", "/kv/data/a"} {
				_, err := l.src.Metadata(l.Context(), path)
				require.ErrorIs(l, err, scaivault.ErrInvalid, path)
				_, err = l.src.Versions(l.Context(), path)
				require.ErrorIs(l, err, scaivault.ErrInvalid, path)
			}
		},
	}
}

// expiredVersion waits for a version to expire.
func expiredVersion(l *lab) {
	l.mount("kv", 2)
	l.seed("kv/data/a", `{"v":"stays"}`)
	l.put("kv/metadata/a", `{"delete_version_after":"1s"}`)
	l.seed("kv/data/a", `{"v":"2"}`)
	var expires time.Time // as reads before that told, if they came in time
	var err error
	require.Eventually(l, func() bool {
		var secret *scaivault.Secret
		if secret, err = l.src.Get(l.Context(), "kv/data/a"); err == nil {
			expires = secret.Info().ExpiresAt
		}
		return err != nil
	}, 30*time.Second, 20*time.Millisecond)
	requireVersionGone(l, err, 2)
	_, err = l.src.GetVersion(l.Context(), "kv/data/a", 2)
	requireVersionGone(l, err, 2)
	_, err = l.src.Metadata(l.Context(), "kv/data/a")
	requireVersionGone(l, err, 2)
	first, err := l.src.GetVersion(l.Context(), "kv/data/a", 1)
	require.NoError(l, err, "it was written before there was a limit")
	assert.Equal(l, 1, first.Version())
	assert.Zero(l, first.Info().ExpiresAt)

	versions, err := l.src.Versions(l.Context(), "kv/data/a")
	require.NoError(l, err)
	require.Len(l, versions, 2)
	assert.False(l, versions[0].Deleted)
	assert.True(l, versions[1].Deleted)
	assert.Equal(l, versions[1].CreatedAt.Add(time.Second), versions[1].DeletedAt)
	if !expires.IsZero() {
		assert.Equal(l, expires, versions[1].DeletedAt)
	}
	assert.Zero(l, versions[1].ExpiresAt, "it is not to come any more")

	paths, err := list(l, l.src, "kv/data")
	require.NoError(l, err)
	assert.Equal(l, []string{"kv/data/a"}, paths, "as Vault lists what was deleted")
	assert.Equal(l, 3, l.write("kv/data/a", map[string]any{"v": "3"}, &scaivault.PutOptions{IfAbsent: true}), "what has expired counts as absent")
}

// requireVersionGone: the error says which version it was, in words and for programs.
func requireVersionGone(l *lab, err error, version int) {
	l.Helper()
	require.ErrorIs(l, err, scaivault.ErrNotFound)
	require.ErrorContains(l, err, fmt.Sprintf("version %d was deleted", version))
	var e *scaivault.Error
	require.ErrorAs(l, err, &e)
	require.JSONEq(l, fmt.Sprintf(`{"version":%d}`, version), string(e.Details))
}
