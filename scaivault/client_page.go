// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"encoding/json"
)

// A page is one page of a listing, under its own key or one that other
// collections use, or as a bare array.
type page[T any] struct {
	pageTail
	key   string
	hints bool // more and next are but hints: what can't be read of them is left out
	items []T
	known bool // there was a list
	// malformed is the error of the answer that the page came in; set by ask.
	malformed func(reason string) *Error
}

// ask asks for a page, which can be followed by another one.
func ask[T any](ctx context.Context, c *Client, r request, p *page[T], seen *cursorGuard) error {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return plain(err)
	}
	p.malformed = func(reason string) *Error { return ans.malformed(r, reason) }
	if err := ans.decode(r, p); err != nil {
		return err
	}
	if !p.known {
		return p.malformed("the answer holds no list of " + p.key)
	}
	if wrong := p.wrong(seen); wrong != "" {
		return p.malformed(wrong)
	}
	return nil
}

// UnmarshalJSON accepts the items under the key, data or items, or as a bare
// array.
func (p *page[T]) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("[")) {
		p.known = true
		return json.Unmarshal(b, &p.items)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	if err := p.readTail(b); err != nil && !p.hints {
		return err
	}
	for _, key := range []string{p.key, "data", "items"} {
		list, ok := fields[key]
		if !ok {
			continue
		}
		p.known = true // also as null, which some encoders write for an empty list
		if string(list) != "null" {
			return json.Unmarshal(list, &p.items)
		}
	}
	return nil
}

// A pageTail says whether another page follows.
type pageTail struct {
	next string
	more bool // the service says so
}

// readTail stops where has_more says so, whatever the cursor is.
func (t *pageTail) readTail(b []byte) error {
	var w struct {
		Cursor     wireCursor `json:"cursor"`
		NextCursor wireCursor `json:"next_cursor"`
		HasMore    *bool      `json:"has_more"`
	}
	err := json.Unmarshal(b, &w)
	t.more = w.HasMore != nil && *w.HasMore
	if w.HasMore == nil || t.more {
		t.next = defaultTo(string(w.NextCursor), string(w.Cursor))
	}
	return err
}

// wrong says why a listing can't go on behind this page, and not end either.
func (t *pageTail) wrong(seen *cursorGuard) string {
	switch {
	case t.more && t.next == "":
		return "there is more, but the answer names no cursor"
	case !seen.isNew(t.next):
		return "the service repeats its cursor, so the listing would never end"
	}
	return ""
}

// wireCursor reads a cursor, also one that is a number. What it cannot read is
// an error: a listing must not end early in silence.
type wireCursor string

func (c *wireCursor) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte(`"`)) {
		return json.Unmarshal(b, (*string)(c))
	}
	var number *json.Number
	if err := json.Unmarshal(b, &number); err != nil {
		return err
	}
	if number != nil {
		*c = wireCursor(*number)
	}
	return nil
}

// A cursorGuard notices that cursors go in a circle. It remembers one of them,
// at ever longer distances, so it finds every circle and never grows.
type cursorGuard struct {
	kept         string
	steps, until int
}

func (g *cursorGuard) isNew(cursor string) bool {
	if cursor == "" {
		return true
	}
	if cursor == g.kept {
		return false
	}
	if g.steps++; g.steps > g.until {
		g.kept, g.steps, g.until = cursor, 0, 2*g.until+1
	}
	return true
}
