// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
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

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

type polledEvent struct {
	ID         string         `json:"event_id"`
	Type       string         `json:"event_type"`
	Timestamp  string         `json:"timestamp"`
	TenantID   string         `json:"tenant_id"`
	PartnerID  string         `json:"partner_id"`
	IdentityID string         `json:"identity_id"`
	Path       string         `json:"path"`
	Data       map[string]any `json:"data"`
	RequestID  string         `json:"request_id"`
}

const secretEvents = `["secret.created","secret.updated","secret.deleted","secret.restored","secret.expired","secret.rotated"]`

// subscribe makes a subscription to all events of secrets and returns its id.
func (c *caller) subscribe(delivery string) string {
	c.t.Helper()
	return c.created("/v1/subscriptions", `{"name":"cache","paths":["a/**"],"events":`+secretEvents+`,"delivery":{"type":"polling"`+delivery+`}}`)
}

// poll returns the events of a poll that succeeds.
func (c *caller) poll(id, query string) (events []polledEvent, more bool) {
	c.t.Helper()
	r := c.get("/v1/subscriptions/" + id + "/poll?" + query)
	require.Equal(c.t, 200, r.status, "body: %s", r.body)
	var page struct {
		Events  []polledEvent `json:"events"`
		HasMore bool          `json:"has_more"`
	}
	decodeInto(c.t, r, &page)
	return page.Events, page.HasMore
}

func (c *caller) ack(id string, events ...polledEvent) reply {
	c.t.Helper()
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = `"` + e.ID + `"`
	}
	return c.do("POST", "/v1/subscriptions/"+id+"/ack", `{"event_ids":[`+strings.Join(ids, ",")+`]}`)
}

func typesOf(events []polledEvent) []string {
	types := []string{}
	for _, e := range events {
		types = append(types, e.Type)
	}
	return types
}

func pathsOf(events []polledEvent) []string {
	paths := []string{}
	for _, e := range events {
		paths = append(paths, e.Path)
	}
	return paths
}

func TestPollWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		id := c.subscribe("")
		for query, want := range map[string]time.Duration{"": 30 * time.Second, "timeout=60": time.Minute, "timeout=1": time.Second, "timeout=0": 0} {
			began := time.Now()
			r := c.get("/v1/subscriptions/" + id + "/poll?" + query)
			assert.Equal(t, 200, r.status)
			assert.JSONEq(t, `{"events":[],"has_more":false}`, r.body)
			assert.Equal(t, want, time.Since(began), query)
		}

		began := time.Now()
		time.AfterFunc(7*time.Second, func() { srv.Seed("other", nil) })
		time.AfterFunc(9*time.Second, func() { srv.Seed("a/b", nil) })
		events, _ := c.poll(id, "")
		assert.Equal(t, []string{"a/b"}, pathsOf(events))
		assert.Equal(t, 9*time.Second, time.Since(began))
		c.ack(id, events...)

		began = time.Now()
		time.AfterFunc(3*time.Second, func() {
			r := c.put("a/short", `{"data":{},"options":{"expires_in":"5s"}}`)
			assert.Equal(t, 200, r.status)
		})
		events, _ = c.poll(id, "")
		c.ack(id, events...)
		events, _ = c.poll(id, "")
		assert.Equal(t, []string{"secret.expired"}, typesOf(events), "also of a secret that came while nobody waited")
		assert.Equal(t, 8*time.Second, time.Since(began))
	})
}

func TestPollWakesForAnExpiryThatComesNearer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := inMemory(t, nil)
		id := c.created("/v1/subscriptions", `{"name":"x","paths":["**"],"events":["secret.expired"],"delivery":{"type":"polling"}}`)
		c.put("a", `{"data":{},"options":{"expires_in":"1h"}}`)
		began := time.Now()
		time.AfterFunc(time.Second, func() { c.put("a", `{"data":{},"options":{"expires_in":"2s"}}`) })
		events, _ := c.poll(id, "timeout=60")
		assert.Len(t, events, 1)
		assert.Equal(t, 3*time.Second, time.Since(began))
		c.put("a", `{"data":{}}`)
		c.ack(id, events...)
		events, _ = c.poll(id, "timeout=60")
		assert.Empty(t, events, "told once")
	})
}

func TestEventsAreDeliveredAtLeastOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		id := c.subscribe("")
		seedAll(srv, "a/1", "a/2", "a/3")
		first, more := c.poll(id, "max_events=2")
		assert.True(t, more)
		assert.Equal(t, []string{"a/1", "a/2"}, pathsOf(first))
		again, _ := c.poll(id, "max_events=2")
		assert.Equal(t, first, again, "nothing was acknowledged")

		assert.JSONEq(t, `{"acknowledged":1}`, c.ack(id, first[0], polledEvent{ID: "evt_unknown"}).body)
		assert.JSONEq(t, `{"acknowledged":0}`, c.ack(id, first[0]).body)
		rest, more := c.poll(id, "")
		assert.False(t, more)
		assert.Equal(t, []string{"a/2", "a/3"}, pathsOf(rest))
		later, _ := c.poll(id, "since_event_id="+first[1].ID)
		assert.Equal(t, []string{"a/3"}, pathsOf(later))
		later, _ = c.poll(id, "since_event_id="+first[0].ID)
		assert.Equal(t, []string{"a/2", "a/3"}, pathsOf(later), "after one that was acknowledged")
		c.ack(id, rest...)
		later, _ = c.poll(id, "timeout=0")
		assert.Empty(t, later)
	})
}

func TestUnackedEventsMayComeLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := quirky(t, scaivaulttest.Quirks{Unacked: scaivaulttest.UnackedLater})
		id := c.subscribe("")
		srv.Seed("a/1", nil)
		began := time.Now()
		first, _ := c.poll(id, "")
		assert.Len(t, first, 1)
		again, _ := c.poll(id, "timeout=10")
		assert.Empty(t, again)
		again, _ = c.poll(id, "timeout=60")
		assert.Equal(t, first, again)
		assert.Equal(t, 30*time.Second, time.Since(began))
	})
}

func TestBuffersOverflow(t *testing.T) {
	t.Parallel()
	for overflow, want := range map[scaivaulttest.Overflow][]string{
		scaivaulttest.OverflowOldest: {"a/3", "a/4"},
		scaivaulttest.OverflowNewest: {"a/1", "a/2"},
	} {
		srv, c := quirky(t, scaivaulttest.Quirks{Overflow: overflow})
		id := c.subscribe(`,"buffer_size":2`)
		seedAll(srv, "a/1", "a/2", "a/3", "a/4")
		events, more := c.poll(id, "")
		assert.Equal(t, want, pathsOf(events))
		assert.False(t, more)
		for range 10 { // acknowledged events do not fill the buffer
			c.ack(id, events...)
			seedAll(srv, "a/1", "a/2")
			events, _ = c.poll(id, "")
			assert.Equal(t, []string{"a/1", "a/2"}, pathsOf(events))
		}
	}
}

func TestUnknownSince(t *testing.T) {
	t.Parallel()
	for quirk, status := range map[scaivaulttest.UnknownSince]int{
		scaivaulttest.UnknownSinceStart: 200, scaivaulttest.UnknownSince404: 404, scaivaulttest.UnknownSince400: 400,
	} {
		srv, c := quirky(t, scaivaulttest.Quirks{UnknownSince: quirk})
		id := c.subscribe("")
		srv.Seed("a/1", nil)
		r := c.get("/v1/subscriptions/" + id + "/poll?since_event_id=evt_unknown")
		assert.Equal(t, status, r.status)
		if status == 200 {
			assert.Contains(t, r.body, "a/1")
		}
	}
}

func TestQuirksOfPolls(t *testing.T) {
	t.Parallel()
	srv, c := quirky(t, scaivaulttest.Quirks{
		PollTimeout: scaivaulttest.PollTimeoutNoContent, AckForm: scaivaulttest.AckNoContent, EventForm: scaivaulttest.EventShort,
	})
	id := c.subscribe("")
	r := c.get("/v1/subscriptions/" + id + "/poll?timeout=0")
	assert.Equal(t, 204, r.status)
	assert.Empty(t, r.body)
	srv.Seed("a/1", nil)
	r = c.get("/v1/subscriptions/" + id + "/poll")
	event := r.object(t)["events"].([]any)[0].(map[string]any)
	assert.Len(t, event, 5)
	for _, name := range []string{"event_id", "event_type", "timestamp", "path", "data"} {
		assert.Contains(t, event, name)
	}
	assert.Equal(t, 204, c.ack(id).status)
}

func TestPollsThatWaitEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(srv *scaivaulttest.Server, c *caller, id string){
		"dropped": func(srv *scaivaulttest.Server, _ *caller, _ string) { srv.DropSubscriptions() },
		"deleted": func(_ *scaivaulttest.Server, c *caller, id string) { c.do("DELETE", "/v1/subscriptions/"+id, "") },
		"down":    func(srv *scaivaulttest.Server, _ *caller, _ string) { srv.SetDown(true) },
		"closed":  func(srv *scaivaulttest.Server, _ *caller, _ string) { srv.Close() },
	} {
		synctest.Test(t, func(t *testing.T) {
			srv, c := inMemory(t, nil)
			id := c.subscribe("")
			began := time.Now()
			time.AfterFunc(time.Second, func() { end(srv, c, id) })
			res, err := c.client.Do(c.request("GET", "/v1/subscriptions/"+id+"/poll", ""))
			assert.Equal(t, time.Second, time.Since(began), name)
			if name == "down" || name == "closed" {
				require.Error(t, err, name)
				return
			}
			require.NoError(t, err)
			res.Body.Close()
			assert.Equal(t, http.StatusNotFound, res.StatusCode, name)
			c.get("/v1/subscriptions/"+id).refused(t, 404, "subscription_not_found")
			c.get("/v1/subscriptions/"+id+"/poll").refused(t, 404, "subscription_not_found")
			c.ack(id).refused(t, 404, "subscription_not_found")
		})
	}
}

func TestPollsEndWhenTheClientLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		id := c.subscribe("")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := c.client.Do(c.request("GET", "/v1/subscriptions/"+id+"/poll", "").WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		polls := srv.Requests()
		assert.Equal(t, 5*time.Second, polls[len(polls)-1].Duration, "it does not go on without the client")
	})
}

func TestAcknowledgedEventsStayKnownForAWhile(t *testing.T) {
	t.Parallel()
	srv, c := quirky(t, scaivaulttest.Quirks{UnknownSince: scaivaulttest.UnknownSince404})
	id := c.subscribe(`,"buffer_size":2`)
	var all []polledEvent
	for range 10 {
		srv.Seed("a/b", nil)
		events, _ := c.poll(id, "")
		c.ack(id, events...)
		all = append(all, events...)
	}
	require.Len(t, all, 10)
	for i, e := range all {
		status := 404
		if i >= 6 { // twice the buffer
			status = 200
		}
		assert.Equal(t, status, c.get("/v1/subscriptions/"+id+"/poll?timeout=0&since_event_id="+e.ID).status, i)
	}
}

func TestPollsOfAMountedServerEndWithIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		id := c.subscribe("")
		time.AfterFunc(time.Second, func() { srv.SetDown(true) })
		assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
			srv.ServeHTTP(httptest.NewRecorder(), c.request("GET", "/v1/subscriptions/"+id+"/poll", ""))
		})
	})
}

func TestPollsOverBothTransports(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		id := c.subscribe("")
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() { srv.Seed(fmt.Sprintf("a/%d", i), nil) })
		}
		seen := map[string]bool{}
		for len(seen) < 3 {
			events, _ := c.poll(id, "")
			for _, e := range events {
				seen[e.Path] = true
			}
			c.ack(id, events...)
		}
		wg.Wait()
		assert.Equal(t, map[string]bool{"a/0": true, "a/1": true, "a/2": true}, seen)
	})
}
