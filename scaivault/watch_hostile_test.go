// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// polls lets a hub answer every poll with one body.
func (h *hub) polls(body func(q hubRequest) string) *hub {
	h.fault = func(q hubRequest) (*http.Response, error) {
		if q.kind == "poll" {
			return reply(200, body(q)), nil
		}
		return nil, nil
	}
	return h
}

// anHour watches a hub for one hour.
func anHour(t *testing.T, h *hub, check func(w *watched)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h.wake = make(chan struct{}) // of this bubble
		w := watching(ctx, h.client(t), nil)
		time.Sleep(time.Hour)
		cancel()
		<-w.ended
		check(w)
		h.requireWithinLimits(t)
		require.Zero(t, h.alive())
		require.ErrorIs(t, w.errors()[len(w.errors())-1], context.Canceled)
	})
}

// TestWatchDoesNotRunHot on a service that never waits.
func TestWatchDoesNotRunHot(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing": `{"events":[]}`, "null": `{"events":null,"has_more":true}`, "more": `{"events":[],"has_more":true,"cursor":"x"}`,
		"bare": `[]`, "data": `{"data":[],"has_more":"yes","cursor":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHub().polls(func(hubRequest) string { return body })
			anHour(t, h, func(w *watched) {
				require.Len(t, w.errors(), 1)
				require.LessOrEqual(t, len(h.of("poll")), 3610)
				require.Greater(t, len(h.of("poll")), 3500)
			})
		})
	}
}

// TestWatchForgetsFailures once a poll has worked: it does not wait longer and
// longer for a service that fails now and then.
func TestWatchForgetsFailures(t *testing.T) {
	t.Parallel()
	h := newHub()
	h.fault = func(q hubRequest) (*http.Response, error) {
		switch {
		case q.kind != "poll":
			return nil, nil
		case q.n%2 == 0:
			return reply(503, refusal("service_unavailable")), nil
		default:
			return reply(200, `{"events":[]}`), nil
		}
	}
	anHour(t, h, func(*watched) { require.Greater(t, len(h.of("poll")), 1800) })
}

// TestWatchSurvivesAnswersThatAreNone.
func TestWatchSurvivesAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "{}", "null", `"x"`, `{"events":{}}`, `{"events":7}`, `{"events":[{"event_id":"e"`, balancerPage, refusal("x"), strings.Repeat("[", 10_000)} {
		h := newHub().polls(func(hubRequest) string { return body })
		anHour(t, h, func(w *watched) {
			require.Empty(t, w.told())
			require.Greater(t, len(w.errors()), 60)
			for _, err := range w.errors()[:len(w.errors())-1] {
				requireMatches(t, err, scaivault.ErrUnavailable)
			}
		})
	}
}

// TestWatchTellsRepeatedEventsOnce and asks for what is newer, by and by.
func TestWatchTellsRepeatedEventsOnce(t *testing.T) {
	t.Parallel()
	h := newHub().polls(func(q hubRequest) string {
		return `{"events":[{"event_id":"e1","event_type":"secret.created"},{"event_id":"e2","event_type":"secret.deleted"},{"event_id":"e1","event_type":"secret.created"}]}`
	})
	anHour(t, h, func(w *watched) {
		require.Equal(t, []string{"e1", "e2"}, w.told())
		polls := h.of("poll")
		require.LessOrEqual(t, len(polls), 250)
		since := 0
		for _, q := range polls {
			if q.since == "e2" {
				since++
			}
		}
		require.Greater(t, since, 50)
		require.Greater(t, len(polls)-since, 50, "now and then for everything")
	})
}

// TestWatchGetsPastRepeatedEvents by asking for what is newer.
func TestWatchGetsPastRepeatedEvents(t *testing.T) {
	t.Parallel()
	event := func(n int) string {
		return fmt.Sprintf(`{"events":[{"event_id":"e%d","event_type":"secret.created"}]}`, n)
	}
	var newest atomic.Int64
	h := newHub().polls(func(q hubRequest) string {
		n := 0
		if _, err := fmt.Sscanf(q.since, "e%d", &n); err != nil {
			return event(0) // the first for ever, whatever is acknowledged
		}
		newest.Store(int64(n + 1))
		return event(n + 1)
	})
	anHour(t, h, func(w *watched) {
		require.Greater(t, len(w.told()), 500)
		require.EqualValues(t, newest.Load(), len(w.told())-1)
	})
}

// TestWatchAcknowledgesAgainWhatComesAgain: the service may have lost that it
// was acknowledged.
func TestWatchAcknowledgesAgainWhatComesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.fault = func(q hubRequest) (*http.Response, error) {
			if q.kind == "ack" && q.n == 1 {
				return reply(200, `{}`), nil
			}
			return nil, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		w := watching(ctx, h.client(t), nil)
		synctest.Wait()
		h.emit(1)
		time.Sleep(5 * time.Minute)
		acks := h.of("ack")
		require.Len(t, acks, 2)
		require.Equal(t, acks[0].acks, acks[1].acks)
		w.requireAll(t, 1)
		cancel()
		<-w.ended
	})
}

// TestWatchAsksForEverythingAgain once the service has stopped to repeat itself.
func TestWatchAsksForEverythingAgain(t *testing.T) {
	t.Parallel()
	var start time.Time
	h := newHub()
	h.polls(func(q hubRequest) string {
		if q.n == 1 {
			start = q.at
		}
		if q.since != "" || q.at.Sub(start) > 10*time.Minute {
			return `{"events":[]}`
		}
		return `{"events":[{"event_id":"e","event_type":"secret.created"}]}`
	})
	anHour(t, h, func(*watched) {
		newer := 0
		for _, q := range h.of("poll") {
			if q.since != "" {
				newer++
				require.Less(t, q.at.Sub(start), 12*time.Minute)
			}
		}
		require.Positive(t, newer)
	})
}

// TestWatchDoesWithoutSinceEventID where the service refuses it.
func TestWatchDoesWithoutSinceEventID(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]string{400: "invalid_request", 404: "event_not_found", 410: "event_expired"} {
		h := newHub()
		h.fault = func(q hubRequest) (*http.Response, error) {
			switch {
			case q.kind == "poll" && q.since != "":
				return reply(status, refusal(code)), nil
			case q.kind == "poll":
				return reply(200, fmt.Sprintf(`{"events":[{"event_id":"e%d","event_type":"secret.created"}]}`, q.n/100)), nil
			}
			return nil, nil
		}
		anHour(t, h, func(w *watched) {
			require.Len(t, h.of("create"), 1, "the subscription is not lost")
			require.Len(t, w.errors(), 2)
			require.GreaterOrEqual(t, len(w.told()), 2)
		})
	}
}

// TestWatchTellsEventsWithoutID: once each, and acknowledges the others.
func TestWatchTellsEventsWithoutID(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("x", 1<<13)
	h := newHub().polls(func(q hubRequest) string {
		return `{"events":[{"event_type":"secret.created","path":"a"},{"event_id":"","event_type":"secret.created","path":"b"},` +
			`{"event_id":null,"event_type":"secret.created","path":"c"},{"event_id":7,"event_type":"secret.created"},{"event_id":"` + huge + `","event_type":"secret.created"},{"event_id":"e","event_type":"secret.created"}]}`
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := watching(ctx, h.client(t), nil)
		time.Sleep(10 * time.Minute)
		cancel()
		<-w.ended
		require.Equal(t, []string{"", "", "", "", huge, "e"}, w.told())
		require.Len(t, w.errors(), 1)
		for _, q := range h.of("ack") {
			require.Equal(t, []string{"e"}, q.acks)
		}
		for _, q := range h.of("poll") {
			require.Contains(t, []string{"", "e"}, q.since)
		}
	})
}

// TestWatchOfEventsWithoutAnyID cannot ask for what is newer, and does not run
// hot.
func TestWatchOfEventsWithoutAnyID(t *testing.T) {
	t.Parallel()
	h := newHub().polls(func(hubRequest) string { return `{"events":[{"event_type":"secret.created","path":"a"}]}` })
	anHour(t, h, func(w *watched) {
		require.Equal(t, []string{""}, w.told())
		require.Less(t, len(h.of("poll")), 250)
	})
}

// TestWatchGivesUpIDsThatTheServiceDoesNotKnow and keeps its subscription.
func TestWatchGivesUpIDsThatTheServiceDoesNotKnow(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]string{404: "event_not_found", 400: "invalid_request", 409: "conflict"} {
		h := newHub()
		h.forgetful = true
		h.fault = func(q hubRequest) (*http.Response, error) {
			if q.kind == "ack" {
				return reply(status, refusal(code)), nil
			}
			if q.kind == "poll" && q.n == 3 {
				return reply(200, `{"events":[{"event_id":"e1","event_type":"secret.created"}]}`), nil
			}
			return nil, nil
		}
		anHour(t, h, func(w *watched) {
			require.Len(t, h.of("create"), 1)
			require.Len(t, h.of("ack"), 1)
			require.Len(t, w.errors(), 2)
		})
	}
}

// TestWatchForgetsItsFailures when something succeeds: the next wait is short.
func TestWatchForgetsItsFailures(t *testing.T) {
	t.Parallel()
	h := newHub()
	h.fault = func(q hubRequest) (*http.Response, error) {
		if q.kind == "poll" && q.n%2 == 0 {
			return reply(503, refusal("service_unavailable")), nil
		}
		return nil, nil
	}
	anHour(t, h, func(w *watched) {
		polls := h.of("poll")
		for i, q := range polls {
			if q.n%2 == 0 && i+1 < len(polls) {
				require.LessOrEqual(t, polls[i+1].at.Sub(q.at), time.Second)
			}
		}
	})
}

// TestWatchDoesNotWaitForADay because a proxy says so, and makes a lost
// subscription anew at once.
func TestWatchDoesNotWaitForADay(t *testing.T) {
	t.Parallel()
	h := newHub()
	h.fault = func(q hubRequest) (*http.Response, error) {
		switch {
		case q.kind == "poll" && q.n == 1:
			resp := reply(503, balancerPage)
			resp.Header.Set("Retry-After", "86400")
			return resp, nil
		case q.kind == "poll" && q.n == 2:
			h.restart()
		}
		return nil, nil
	}
	anHour(t, h, func(w *watched) {
		polls := h.of("poll")
		require.Less(t, polls[1].at.Sub(polls[0].at), 11*time.Minute)
		require.Greater(t, polls[1].at.Sub(polls[0].at), 9*time.Minute)
		require.LessOrEqual(t, h.of("create")[1].at.Sub(polls[1].at), 2*time.Second)
	})
}

// TestWatchPassesWhatItDoesNotKnow: events of other things are acknowledged and
// not told, those of no known form are told as an error, once.
func TestWatchPassesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	h := newHub().polls(func(q hubRequest) string {
		return `{"events":[{"event_id":"e1","event_type":"secret.accessed"},{"event_id":"e2","event_type":"policy.created"},` +
			`{"event_id":"e3","event_type":"secret.restored","timestamp":[],"path":{},"data":"x","new":{}},{"event_id":"e4"},7,null,"x"],"new":1}`
	})
	anHour(t, h, func(w *watched) {
		require.Equal(t, []string{"e3"}, w.told())
		require.Len(t, w.errors(), 5)
		require.Equal(t, []string{"e1", "e2", "e3"}, h.of("ack")[0].acks)
	})
}

// TestWatchTakesManyEventsInOneAnswer, again and again.
func TestWatchTakesManyEventsInOneAnswer(t *testing.T) {
	t.Parallel()
	const n = 30_000
	var b strings.Builder
	b.WriteString(`{"events":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"event_id":"e%d","event_type":"secret.created"}`, i)
	}
	b.WriteString(`],"has_more":true}`)
	h := newHub().polls(func(hubRequest) string { return b.String() })
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := watching(ctx, h.client(t), nil)
		time.Sleep(10 * time.Second)
		cancel()
		<-w.ended
		require.Len(t, w.told(), n)
		require.Greater(t, len(h.of("poll")), 1)
		acked := 0
		for _, q := range h.of("ack")[:3] {
			acked += len(q.acks)
		}
		require.Equal(t, n, acked)
		h.requireWithinLimits(t)
	})
}

// TestSeenEventsAreBounded: an event that keeps coming is known for ever, one
// that does not is forgotten, and no more than twice the bound are kept.
func TestSeenEventsAreBounded(t *testing.T) {
	t.Parallel()
	var seen scaivault.SeenEvents
	require.False(t, seen.Told("often"))
	require.False(t, seen.Told("once"))
	for i := range 3 * scaivault.MaxSeen {
		require.False(t, seen.Told(strconv.Itoa(i)))
		if i%(scaivault.MaxSeen/2) == 0 {
			require.True(t, seen.Told("often"), i)
		}
	}
	require.False(t, seen.Told("once"))
	require.True(t, seen.Told(strconv.Itoa(2*scaivault.MaxSeen+1)))
	require.LessOrEqual(t, seen.Len(), 2*scaivault.MaxSeen)
}

// TestWatchWithABadSubscriptionID makes no request of it.
func TestWatchWithABadSubscriptionID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"..", ".", " ", strings.Repeat("x", 600), `a\nb`} {
		h := newHub()
		h.fault = func(q hubRequest) (*http.Response, error) {
			if q.kind == "create" {
				return reply(201, `{"id":"`+id+`"}`), nil
			}
			return nil, nil
		}
		anHour(t, h, func(w *watched) {
			require.Empty(t, h.of("poll"))
			require.LessOrEqual(t, len(h.of("create")), 300)
		})
	}
}

// TestWatchOfAServiceThatForgetsAtOnce: each new subscription is gone.
func TestWatchOfAServiceThatForgetsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHub()
	h.fault = func(q hubRequest) (*http.Response, error) {
		if q.kind == "poll" {
			h.restart()
		}
		return nil, nil
	}
	anHour(t, h, func(w *watched) {
		require.LessOrEqual(t, len(h.of("create")), 300)
		require.Greater(t, len(w.errors()), 60)
	})
}

// FuzzWatch: whatever a poll answers, Watch goes on and ends with its context.
func FuzzWatch(f *testing.F) {
	f.Add([]byte(refusal("subscription_not_found")), 404)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if status < 200 || status > 999 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			h := newHub()
			h.fault = func(q hubRequest) (*http.Response, error) {
				if q.kind == "poll" || q.kind == "ack" {
					return reply(status, string(body)), nil
				}
				return nil, nil
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			w := watching(ctx, h.client(t), nil)
			<-w.ended
			h.requireWithinLimits(t)
			require.ErrorIs(t, w.errors()[len(w.errors())-1], context.DeadlineExceeded)
		})
	})
}
