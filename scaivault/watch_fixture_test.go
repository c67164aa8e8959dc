// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A hub is a transport that keeps subscriptions and events, as the service's
// documents describe them, and can be made to behave otherwise.
type hub struct {
	mu       sync.Mutex
	subs     map[string]*hubSub
	made     int
	emitted  int
	wake     chan struct{}
	requests []hubRequest
	counts   map[string]int

	// fault answers instead of the hub, or lets it (nil, nil).
	fault func(q hubRequest) (*http.Response, error)
	// cut lets the hub do what was asked, and then loses the answer.
	cut func(q hubRequest) bool
	// forgetful redelivers only what was not delivered yet.
	forgetful bool
}

type hubSub struct {
	name    string
	pending []hubEvent
}

type hubEvent struct{ id, raw string }

type hubRequest struct {
	at    time.Time
	kind  string // create, list, delete, poll, ack
	since string
	acks  []string
	n     int // counts from 1 within the kind
}

func newHub() *hub {
	return &hub{subs: map[string]*hubSub{}, wake: make(chan struct{}), counts: map[string]int{}}
}

// emit tells all subscriptions of n more events.
func (h *hub) emit(n int) {
	for range n {
		h.mu.Lock()
		h.emitted++
		id := fmt.Sprintf("evt_%04d", h.emitted)
		h.mu.Unlock()
		h.emitRaw(id, fmt.Sprintf(`{"event_id":%q,"event_type":"secret.updated","path":"a/b","data":{"new_version":%d}}`, id, h.emitted))
	}
}

func (h *hub) emitRaw(id, raw string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.subs {
		s.pending = append(s.pending, hubEvent{id, raw})
	}
	close(h.wake)
	h.wake = make(chan struct{})
}

// restart loses all subscriptions.
func (h *hub) restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs = map[string]*hubSub{}
	close(h.wake)
	h.wake = make(chan struct{})
}

func (h *hub) alive() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs)
}

// of returns the requests of a kind.
func (h *hub) of(kinds ...string) (found []hubRequest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, q := range h.requests {
		if slices.Contains(kinds, q.kind) {
			found = append(found, q)
		}
	}
	return found
}

func (h *hub) RoundTrip(r *http.Request) (*http.Response, error) {
	var body struct {
		Name     string   `json:"name"`
		EventIDs []string `json:"event_ids"`
	}
	if r.Body != nil {
		text, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		_ = json.Unmarshal(text, &body)
	}
	q := hubRequest{at: time.Now(), since: r.URL.Query().Get("since_event_id"), acks: body.EventIDs}
	id, verb, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/v1/subscriptions"), "/"), "/")
	q.kind = map[string]string{"POST": "create", "GET": "list", "DELETE": "delete"}[r.Method]
	if verb != "" {
		q.kind = verb
	}
	h.mu.Lock()
	h.counts[q.kind]++
	q.n = h.counts[q.kind]
	h.requests = append(h.requests, q)
	h.mu.Unlock()
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	if h.fault != nil {
		if resp, err := h.fault(q); resp != nil || err != nil {
			return resp, err
		}
	}
	resp := h.answer(r, q, id, body.Name)
	if resp == nil {
		return nil, r.Context().Err()
	}
	resp.Request = r
	if h.cut != nil && h.cut(q) {
		if q.n%2 == 0 {
			return nil, errors.New("connection reset")
		}
		resp.Body = io.NopCloser(io.MultiReader(io.LimitReader(resp.Body, 5), brokenReader{}))
	}
	return resp, nil
}

func reply(status int, body string) *http.Response {
	resp, _ := says(status, body)(nil)
	return resp
}

func (h *hub) answer(r *http.Request, q hubRequest, id, name string) *http.Response {
	h.mu.Lock()
	defer h.mu.Unlock()
	if q.kind == "create" {
		h.made++
		id = fmt.Sprintf("sub_%d", h.made)
		h.subs[id] = &hubSub{name: name}
		return reply(201, fmt.Sprintf(`{"id":%q,"name":%q,"status":"active"}`, id, name))
	}
	if q.kind == "list" {
		var all []string
		for id, s := range h.subs {
			all = append(all, fmt.Sprintf(`{"id":%q,"name":%q}`, id, s.name))
		}
		return reply(200, `{"subscriptions":[`+strings.Join(all, ",")+`]}`)
	}
	s, ok := h.subs[id]
	if !ok {
		return reply(404, refusal("subscription_not_found"))
	}
	switch q.kind {
	case "delete":
		delete(h.subs, id)
		return reply(204, "")
	case "ack":
		s.pending = slices.DeleteFunc(s.pending, func(e hubEvent) bool { return slices.Contains(q.acks, e.id) })
		return reply(200, `{}`)
	}
	return h.poll(r, q, id)
}

// poll is called with the lock, and waits without.
func (h *hub) poll(r *http.Request, q hubRequest, id string) *http.Response {
	seconds, _ := strconv.Atoi(r.URL.Query().Get("timeout"))
	timeout := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timeout.Stop()
	for {
		s, ok := h.subs[id]
		if !ok {
			return reply(404, refusal("subscription_not_found"))
		}
		var list []string
		for _, e := range s.pending {
			if e.id > q.since || q.since == "" {
				list = append(list, e.raw)
			}
		}
		if len(list) > 0 {
			if h.forgetful {
				s.pending = nil
			}
			more := len(list) > 100
			list = list[:min(len(list), 100)]
			return reply(200, fmt.Sprintf(`{"events":[%s],"has_more":%t}`, strings.Join(list, ","), more))
		}
		wake := h.wake
		h.mu.Unlock()
		select {
		case <-wake:
			h.mu.Lock()
			continue
		case <-timeout.C:
			h.mu.Lock()
			return reply(200, `{"events":[],"has_more":false}`)
		case <-r.Context().Done():
			h.mu.Lock()
			return nil
		}
	}
}

func (h *hub) client(t testing.TB, change ...configure) *scaivault.Client {
	return newTestClient(t, "https://s.test", append([]configure{through(h)}, change...)...)
}

// A watched is what a loop over Watch has told so far.
type watched struct {
	mu    sync.Mutex
	ids   []string
	errs  []error
	ended chan struct{}
}

// watching runs a loop over Watch until ctx ends or onEach says so.
func watching(ctx context.Context, c *scaivault.Client, onEach func(scaivault.Event) bool) *watched {
	w := &watched{ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		for e, err := range c.Watch(ctx, "a/**") {
			w.mu.Lock()
			if err != nil {
				w.errs = append(w.errs, err)
			} else {
				w.ids = append(w.ids, e.ID)
			}
			w.mu.Unlock()
			if err == nil && onEach != nil && !onEach(e) {
				return
			}
		}
	}()
	return w
}

func (w *watched) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.ids)
}

func (w *watched) errors() []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.errs)
}

// requireAll checks that events 1 to n came, each once and in order.
func (w *watched) requireAll(t testing.TB, n int) {
	t.Helper()
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("evt_%04d", i+1))
	}
	require.Equal(t, want, w.told())
}

// requireWithinLimits checks that no minute had more requests than the service
// allows.
func (h *hub) requireWithinLimits(t testing.TB) {
	t.Helper()
	for limit, all := range map[int][]hubRequest{20: h.of("create", "list", "delete", "ack"), 240: h.of("poll")} {
		for i, first := range all {
			n := 0
			for _, q := range all[i:] {
				if q.at.Sub(first.at) < time.Minute {
					n++
				}
			}
			require.LessOrEqual(t, n, limit, "in the minute from %v", first.at)
		}
	}
}
