// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// quirky returns a server with these answers to the open questions.
func quirky(t *testing.T, quirks scaivaulttest.Quirks) (*scaivaulttest.Server, *caller) {
	t.Helper()
	srv, c := inMemory(t, &scaivaulttest.ServerOptions{NoLimits: true, Quirks: quirks})
	srv.Seed("a", map[string]any{"k": "v"})
	return srv, c
}

func TestQuirkPut(t *testing.T) {
	t.Parallel()
	const body = `{"data":{"k":"w"}}`
	_, c := quirky(t, scaivaulttest.Quirks{Put: scaivaulttest.PutWithData})
	assert.Equal(t, map[string]any{"k": "w"}, c.put("a", body).object(t)["data"])
	_, c = quirky(t, scaivaulttest.Quirks{Put: scaivaulttest.PutCreated})
	r := c.put("a", body)
	assert.Equal(t, 201, r.status)
	assert.JSONEq(t, `{"path":"a","version":2}`, r.body)
	_, c = quirky(t, scaivaulttest.Quirks{Put: scaivaulttest.PutNoContent})
	r = c.put("a", body)
	assert.Equal(t, 204, r.status)
	assert.Empty(t, r.body)
}

func TestQuirkOmitted(t *testing.T) {
	t.Parallel()
	const full = `{"data":{},"secret_type":"api_key","metadata":{"owner":"x"},"options":{"expires_in":"1h","max_versions":1}}`
	for omitted, want := range map[scaivaulttest.Omitted]map[string]any{
		scaivaulttest.OmittedKept:  {"secret_type": "api_key", "metadata": map[string]any{"owner": "x"}, "old": 404},
		scaivaulttest.OmittedReset: {"secret_type": "kv", "metadata": map[string]any{}, "old": 200},
	} {
		_, c := quirky(t, scaivaulttest.Quirks{Omitted: omitted})
		c.put("b", full)
		c.put("b", `{"data":{}}`)
		o := c.get("/v1/secrets/b").object(t)
		assert.Equal(t, want["secret_type"], o["secret_type"])
		assert.Equal(t, want["metadata"], o["metadata"])
		assert.Equal(t, omitted == scaivaulttest.OmittedReset, o["expires_at"] == nil)
		assert.Equal(t, want["old"], c.get("/v1/secrets/b?version=1").status, "max_versions")
	}
}

func TestQuirkSame(t *testing.T) {
	t.Parallel()
	srv, c := quirky(t, scaivaulttest.Quirks{Same: scaivaulttest.SameIgnored})
	assert.EqualValues(t, 1, c.put("a", `{"data":{ "k": "v" }}`).object(t)["version"])
	c.put("a", `{"data":{"k":"w"}}`)
	assert.Equal(t, 2, srv.SecretVersion("a"))
	srv, c = quirky(t, scaivaulttest.Quirks{})
	c.put("a", `{"data":{"k":"v"}}`)
	assert.Equal(t, 2, srv.SecretVersion("a"))
}

func TestQuirksOfDelete(t *testing.T) {
	t.Parallel()
	_, c := quirky(t, scaivaulttest.Quirks{Delete: scaivaulttest.DeleteNoContent, HardDelete: scaivaulttest.HardDeleteHard})
	r := c.do("DELETE", "/v1/secrets/a?permanent=true", "")
	assert.Equal(t, 204, r.status)
	assert.Empty(t, r.body)
	c.put("a", `{"data":{}}`).refused(t, 409, "secret_exists")
	assert.Equal(t, 204, c.do("DELETE", "/v1/secrets/a?hard=true", "").status)
	assert.Equal(t, 200, c.put("a", `{"data":{}}`).status)
}

func TestQuirkExpired(t *testing.T) {
	t.Parallel()
	for expired, status := range map[scaivaulttest.Expired]int{scaivaulttest.ExpiredServed: 200, scaivaulttest.ExpiredMissing: 404} {
		synctest.Test(t, func(t *testing.T) {
			_, c := quirky(t, scaivaulttest.Quirks{Expired: expired})
			c.put("b", `{"data":{},"options":{"expires_in":"1m"}}`)
			assert.Equal(t, 200, c.get("/v1/secrets/b").status)
			time.Sleep(time.Minute)
			assert.Equal(t, status, c.get("/v1/secrets/b").status)
		})
	}
}

func TestQuirksOfLists(t *testing.T) {
	t.Parallel()
	srv, c := quirky(t, scaivaulttest.Quirks{
		ListKey: scaivaulttest.ListData, ListItem: scaivaulttest.ListItemMinimal,
		ListPrefix: scaivaulttest.PrefixString, ListMax: 2, ListOver: scaivaulttest.OverRefused,
	})
	seedAll(srv, "ab", "a/b", "b")
	assert.Equal(t, []string{"a", "a/b", "ab"}, walk(t, c, "data", "prefix=a"))
	assert.JSONEq(t, `{"data":[{"path":"b","version":1}],"cursor":null,"has_more":false}`, c.get("/v1/secrets?prefix=b").body)
	c.get("/v1/secrets?limit=3").refused(t, 422, "validation_error")
	srv, c = quirky(t, scaivaulttest.Quirks{ListMax: 2})
	seedAll(srv, "b", "c")
	assert.Len(t, c.get("/v1/secrets?limit=3").paths(t, "secrets"), 2, "clamped")
}

func TestQuirkBatchStatus(t *testing.T) {
	t.Parallel()
	_, c := quirky(t, scaivaulttest.Quirks{Batch: scaivaulttest.Batch207})
	assert.Equal(t, 207, c.do("POST", "/v1/secrets/batch", `{"paths":["a","b"]}`).status)
	assert.Equal(t, 200, c.do("POST", "/v1/secrets/batch", `{"paths":["a"]}`).status)
}

func TestQuirksOfRefusals(t *testing.T) {
	t.Parallel()
	srv, c := quirky(t, scaivaulttest.Quirks{
		NonObject: scaivaulttest.NonObject400, Denied: scaivaulttest.DeniedHidden,
		UnknownRoute: scaivaulttest.UnknownRoutePlain, Subresources: scaivaulttest.SubresourcesAbsent,
	})
	c.put("a", `{"data":[]}`).refused(t, 400, "invalid_request")
	srv.Deny("*", "a")
	c.get("/v1/secrets/a").refused(t, 404, "secret_not_found")
	r := c.get("/v1/nothing")
	assert.Equal(t, 404, r.status)
	assert.Contains(t, r.header.Get("Content-Type"), "text/plain")
	srv.Allow("*", "a")
	c.get("/v1/secrets/a/metadata").refused(t, 404, "secret_not_found")
}
