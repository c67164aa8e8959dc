// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// service is ScaiVault in memory and a client of it.
func service(t testing.TB, opts *scaivaulttest.ServerOptions, change ...configure) (*scaivaulttest.Server, *scaivault.Client) {
	t.Helper()
	s := scaivaulttest.NewServer(t, opts)
	token := s.IssueToken("sa:billing-prod")
	change = append([]configure{through(s.RoundTripper()), func(cfg *scaivault.ClientConfig) { cfg.Token = scaivault.StaticToken(token) }}, change...)
	return s, newTestClient(t, "https://scaivault.test", change...)
}

// quirks are different answers to what the service's documents leave open.
var quirks = map[string]scaivaulttest.Quirks{
	"natural":                  {},
	"PUT answers with data":    {Put: scaivaulttest.PutWithData},
	"PUT answers 201":          {Put: scaivaulttest.PutCreated},
	"PUT answers nothing":      {Put: scaivaulttest.PutNoContent},
	"listing under data":       {ListKey: scaivaulttest.ListData},
	"omitted metadata cleared": {Omitted: scaivaulttest.OmittedReset},
	"batch answers 207":        {Batch: scaivaulttest.Batch207},
	"delete answers nothing":   {Delete: scaivaulttest.DeleteNoContent},
}

// TestClientUnderEveryQuirk goes through a secret's life, whatever the service
// answers where its documents are silent.
func TestClientUnderEveryQuirk(t *testing.T) {
	t.Parallel()
	for name, q := range quirks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, c := service(t, &scaivaulttest.ServerOptions{Quirks: q})
			ctx := t.Context()
			meta := scaivault.Metadata{Description: "d", Tags: []string{"a"}, Owner: "team:x", Values: map[string]any{"k": "v"}}
			w, err := c.Put(ctx, testPath, map[string]any{"v": "1"}, &scaivault.PutOptions{Type: scaivault.TypeKV, Metadata: meta, MaxVersions: 5, ExpiresIn: 720 * time.Hour})
			require.NoError(t, err)
			assert.Contains(t, []int{0, 1}, w.Version)
			assert.Equal(t, "scaivault", w.Source)
			_, err = c.Put(ctx, testPath, map[string]any{"v": "2"}, &scaivault.PutOptions{Metadata: meta})
			require.NoError(t, err)

			s, err := c.Get(ctx, testPath)
			require.NoError(t, err)
			v, _ := s.Field("v")
			assert.Equal(t, "2", v)
			assert.Equal(t, 2, s.Version())
			assert.Equal(t, meta, s.Info().Metadata)
			s, err = c.GetVersion(ctx, testPath, 1)
			require.NoError(t, err)
			v, _ = s.Field("v")
			assert.Equal(t, "1", v)
			_, err = c.GetVersion(ctx, testPath, 9)
			requireMatches(t, err, scaivault.ErrNotFound)

			assert.Equal(t, []string{testPath}, listed(t, c, "environments/production"))
			assert.Equal(t, []string{testPath}, listed(t, c, ""))
			assert.Empty(t, listed(t, c, "environments/prod"))

			batch, err := c.GetBatch(ctx, []string{testPath, "not/there", testPath, "Not/Allowed"})
			var partial *scaivault.BatchError
			require.ErrorAs(t, err, &partial)
			assert.Equal(t, []string{"Not/Allowed", "not/there"}, slices.Sorted(maps.Keys(partial.Errors)))
			requireMatches(t, partial.Errors["not/there"], scaivault.ErrNotFound)
			requireMatches(t, partial.Errors["Not/Allowed"], scaivault.ErrInvalid)
			require.Len(t, batch, 1)
			assert.Equal(t, meta, batch[testPath].Info().Metadata)

			require.NoError(t, c.Delete(ctx, testPath, nil))
			_, err = c.Get(ctx, testPath)
			requireMatches(t, err, scaivault.ErrNotFound)
			_, err = c.Put(ctx, testPath, map[string]any{}, nil)
			requireMatches(t, err, scaivault.ErrConflict)
			requireMatches(t, c.Delete(ctx, "not/there", &scaivault.DeleteOptions{Permanent: true}), scaivault.ErrNotFound)
		})
	}
}

func listed(t testing.TB, c *scaivault.Client, prefix string) []string {
	t.Helper()
	var paths []string
	for e, err := range c.List(t.Context(), prefix, &scaivault.ListOptions{PageSize: 2}) {
		require.NoError(t, err)
		paths = append(paths, e.Path)
	}
	return paths
}

// TestClientKeepsEveryDigit on the wire and back.
func TestClientKeepsEveryDigit(t *testing.T) {
	t.Parallel()
	_, c := service(t, nil)
	for _, number := range []string{"12345678901234567890", "1e400", "0.1000", "-0.0", "1E+2"} {
		for _, v := range []any{json.Number(number), json.RawMessage(number)} {
			_, err := c.Put(t.Context(), testPath, map[string]any{"n": v, "markup": "<a>&"}, nil)
			require.NoError(t, err)
			s, err := c.Get(t.Context(), testPath)
			require.NoError(t, err)
			require.JSONEq(t, `{"n":`+"0"+`,"markup":"<a>&"}`, strings.Replace(string(s.JSON()), number, "0", 1))
			require.Equal(t, json.Number(number), s.Data()["n"])
		}
	}
}

// TestClientIsShared by many goroutines, and does not change what it was given.
func TestClientIsShared(t *testing.T) {
	t.Parallel()
	s := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{NoLimits: true})
	given := &http.Client{Transport: s.RoundTripper()}
	c := newTestClient(t, "https://s.test", func(cfg *scaivault.ClientConfig) {
		cfg.HTTPClient, cfg.Token = given, scaivault.StaticToken(s.IssueToken("sa:x"))
	})
	require.Nil(t, given.CheckRedirect)
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			path := fmt.Sprintf("a/%d", i)
			_, err := c.Put(t.Context(), path, map[string]any{"i": i}, nil)
			assert.NoError(t, err)
			secret, err := c.Get(t.Context(), path)
			if assert.NoError(t, err) {
				got, _ := secret.Field("i")
				assert.Equal(t, fmt.Sprint(i), got)
			}
		})
	}
	group.Wait()
	require.NoError(t, c.Close())
	_, err := c.Get(t.Context(), "a/1")
	requireMatches(t, err, scaivault.ErrClosed)
	_, err = c.Put(t.Context(), "a/1", valueA, nil)
	requireMatches(t, err, scaivault.ErrClosed)
}

// TestClientSurvivesStrangeTypes in every field but the data.
func TestClientSurvivesStrangeTypes(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"data":{"password":"x"}}`,
		`{"data":{"password":"x"},"version":"7","secret_type":7,"metadata":[],"created_at":7,"expires_at":"never","path":null,"new":{"a":[1]}}`,
		`{"data":{"password":"x"},"version":-1,"metadata":{"tags":"a","owner":7,"description":null},"updated_at":"yesterday"}`,
		`{"data":{"password":"x"},"version":1e9,"metadata":null,"secret_type":null}`,
	} {
		s, err := serve(t, answer(200, body)).Get(t.Context(), testPath)
		require.NoError(t, err, body)
		password, _ := s.Field("password")
		require.Equal(t, "x", password)
		require.Equal(t, testPath, s.Path())
	}
	for _, body := range []string{`{}`, `{"data":null}`, `{"data":[]}`, `{"data":"canary"}`, `{"data":7}`, `null`, `[]`, `"canary"`, `{"data":{}} trailing`} {
		_, err := serve(t, answer(200, body)).Get(t.Context(), testPath)
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.NotContains(t, err.Error(), "canary")
	}
}

// FuzzValidatePath agrees with the documented alphabet and limits.
func FuzzValidatePath(f *testing.F) {
	f.Add(strings.Repeat("a", 513))
	f.Fuzz(func(t *testing.T, path string) {
		ok := path != "" && len(path) <= 512 && strings.Count(path, "/") < 10
		for _, level := range strings.Split(path, "/") {
			ok = ok && level != "" && strings.Trim(level, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
		}
		err := scaivault.ValidatePath(path)
		require.Equal(t, ok, err == nil, "%q: %v", path, err)
		if err != nil {
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			require.NotContains(t, err.Error(), "\n")
		}
	})
}
