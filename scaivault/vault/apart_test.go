// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// looks is all that can be seen of a client.
func looks(c *api.Client) map[string]any {
	cfg := c.CloneConfig()
	return map[string]any{
		"token": c.Token(), "namespace": c.Namespace(), "headers": c.Headers(), "address": c.Address(),
		"retries": c.MaxRetries(), "min": c.MinRetryWait(), "max": c.MaxRetryWait(), "timeout": c.ClientTimeout(),
		"limiter": c.Limiter(), "srv": c.SRVLookup(), "check": c.CheckRetry() == nil, "ryw": c.ReadYourWrites(),
		"redirect": cfg.HttpClient.CheckRedirect == nil, "transport": fmt.Sprintf("%p", cfg.HttpClient.Transport),
	}
}

// namespaced is a Vault with the same path in several namespaces, each with a
// value of its own and a KV version of its own.
func namespaced(t *testing.T, names ...string) (*scaivaulttest.Vault, *api.Client) {
	t.Helper()
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
	client := clientOf(t, "http://127.0.0.1:8200", v.RoundTripper())
	for i, name := range names {
		ns := client.WithNamespace(name)
		version := fmt.Sprint(1 + i%2)
		require.NoError(t, ns.Sys().MountWithContext(t.Context(), "kv", &api.MountInput{Type: "kv", Options: map[string]string{"version": version}}))
	}
	return v, client
}

func TestTwoSourcesOnOneClientDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	v, client := namespaced(t, "acme", "acme/finance")
	client.SetMaxRetries(7)
	client.SetMinRetryWait(3 * time.Second)
	client.SetClientTimeout(17 * time.Second)
	client.AddHeader("X-Team", "billing")
	auth := &method{ttl: "1h", policy: "root"}
	var all sync.WaitGroup
	for i, name := range []string{"acme", "acme/finance"} {
		client.SetNamespace(name)
		before := looks(client)
		s := sourceOf(t, client, func(c *vault.Config) {
			if i == 0 {
				c.Auth = auth
			}
		})
		path := map[int]string{0: "kv/a", 1: "kv/data/a"}[i]
		for n := range 5 {
			all.Go(func() {
				own := fmt.Sprint(path, n)
				_, err := s.Put(t.Context(), own, map[string]any{"in": name}, nil)
				assert.NoError(t, err)
				secret, err := s.Get(t.Context(), own)
				if assert.NoError(t, err) {
					in, _ := secret.Field("in")
					assert.Equal(t, name, in)
				}
			})
		}
		all.Wait()
		require.Equal(t, before, looks(client))
		require.Equal(t, "http://127.0.0.1:8200/"+name, s.Address())
	}
	require.Positive(t, v.RequestCount(http.MethodPut, "/v1/auth/token/create"))
}

// TestNoTwoSecretsAreEverTakenForEachOther: whatever is remembered of one
// source, namespace and path serves no other.
func TestNoTwoSecretsAreEverTakenForEachOther(t *testing.T) {
	t.Parallel()
	namespaces := []string{"", "a", "a/b", "kv"}
	paths := []string{"kv/x", "kv/data/x", "kv/a/x", "kv/data/a/x", "kv/data/data/x", "kv/kv/x", "kv/data/kv/x", "kv/data/x y", "kv/data/x%20y"}
	_, first := namespaced(t, namespaces...)
	_, second := namespaced(t, slices.Concat(namespaces[1:], namespaces[:1])...) // the versions are the other way round
	rapid.Check(t, func(rt *rapid.T) {
		sources := map[string]*vault.Source{}
		for i, client := range []*api.Client{first, second} {
			for _, ns := range namespaces {
				name := fmt.Sprintf("%d %q", i, ns)
				src, err := vault.NewSource(vault.Config{Client: client.WithNamespace(ns), Name: "vault"})
				require.NoError(rt, err)
				defer func() { require.NoError(rt, src.Close()) }()
				sources[name] = src
			}
		}
		names := slices.Sorted(maps.Keys(sources))
		wrote := map[string]string{}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			name, path := rapid.SampledFrom(names).Draw(rt, "source"), rapid.SampledFrom(paths).Draw(rt, "path")
			value := fmt.Sprintf("%s %s %d", name, path, len(wrote))
			if rapid.Bool().Draw(rt, "write") {
				if _, err := sources[name].Put(t.Context(), path, map[string]any{"v": value}, nil); err == nil {
					wrote[name+" "+path] = value
				} else {
					require.ErrorIs(rt, err, scaivault.ErrInvalid, "a path of the other KV version")
				}
				continue
			}
			secret, err := sources[name].Get(t.Context(), path)
			want, known := wrote[name+" "+path]
			if known {
				require.NoError(rt, err)
				got, _ := secret.Field("v")
				require.Equal(rt, want, got)
			}
		}
	})
}

// A replica answers 412 to those that demand a state it has not got, as the
// standbys of Vault Enterprise do.
func TestReadsDemandWhatWasWritten(t *testing.T) {
	t.Parallel()
	const state = "djE6Y2x1c3RlcjoxOjI6YWI=" // v1:cluster:1:2:ab
	v, _ := small(t)
	v.Seed(kvPath, map[string]any{"p": "q"})
	var demanded [][]string
	client := clientOf(t, "http://127.0.0.1:8200", roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet && r.URL.Path == "/v1/"+kvPath {
			demanded = append(demanded, r.Header.Values("X-Vault-Index"))
		}
		resp, err := v.RoundTripper().RoundTrip(r)
		if err == nil && r.Method == http.MethodPut {
			resp.Header.Set("X-Vault-Index", state)
		}
		return resp, err
	}))
	s := sourceOf(t, client)
	require.NoError(t, read(t, s))
	_, err := s.Put(t.Context(), kvPath, map[string]any{"p": "new"}, nil)
	require.NoError(t, err)
	remove := v.Inject(scaivaulttest.Fault{Method: http.MethodGet, Path: "/v1/kv/**", Status: 412, Code: "x", Message: "required index state not present", Count: 2})
	defer remove()
	require.NoError(t, read(t, s), "the replica catches up")
	require.Equal(t, [][]string{nil, {state}, {state}, {state}}, demanded)
	require.NoError(t, read(t, sourceOf(t, client)))
	require.Nil(t, demanded[4], "another Source demands nothing")
}

// A state that is demanded for ever would fail the reads of a cluster that was
// restored from before. States of one cluster that do not cover each other are
// demanded both.
func TestWhatWasWrittenIsDemandedForAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := base64.StdEncoding.EncodeToString([]byte("v1:cluster:2:1:ab"))
		second := base64.StdEncoding.EncodeToString([]byte("v1:cluster:1:2:ab"))
		v, _ := small(t)
		v.Seed(kvPath, map[string]any{"p": "q"})
		var demanded []string
		state := first
		s := sourceOf(t, clientOf(t, "http://127.0.0.1:8200", roundTripper(func(r *http.Request) (*http.Response, error) {
			demanded = r.Header.Values("X-Vault-Index")
			resp, err := v.RoundTripper().RoundTrip(r)
			if err == nil && r.Method == http.MethodPut {
				resp.Header.Set("X-Vault-Index", state)
			}
			return resp, err
		})))
		for _, state = range []string{first, second} {
			_, err := s.Put(t.Context(), kvPath, map[string]any{"p": state}, nil)
			require.NoError(t, err)
		}
		time.Sleep(time.Minute)
		require.NoError(t, read(t, s))
		require.ElementsMatch(t, []string{first, second}, demanded)
		time.Sleep(time.Nanosecond)
		require.NoError(t, read(t, s))
		require.Empty(t, demanded)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
