// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func seedAll(srv *scaivaulttest.Server, paths ...string) {
	for _, path := range paths {
		srv.Seed(path, map[string]any{"k": "v"})
	}
}

func TestListPrefix(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	seedAll(srv, "b/x", "a/b/c", "a/b", "a/b-c", "a/bc/d", "a/b/c/d", "0")
	for prefix, want := range map[string][]string{
		"":       {"0", "a/b", "a/b-c", "a/b/c", "a/b/c/d", "a/bc/d", "b/x"},
		"a":      {"a/b", "a/b-c", "a/b/c", "a/b/c/d", "a/bc/d"},
		"a/":     {"a/b", "a/b-c", "a/b/c", "a/b/c/d", "a/bc/d"},
		"a/b":    {"a/b", "a/b/c", "a/b/c/d"},
		"a/b/":   {"a/b/c", "a/b/c/d"},
		"a/b/c/": {"a/b/c/d"},
		"z":      {},
		"UPPER":  {},
	} {
		r := c.get("/v1/secrets?prefix=" + url.QueryEscape(prefix))
		assert.Equal(t, want, r.paths(t, "secrets"), "prefix %q", prefix)
		assert.Nil(t, r.object(t)["cursor"])
		assert.Equal(t, false, r.object(t)["has_more"])
		assert.NotContains(t, r.body, `"data"`)
	}
	item := c.get("/v1/secrets/?prefix=b/x").object(t)["secrets"].([]any)[0].(map[string]any)
	for _, name := range []string{"path", "version", "secret_type", "metadata", "created_at", "updated_at", "expires_at"} {
		assert.Contains(t, item, name)
	}
}

// walk follows the cursors of a listing.
func walk(t *testing.T, c *caller, key, query string) []string {
	t.Helper()
	var all []string
	for cursor := ""; ; {
		r := c.get("/v1/secrets?" + query + "&cursor=" + url.QueryEscape(cursor))
		all = append(all, r.paths(t, key)...)
		o := r.object(t)
		if o["has_more"] == false {
			return all
		}
		cursor = o["cursor"].(string)
		require.LessOrEqual(t, len(all), 1000, "no end")
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	for order, sorted := range map[scaivaulttest.ListOrder]func([]string){
		scaivaulttest.ListByPath:           func(p []string) { slices.Sort(p) },
		scaivaulttest.ListByPathDescending: func(p []string) { slices.Sort(p); slices.Reverse(p) },
		scaivaulttest.ListByAge:            func([]string) {},
	} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			srv, c := inMemory(t, &scaivaulttest.ServerOptions{NoLimits: true, Quirks: scaivaulttest.Quirks{ListOrder: order}})
			want := []string{"p"}
			for i := range 50 {
				want = append(want, fmt.Sprintf("p/%d", (i*37)%50))
			}
			seedAll(srv, want...)
			seedAll(srv, "q", "p-", "o/p")
			sorted(want)
			for _, limit := range []int{1, 7, 51, 1000} {
				assert.Equal(t, want, walk(t, c, "secrets", fmt.Sprintf("prefix=p&limit=%d", limit)))
			}
		})
	}
}

func TestListSeesDeletionsAndNewPaths(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	for i := range 20 {
		seedAll(srv, fmt.Sprintf("p/%02d", i))
	}
	first := c.get("/v1/secrets?limit=5")
	assert.Len(t, first.paths(t, "secrets"), 5)
	for i := range 15 {
		c.do("DELETE", fmt.Sprintf("/v1/secrets/p/%02d?permanent=true", i), "")
	}
	seedAll(srv, "p/03", "p/17x", "a")
	cursor := first.object(t)["cursor"].(string)
	assert.Equal(t, []string{"p/15", "p/16", "p/17", "p/17x", "p/18", "p/19"}, c.get("/v1/secrets?cursor="+cursor).paths(t, "secrets"))
	assert.Equal(t, []string{"a", "p/03", "p/15", "p/16", "p/17", "p/17x", "p/18", "p/19"}, c.get("/v1/secrets").paths(t, "secrets"))
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, nil)
	for _, cursor := range []string{"x", "%25", "c3YxOng6YQ", "c3YyOjE6YQ"} {
		c.get("/v1/secrets?cursor="+cursor).refused(t, 400, "invalid_cursor")
	}
	for _, limit := range []string{"0", "-1", "x", "1e3"} {
		c.get("/v1/secrets?limit="+limit).refused(t, 422, "validation_error")
	}
}

func TestListHidesDeniedPaths(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	seedAll(srv, "a/1", "a/2", "b/1")
	srv.Deny("sa:tests", "a/**")
	assert.Equal(t, []string{"b/1"}, c.get("/v1/secrets").paths(t, "secrets"))
	srv.Allow("sa:tests", "a/**")
	assert.Len(t, c.get("/v1/secrets").paths(t, "secrets"), 3)
}
