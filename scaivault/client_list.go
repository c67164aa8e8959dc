// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"strings"
)

// List lists the secrets below prefix, or all if it is empty, in the order of
// the service. It returns no values. An entry that lies elsewhere is left out.
//
// Pages are asked for as the caller goes on. If something fails, the last pair
// holds the error and a zero Entry. Each page is a call of its own with regard
// to [ClientConfig.Timeout].
func (c *Client) List(ctx context.Context, prefix string, opts *ListOptions) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		prefix = strings.TrimSuffix(prefix, "/")
		if rule := brokenPathRule(prefix); rule != "" && prefix != "" {
			yield(Entry{}, c.invalid("list", prefix, rule))
			return
		}
		if opts == nil {
			opts = &ListOptions{}
		}
		if opts.PageSize < 0 {
			yield(Entry{}, c.invalid("list", prefix, "ListOptions.PageSize is negative; 0 means the service's default"))
			return
		}
		if prefix != "" {
			prefix += "/" // as the service's own examples have it
		}
		l := lister{c: c, limit: opts.PageSize}
		l.walk(ctx, prefix, yield)
	}
}

// A lister goes through all pages, and into folders should the service list
// one level at a time.
type lister struct {
	c     *Client
	limit int
}

// walk lists one prefix. It reports whether to go on.
func (l *lister) walk(ctx context.Context, prefix string, yield func(Entry, error) bool) bool {
	cursor, seen := "", cursorGuard{}
	for {
		page, err := l.page(ctx, prefix, cursor, &seen)
		if err != nil {
			yield(Entry{}, err)
			return false
		}
		for _, item := range page.items {
			if !l.item(ctx, item, prefix, yield) {
				return false
			}
		}
		if page.next == "" {
			return true
		}
		cursor = page.next
	}
}

// item yields one entry, or goes into one folder.
func (l *lister) item(ctx context.Context, item wireEntry, prefix string, yield func(Entry, error) bool) bool {
	path := item.Path
	// Going only downwards ends, whatever the service says.
	if !strings.HasPrefix(path, prefix) || path == prefix {
		return true
	}
	if strings.HasSuffix(path, "/") {
		if brokenPathRule(strings.TrimSuffix(path, "/")) != "" {
			return true
		}
		return l.walk(ctx, path, yield)
	}
	return yield(Entry{Path: path, Version: int(item.Version), Type: item.Type.value, UpdatedAt: item.UpdatedAt.Time}, nil)
}

// page asks for one page.
func (l *lister) page(ctx context.Context, prefix, cursor string, seen *cursorGuard) (*listPage, error) {
	ctx, cancel := l.c.withDeadline(ctx)
	defer cancel()
	r := request{
		op: "list", path: strings.TrimSuffix(prefix, "/"), method: http.MethodGet, apiPath: l.c.secrets,
		query: queryList(prefix, cursor, l.limit), reads: true, category: CategoryList,
	}
	ans, err := l.c.exchange(ctx, r)
	if err != nil {
		return nil, listFailure(err)
	}
	var page listPage
	if err := ans.decode(r, &page); err != nil {
		return nil, err
	}
	switch {
	case !page.known:
		return nil, ans.malformed(r, "the answer holds no list of secrets")
	case page.more && page.next == "":
		return nil, ans.malformed(r, "there is more, but the answer names no cursor")
	case !seen.isNew(page.next):
		return nil, ans.malformed(r, "the service repeats its cursor, so the listing would never end")
	}
	return &page, nil
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

// listFailure is the error of a listing. Its address is inferred, so a 404
// rather says that the service does not know it than that nothing is there.
func listFailure(err error) error {
	err = plain(err)
	var e *Error
	if errors.As(err, &e) && errors.Is(e.Kind, ErrNotFound) {
		own := *e
		own.Kind, own.Reason = ErrUnavailable, "the service does not know the listing"
		return &own
	}
	return err
}

type wireEntry struct {
	Path      string        `json:"path"`
	Version   wireInt       `json:"version"`
	Type      lenient[Type] `json:"secret_type"`
	UpdatedAt wireTime      `json:"updated_at"`
}

// UnmarshalJSON also takes a bare path.
func (e *wireEntry) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte(`"`)) {
		return json.Unmarshal(b, &e.Path)
	}
	type plainEntry wireEntry
	return json.Unmarshal(b, (*plainEntry)(e))
}

// A listPage is one page in any of the envelopes that the service's clients
// and other collections show.
type listPage struct {
	items []wireEntry
	next  string
	more  bool // the service says so
	known bool // there was a list
}

// UnmarshalJSON accepts the items under secrets, data or items, or as a bare
// array, and stops where has_more says so.
func (p *listPage) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("[")) {
		p.known = true
		return json.Unmarshal(b, &p.items)
	}
	var w struct {
		Secrets, Data, Items json.RawMessage
		Cursor               wireCursor `json:"cursor"`
		NextCursor           wireCursor `json:"next_cursor"`
		HasMore              *bool      `json:"has_more"`
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	if w.HasMore == nil || *w.HasMore {
		p.next = defaultTo(string(w.NextCursor), string(w.Cursor))
	}
	p.more = w.HasMore != nil && *w.HasMore
	for _, list := range []json.RawMessage{w.Secrets, w.Data, w.Items} {
		if list == nil {
			continue
		}
		p.known = true // also as null, which some encoders write for an empty list
		if string(list) != "null" {
			return json.Unmarshal(list, &p.items)
		}
	}
	return nil
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
