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
	item     string // what one of them is called, for errors
	query    map[string]string
	limit    int
	category Category
}

// listed goes through all pages and yields each item as parse reads it, which
// reports false for what is none. If something fails, the last pair holds the
// error.
func listed[T any](ctx context.Context, c *Client, of collection, parse func(json.RawMessage) (*T, bool)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		cursor, seen := "", cursorGuard{}
		for {
			p, err := c.collectionPage(ctx, of, cursor, &seen)
			if err != nil {
				yield(none, err)
				return
			}
			for _, raw := range p.items {
				item, ok := parse(raw)
				if !ok {
					yield(none, p.malformed("the listing holds what is no "+of.item))
					return
				}
				if !yield(*item, nil) {
					return
				}
			}
			if p.next == "" {
				return
			}
			cursor = p.next
		}
	}
}

// failing is a listing that can't begin.
func failing[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

func (c *Client) collectionPage(ctx context.Context, of collection, cursor string, seen *cursorGuard) (*page[json.RawMessage], error) {
	r := request{op: of.op, path: of.path, method: http.MethodGet, apiPath: of.apiPath, query: queryPage(cursor, of.limit), reads: true, category: of.category}
	for name, value := range of.query {
		r.query.Set(name, value)
	}
	p := &page[json.RawMessage]{key: of.key}
	if err := ask(ctx, c, r, p, seen); err != nil {
		return nil, err
	}
	return p, nil
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
