// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// A Subscription is a lasting interest in events, which the service keeps. ID
// is always told; everything else may be zero.
type Subscription struct {
	// ID is given by the service.
	ID string
	// Name is for people.
	Name string
	// Status is such as "active"; the vocabulary is open.
	Status string
	// IdentityID is the owner, who alone may poll.
	IdentityID string
	// Paths are the globs of the paths that it is about, and Events the types
	// of events.
	Paths  []string
	Events []EventType
	// Delivery is "polling" or "webhook".
	Delivery string
	// WebhookURL is where a webhook's events go. The webhook's secret is not
	// read back.
	WebhookURL string
	// BufferSize is how many events the service keeps until they are polled.
	BufferSize int
}

// The documented ways of delivery.
const (
	deliveryPolling = "polling"
	deliveryWebhook = "webhook"
)

// A SubscriptionSpec says what a new subscription is for. Name, Paths and
// Events are required.
type SubscriptionSpec struct {
	// Name is for people.
	Name string
	// Paths are globs: "**" stands for any number of levels, "*" for one, "?"
	// for one character. A path is a glob, too.
	Paths []string
	// Events are the types to tell of.
	Events []EventType
	// Webhook has the service send the events to an address. If nil, they are
	// kept for [Client.Poll].
	Webhook *WebhookSpec
	// BufferSize is how many events to keep until they are polled. If zero,
	// the service's default, which is 1000. A webhook has none.
	BufferSize int
	// Filters go to the service as they are. It documents none; if nil, none
	// are sent.
	Filters map[string]any
}

// A WebhookSpec says where the service sends events. Both fields are required.
type WebhookSpec struct {
	// URL is the receiver's address, by https.
	URL string
	// Secret gives the key by which the service signs, for [VerifyWebhook]; the
	// service recommends 32 random bytes or more. It is asked once, when the
	// subscription is made. [StaticToken] and [EnvToken] are such sources.
	Secret TokenSource
}

type wireSubscription struct {
	ID         lenient[string]      `json:"id"`
	Name       lenient[string]      `json:"name"`
	Status     lenient[string]      `json:"status"`
	IdentityID lenient[string]      `json:"identity_id"`
	Paths      lenient[[]string]    `json:"paths"`
	Events     lenient[[]EventType] `json:"events"`
	Delivery   lenient[struct {
		Type       lenient[string] `json:"type"`
		URL        lenient[string] `json:"url"`
		BufferSize wireInt         `json:"buffer_size"`
	}] `json:"delivery"`
	// Some collections put a single object under its own name.
	Subscription *json.RawMessage `json:"subscription"`
}

// parseSubscription reads a subscription. It reports false for what has no id.
func parseSubscription(raw json.RawMessage) (*Subscription, bool) {
	var w wireSubscription
	if json.Unmarshal(raw, &w) != nil {
		return nil, false
	}
	if w.ID.value == "" && w.Subscription != nil {
		inner := *w.Subscription
		w = wireSubscription{}
		if json.Unmarshal(inner, &w) != nil {
			return nil, false
		}
	}
	if w.ID.value == "" {
		return nil, false
	}
	d := w.Delivery.value
	return &Subscription{
		ID: w.ID.value, Name: w.Name.value, Status: w.Status.value, IdentityID: w.IdentityID.value, Paths: w.Paths.value,
		Events: w.Events.value, Delivery: d.Type.value, WebhookURL: d.URL.value, BufferSize: int(d.BufferSize),
	}, true
}

// wrong says what of a spec can't be sent, or "".
func (s *SubscriptionSpec) wrong() string {
	switch {
	case strings.TrimSpace(s.Name) == "":
		return "SubscriptionSpec.Name is empty"
	case len(s.Paths) == 0:
		return `SubscriptionSpec.Paths is empty; give globs, such as "environments/production/**"`
	case len(s.Events) == 0:
		return "SubscriptionSpec.Events is empty; give types, such as EventSecretUpdated"
	case s.BufferSize < 0:
		return "SubscriptionSpec.BufferSize is negative; 0 means the service's default"
	case s.BufferSize > 0 && s.Webhook != nil:
		return "SubscriptionSpec.BufferSize is for polling; a webhook has no buffer"
	}
	for i, glob := range s.Paths {
		if rule := brokenGlobRule(glob); rule != "" {
			return fmt.Sprintf("SubscriptionSpec.Paths[%d]: %s", i, rule)
		}
	}
	for i, event := range s.Events {
		if event == "" {
			return fmt.Sprintf("SubscriptionSpec.Events[%d] is empty", i)
		}
	}
	if s.Webhook == nil {
		return ""
	}
	u, err := url.Parse(s.Webhook.URL)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil:
		return "SubscriptionSpec.Webhook.URL is no address such as https://hooks.example.com/scaivault"
	case s.Webhook.Secret == nil:
		return "SubscriptionSpec.Webhook.Secret is nil; give the key by which the service signs"
	}
	return ""
}

// body builds the documented body of a creation, and what of it is
// confidential. It stands in maps, as no struct holds a secret in clear.
func (s *SubscriptionSpec) body(ctx context.Context) (body, secret []byte, wrong string, cause error) {
	delivery := map[string]any{"type": deliveryPolling}
	if s.BufferSize > 0 {
		delivery["buffer_size"] = s.BufferSize
	}
	if s.Webhook != nil {
		key, err := s.Webhook.Secret.Token(ctx)
		if err == nil {
			secret, err = wire.Marshal(key)
		}
		if err != nil || key == "" || !utf8.ValidString(key) {
			return nil, nil, "SubscriptionSpec.Webhook.Secret gives no secret that JSON can hold", err
		}
		delivery = map[string]any{"type": deliveryWebhook, "url": s.Webhook.URL, "secret": key}
	}
	all := map[string]any{"name": s.Name, "paths": s.Paths, "events": s.Events, "delivery": delivery}
	if s.Filters != nil {
		all["filters"] = s.Filters
	}
	body, err := wire.Marshal(all)
	if err != nil {
		return nil, nil, "SubscriptionSpec.Filters cannot be written as JSON", err
	}
	return body, secret, "", nil
}

// brokenGlobRule says which rule of paths a glob breaks: with letters in place
// of its wildcards it is a path. What it matches is the service's business.
func brokenGlobRule(glob string) string {
	if glob == "" {
		return `the glob is empty; give "**" for everything`
	}
	levels := strings.TrimSuffix(glob, "/**") // "**" also stands for no level
	return brokenPathRule(strings.NewReplacer("*", "x", "?", "x").Replace(levels))
}
