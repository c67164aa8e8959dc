// SPDX-License-Identifier: Apache-2.0

package vaultchecks

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

func writeChecks() map[string]func(*lab) {
	return map[string]func(*lab){
		"a write to KV v2 makes a version": func(l *lab) {
			l.mount("kv", 2)
			assert.Equal(l, 1, l.write("kv/data/a/b", map[string]any{"v": "1"}, nil))
			assert.Equal(l, 2, l.write("kv/data/a/b", map[string]any{"v": "<2&>", "z": nil, "e": ""}, &scaivault.PutOptions{Type: scaivault.TypeKV}))
			assert.JSONEq(l, `{"v":"<2&>","z":null,"e":""}`, string(l.get("kv/data/a/b").JSON()))
			assert.Equal(l, 3, l.write("kv/data/a/b", map[string]any{}, nil))
			assert.JSONEq(l, `{}`, string(l.get("kv/data/a/b").JSON()))
		},
		"a write to KV v1 keeps every digit": func(l *lab) {
			l.mount("secret", 1)
			version := l.write("secret/a/b", map[string]any{"n": json.Number("9007199254740993"), "raw": json.RawMessage(`{"f":1.10,"u":"<&>"}`)}, nil)
			assert.Zero(l, version)
			text := string(l.get("secret/a/b").JSON())
			assert.Contains(l, text, "9007199254740993")
			assert.Contains(l, text, "1.10")
		},
		"what cannot be written is ErrInvalid and writes nothing": unwritable,
		"a number too large for Vault is ErrInvalid": func(l *lab) {
			l.mount("kv", 2)
			_, err := l.src.Put(l.Context(), "kv/data/a", map[string]any{"n": json.Number("1e400")}, nil)
			require.ErrorIs(l, err, scaivault.ErrInvalid)
			require.NotErrorIs(l, err, scaivault.ErrUncertain)
			_, err = l.src.Get(l.Context(), "kv/data/a")
			require.ErrorIs(l, err, scaivault.ErrNotFound)
		},
		"a delete takes the latest version of KV v2": func(l *lab) {
			l.mount("kv", 2)
			l.write("kv/data/a", map[string]any{"v": "1"}, nil)
			require.NoError(l, l.src.Delete(l.Context(), "kv/data/a"))
			_, err := l.src.Get(l.Context(), "kv/data/a")
			require.ErrorIs(l, err, scaivault.ErrNotFound)
			l.put("kv/undelete/a", `{"versions":[1]}`)
			assert.Equal(l, 1, l.get("kv/data/a").Version())
			require.NoError(l, l.src.Delete(l.Context(), "kv/data/missing"))
		},
		"a delete takes a KV v1 secret": func(l *lab) {
			l.mount("secret", 1)
			l.write("secret/a", map[string]any{"v": "1"}, nil)
			require.NoError(l, l.src.Delete(l.Context(), "secret/a"))
			_, err := l.src.Get(l.Context(), "secret/a")
			require.ErrorIs(l, err, scaivault.ErrNotFound)
		},
		"a delete of a version leaves the others": func(l *lab) {
			l.mount("kv", 2)
			l.mount("secret", 1)
			l.write("kv/data/a", map[string]any{"v": "1"}, nil)
			l.write("kv/data/a", map[string]any{"v": "2"}, nil)
			require.NoError(l, l.src.DeleteVersion(l.Context(), "kv/data/a", 1))
			assert.Equal(l, 2, l.get("kv/data/a").Version())
			_, err := l.src.GetVersion(l.Context(), "kv/data/a", 1)
			require.ErrorIs(l, err, scaivault.ErrNotFound)
			require.ErrorIs(l, l.src.DeleteVersion(l.Context(), "kv/data/a", 0), scaivault.ErrInvalid)
			require.ErrorIs(l, l.src.DeleteVersion(l.Context(), "secret/a", 1), scaivault.ErrInvalid)
		},
	}
}

func unwritable(l *lab) {
	l.mount("kv", 2)
	l.mount("secret", 1)
	one := map[string]any{"password": "hunter2hunter2"}
	zero, minus := 0, -1
	five := 5
	for name, c := range map[string]struct {
		path, says string
		data       map[string]any
		opts       *scaivault.PutOptions
	}{
		"nil data":             {"kv/data/a", "data is nil", nil, nil},
		"a channel":            {"kv/data/a", `field "c"`, map[string]any{"c": make(chan int)}, nil},
		"not a number":         {"kv/data/a", `field "f"`, map[string]any{"f": math.NaN()}, nil},
		"broken raw JSON":      {"kv/data/a", `field "r"`, map[string]any{"r": json.RawMessage(`{"hunter2`)}, nil},
		"text not UTF-8":       {"kv/data/a", `field "t"`, map[string]any{"t": "hunter2\xff"}, nil},
		"deep text not UTF-8":  {"kv/data/a", `field "t"`, map[string]any{"t": []any{map[string]any{"x": "hunter2\xff"}}}, nil},
		"expiry":               {"kv/data/a", "ExpiresIn", one, &scaivault.PutOptions{ExpiresIn: time.Hour}},
		"rotation":             {"kv/data/a", "RotationPolicyID", one, &scaivault.PutOptions{RotationPolicyID: "rot_1"}},
		"negative versions":    {"kv/data/a", "MaxVersions", one, &scaivault.PutOptions{MaxVersions: -1}},
		"negative IfVersion":   {"kv/data/a", "IfVersion", one, &scaivault.PutOptions{IfVersion: &minus}},
		"contradiction":        {"kv/data/a", "contradict", one, &scaivault.PutOptions{IfAbsent: true, IfVersion: &five}},
		"metadata on v1":       {"secret/a", "KV v1", one, &scaivault.PutOptions{Metadata: scaivault.Metadata{Owner: "ops"}}},
		"max versions on v1":   {"secret/a", "KV v1", one, &scaivault.PutOptions{MaxVersions: 3}},
		"a version on v1":      {"secret/a", "KV v1", one, &scaivault.PutOptions{IfVersion: &five}},
		"no fields on v1":      {"secret/a", "KV v1", map[string]any{}, nil},
		"expiry on v1":         {"secret/a", "ExpiresIn", one, &scaivault.PutOptions{ExpiresIn: time.Hour}},
		"leading slash":        {"/kv/data/a", "leading slash", one, nil},
		"trailing slash":       {"kv/data/a/", "trailing slash", one, nil},
		"empty segment":        {"kv/data//a", "empty segment", one, nil},
		"dots":                 {"kv/data/../a", "not a name", one, &scaivault.PutOptions{IfVersion: &zero}},
		"unprintable":          {"kv/data/a\n", "unprintable", one, nil},
		"metadata, a number":   {"kv/data/a", "metadata n ", one, values("n", 1)},
		"metadata, a long one": {"kv/data/a", "metadata long ", one, values("long", strings.Repeat("x", 513))},
		"metadata, empty":      {"kv/data/a", "metadata e ", one, values("e", "")},
		"metadata, long key":   {"kv/data/a", "metadata key", one, values(strings.Repeat("k", 129), "v")},
		"metadata, comma":      {"kv/data/a", "tag", one, &scaivault.PutOptions{Metadata: scaivault.Metadata{Tags: []string{"a,b"}}}},
		"metadata, twice":      {"kv/data/a", "twice", one, &scaivault.PutOptions{Metadata: scaivault.Metadata{Owner: "a", Values: map[string]any{"owner": "b"}}}},
		"metadata, many":       {"kv/data/a", "64", one, manyValues(65)},
	} {
		written, err := l.src.Put(l.Context(), c.path, c.data, c.opts)
		require.ErrorIs(l, err, scaivault.ErrInvalid, name)
		assert.Nil(l, written, name)
		assert.Contains(l, err.Error(), c.says, name)
		assert.NotContains(l, err.Error(), "hunter2", name)
		assert.NotContains(l, err.Error(), "\n", name)
	}
	for _, path := range []string{"kv/data/a", "secret/a"} {
		_, err := l.src.Get(l.Context(), path)
		require.ErrorIs(l, err, scaivault.ErrNotFound)
	}
	err := l.admin.Sys().UnmountWithContext(l.Context(), "secret")
	require.NoError(l, err)
	meta, err := l.admin.Logical().ReadWithContext(l.Context(), "kv/metadata/a")
	require.NoError(l, err)
	assert.Nil(l, meta, "no metadata was written")
}

func values(key string, value any) *scaivault.PutOptions {
	return &scaivault.PutOptions{Metadata: scaivault.Metadata{Values: map[string]any{key: value}}}
}

func manyValues(n int) *scaivault.PutOptions {
	opts := &scaivault.PutOptions{Metadata: scaivault.Metadata{Values: map[string]any{}}}
	for i := range n {
		opts.Metadata.Values[strings.Repeat("k", i+1)] = "v"
	}
	return opts
}

func conditionChecks() map[string]func(*lab) {
	return map[string]func(*lab){
		"IfAbsent and IfVersion hold on KV v2":   conditionsV2,
		"IfAbsent and IfVersion 0 hold on KV v1": conditionsV1,
		"IfUnchanged compares by meaning": func(l *lab) {
			l.mount("kv", 2)
			l.mount("secret", 1)
			for _, path := range []string{"kv/data/a", "secret/a"} {
				l.write(path, map[string]any{"a": 1, "b": "x"}, nil)
				read := l.get(path)
				same, err := scaivault.NewSecret(scaivault.SecretInfo{}, json.RawMessage(`{"b":"x","a":1.0}`))
				require.NoError(l, err)
				l.write(path, map[string]any{"v": "2"}, &scaivault.PutOptions{IfUnchanged: same})
				_, err = l.src.Put(l.Context(), path, map[string]any{"v": "3"}, &scaivault.PutOptions{IfUnchanged: read})
				require.ErrorIs(l, err, scaivault.ErrConflict)
				assert.JSONEq(l, `{"v":"2"}`, string(l.get(path).JSON()))
				require.NoError(l, l.src.Delete(l.Context(), path))
				_, err = l.src.Put(l.Context(), path, map[string]any{"v": "3"}, &scaivault.PutOptions{IfUnchanged: read})
				require.ErrorIs(l, err, scaivault.ErrConflict)
			}
		},
		"a deleted secret counts as absent": func(l *lab) {
			l.mount("kv", 2)
			l.write("kv/data/a", map[string]any{"v": "1"}, nil)
			require.NoError(l, l.src.Delete(l.Context(), "kv/data/a"))
			assert.Equal(l, 2, l.write("kv/data/a", map[string]any{"v": "2"}, &scaivault.PutOptions{IfAbsent: true}))
			_, err := l.src.Put(l.Context(), "kv/data/a", map[string]any{"v": "3"}, &scaivault.PutOptions{IfAbsent: true})
			require.ErrorIs(l, err, scaivault.ErrConflict)
		},
		"check-and-set that is demanded is satisfied": func(l *lab) {
			l.mount("kv", 2)
			l.put("kv/metadata/a", `{"cas_required":true}`)
			assert.Equal(l, 1, l.write("kv/data/a", map[string]any{"v": "1"}, nil))
			assert.Equal(l, 2, l.write("kv/data/a", map[string]any{"v": "2"}, nil))
			require.NoError(l, l.src.Delete(l.Context(), "kv/data/a"))
			assert.Equal(l, 3, l.write("kv/data/a", map[string]any{"v": "3"}, nil))
			l.put("kv/config", `{"cas_required":true}`)
			assert.Equal(l, 1, l.write("kv/data/b", map[string]any{"v": "1"}, nil))
			writer := l.source(l.token(`path "kv/data/*" { capabilities = ["create", "update"] }`))
			_, err := writer.Put(l.Context(), "kv/data/a", map[string]any{"v": "4"}, nil)
			require.ErrorIs(l, err, scaivault.ErrPermission)
			assert.Contains(l, err.Error(), "version")
		},
		"of many that write at once with IfVersion one wins": func(l *lab) {
			l.mount("kv", 2)
			l.write("kv/data/a", map[string]any{"v": "1"}, nil)
			one := 1
			results := make(chan error)
			for range 8 {
				go func() {
					_, err := l.src.Put(l.Context(), "kv/data/a", map[string]any{"v": "2"}, &scaivault.PutOptions{IfVersion: &one})
					results <- err
				}()
			}
			won := 0
			for range 8 {
				err := <-results
				if err == nil {
					won++
					continue
				}
				assert.True(l, errors.Is(err, scaivault.ErrConflict), err)
			}
			assert.Equal(l, 1, won)
			assert.Equal(l, 2, l.get("kv/data/a").Version())
		},
	}
}

func conditionsV2(l *lab) {
	l.mount("kv", 2)
	zero, one, two := 0, 1, 2
	put := func(path string, opts *scaivault.PutOptions) error {
		_, err := l.src.Put(l.Context(), path, map[string]any{"v": "x"}, opts)
		return err
	}
	require.ErrorIs(l, put("kv/data/a", &scaivault.PutOptions{IfVersion: &one}), scaivault.ErrConflict)
	require.NoError(l, put("kv/data/a", &scaivault.PutOptions{IfAbsent: true}))
	require.ErrorIs(l, put("kv/data/a", &scaivault.PutOptions{IfAbsent: true}), scaivault.ErrConflict)
	require.ErrorIs(l, put("kv/data/a", &scaivault.PutOptions{IfVersion: &zero}), scaivault.ErrConflict)
	require.ErrorIs(l, put("kv/data/a", &scaivault.PutOptions{IfVersion: &two}), scaivault.ErrConflict)
	require.NoError(l, put("kv/data/a", &scaivault.PutOptions{IfVersion: &one}))
	require.NoError(l, put("kv/data/b", &scaivault.PutOptions{IfVersion: &zero}))
	assert.Equal(l, 2, l.get("kv/data/a").Version())
	assert.Equal(l, 1, l.get("kv/data/b").Version())
}

func conditionsV1(l *lab) {
	l.mount("secret", 1)
	zero := 0
	put := func(value string, opts *scaivault.PutOptions) error {
		_, err := l.src.Put(l.Context(), "secret/a", map[string]any{"v": value}, opts)
		return err
	}
	require.NoError(l, put("1", &scaivault.PutOptions{IfAbsent: true}))
	require.ErrorIs(l, put("2", &scaivault.PutOptions{IfAbsent: true}), scaivault.ErrConflict)
	require.ErrorIs(l, put("2", &scaivault.PutOptions{IfVersion: &zero}), scaivault.ErrConflict)
	assert.JSONEq(l, `{"v":"1"}`, string(l.get("secret/a").JSON()))
}
