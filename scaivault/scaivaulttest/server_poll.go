// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// A pollQuery is what a poll asks for.
type pollQuery struct {
	since    string // the event before those that are wanted; empty: from the start
	most     int
	deadline time.Time
}

// readPoll reads the query of a poll.
func (c *serverCall) readPoll() (pollQuery, *refusal) {
	query := c.r.URL.Query()
	want := pollQuery{since: query.Get("since_event_id"), most: defaultEvents}
	timeout := defaultPoll
	if text := query.Get("timeout"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > int(maxPoll/time.Second) {
			return want, wrongField("timeout", "must be seconds from 0 to 60")
		}
		timeout = time.Duration(n) * time.Second
	}
	if text := query.Get("max_events"); text != "" {
		var err error
		if want.most, err = strconv.Atoi(text); err != nil || want.most < 1 {
			return want, wrongField("max_events", "must be a positive integer")
		}
	}
	want.deadline = time.Now().Add(timeout)
	return want, nil
}

// A pollPage is what a poll finds.
type pollPage struct {
	events []json.RawMessage
	more   bool
	due    time.Time       // when another event can be delivered again; zero: never
	wake   <-chan struct{} // closed when there may be something new
}

// pollSubscription answers GET /v1/subscriptions/{id}/poll. What came up to
// since_event_id is left out, and not acknowledged by that. It waits on channels alone,
// so that time can move in a testing/synctest bubble.
func (c *serverCall) pollSubscription() *refusal {
	want, refusal := c.readPoll()
	if refusal != nil {
		return refusal
	}
	for {
		expiry := c.server.secrets.expire()
		sync := c.server.federation.syncDue(c.r.Context()) // it may make events
		page, refusal := c.look(&want)
		if refusal != nil {
			return refusal
		}
		if len(page.events) > 0 || !time.Now().Before(want.deadline) {
			c.replyEvents(page)
			return nil
		}
		c.awaitEvent(page, earliest(want.deadline, expiry, sync, page.due))
	}
}

// look finds what is there now.
func (c *serverCall) look(want *pollQuery) (*pollPage, *refusal) {
	page := &pollPage{}
	return page, c.server.events.with(c.id, func(sub *subscription) *refusal {
		page.wake = c.server.events.waiting()
		if refusal := c.owned(sub); refusal != nil {
			return refusal
		}
		return sub.find(page, want, &c.server.quirks)
	})
}

// find fills the page with the events that are to be delivered now.
func (s *subscription) find(page *pollPage, want *pollQuery, quirks *Quirks) *refusal {
	from := 0
	if want.since != "" {
		at := len(s.queue) - 1
		for at >= 0 && s.queue[at].id != want.since {
			at--
		}
		if at < 0 && quirks.UnknownSince != UnknownSinceStart {
			return unknownSince(quirks.UnknownSince)
		}
		from = at + 1
	}
	now := time.Now()
	for i := from; i < len(s.queue); i++ {
		e := &s.queue[i]
		if e.acked {
			continue
		}
		if again := e.delivered.Add(redeliverAfter); quirks.Unacked == UnackedLater && !e.delivered.IsZero() && now.Before(again) {
			page.due = earliest(page.due, again)
			continue
		}
		if len(page.events) == want.most {
			page.more = true
			break
		}
		e.delivered = now
		page.events = append(page.events, e.body)
	}
	return nil
}

func unknownSince(answer UnknownSince) *refusal {
	if answer == UnknownSince404 {
		return refuse(http.StatusNotFound, "event_not_found", "since_event_id: no such event is kept")
	}
	return refuse(http.StatusBadRequest, "invalid_request", "since_event_id: no such event is kept")
}

// earliest is the first of the times that are not zero.
func earliest(times ...time.Time) time.Time {
	times = slices.DeleteFunc(times, time.Time.IsZero)
	if len(times) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(times, time.Time.Compare)
}

// awaitEvent waits until the time has come or there may be something new. It aborts
// the answer if the client leaves or the server goes down.
func (c *serverCall) awaitEvent(page *pollPage, until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return
	case <-page.wake:
		return
	case <-c.r.Context().Done():
	case <-c.server.span().Done():
	}
	panic(http.ErrAbortHandler)
}

func (c *serverCall) replyEvents(page *pollPage) {
	if len(page.events) == 0 && c.server.quirks.PollTimeout == PollTimeoutNoContent {
		c.reply(http.StatusNoContent, nil)
		return
	}
	if page.events == nil {
		page.events = []json.RawMessage{}
	}
	c.replyJSON(http.StatusOK, map[string]any{"events": page.events, "has_more": page.more})
}
