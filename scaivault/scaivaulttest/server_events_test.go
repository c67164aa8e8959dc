// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestEventsOfASecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		id := c.subscribe("")
		c.put("a/b", `{"data":{},"secret_type":"json","metadata":{"tags":["x"]},"options":{"expires_in":"2h"}}`)
		time.Sleep(time.Hour)
		c.put("a/b", `{"data":{}}`)
		c.do("PATCH", "/v1/secrets/a/b/metadata", `{"metadata":{"owner":"x"}}`)
		c.do("DELETE", "/v1/secrets/a/b", "")
		c.do("POST", "/v1/secrets/a/b/restore", "")
		c.do("POST", "/v1/secrets/a/b/restore", "")
		time.Sleep(90 * time.Minute)
		c.do("DELETE", "/v1/secrets/a/b?permanent=true", "")
		srv.Seed("a/c", nil)
		c.put("other", `{"data":{}}`)

		events, more := c.poll(id, "")
		assert.False(t, more)
		require.Equal(t, []string{
			"secret.created", "secret.updated", "secret.deleted", "secret.restored", "secret.expired", "secret.deleted", "secret.created",
		}, typesOf(events))
		assert.Equal(t, []string{"a/b", "a/b", "a/b", "a/b", "a/b", "a/b", "a/c"}, pathsOf(events))
		for i, want := range []map[string]any{
			{"version": 1.0, "secret_type": "json", "created_by": "sa:tests", "tags": []any{"x"}, "expires_at": "2000-01-01T02:00:00Z"},
			{"old_version": 1.0, "new_version": 2.0, "updated_by": "sa:tests", "is_rotation": false},
			{"version_count": 2.0, "deleted_by": "sa:tests", "permanent": false, "recoverable_until": "2000-01-31T01:00:00Z"},
			{"version": 2.0, "restored_by": "sa:tests"},
			{"version": 2.0, "expires_at": "2000-01-01T02:00:00Z"},
			{"version_count": 2.0, "deleted_by": "sa:tests", "permanent": true},
			{"version": 1.0, "secret_type": "kv", "created_by": "system:seed", "tags": []any{}, "expires_at": nil},
		} {
			assert.Equal(t, want, events[i].Data, events[i].Type)
			assert.Equal(t, "tnt_test", events[i].TenantID)
			assert.Equal(t, "ptn_test", events[i].PartnerID)
			assert.NotEmpty(t, events[i].RequestID)
		}
		assert.Equal(t, "2000-01-01T02:00:00Z", events[4].Timestamp, "when it expired, not when somebody looked")
		assert.Equal(t, "sa:tests", events[0].IdentityID)
		assert.Equal(t, c.audit("action=delete").Logs[1].RequestID, events[2].RequestID)
	})
}

func TestRestoreEvents(t *testing.T) {
	t.Parallel()
	for quirk, want := range map[scaivaulttest.RestoreEvent][]string{
		scaivaulttest.RestoreEventRestored: {"secret.deleted", "secret.restored"},
		scaivaulttest.RestoreEventCreated:  {"secret.deleted", "secret.created"},
		scaivaulttest.RestoreEventNone:     {"secret.deleted"},
	} {
		srv, c := quirky(t, scaivaulttest.Quirks{RestoreEvent: quirk})
		srv.Seed("a/b", nil)
		id := c.subscribe("")
		c.do("DELETE", "/v1/secrets/a/b", "")
		c.do("POST", "/v1/secrets/a/b/restore", "")
		events, _ := c.poll(id, "")
		assert.Equal(t, want, typesOf(events))
	}
}

func TestEventsAreThoseSinceTheSubscription(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		c.put("a/1", `{"data":{},"options":{"expires_in":"1m"}}`)
		time.Sleep(time.Hour)
		id := c.subscribe("")
		c.put("a/2", `{"data":{},"options":{"expires_in":"1m"}}`)
		time.Sleep(time.Hour)
		srv.Emit(scaivaulttest.Event{Type: "secret.rotated", Path: "a/2"})
		events, _ := c.poll(id, "")
		assert.Equal(t, []string{"secret.created", "secret.expired", "secret.rotated"}, typesOf(events), "in the order of time")
		assert.Equal(t, []string{"a/2", "a/2", "a/2"}, pathsOf(events))
	})
}

func TestEmit(t *testing.T) {
	t.Parallel()
	tb := &failures{TB: t}
	srv := scaivaulttest.NewServer(tb)
	c := as(t, srv, srv.IssueToken("sa:tests"))
	id := c.created("/v1/subscriptions", `{"name":"x","paths":["a/*"],"events":["secret.rotated","lease.expiring"],"delivery":{"type":"polling"}}`)
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	assert.Equal(t, "evt_mine", srv.Emit(scaivaulttest.Event{
		ID: "evt_mine", Type: "secret.rotated", Time: at, IdentityID: "system:rotation", Path: "a/b", RequestID: "req_mine",
		Data: map[string]any{"old_version": 1, "new_version": 2},
	}))
	srv.Emit(scaivaulttest.Event{Type: "secret.rotated", Path: "a/b/c"})
	srv.Emit(scaivaulttest.Event{Type: "secret.updated", Path: "a/b"})
	srv.Emit(scaivaulttest.Event{ID: "evt_mine", Type: "secret.rotated", Path: "a/b"})
	made := srv.Emit(scaivaulttest.Event{Type: "lease.expiring"})
	srv.Deny("sa:tests", "a/denied")
	srv.Emit(scaivaulttest.Event{Type: "secret.rotated", Path: "a/denied"})

	events, _ := c.poll(id, "timeout=0")
	require.Len(t, events, 3)
	assert.Equal(t, polledEvent{
		ID: "evt_mine", Type: "secret.rotated", Timestamp: "2030-01-02T03:04:05Z", TenantID: "tnt_test", PartnerID: "ptn_test",
		IdentityID: "system:rotation", Path: "a/b", Data: map[string]any{"old_version": 1.0, "new_version": 2.0}, RequestID: "req_mine",
	}, events[0])
	assert.Equal(t, "evt_mine", events[1].ID, "one event, delivered twice")
	assert.Equal(t, "system:test", events[1].IdentityID)
	assert.Equal(t, made, events[2].ID)
	assert.Empty(t, events[2].Path)
	assert.JSONEq(t, `{"acknowledged":3}`, c.ack(id, events...).body)

	assert.Empty(t, srv.Emit(scaivaulttest.Event{}))
	assert.Empty(t, srv.Emit(scaivaulttest.Event{Type: "x.y", Data: map[string]any{"c": make(chan int), "p": "not-a-real-one"}}))
	require.Len(t, tb.noted, 2)
	assert.NotContains(t, strings.Join(tb.noted, " "), "not-a-real-one")
}

func TestOnlyWhatIsThereExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := inMemory(t, nil)
		id := c.created("/v1/subscriptions", `{"name":"x","paths":["**"],"events":["secret.expired"],"delivery":{"type":"polling"}}`)
		const day, body = 24 * time.Hour, `{"data":{},"options":{"expires_in":"40d"}}`
		for _, path := range []string{"soft", "hard", "replaced", "restored"} {
			c.put(path, body)
			c.do("DELETE", "/v1/secrets/"+path+"?permanent="+strconv.FormatBool(path == "hard"), "")
		}
		c.do("POST", "/v1/secrets/restored/restore", "")
		time.Sleep(31 * day)
		c.put("replaced", `{"data":{}}`)
		time.Sleep(31 * day)
		events, _ := c.poll(id, "")
		assert.Equal(t, []string{"restored"}, pathsOf(events))
	})
}

func TestSubscriptionsTogether(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	const each = 30
	var wg sync.WaitGroup
	for range 4 {
		id := c.subscribe("")
		wg.Go(func() {
			last := 0
			for last < each {
				events, _ := c.poll(id, "max_events=7")
				for _, e := range events {
					version, _ := e.Data["new_version"].(float64)
					if e.Type == "secret.created" {
						version = 1
					}
					assert.EqualValues(t, last+1, version, "in order, and none is lost")
					last = int(version)
				}
				c.ack(id, events...)
			}
		})
	}
	wg.Go(func() {
		for range each {
			srv.Seed("a/b", nil)
			srv.Emit(scaivaulttest.Event{Type: "policy.updated"})
		}
	})
	wg.Go(func() {
		for range each {
			other := c.subscribe("")
			c.do("DELETE", "/v1/subscriptions/"+other, "")
		}
	})
	wg.Wait()
}

func TestEmittedEventsHaveATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		id := c.subscribe("")
		time.Sleep(time.Hour)
		srv.Emit(scaivaulttest.Event{Type: "secret.updated", Path: "a/b"})
		events, _ := c.poll(id, "")
		require.Len(t, events, 1)
		assert.Equal(t, "2000-01-01T01:00:00Z", events[0].Timestamp)
	})
}
