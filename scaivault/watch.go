// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"strings"
	"time"
)

// watchedEvents are what changes a secret, or is about to.
var watchedEvents = []EventType{
	EventSecretCreated, EventSecretUpdated, EventSecretDeleted,
	EventSecretRotated, EventSecretExpiring, EventSecretExpired,
}

// Watch tells what happens to the secrets whose paths match one of the globs:
// that they are created, updated, deleted, rotated, about to expire or expired.
// In a glob "**" stands for any number of levels, "*" for one, and "?" for one
// character; "**" alone is everything.
//
// It goes on until ctx ends; then the last pair holds ctx's error. The caller
// can also break. A closed Client ends it with [ErrClosed]. A glob that can't be
// right, or none at all, is one pair with [ErrInvalid], before any I/O, and the
// end. Nothing else ends it: whatever fails is a pair with an error and a zero
// Event, after which Watch connects again, by and by once in 30 seconds.
//
// Events come at least once from the service and are told once, by their ID,
// while the same ID is among the last 100,000. One counts as processed when the
// loop asks for the next, and is acknowledged only then, so a slow loop loses
// nothing; what the service buffers meanwhile is bounded, by default to 1,000
// events.
//
// An error's pair means that events may have been missed up to now: take what
// was kept of these secrets as out of date. Where the service has lost the
// subscription, the pair comes when there is a new one, so that what is read
// from then on is right. What happens before the loop runs is not told, and an
// error may go unnoticed by the service, too: keep a time to live on what you
// cache.
//
// Watch makes a subscription of its own for each loop, and deletes it at the
// end, for which it takes up to 2 seconds. It needs the scopes
// subscriptions:read and subscriptions:write. It starts no goroutine: it works
// while the loop waits for the next pair. An idle loop polls twice a minute, and
// no loop makes more than 20 other calls a minute; all instances of one identity
// share what the service allows, which is 240 and 20.
func (c *Client) Watch(ctx context.Context, globs ...string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		spec := SubscriptionSpec{Name: "watch", Paths: globs, Events: watchedEvents}
		if len(globs) == 0 {
			yield(Event{}, c.invalid(opWatch, "", `no glob; give "**" for everything`))
			return
		}
		if wrong := spec.wrong(); wrong != "" {
			yield(Event{}, c.invalid(opWatch, "", strings.Replace(wrong, "SubscriptionSpec.Paths", "globs", 1)))
			return
		}
		w := &watch{c: c, spec: spec, yield: yield, pace: newWatchPace()}
		w.run(ctx)
	}
}

const opWatch = "watch"

// A watch is one loop over Watch.
type watch struct {
	c     *Client
	spec  SubscriptionSpec
	yield func(Event, error) bool
	ended bool // yield has returned false
	pace  watchPace

	id     string // of the subscription; empty while there is none
	doubt  string // the name of a subscription that may have been made
	missed error  // why there was no subscription for a while

	seen     seenEvents
	done     []string // ids of processed events, to be acknowledged
	repeats  repeats
	failures int // rounds in a row that failed
}

func (w *watch) run(ctx context.Context) {
	defer w.stop(ctx)
	for ctx.Err() == nil {
		err := w.round(ctx)
		switch {
		case w.ended:
			return
		case err == nil:
			w.failures = 0
			continue
		case ctx.Err() != nil:
			continue
		case errors.Is(err, ErrClosed):
			w.tell(Event{}, err)
			return
		}
		lost := w.id != "" && isGone(err)
		if lost || w.id == "" {
			w.missed = err
		}
		if lost {
			w.forget()
		} else if !w.tell(Event{}, err) {
			return
		}
		w.failures++
		pause(ctx, w.pace.afterFailure(err, lost, w.failures))
	}
	w.tell(Event{}, w.c.interrupted(ctx, &Error{Op: opWatch, Source: sourceScaiVault}))
}

// tell yields one pair and remembers whether the caller goes on.
func (w *watch) tell(e Event, err error) bool {
	w.ended = !w.yield(e, err)
	return !w.ended
}

// codeSubscriptionNotFound is documented.
const codeSubscriptionNotFound = "subscription_not_found"

// isGone tells that the service does not know the subscription any more.
func isGone(err error) bool { return errors.Is(err, ErrNotFound) }

// forget drops what belonged to a subscription that is gone.
func (w *watch) forget() {
	w.id, w.done, w.repeats = "", nil, repeats{}
}

// round sees to a subscription, polls once, and tells and acknowledges what
// came.
func (w *watch) round(ctx context.Context) error {
	if w.id == "" {
		if err := w.subscribe(ctx); err != nil {
			return err
		}
	}
	if w.missed != nil {
		missed := w.missedPair()
		w.missed = nil
		if !w.tell(Event{}, missed) {
			return nil
		}
	}
	if !w.pace.poll(ctx) {
		return ctx.Err()
	}
	page, err := w.c.poll(ctx, w.id, &PollOptions{SinceEventID: w.repeats.since()})
	if err != nil {
		return w.repeats.pollFailure(err)
	}
	fresh := w.deliver(ctx, page)
	if w.ended {
		return nil
	}
	wait := w.repeats.note(len(page.items), fresh)
	if err := w.acknowledge(ctx); err != nil {
		return err
	}
	pause(ctx, wait) // the caller looks at ctx
	return nil
}

// missedPair is the error of a time without subscription that is over.
func (w *watch) missedPair() error {
	e := &Error{Kind: ErrUnavailable, Op: opWatch, Source: sourceScaiVault, Reason: "events may have been missed until now; there is a new subscription"}
	var cause *Error
	if errors.As(w.missed, &cause) {
		e.Status, e.Code, e.RequestID = cause.Status, cause.Code, cause.RequestID
	}
	return e
}

// deliver tells what is new and collects what is to be acknowledged: also what
// came again, as its acknowledgement may be lost. It returns how many were new.
func (w *watch) deliver(ctx context.Context, page *page[json.RawMessage]) (fresh int) {
	for _, raw := range page.items {
		if ctx.Err() != nil {
			return fresh
		}
		e, ok := parseEvent(raw)
		key := keyOfEvent(e, raw)
		if !w.seen.has(key) {
			fresh++
			if !ok && !w.tell(Event{}, page.malformed("an event has no form that this version knows")) || ok && !w.tellEvent(e) {
				return fresh
			}
			w.seen.add(key)
			if namesEvent(e.ID) {
				w.repeats.last = e.ID
			}
		}
		if namesEvent(e.ID) {
			w.done = append(w.done, e.ID)
		}
	}
	return fresh
}

// namesEvent tells whether an id can be sent back. One that can't is known by
// it all the same.
func namesEvent(id string) bool { return id != "" && len(id) <= maxIDLength }

// tellEvent tells an event if it is of those that were asked for, or of a type
// for secrets that this version does not know. It reports whether to go on.
func (w *watch) tellEvent(e Event) bool {
	if e.Type == EventSecretAccessed || !strings.HasPrefix(string(e.Type), "secret.") {
		return true
	}
	return w.tell(e, nil)
}

const (
	// ackBatch bounds the ids in one acknowledgement.
	ackBatch = 10_000
	// maxUnacked bounds the ids that wait for an acknowledgement which the
	// service does not take. Older ones come again, if ever, and are known.
	maxUnacked = 2 * ackBatch
)

// acknowledge tells the service what was processed, many at once: it allows few
// such calls a minute.
func (w *watch) acknowledge(ctx context.Context) error {
	for len(w.done) > 0 {
		if !w.pace.operate(ctx) {
			return ctx.Err()
		}
		n := min(len(w.done), ackBatch)
		err := w.c.Ack(ctx, w.id, w.done[:n]...)
		if err == nil {
			w.done = w.done[n:]
			continue
		}
		if errors.Is(err, ErrInvalid) || errors.Is(err, ErrConflict) || len(w.done) > maxUnacked {
			w.done = nil // the same ids will not do
		}
		return w.ackFailure(err)
	}
	w.done = nil
	return nil
}

// ackFailure keeps an event that the service does not know apart from a
// subscription that it does not know.
func (w *watch) ackFailure(err error) error {
	var e *Error
	if !errors.Is(err, ErrNotFound) || !errors.As(err, &e) || e.Code == codeSubscriptionNotFound {
		return err
	}
	w.done = nil
	own := *e
	own.Kind, own.Reason = ErrUnavailable, "the service did not take the acknowledgement"
	return &own
}

// subscribe makes the subscription. If an earlier one may have been made, it is
// looked for first.
func (w *watch) subscribe(ctx context.Context) error {
	if w.doubt != "" {
		if !w.pace.operate(ctx) {
			return ctx.Err()
		}
		if w.id = w.find(ctx, w.doubt); w.id != "" {
			return nil
		}
		w.doubt = "" // it was not made; should it come later, nobody polls it
	}
	if !w.pace.operate(ctx) {
		return ctx.Err()
	}
	w.spec.Name = "scaivault-go-watch-" + rand.Text()
	s, ans, err := w.c.createSubscription(ctx, w.spec)
	switch {
	case err == nil && brokenID(s.ID) != "":
		return ans.malformed(request{op: opWatch}, "the new subscription has no usable id: "+brokenID(s.ID))
	case errors.Is(err, ErrUncertain):
		w.doubt = w.spec.Name
		return err
	case err != nil:
		return err
	}
	w.id = s.ID
	return nil
}

// find returns the id of the subscription with a name, or "" where it is not
// found.
func (w *watch) find(ctx context.Context, name string) string {
	for s, err := range w.c.Subscriptions(ctx) {
		if err != nil {
			return ""
		}
		if s.Name == name && brokenID(s.ID) == "" {
			return s.ID
		}
	}
	return ""
}

// stopTimeout bounds the deletion of the subscription at the end.
const stopTimeout = 2 * time.Second

// stop deletes the subscription, if it can: ctx has often ended by then.
func (w *watch) stop(ctx context.Context) {
	if w.id == "" && w.doubt == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if w.id == "" {
		w.id = w.find(ctx, w.doubt)
	}
	if w.id == "" {
		return
	}
	r := request{op: "delete subscription", path: w.id, method: http.MethodDelete, apiPath: apiSubscription(w.id), category: CategorySubscription}
	// One that stays is the service's to clean up; there is nobody to tell.
	_, _ = w.c.exchange(ctx, r)
}
