// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"time"
)

func subscriptionEndpoint(scope string, serve func(*serverCall) *refusal) *endpoint {
	return &endpoint{scope: scope, category: CategorySubscription, serve: serve}
}

func subscriptionRoutes() map[string]resource {
	return map[string]resource{"subscriptions": {
		http.MethodGet:  subscriptionEndpoint("subscriptions:read", (*serverCall).listSubscriptions),
		http.MethodPost: subscriptionEndpoint("subscriptions:write", (*serverCall).createSubscription),
	}}
}

// subscriptionMembers are the resources of one subscription. The scopes of the first
// three are not documented; poll and ack are for the owner, with any token.
func subscriptionMembers() collection {
	const read, write = "subscriptions:read", "subscriptions:write"
	return collection{
		"": {
			http.MethodGet:    subscriptionEndpoint(read, (*serverCall).getSubscription),
			http.MethodPatch:  subscriptionEndpoint(write, (*serverCall).patchSubscription),
			http.MethodDelete: subscriptionEndpoint(write, (*serverCall).deleteSubscription),
		},
		"poll": {http.MethodGet: {category: CategoryPoll, serve: (*serverCall).pollSubscription}},
		"ack":  {http.MethodPost: subscriptionEndpoint("", (*serverCall).ackEvents)},
	}
}

// createSubscription answers POST /v1/subscriptions.
func (c *serverCall) createSubscription() *refusal {
	var body subscriptionBody
	if refusal := readBody(c.r, c.server.opts.MaxBodyBytes, &body); refusal != nil {
		return refusal
	}
	chosen := settings{}.merged(&body)
	if refusal := chosen.check(); refusal != nil {
		return refusal
	}
	sub := &subscription{id: "sub_" + randomID()[:16], owner: c.grant.identityID, created: time.Now()}
	sub.configure(chosen)
	answer := sub.body()
	c.server.secrets.expire() // what expired before is not for this subscription
	c.server.events.add(sub)
	c.replyJSON(http.StatusCreated, answer)
	return nil
}

// listSubscriptions answers GET /v1/subscriptions.
func (c *serverCall) listSubscriptions() *refusal {
	c.replyJSON(http.StatusOK, map[string]any{"subscriptions": c.server.events.bodies()})
	return nil
}

// getSubscription answers GET /v1/subscriptions/{id}.
func (c *serverCall) getSubscription() *refusal {
	return c.server.events.with(c.id, func(sub *subscription) *refusal {
		c.replyJSON(http.StatusOK, sub.body())
		return nil
	})
}

// patchSubscription answers PATCH /v1/subscriptions/{id}.
func (c *serverCall) patchSubscription() *refusal {
	var body subscriptionBody
	if refusal := readBody(c.r, c.server.opts.MaxBodyBytes, &body); refusal != nil {
		return refusal
	}
	return c.server.events.with(c.id, func(sub *subscription) *refusal {
		chosen := sub.merged(&body)
		if refusal := chosen.check(); refusal != nil {
			return refusal
		}
		if *chosen.delivery.Type != *sub.delivery.Type {
			return wrongField("delivery.type", "cannot be changed")
		}
		sub.configure(chosen)
		c.replyJSON(http.StatusOK, sub.body())
		return nil
	})
}

// deleteSubscription answers DELETE /v1/subscriptions/{id}.
func (c *serverCall) deleteSubscription() *refusal {
	if refusal := c.server.events.remove(c.id); refusal != nil {
		return refusal
	}
	c.reply(http.StatusNoContent, nil)
	return nil
}

// owned refuses a subscription that is not the caller's own, or not for polling.
func (c *serverCall) owned(sub *subscription) *refusal {
	switch {
	case sub.owner != c.grant.identityID:
		return refuse(http.StatusForbidden, "access_denied", "the subscription is that of another identity")
	case *sub.delivery.Type != deliverPolling:
		return refuse(http.StatusBadRequest, "invalid_request", "the subscription is delivered by webhook")
	}
	return nil
}

// ackEvents answers POST /v1/subscriptions/{id}/ack.
func (c *serverCall) ackEvents() *refusal {
	var body struct {
		EventIDs []string `json:"event_ids"`
	}
	if refusal := readBody(c.r, c.server.opts.MaxBodyBytes, &body); refusal != nil {
		return refusal
	}
	if body.EventIDs == nil {
		return wrongField("event_ids", "is required")
	}
	return c.server.events.with(c.id, func(sub *subscription) *refusal {
		if refusal := c.owned(sub); refusal != nil {
			return refusal
		}
		n := sub.ack(body.EventIDs)
		if c.server.quirks.AckForm == AckNoContent {
			c.reply(http.StatusNoContent, nil)
			return nil
		}
		c.replyJSON(http.StatusOK, map[string]any{"acknowledged": n})
		return nil
	})
}
