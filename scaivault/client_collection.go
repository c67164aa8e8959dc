// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strings"
	"unicode"
)

// A collection is what the service lists besides secrets: policies, bindings,
// subscriptions. All share one envelope, whose key differs.
type collection struct {
	op       string
	path     string // for errors
	apiPath  string
	key      string // the documented key of the items
	query    map[string]string
	limit    int
	category Category
}

// list goes through all pages and yields each item as it is. If something
// fails, the last pair holds the error.
func (c *Client) list(ctx context.Context, of collection) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		cursor, seen := "", cursorGuard{}
		for {
			items, next, err := c.collectionPage(ctx, of, cursor, &seen)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			cursor = next
		}
	}
}

func (c *Client) collectionPage(ctx context.Context, of collection, cursor string, seen *cursorGuard) (_ []json.RawMessage, next string, _ error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: of.op, path: of.path, method: http.MethodGet, apiPath: of.apiPath, query: queryPage(cursor, of.limit), reads: true, category: of.category}
	for name, value := range of.query {
		r.query.Set(name, value)
	}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, "", plain(err)
	}
	page := collectionPage{key: of.key}
	if err := ans.decode(r, &page); err != nil {
		return nil, "", err
	}
	switch {
	case !page.known:
		return nil, "", ans.malformed(r, "the answer holds no list of "+of.key)
	case page.more && page.next == "":
		return nil, "", ans.malformed(r, "there is more, but the answer names no cursor")
	case !seen.isNew(page.next):
		return nil, "", ans.malformed(r, "the service repeats its cursor, so the listing would never end")
	}
	return page.items, page.next, nil
}

// A collectionPage is one page, under its own key or one that other
// collections use, or as a bare array.
type collectionPage struct {
	key   string
	hints bool // more and next are but hints: what can't be read of them is left out
	items []json.RawMessage
	next  string
	more  bool // the service says so
	known bool // there was a list
}

func (p *collectionPage) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("[")) {
		p.known = true
		return json.Unmarshal(b, &p.items)
	}
	var fields map[string]json.RawMessage
	var w struct {
		Cursor     wireCursor `json:"cursor"`
		NextCursor wireCursor `json:"next_cursor"`
		HasMore    *bool      `json:"has_more"`
	}
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	if err := json.Unmarshal(b, &w); err != nil && !p.hints {
		return err
	}
	if w.HasMore == nil || *w.HasMore {
		p.next = defaultTo(string(w.NextCursor), string(w.Cursor))
	}
	p.more = w.HasMore != nil && *w.HasMore
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

// maxIDLength is far above the length of any id of the service.
const maxIDLength = 512

// brokenID says what is wrong with the id of a policy or a subscription.
func brokenID(id string) string {
	switch {
	case strings.TrimSpace(id) == "":
		return "the id is empty"
	case id == "." || id == "..":
		return "the id would name another address"
	case len(id) > maxIDLength:
		return "the id is longer than 512 bytes"
	case strings.ContainsFunc(id, unicode.IsControl) || strings.ToValidUTF8(id, "") != id:
		return "the id holds an unprintable character"
	}
	return ""
}

// checkAccepted makes an error of a success that the service can't have given,
// or whose body says no. What else it says does not matter.
func (a *answer) checkAccepted(r request) *Error {
	if len(bytes.TrimSpace(a.body)) == 0 {
		return nil
	}
	if _, isError := parseEnvelope(a.body); isError || !json.Valid(a.body) {
		return a.malformed(r, "the answer is not one of ScaiVault's; "+describe(a.status, a.header, a.body))
	}
	return nil
}
