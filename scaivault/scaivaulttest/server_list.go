// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// defaultPage is how many items a page has when the caller does not say.
const defaultPage = 100

// listSecrets answers GET /v1/secrets.
func (c *serverCall) listSecrets() *refusal {
	query := c.r.URL.Query()
	c.path = query.Get("prefix") // for the audit log
	quirks := &c.server.quirks
	limit, refusal := c.pageLimit(orDefault(quirks.ListMax, 1000))
	if refusal != nil {
		return refusal
	}
	c.server.federation.syncDue(c.r.Context())
	want := listing{
		prefix: c.path, strings: quirks.ListPrefix == PrefixString, order: quirks.ListOrder, limit: limit,
		depth: quirks.ListDepth, deleted: quirks.ListDeleted,
		visible: func(path string) bool {
			return quirks.ListDenied == ListDeniedShown || !c.server.policies.denied(c.grant.identityID, path)
		},
	}
	if refusal = c.addFederated(&want); refusal != nil {
		return refusal
	}
	if text := query.Get("cursor"); text != "" {
		if want.after, want.age, refusal = parseCursor(text); refusal != nil {
			return refusal
		}
	}
	page, more := c.secrets().list(&want)
	key := "secrets"
	if quirks.ListKey == ListData {
		key = "data"
	}
	body := appendItems([]byte(`{"`+key+`":[`), page, quirks.ListItem)
	body = append(body, `],"cursor":`...)
	if more {
		last := &page[len(page)-1]
		body = appendText(body, makeCursor(last.path, last.order))
	} else {
		body = append(body, "null"...)
	}
	body = append(body, `,"has_more":`...)
	body = strconv.AppendBool(body, more)
	c.reply(http.StatusOK, append(body, '}'))
	return nil
}

// appendItems appends the items of a page, with commas between.
func appendItems(b []byte, page []secretView, item ListItem) []byte {
	size := 0
	for i := range page {
		size += page[i].size(false, item == ListItemWhole)
	}
	b = slices.Grow(b, size)
	for i := range page {
		if i > 0 {
			b = append(b, ',')
		}
		switch view := &page[i]; {
		case isFolder(view.path):
			b = append(b, `{"path":`...)
			b = appendPath(b, view.path)
			b = append(b, '}')
		case view.version == 0: // proxied
			b = append(b, `{"path":`...)
			b = appendPath(b, view.path)
			b = append(b, `,"backend_id":`...)
			b = append(appendText(b, view.origin), '}')
		case item == ListItemWhole:
			b = appendSecret(b, view, false)
		default:
			b = append(b, `{"path":`...)
			b = appendPath(b, view.path)
			b = append(b, `,"version":`...)
			b = strconv.AppendInt(b, int64(view.version), 10)
			b = append(b, '}')
		}
		if deleted := page[i].deleted; !deleted.IsZero() {
			b = append(b[:len(b)-1], `,"deleted_at":`...)
			b = append(appendTime(b, deleted), '}')
		}
	}
	return b
}

// pageLimit reads the query parameter limit.
func (c *serverCall) pageLimit(most int) (int, *refusal) {
	text := c.r.URL.Query().Get("limit")
	if text == "" {
		return min(defaultPage, most), nil
	}
	limit, err := strconv.Atoi(text)
	switch {
	case err != nil || limit < 1:
		return 0, wrongField("limit", "must be a positive integer")
	case limit > most && c.server.quirks.ListOver == OverRefused:
		return 0, wrongField("limit", "must be at most %d", most)
	}
	return min(limit, most), nil
}

// A cursor is opaque to clients: the last item of the page before, by path and by age.
const cursorMark = "sv1"

func makeCursor(path string, order int) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorMark + ":" + strconv.Itoa(order) + ":" + path))
}

func parseCursor(text string) (path string, order int, _ *refusal) {
	invalid := refuse(http.StatusBadRequest, "invalid_cursor", "the cursor is malformed or has expired")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", 0, invalid
	}
	parts := strings.SplitN(string(raw), ":", 3)
	if len(parts) != 3 || parts[0] != cursorMark {
		return "", 0, invalid
	}
	if order, err = strconv.Atoi(parts[1]); err != nil {
		return "", 0, invalid
	}
	return parts[2], order, nil
}
