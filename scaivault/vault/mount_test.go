// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

const lookUps = "/v1/sys/internal/ui/mounts/**"

// silentOnMounts is a Vault behind something that lets nobody ask for mounts.
func silentOnMounts(t *testing.T) (*scaivaulttest.Vault, *vault.Source) {
	t.Helper()
	v, s := small(t)
	v.Inject(scaivaulttest.Fault{Path: lookUps, Status: 403, Body: "<html>"})
	return v, s
}

func TestManyWhoNeedOneMountShareItsLookUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := small(t)
		v.Mount("team/a", 2)
		v.Mount("team/b", 1)
		v.Inject(scaivaulttest.Fault{Path: lookUps, Delay: time.Second})
		var all sync.WaitGroup
		for i := range 50 {
			path := fmt.Sprintf("kv/data/apps/%d", i)
			v.Seed(path, map[string]any{"p": "q"})
			all.Go(func() {
				_, err := s.Get(t.Context(), path)
				assert.NoError(t, err)
			})
		}
		all.Wait()
		require.Equal(t, 1, v.RequestCount("", lookUps))

		v.Seed("team/a/data/x", map[string]any{"p": "q"})
		v.Seed("team/b/x", map[string]any{"p": "q"})
		for _, path := range []string{"team/a/data/x", "team/b/x"} { // one waits for the other's, in vain
			all.Go(func() {
				_, err := s.Get(t.Context(), path)
				assert.NoError(t, err)
			})
		}
		all.Wait()
		require.Equal(t, 3, v.RequestCount("", lookUps))
	})
}

func TestLookUpThatFailsIsNotTakenForAnAnswer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]scaivaulttest.Fault{
		"sealed":          {Status: 503, Code: "x", Message: "Vault is sealed"},
		"a page":          {Status: 200, Body: "<html>" + canary},
		"another mount":   {Status: 200, Body: `{"request_id":"r","data":{"path":"other/","type":"kv","options":{"version":"2"}}}`},
		"another shape":   {Status: 200, Body: `{"request_id":"r","data":{"path":7}}`},
		"without slash":   {Status: 200, Body: `{"request_id":"r","data":{"path":"kv","type":"kv"}}`},
		"cut in the body": {Cut: scaivaulttest.CutInBody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, s := small(t)
			v.Seed(kvPath, map[string]any{"p": "q"})
			fault.Path = lookUps
			remove := v.Inject(fault)
			_, err := s.Get(t.Context(), kvPath)
			require.ErrorIs(t, err, scaivault.ErrUnavailable)
			require.NotContains(t, err.Error(), canary)
			_, err = s.Put(t.Context(), kvPath, map[string]any{"p": "new"}, nil)
			require.ErrorIs(t, err, scaivault.ErrUnavailable)
			require.Zero(t, v.RequestCount("", "/v1/kv/**"))
			remove()
			_, err = s.Get(t.Context(), kvPath)
			require.NoError(t, err)
		})
	}
}

func TestReadsWorkWithoutTheLookUp(t *testing.T) {
	t.Parallel()
	v, s := silentOnMounts(t)
	v.Mount("team/kv", 2)
	v.Seed(kvPath, map[string]any{"p": "1"})
	v.Seed(kvPath, map[string]any{"p": "2"})
	v.Seed("team/kv/data/x", map[string]any{"p": "3"})
	v.Seed(v1Path, map[string]any{"p": "4"})
	v.Seed("secret/data/x", map[string]any{"data": "5"})
	for path, want := range map[string]string{
		kvPath: `{"p":"2"}`, "team/kv/data/x": `{"p":"3"}`, v1Path: `{"p":"4"}`, "secret/data/x": `{"data":"5"}`,
	} {
		secret, err := s.Get(t.Context(), path)
		require.NoError(t, err, path)
		assert.JSONEq(t, want, string(secret.JSON()), path)
	}
	before := len(v.Requests())
	secret, err := s.GetVersion(t.Context(), kvPath, 1)
	require.NoError(t, err)
	assert.Equal(t, 1, secret.Version())
	assert.Len(t, v.Requests(), before+1, "what was learned is kept")
	_, err = s.GetVersion(t.Context(), v1Path, 1)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
}

func TestPathsAreCheckedWithoutTheLookUp(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]error{
		"kv/apps/db":          scaivault.ErrInvalid, // KV v2 says so itself
		"kv/metadata/apps/db": scaivault.ErrInvalid, // not a secret, though Vault answers
		"kv/data/missing":     scaivault.ErrNotFound,
		"secret/missing":      scaivault.ErrNotFound,
		"nosuch/x":            scaivault.ErrInvalid,
	} {
		t.Run(strings.ReplaceAll(path, "/", "_"), func(t *testing.T) {
			t.Parallel()
			v, s := silentOnMounts(t)
			v.Seed(kvPath, map[string]any{"p": "q"})
			_, err := s.Get(t.Context(), path)
			require.ErrorIs(t, err, want)
		})
	}
}

func TestWritesWithoutTheLookUpNeedASecretThatTellsTheVersion(t *testing.T) {
	t.Parallel()
	v, s := silentOnMounts(t)
	for _, path := range []string{"kv/data/new", "secret/new"} {
		_, err := s.Put(t.Context(), path, map[string]any{"p": "q"}, nil)
		require.ErrorIs(t, err, scaivault.ErrPermission, path)
		require.ErrorIs(t, s.Delete(t.Context(), path), scaivault.ErrPermission, path)
	}
	_, err := s.Put(t.Context(), "kv/metadata/x", map[string]any{"p": "q"}, nil)
	require.Error(t, err)
	require.Zero(t, v.RequestCount(http.MethodPut, "/**"))
	require.Zero(t, v.RequestCount(http.MethodDelete, "/**"))

	v.Seed(v1Path, map[string]any{"p": "old"})
	v.Seed(kvPath, map[string]any{"p": "old"})
	for _, path := range []string{v1Path, kvPath} {
		_, err := s.Put(t.Context(), path, map[string]any{"p": "new"}, nil)
		require.NoError(t, err, path)
		raw, _ := v.Value(path)
		assert.JSONEq(t, `{"p":"new"}`, string(raw))
		require.NoError(t, s.Delete(t.Context(), path), path)
		_, ok := v.Value(path)
		assert.False(t, ok)
	}
	written, err := s.Put(t.Context(), "kv/data/new", map[string]any{"p": "q"}, nil)
	require.NoError(t, err, "the mount is known by now")
	assert.Equal(t, 1, written.Version)
}

func TestListingsWorkWithoutTheLookUp(t *testing.T) {
	t.Parallel()
	v, s := silentOnMounts(t)
	for _, path := range []string{"kv/data/a", "kv/data/b/c", "secret/a", "secret/b/c", "secret/data/d"} {
		v.Seed(path, map[string]any{"p": "q"})
	}
	for prefix, want := range map[string][]string{
		"kv/data": {"kv/data/a", "kv/data/b/c"}, "kv/data/b": {"kv/data/b/c"}, "kv/data/nosuch": nil,
		"secret": {"secret/a", "secret/b/c", "secret/data/d"}, "secret/b": {"secret/b/c"}, "secret/data": {"secret/data/d"},
	} {
		got, err := listed(t, s, prefix)
		require.NoError(t, err, prefix)
		assert.Equal(t, want, got, prefix)
	}
	_, err := listed(t, s, "kv")
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	_, err = listed(t, s, "nosuch/x")
	require.ErrorIs(t, err, scaivault.ErrInvalid)
}

func listed(t *testing.T, s *vault.Source, prefix string) ([]string, error) {
	t.Helper()
	var paths []string
	for entry, err := range s.List(t.Context(), prefix, nil) {
		if err != nil {
			return paths, err
		}
		paths = append(paths, entry.Path)
	}
	return paths, nil
}

func TestHostileListings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"a page":               {says(200, "<html>"+canary), scaivault.ErrUnavailable},
		"no keys":              {says(200, `{"request_id":"r","data":{}}`), scaivault.ErrUnavailable},
		"keys of another type": {says(200, `{"request_id":"r","data":{"keys":[1]}}`), scaivault.ErrUnavailable},
		"folders for ever":     {says(200, `{"request_id":"r","data":{"keys":["a/"]}}`), scaivault.ErrUnavailable},
		"a way up":             {says(200, `{"request_id":"r","data":{"keys":["../"]}}`), scaivault.ErrInvalid},
		"a folder of slashes":  {says(200, `{"request_id":"r","data":{"keys":["a/b/"]}}`), scaivault.ErrInvalid},
		"unprintable":          {says(200, `{"request_id":"r","data":{"keys":["a\u0007/"]}}`), scaivault.ErrInvalid},
		"a balancer's 404":     {says(404, "<html>"), scaivault.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(mounted(c.answer))
			defer srv.Close()
			s := sourceOf(t, clientOf(t, srv.URL, nil))
			_, err := listed(t, s, "kv/data")
			require.ErrorIs(t, err, c.want)
			require.NotContains(t, err.Error(), canary)
			require.NotContains(t, err.Error(), "\a")
		})
	}
	_, s := small(t)
	for _, err := range s.List(t.Context(), "kv/data", &scaivault.ListOptions{PageSize: -1}) {
		require.ErrorIs(t, err, scaivault.ErrInvalid)
	}
}

func TestMountsThatCannotBeListed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault scaivaulttest.Fault
		want  error
	}{
		"sealed":        {scaivaulttest.Fault{Status: 503, Code: "x", Message: "Vault is sealed"}, scaivault.ErrUnavailable},
		"denied":        {scaivaulttest.Fault{Status: 403, Code: "x", Message: "permission denied"}, scaivault.ErrPermission},
		"a page":        {scaivaulttest.Fault{Status: 200, Body: "<html>"}, scaivault.ErrUnavailable},
		"another shape": {scaivaulttest.Fault{Status: 200, Body: `{"request_id":"r","data":[]}`}, scaivault.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, s := small(t)
			v.Inject(c.fault)
			_, err := s.Mounts(t.Context())
			require.ErrorIs(t, err, c.want)
			_, err = listed(t, s, "")
			require.ErrorIs(t, err, c.want)
		})
	}
}
