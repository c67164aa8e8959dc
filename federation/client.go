// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A Client manages the federation backends of one ScaiVault. It keeps no state, is
// safe for concurrent use, and has nothing to close: it ends with the
// [scaivault.Client] that it was made of.
//
// Every method blocks until the service has answered or ctx ends.
type Client struct {
	api doer
}

// A doer is what this package needs of a [scaivault.Client].
type doer interface {
	Do(ctx context.Context, method, apiPath string, in, out any) error
}

// New makes a Client on c, which it does not close. It does no I/O. The token of c
// needs the scopes federation:read and federation:write.
func New(c *scaivault.Client) *Client {
	if c == nil {
		return &Client{}
	}
	return &Client{api: c}
}

// The service documents these addresses; a listing's query is inferred from its other
// collections.
const apiBackends = "/v1/federation/backends"

func apiBackend(id string) string   { return apiBackends + "/" + id }
func apiStatus(id string) string    { return apiBackend(id) + "/status" }
func apiSync(id string) string      { return apiBackend(id) + "/sync" }
func apiConflicts(id string) string { return apiBackend(id) + "/conflicts" }

func withCursor(apiPath, cursor string) string {
	if cursor == "" {
		return apiPath
	}
	return apiPath + "?" + url.Values{"cursor": {cursor}}.Encode()
}

// List returns all backends, in the service's order; none is an empty list. Each page
// of the service's listing is one operation.
func (c *Client) List(ctx context.Context) ([]Backend, error) {
	const op = "list federation backends"
	all := []Backend{}
	for raw, err := range c.pages(ctx, op, apiBackends, "backends") {
		if err != nil {
			return nil, err
		}
		b, ok := readBackend(raw)
		if !ok || b.ID == "" {
			return nil, malformed(op, "holds a backend without an id or without anything else")
		}
		all = append(all, *b)
	}
	return all, nil
}

// Get reads one backend. One that does not exist is [scaivault.ErrNotFound].
func (c *Client) Get(ctx context.Context, id string) (*Backend, error) {
	op := "get federation backend " + printable(id)
	if err := checkID(op, id); err != nil {
		return nil, err
	}
	raw, err := c.call(ctx, op, http.MethodGet, apiBackend(id), nil)
	if err != nil {
		return nil, err
	}
	b, ok := readBackend(raw)
	if !ok {
		return nil, malformed(op, "is not a backend")
	}
	if b.ID == "" {
		b.ID = id
	}
	return b, nil
}

// Create makes a backend and returns it: what the service answered, and where it did
// not say, what was sent. The ID, Status and times of b are not sent. Whether the
// backend can be reached is for [Client.WaitHealthy] to say.
//
// When the answer is lost or names no id, the backends are looked through; one that
// holds all that was sent is taken for the new one. If there is none, or several of
// that name, the error matches [scaivault.ErrUncertain].
func (c *Client) Create(ctx context.Context, b Backend) (*Backend, error) {
	op := "create federation backend " + printable(b.Name)
	if err := b.checkCreate(op); err != nil {
		return nil, err
	}
	change := b.change()
	sent := change.clone()
	body := sent.body()
	body[keyType] = sent.Config.Type()
	raw, err := c.call(ctx, op, http.MethodPost, apiBackends, body)
	if err != nil && !errors.Is(err, scaivault.ErrUncertain) {
		return nil, err
	}
	made, _, ok := parseBackend(raw)
	if err != nil || !ok || made.ID == "" {
		made, err = c.findCreated(ctx, op, &sent, err)
	}
	if err != nil {
		return nil, err
	}
	sent.fill(made)
	return made, nil
}

// findCreated looks for a backend that was perhaps created. The cause is nil where
// the service took it and did not say what its id is.
func (c *Client) findCreated(ctx context.Context, op string, sent *Update, cause error) (*Backend, error) {
	if cause == nil {
		cause = &scaivault.Error{Kind: scaivault.ErrUncertain, Op: op, Source: source, Reason: "the answer does not say the id"}
	}
	uncertain := fmt.Errorf("%w; no backend was found that is certainly this one: list them before you create it again", cause)
	all, err := c.List(ctx)
	if err != nil {
		return nil, uncertain
	}
	id := ""
	for _, b := range all {
		if b.Name != sent.Name {
			continue
		}
		if id != "" {
			return nil, uncertain
		}
		id = b.ID
	}
	if id == "" {
		return nil, uncertain
	}
	found, err := c.Get(ctx, id)
	if err != nil || !sent.heldBy(found) {
		return nil, uncertain
	}
	return found, nil
}

// Update changes the fields that are set in u and returns the backend as it is then.
// Where the service answers with less than the whole backend, it is read once more,
// which is one further operation.
//
// When the answer is lost the backend is read; if it does not show the change the
// error matches [scaivault.ErrUncertain], and the same update may be repeated.
func (c *Client) Update(ctx context.Context, id string, u Update) (*Backend, error) {
	op := "update federation backend " + printable(id)
	if err := checkID(op, id); err != nil {
		return nil, err
	}
	if err := u.checkUpdate(op); err != nil {
		return nil, err
	}
	sent := u.clone()
	raw, err := c.call(ctx, op, http.MethodPatch, apiBackend(id), sent.body())
	if err != nil && !errors.Is(err, scaivault.ErrUncertain) {
		return nil, err
	}
	b, _, ok := parseBackend(raw)
	if err != nil || !ok || !b.whole() {
		b, err = c.readUpdated(ctx, op, id, &sent, err)
	}
	if err != nil {
		return nil, err
	}
	sent.fill(b)
	return b, nil
}

// readUpdated reads a backend back. The cause is nil where the change is certain.
func (c *Client) readUpdated(ctx context.Context, op, id string, sent *Update, cause error) (*Backend, error) {
	b, err := c.Get(ctx, id)
	switch {
	case cause == nil && err != nil:
		return nil, fmt.Errorf("%s: the change was done, but: %w", op, err)
	case cause != nil && (err != nil || !sent.heldBy(b)):
		return nil, fmt.Errorf("%w; the backend does not show the change: repeat the same update", cause)
	default:
		return b, nil
	}
}

// Delete removes a backend. One that does not exist is [scaivault.ErrNotFound]. What
// becomes of the copies of [ModeSync] is not documented: expect that they are gone,
// and move readers away before.
//
// When the answer is lost the backend is looked for, which is one further operation.
func (c *Client) Delete(ctx context.Context, id string) error {
	op := "delete federation backend " + printable(id)
	if err := checkID(op, id); err != nil {
		return err
	}
	_, err := c.call(ctx, op, http.MethodDelete, apiBackend(id), nil)
	if !errors.Is(err, scaivault.ErrUncertain) {
		return err
	}
	if _, lookErr := c.Get(ctx, id); errors.Is(lookErr, scaivault.ErrNotFound) {
		return nil
	}
	return err
}

// source stands in errors, as it does in those of the scaivault.Client.
const source = "scaivault"

func malformed(op, what string) error {
	return &scaivault.Error{Kind: scaivault.ErrUnavailable, Op: op, Source: source, Reason: "the answer " + what}
}

// call makes one call and returns the body of a success, nil where it is empty.
func (c *Client) call(ctx context.Context, op, method, apiPath string, in any) (json.RawMessage, error) {
	if c.api == nil {
		return nil, invalid(op, "there is no scaivault.Client; give one to New")
	}
	var raw json.RawMessage
	if err := c.api.Do(ctx, method, apiPath, in, &raw); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return raw, nil
}

// pages yields the items of a listing, page by page. The error, if any, is the last.
func (c *Client) pages(ctx context.Context, op, apiPath, noun string) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		seen := map[string]bool{}
		for cursor := ""; ; {
			raw, err := c.call(ctx, op, http.MethodGet, withCursor(apiPath, cursor), nil)
			if err != nil {
				yield(nil, err)
				return
			}
			p, ok := parsePage(raw, noun)
			if !ok {
				yield(nil, malformed(op, "is not a listing of "+noun))
				return
			}
			for _, item := range p.items {
				if !yield(item, nil) {
					return
				}
			}
			if p.cursor == "" && !p.cutOff {
				return
			}
			if p.cutOff || seen[p.cursor] {
				yield(nil, malformed(op, "says that there is more and not how to get it"))
				return
			}
			cursor = p.cursor
			seen[cursor] = true
		}
	}
}
