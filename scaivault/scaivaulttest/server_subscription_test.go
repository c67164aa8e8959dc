// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		r := c.do("POST", "/v1/subscriptions", `{"name":"cache","paths":["a/**","b"],"events":["secret.updated"],"delivery":{"type":"polling"},"filters":{"tags":["x"]}}`)
		require.Equal(t, 201, r.status)
		id := r.object(t)["id"].(string)
		assert.Regexp(t, "^sub_", id)
		assert.JSONEq(t, `{"id":"`+id+`","name":"cache","status":"active","identity_id":"sa:tests","paths":["a/**","b"],"events":["secret.updated"],
			"delivery":{"type":"polling","buffer_size":1000},"filters":{"tags":["x"]},
			"created_at":"2000-01-01T00:00:00Z","updated_at":"2000-01-01T00:00:00Z"}`, r.body)
		assert.JSONEq(t, r.body, c.get("/v1/subscriptions/"+id).body)
		assert.JSONEq(t, `{"subscriptions":[`+r.body+`]}`, c.get("/v1/subscriptions").body)

		time.Sleep(time.Second)
		o := c.do("PATCH", "/v1/subscriptions/"+id, `{"paths":["c"],"delivery":{"buffer_size":1}}`).object(t)
		assert.Equal(t, []any{"c"}, o["paths"])
		assert.Equal(t, "cache", o["name"])
		assert.Equal(t, map[string]any{"type": "polling", "buffer_size": 1.0}, o["delivery"])
		assert.Equal(t, "2000-01-01T00:00:01Z", o["updated_at"])
		seedAll(srv, "a/b", "a/b", "c", "c", "c")
		events, _ := c.poll(id, "")
		require.Len(t, events, 1)
		assert.EqualValues(t, 3, events[0].Data["new_version"])

		assert.Equal(t, 204, c.do("DELETE", "/v1/subscriptions/"+id, "").status)
		c.do("DELETE", "/v1/subscriptions/"+id, "").refused(t, 404, "subscription_not_found")
		assert.JSONEq(t, `{"subscriptions":[]}`, c.get("/v1/subscriptions").body)
	})
}

func TestSubscriptionsRefuse(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, nil)
	id := c.subscribe("")
	body := func(name, paths, events, rest string) string {
		return `{"name":` + name + `,"paths":` + paths + `,"events":` + events + rest + `}`
	}
	const polling = `,"delivery":{"type":"polling"}`
	for _, tc := range []struct {
		body   string
		status int
		code   string
	}{
		{`[`, 400, "invalid_request"},
		{body(`""`, `["a"]`, `["secret.updated"]`, polling), 422, "validation_error"},
		{body(`"x"`, `[]`, `["secret.updated"]`, polling), 422, "validation_error"},
		{body(`"x"`, `"a"`, `["secret.updated"]`, polling), 422, "validation_error"},
		{body(`"x"`, `["/a"]`, `["secret.updated"]`, polling), 400, "invalid_glob"},
		{body(`"x"`, `["a"]`, `[]`, polling), 422, "validation_error"},
		{body(`"x"`, `["a"]`, `["*"]`, polling), 422, "validation_error"},
		{body(`"x"`, `["a"]`, `["secret."]`, polling), 422, "validation_error"},
		{body(`"x"`, `["a"]`, `["secret"]`, polling), 422, "validation_error"},
		{body(`"x"`, `["a"]`, `["secret.Updated"]`, polling), 422, "validation_error"},
		{body(`"x"`, `["a"]`, `["secret.updated"]`, `,"delivery":{"type":"pigeon"}`), 422, "validation_error"},
		{body(`"x"`, `["a"]`, `["secret.updated"]`, `,"delivery":{"type":"webhook","url":"http://x.test"}`), 422, "validation_error"},
		{body(`"x"`, `["a"]`, `["secret.updated"]`, `,"delivery":{"type":"polling","buffer_size":0}`), 422, "validation_error"},
		{body(`"x"`, `["a"]`, `["secret.updated"]`, `,"delivery":{"type":"polling","buffer_size":100001}`), 422, "validation_error"},
		{body(`"x"`, `["a"]`, `["secret.updated"]`, `,"delivery":{"type":"webhook","url":"https:///x"}`), 422, "validation_error"},
		{body(`"x"`, `["a"]`, `["secret.updated"]`, polling+`,"filters":[]`), 422, "validation_error"},
	} {
		c.do("POST", "/v1/subscriptions", tc.body).refused(t, tc.status, tc.code)
		c.do("PATCH", "/v1/subscriptions/"+id, tc.body).refused(t, tc.status, tc.code)
	}
	c.do("POST", "/v1/subscriptions", body(`"x"`, `["a"]`, `["secret.updated"]`, "")).refused(t, 422, "validation_error")
	c.do("PATCH", "/v1/subscriptions/"+id, `{"delivery":{"type":"webhook","url":"https://x.test"}}`).refused(t, 422, "validation_error")
	assert.Contains(t, c.get("/v1/subscriptions/"+id).body, `"polling"`)
	c.do("POST", "/v1/subscriptions/"+id+"/ack", `{}`).refused(t, 422, "validation_error")
	for _, query := range []string{"timeout=61", "timeout=-1", "timeout=x", "max_events=0", "max_events=x"} {
		c.get("/v1/subscriptions/"+id+"/poll?"+query).refused(t, 422, "validation_error")
	}

	hook := c.do("POST", "/v1/subscriptions", body(`"x"`, `["**"]`, `["secret.created"]`, `,"delivery":{"type":"webhook","url":"https://x.test","secret":"not-a-real-one"}`))
	require.Equal(t, 201, hook.status)
	assert.NotContains(t, hook.body, "not-a-real-one")
	c.get("/v1/subscriptions/"+hook.object(t)["id"].(string)+"/poll").refused(t, 400, "invalid_request")
}

func TestSubscriptionsPassTheGates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := scaivaulttest.NewServer(t)
		c := as(t, srv, srv.IssueToken("sa:tests", "subscriptions:read", "subscriptions:write"))
		id := c.subscribe("")
		srv.Seed("a/b", nil)
		assert.Equal(t, "20", c.get("/v1/subscriptions").header.Get("X-RateLimit-Limit"))
		assert.Equal(t, "240", c.get("/v1/subscriptions/"+id+"/poll").header.Get("X-RateLimit-Limit"))
		for range 18 {
			require.Equal(t, 200, c.get("/v1/subscriptions").status)
		}
		c.ack(id).refused(t, 429, "rate_limited")
		for range 239 {
			require.Equal(t, 200, c.get("/v1/subscriptions/"+id+"/poll").status)
		}
		c.get("/v1/subscriptions/"+id+"/poll").refused(t, 429, "rate_limited")

		owner := as(t, srv, srv.IssueToken("sa:tests", "secrets:read"))
		time.Sleep(time.Minute)
		assert.Equal(t, 200, owner.get("/v1/subscriptions/"+id+"/poll").status, "the owner with any token")
		owner.get("/v1/subscriptions").refused(t, 403, "insufficient_scope")
		owner.do("POST", "/v1/subscriptions", "{}").refused(t, 403, "insufficient_scope")
		owner.do("DELETE", "/v1/subscriptions/"+id, "").refused(t, 403, "insufficient_scope")
		other := as(t, srv, srv.IssueToken("sa:other"))
		other.get("/v1/subscriptions/"+id+"/poll").refused(t, 403, "access_denied")
		other.ack(id).refused(t, 403, "access_denied")
		assert.Equal(t, 200, other.get("/v1/subscriptions/"+id).status)
		as(t, srv, "").get("/v1/subscriptions/"+id+"/poll").refused(t, 401, "authentication_required")
	})
}
