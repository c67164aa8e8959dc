// SPDX-License-Identifier: Apache-2.0

package federation

import "encoding/json"

// unwrap returns the object that stands within raw under one of the names, or raw
// itself: where it has the field key already, and where there is no such object.
func unwrap(raw json.RawMessage, key string, names ...string) json.RawMessage {
	f, ok := parseFields(raw)
	if !ok || f.anyOf(key) {
		return raw
	}
	for _, name := range names {
		if inner, ok := f[name]; ok && isObject(inner) {
			return inner
		}
	}
	return raw
}

// A page is one answer of a listing.
type page struct {
	items  []json.RawMessage
	cursor string // of the next page; empty at the end
	cutOff bool   // there is more, and no word of how to get it
}

// listKeys are where a listing's items may stand; the service's own collections use
// both their name and "data".
func listKeys(noun string) []string { return []string{noun, "data", "items", "results"} }

// parsePage reads a listing: a bare array, or an object that holds it.
func parsePage(raw json.RawMessage, noun string) (page, bool) {
	if len(raw) == 0 || isNull(raw) {
		return page{}, len(raw) > 0 // an empty listing, as some servers write it
	}
	if isArray(raw) {
		p := page{}
		return p, json.Unmarshal(raw, &p.items) == nil
	}
	f, ok := parseFields(raw)
	if !ok {
		return page{}, false
	}
	for _, name := range listKeys(noun) {
		inner, ok := f[name]
		switch {
		case !ok:
			continue
		case isObject(inner) && name == "data":
			p, ok := parsePage(inner, noun)
			if p.cursor == "" && !p.cutOff {
				p.next(f) // the cursor may stand beside data
			}
			return p, ok
		case !isArray(inner) && !isNull(inner):
			continue
		}
		p := page{}
		if json.Unmarshal(inner, &p.items) != nil {
			return page{}, false
		}
		p.next(f)
		return p, true
	}
	return page{}, false
}

// next reads how to go on.
func (p *page) next(f fields) {
	more, told := false, false
	told = take(f, "has_more", &more)
	takeText(f, &p.cursor, "cursor", "next_cursor")
	if told && !more {
		p.cursor = ""
	}
	p.cutOff = more && p.cursor == ""
}
