// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

type auditEntry struct {
	ID           string    `json:"id"`
	Timestamp    time.Time `json:"timestamp"`
	Action       string    `json:"action"`
	IdentityType string    `json:"identity_type"`
	IdentityID   string    `json:"identity_id"`
	SecretPath   string    `json:"secret_path"`
	SourceIP     string    `json:"source_ip"`
	UserAgent    string    `json:"user_agent"`
	Success      bool      `json:"success"`
	RequestID    string    `json:"request_id"`

	ExtraData map[string]any `json:"extra_data"`
}

type auditPage struct {
	Logs    []auditEntry `json:"logs"`
	Cursor  *string      `json:"cursor"`
	HasMore bool         `json:"has_more"`
}

func (c *caller) audit(query string) auditPage {
	c.t.Helper()
	r := c.get("/v1/audit/logs?" + query)
	require.Equal(c.t, 200, r.status, r.body)
	var page auditPage
	require.NoError(c.t, json.Unmarshal([]byte(r.body), &page))
	return page
}

func TestAuditRecordsEveryRequestOnSecrets(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	srv.Seed("seeded", map[string]any{})
	c.put("a/1", `{"data":{"k":"not-a-real-one"}}`)
	read := c.get("/v1/secrets/a/1")
	c.get("/v1/secrets/a/2")
	c.get("/v1/secrets?prefix=a/")
	c.do("POST", "/v1/secrets/batch", `{"paths":["a/1","a/3"]}`)
	c.do("DELETE", "/v1/secrets/a/1", "")
	c.get("/v1/auth/whoami")
	as(t, srv, "").get("/v1/secrets/a/1")
	as(t, srv, srv.IssueToken("user:ops", "secrets:list", "audit:read")).get("/v1/secrets/a/1")

	var got []string
	for _, e := range c.audit("").Logs {
		got = append(got, fmt.Sprint(e.Action, " ", e.SecretPath, " ", e.Success))
		assert.NotEmpty(t, e.ID)
		assert.NotEmpty(t, e.SourceIP)
		assert.NotEmpty(t, e.UserAgent)
	}
	assert.Equal(t, []string{
		"read a/1 false", "delete a/1 true", "read a/3 false", "read a/1 true", "list a/ true", "read a/2 false", "read a/1 true", "write a/1 true",
	}, got, "the newest first")

	byRequest := c.audit("request_id=" + read.header.Get("X-Request-ID")).Logs
	require.Len(t, byRequest, 1)
	assert.Equal(t, "a/1", byRequest[0].SecretPath)
	assert.Len(t, c.audit("identity_id=user:ops").Logs, 1)
	assert.Len(t, c.audit("identity_type=user").Logs, 1)
	assert.Len(t, c.audit("identity_type=service_account").Logs, 7)
	assert.Len(t, c.audit("action=write,delete").Logs, 2)
	assert.Len(t, c.audit("success=false").Logs, 3)
	assert.Len(t, c.audit("path_prefix=a/2").Logs, 1)
	assert.Len(t, c.audit("source_ip=192.0.2.1").Logs, 8)
	assert.Empty(t, c.audit("source_ip=192.0.2.2").Logs)
	c.get("/v1/audit/logs?success=maybe").refused(t, 422, "validation_error")
}

func TestAuditTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := inMemory(t, nil)
		start := time.Now()
		for i := range 5 {
			c.put(fmt.Sprintf("h/%d", i), `{"data":{}}`)
			time.Sleep(time.Hour)
		}
		at := func(d time.Duration) string { return url.QueryEscape(start.Add(d).UTC().Format(time.RFC3339)) }
		for query, want := range map[string]int{
			"from=" + at(2*time.Hour):                                                        3,
			"to=" + at(time.Hour):                                                            2,
			"from=" + at(time.Hour) + "&to=" + at(2*time.Hour):                               2,
			"from=1+hour+ago":                                                                1,
			"from=1%20hour%20ago":                                                            1,
			"from=1%2Bhour%2Bago":                                                            1,
			"from=150+minutes+ago":                                                           2,
			"from=2+weeks+ago&to=1+day+ago":                                                  0,
			"from=7200+seconds+ago&to=now":                                                   2,
			"from=" + start.UTC().Format(time.DateOnly):                                      5,
			"from=" + start.Add(time.Hour).UTC().Format("2006-01-02T15:04:05"):               4,
			"from=" + start.Add(time.Hour).UTC().Format("2006-01-02T15:04Z"):                 4,
			"to=" + start.Add(time.Hour).UTC().Format("2006-01-02T15:04"):                    2,
			"from=" + start.Add(time.Hour).UTC().Format(time.RFC3339):                        4,
			"from=" + start.Add(time.Hour).In(time.FixedZone("", 7200)).Format(time.RFC3339): 4,
		} {
			assert.Len(t, c.audit(query).Logs, want, query)
		}
		for _, bad := range []string{"yesterday", "x+hours+ago", "1+fortnight+ago", "99999+weeks+ago", "1+hour"} {
			c.get("/v1/audit/logs?from="+bad).refused(t, 400, "invalid_request")
			c.get("/v1/audit/logs?to="+bad).refused(t, 400, "invalid_request")
		}
	})
}

func TestAuditPagesAndBound(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, &scaivaulttest.ServerOptions{NoLimits: true, AuditEntries: 25})
	for i := range 40 {
		c.put(fmt.Sprintf("p/%02d", i), `{"data":{}}`)
	}
	var got []string
	page := c.audit("limit=10")
	for {
		for _, e := range page.Logs {
			got = append(got, e.SecretPath)
		}
		if !page.HasMore {
			break
		}
		require.NotNil(t, page.Cursor)
		page = c.audit("limit=10&cursor=" + *page.Cursor)
	}
	require.Len(t, got, 25, "the oldest are gone")
	assert.Equal(t, "p/39", got[0])
	assert.Equal(t, "p/15", got[24])
	c.get("/v1/audit/logs?cursor=x").refused(t, 400, "invalid_cursor")
	c.get("/v1/audit/logs?limit=0").refused(t, 422, "validation_error")
}
