// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

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
