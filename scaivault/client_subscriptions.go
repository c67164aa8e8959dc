// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// CreateSubscription makes a subscription, by POST /v1/subscriptions. A spec
// that can't be sent is [ErrInvalid], before any I/O.
//
// It is never repeated blindly: a second subscription would gather events that
// nobody fetches. If no answer comes the error matches [ErrUncertain]; look for
// the name in [Client.Subscriptions].
func (c *Client) CreateSubscription(ctx context.Context, spec SubscriptionSpec) (*Subscription, error) {
	s, _, err := c.createSubscription(ctx, spec)
	return s, err
}

func (c *Client) createSubscription(ctx context.Context, spec SubscriptionSpec) (*Subscription, *answer, error) {
	const op = "create subscription"
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	if wrong := spec.wrong(); wrong != "" {
		return nil, nil, c.invalid(op, "", wrong)
	}
	body, secret, wrong, cause := spec.body(ctx)
	switch {
	case wrong != "" && ctx.Err() != nil:
		return nil, nil, c.interrupted(ctx, &Error{Op: op, Source: sourceScaiVault})
	case wrong != "":
		e := c.invalid(op, "", wrong)
		e.Err = cause
		return nil, nil, e
	}
	r := request{op: op, method: http.MethodPost, apiPath: apiSubscriptions, body: body, secret: secret, category: CategorySubscription}
	ans, err := c.exchange(ctx, r)
	var sent sentError
	switch {
	case errors.As(err, &sent):
		return nil, nil, uncertain(sent.cause, "so the subscription may exist; look for its name before you create it again")
	case err != nil:
		return nil, nil, err
	}
	created, ok := parseSubscription(ans.body)
	if !ok {
		return nil, nil, uncertain(ans.malformed(r, ""), "so the subscription may exist; look for its name before you create it again")
	}
	created.fill(&spec)
	return created, ans, nil
}

// fill adds what the service does not repeat in its answer.
func (s *Subscription) fill(spec *SubscriptionSpec) {
	s.Name = defaultTo(s.Name, spec.Name)
	if s.Paths == nil {
		s.Paths = append(s.Paths, spec.Paths...)
	}
	if s.Events == nil {
		s.Events = append(s.Events, spec.Events...)
	}
	byDefault := deliveryPolling
	if spec.Webhook != nil {
		byDefault = deliveryWebhook
		s.WebhookURL = defaultTo(s.WebhookURL, spec.Webhook.URL)
	}
	s.Delivery = defaultTo(s.Delivery, byDefault)
}

// Subscriptions lists the subscriptions that the identity may see, by
// GET /v1/subscriptions, page by page as the caller goes on. If something
// fails, the last pair holds the error.
func (c *Client) Subscriptions(ctx context.Context) iter.Seq2[Subscription, error] {
	of := collection{op: "list subscriptions", apiPath: apiSubscriptions, key: "subscriptions", item: "subscription", category: CategorySubscription}
	return listed(ctx, c, of, parseSubscription)
}

// GetSubscription reads one subscription, by GET /v1/subscriptions/{id}. One that
// does not exist is [ErrNotFound].
func (c *Client) GetSubscription(ctx context.Context, id string) (*Subscription, error) {
	const op = "get subscription"
	if reason := brokenID(id); reason != "" {
		return nil, c.invalid(op, id, reason)
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: op, path: id, method: http.MethodGet, apiPath: apiSubscription(id), reads: true, category: CategorySubscription}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, plain(err)
	}
	s, ok := parseSubscription(ans.body)
	if !ok {
		return nil, ans.malformed(r, "the answer holds no subscription")
	}
	return s, nil
}

// DeleteSubscription ends a subscription and drops its events, by
// DELETE /v1/subscriptions/{id}. One that does not exist is [ErrNotFound]. If
// no answer comes it looks whether the subscription is gone; if that can't be
// known either, the error matches [ErrUncertain].
func (c *Client) DeleteSubscription(ctx context.Context, id string) error {
	const op = "delete subscription"
	if reason := brokenID(id); reason != "" {
		return c.invalid(op, id, reason)
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: op, path: id, method: http.MethodDelete, apiPath: apiSubscription(id), category: CategorySubscription}
	return c.deleteOrLook(ctx, r, func(ctx context.Context) error {
		_, err := c.GetSubscription(ctx, id)
		return err
	})
}

// deleteOrLook deletes once. Where the answer is lost, a look that finds
// nothing says that it was done.
func (c *Client) deleteOrLook(ctx context.Context, r request, look func(context.Context) error) error {
	ans, err := c.exchange(ctx, r)
	var sent sentError
	if err == nil {
		if refused := ans.checkAccepted(r); refused != nil {
			sent, err = sentError{refused}, sentError{refused}
		}
	}
	if !errors.As(err, &sent) {
		return err
	}
	lookCtx, stop := c.lookUp(ctx)
	defer stop()
	if errors.Is(look(lookCtx), ErrNotFound) {
		return nil
	}
	return uncertain(sent.cause, "so it may be deleted later; look before you repeat it")
}

// PollOptions are the optional parts of a poll. A nil pointer means the zero
// value.
type PollOptions struct {
	// Timeout is how long the service waits for an event, in whole seconds up
	// to one minute. If zero, 30 seconds. Where the HTTP client's own Timeout
	// would end the poll first, half of that takes its place.
	Timeout time.Duration
	// SinceEventID asks for what came after this event. If empty, the service
	// sends what was not acknowledged.
	SinceEventID string
	// MaxEvents bounds the answer. If zero, the service's default, which is
	// 100.
	MaxEvents int
}

// The documented limits of a poll.
const (
	defaultPollTimeout = 30 * time.Second
	maxPollTimeout     = 60 * time.Second
)

func (o *PollOptions) timeout() time.Duration { return defaultTo(o.Timeout, defaultPollTimeout) }

func (o *PollOptions) wrong(id string) string {
	timeout := o.timeout()
	switch {
	case timeout < time.Second || timeout > maxPollTimeout || timeout%time.Second != 0:
		return fmt.Sprintf("PollOptions.Timeout is %v; give whole seconds up to %v, or 0 for %v", timeout, maxPollTimeout, defaultPollTimeout)
	case o.MaxEvents < 0:
		return "PollOptions.MaxEvents is negative; 0 means the service's default"
	}
	return brokenID(id)
}

// Poll waits for events of a subscription of the same identity, by
// GET /v1/subscriptions/{id}/poll, and tells whether there are more. No event
// until the timeout is no error. Every event comes again, in some later poll,
// until [Client.Ack] has acknowledged it. A subscription that does not exist, or
// no longer, is [ErrNotFound]; [Client.Watch] makes it anew.
//
// If the answer holds what is no event, the error matches [ErrUnavailable] and
// comes with the events that could be read. Where ctx has no deadline the whole
// call takes at most the poll's timeout and [ClientConfig.Timeout].
func (c *Client) Poll(ctx context.Context, id string, opts *PollOptions) (events []Event, more bool, err error) {
	page, err := c.poll(ctx, id, opts)
	if err != nil {
		return nil, false, err
	}
	strange := 0
	for _, raw := range page.items {
		if e, ok := parseEvent(raw); ok {
			events = append(events, e)
		} else {
			strange++
		}
	}
	if strange > 0 {
		return events, page.more, page.malformed(fmt.Sprintf("%d of %d events have no form that this version knows", strange, len(page.items)))
	}
	return events, page.more, nil
}

const opPoll = "poll"

// poll is Poll with the events as they came.
func (c *Client) poll(ctx context.Context, id string, opts *PollOptions) (*page[json.RawMessage], error) {
	if opts == nil {
		opts = &PollOptions{}
	}
	if wrong := opts.wrong(id); wrong != "" {
		return nil, c.invalid(opPoll, id, wrong)
	}
	timeout := opts.timeout()
	if own := c.http.Timeout; own > 0 && own < timeout+c.cfg.attemptTimeout() {
		timeout = max(time.Second, min(timeout, own/2)).Truncate(time.Second)
	}
	if _, ok := ctx.Deadline(); !ok {
		bounded, cancel := context.WithTimeoutCause(ctx, timeout+c.cfg.timeout(), errOwnTimeout)
		defer cancel()
		ctx = bounded
	}
	r := request{
		op: opPoll, path: id, method: http.MethodGet, apiPath: apiSubscriptionPoll(id), reads: true, category: CategoryPoll,
		query: queryPoll(timeout, opts.SinceEventID, opts.MaxEvents), wait: timeout + c.cfg.attemptTimeout(),
	}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, plain(err)
	}
	events := &page[json.RawMessage]{key: "events", hints: true}
	events.malformed = func(reason string) *Error { return ans.malformed(r, reason) }
	if len(ans.body) == 0 && ans.status == http.StatusNoContent {
		return events, nil
	}
	if err := ans.decode(r, events); err != nil {
		return nil, err
	}
	if !events.known {
		return nil, events.malformed("the answer holds no list of events")
	}
	return events, nil
}

// Ack acknowledges events, so that they are not delivered again, by
// POST /v1/subscriptions/{id}/ack. Acknowledge what was processed. Doing it
// twice does no harm, so it is repeated like a read. With no ids it does
// nothing. A subscription that does not exist is [ErrNotFound], and an id that
// is empty [ErrInvalid], before any I/O.
func (c *Client) Ack(ctx context.Context, id string, eventIDs ...string) error {
	const op = "ack"
	if reason := brokenID(id); reason != "" {
		return c.invalid(op, id, reason)
	}
	if len(eventIDs) == 0 {
		return nil
	}
	for i, eventID := range eventIDs {
		if eventID == "" {
			return c.invalid(op, id, fmt.Sprintf("event id %d is empty", i))
		}
	}
	body, err := wire.Marshal(map[string][]string{"event_ids": eventIDs})
	if err != nil {
		return c.invalid(op, id, "an event id cannot be written as JSON")
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: op, path: id, method: http.MethodPost, apiPath: apiSubscriptionAck(id), body: body, reads: true, category: CategorySubscription}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return plain(err)
	}
	if err := ans.checkAccepted(r); err != nil {
		return err
	}
	return nil
}
