// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestDocumentedLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := scaivaulttest.NewServer(t)
		c := as(t, srv, srv.IssueToken("sa:tests"))
		srv.Seed("a", map[string]any{})
		for i := range 100 {
			r := c.put("a", `{"data":{}}`)
			require.Equal(t, 200, r.status)
			assert.Equal(t, "100", r.header.Get("X-RateLimit-Limit"))
			assert.Equal(t, strconv.Itoa(99-i), r.header.Get("X-RateLimit-Remaining"))
		}
		r := c.put("a", `{"data":{}}`)
		r.refused(t, 429, "rate_limited")
		assert.Equal(t, "1", r.header.Get("Retry-After"))
		assert.Equal(t, "0", r.header.Get("X-RateLimit-Remaining"))
		assert.Equal(t, strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10), r.header.Get("X-RateLimit-Reset"))
		assert.Equal(t, 200, c.get("/v1/secrets/a").status, "another category")
		assert.Equal(t, 200, as(t, srv, srv.IssueToken("sa:other")).put("a", `{"data":{}}`).status, "another identity")
		again := as(t, srv, srv.IssueToken("sa:tests"))
		again.put("a", `{"data":{}}`).refused(t, 429, "rate_limited")

		time.Sleep(600 * time.Millisecond)
		assert.Equal(t, 200, c.put("a", `{"data":{}}`).status, "refills continuously")
		c.put("a", `{"data":{}}`).refused(t, 429, "rate_limited")
		time.Sleep(time.Hour)
		for range 100 {
			require.Equal(t, 200, c.put("a", `{"data":{}}`).status)
		}
		c.put("a", `{"data":{}}`).refused(t, 429, "rate_limited")
		assert.Equal(t, 201+2, srv.SecretVersion("a"), "what was refused was not done")
	})
}

func TestRefusalsTellTheQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := scaivaulttest.NewServer(t)
		c := as(t, srv, srv.IssueToken("sa:tests", "secrets:list"))
		for range 3 {
			r := c.put("a", `{"data":{}}`)
			r.refused(t, 403, "insufficient_scope")
			assert.Equal(t, "100", r.header.Get("X-RateLimit-Remaining"), "it cost nothing")
			assert.NotEmpty(t, r.header.Get("X-RateLimit-Reset"))
		}
		r := c.get("/v1/t/tnt_other/secrets")
		r.refused(t, 404, "tenant_not_found")
		assert.Equal(t, "100", r.header.Get("X-RateLimit-Remaining"))
	})
}

func TestLimitsCanBeSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, &scaivaulttest.ServerOptions{Limits: map[scaivaulttest.Category]int{
			scaivaulttest.CategoryRead: 1, scaivaulttest.CategoryList: 0,
		}})
		srv.Seed("a", map[string]any{})
		assert.Equal(t, 200, c.get("/v1/secrets/a").status)
		r := c.get("/v1/secrets/a")
		r.refused(t, 429, "rate_limited")
		assert.Equal(t, "60", r.header.Get("Retry-After"))
		for range 200 {
			r = c.get("/v1/secrets")
			require.Equal(t, 200, r.status, "zero is unlimited")
		}
		assert.Empty(t, r.header.Get("X-RateLimit-Limit"))
		assert.Equal(t, "300", c.get("/v1/auth/whoami").header.Get("X-RateLimit-Limit"), "the documented one")
		assert.Equal(t, scaivaulttest.DocumentedLimits()[scaivaulttest.CategoryRead], 1000)
	})
}

func TestNoLimits(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, nil)
	for range 400 {
		require.Equal(t, 200, c.get("/v1/auth/whoami").status)
	}
}

func TestBatchCostsReads(t *testing.T) {
	t.Parallel()
	limits := map[scaivaulttest.Category]int{scaivaulttest.CategoryRead: 3}
	const body = `{"paths":["a","b","missing"]}`
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, &scaivaulttest.ServerOptions{Limits: limits})
		seedAll(srv, "a", "b")
		r, _ := c.batch(body)
		assert.Equal(t, 200, r.status)
		assert.Equal(t, "100", r.header.Get("X-RateLimit-Limit"), "of the batch limit")
		assert.Equal(t, "99", r.header.Get("X-RateLimit-Remaining"))
		r = c.do("POST", "/v1/secrets/batch", body)
		r.refused(t, 429, "rate_limited")
		assert.Equal(t, "20", r.header.Get("Retry-After"), "until one more unit is there")
		assert.Equal(t, 200, c.get("/v1/secrets/a").status, "the one that was left")
	})
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, &scaivaulttest.ServerOptions{Limits: limits, Quirks: scaivaulttest.Quirks{BatchLimited: scaivaulttest.BatchLimitedEntries}})
		seedAll(srv, "a", "b")
		c.batch(body)
		_, b := c.batch(body)
		assert.Len(t, b.Secrets, 1)
		assert.Equal(t, "rate_limited", b.Errors["b"].Code)
	})
}

func TestRetryAfterDate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := inMemory(t, &scaivaulttest.ServerOptions{
			Limits: map[scaivaulttest.Category]int{scaivaulttest.CategoryIdentity: 1},
			Quirks: scaivaulttest.Quirks{RetryAfter: scaivaulttest.RetryAfterDate},
		})
		c.get("/v1/auth/whoami")
		r := c.get("/v1/auth/whoami")
		at, err := http.ParseTime(r.header.Get("Retry-After"))
		require.NoError(t, err)
		assert.Equal(t, time.Minute, time.Until(at))
	})
}

func TestLimitHeaders(t *testing.T) {
	t.Parallel()
	for quirk, names := range map[scaivaulttest.LimitHeaders][3]string{
		scaivaulttest.LimitHeadersX:      {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"},
		scaivaulttest.LimitHeadersIETF:   {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"},
		scaivaulttest.LimitHeadersDashed: {"X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{
				Limits: map[scaivaulttest.Category]int{scaivaulttest.CategoryRead: 1},
				Quirks: scaivaulttest.Quirks{LimitHeaders: quirk},
			})
			c := as(t, srv, srv.IssueToken("sa:tests"))
			seedAll(srv, "a", "b")
			reset := strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10)
			if quirk == scaivaulttest.LimitHeadersIETF {
				reset = "60"
			}
			for _, status := range []int{200, 429} {
				r := c.get("/v1/secrets/a")
				assert.Equal(t, status, r.status)
				assert.Equal(t, "1", r.header.Get(names[0]))
				assert.Equal(t, "0", r.header.Get(names[1]))
				assert.Equal(t, reset, r.header.Get(names[2]))
			}
			r := c.do("POST", "/v1/secrets/batch", `{"paths":["a","b"]}`)
			r.refused(t, 429, "rate_limited")
			assert.Equal(t, "1", r.header.Get(names[0]), "of the limit that refuses")
			time.Sleep(time.Minute)
			r = c.do("POST", "/v1/secrets/batch", `{"paths":["a"]}`)
			assert.Equal(t, "100", r.header.Get(names[0]), "of the batch limit")
		})
	}
}
