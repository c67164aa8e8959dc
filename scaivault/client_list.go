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
// the service. It returns no values. An entry that lies elsewhere is left out, and
// so is one that the service marks as deleted; should it list deleted or expired
// secrets without a mark, to read them is [ErrNotFound]. Whether secrets
// of a federation backend are listed is the service's choice as well; their Version
// may be 0.
//
// Pages are asked for as the caller goes on. If something fails, the last pair
// holds the error and a zero Entry. Each page is a call of its own with regard
// to [ClientConfig.Timeout]. A prefix that breaks a rule is [ErrInvalid], before
// any I/O; a slash at its end does not count. A prefix below which there is
// nothing is no error.
//
// The listing is inferred: its address, and that of the next page. Any envelope
// that the service's other collections have is understood.
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
	// Going only downwards ends, whatever the service says. What was deleted and can
	// still be restored is not there.
	if !strings.HasPrefix(path, prefix) || path == prefix || !item.DeletedAt.IsZero() {
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
func (l *lister) page(ctx context.Context, prefix, cursor string, seen *cursorGuard) (*page[wireEntry], error) {
	r := request{
		op: "list", path: strings.TrimSuffix(prefix, "/"), method: http.MethodGet, apiPath: l.c.secrets,
		query: queryList(prefix, cursor, l.limit), reads: true, category: CategoryList,
	}
	p := &page[wireEntry]{key: "secrets"}
	if err := ask(ctx, l.c, r, p, seen); err != nil {
		return nil, listFailure(err)
	}
	return p, nil
}

// listFailure is the error of a listing. Its address is inferred, so a 404
// rather says that the service does not know it than that nothing is there.
func listFailure(err error) error {
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
	DeletedAt wireTime      `json:"deleted_at"`
}

// UnmarshalJSON also takes a bare path.
func (e *wireEntry) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte(`"`)) {
		return json.Unmarshal(b, &e.Path)
	}
	type plainEntry wireEntry
	return json.Unmarshal(b, (*plainEntry)(e))
}
