// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
)

// A VersionInfo is what is known of one version of a secret. Only Version is
// always told.
type VersionInfo struct {
	// Version counts the writes, from 1.
	Version int
	// CreatedAt is when it was written; zero where the service does not tell.
	CreatedAt time.Time
	// CreatedBy is who wrote it; empty where the service does not tell.
	CreatedBy string
	// ExpiresAt is zero for a version that does not expire.
	ExpiresAt time.Time
	// Deleted tells that it can't be read any more, and DeletedAt since when,
	// which is zero where the service does not tell.
	Deleted   bool
	DeletedAt time.Time
}

// Versions lists the versions of a secret that the service keeps, by GET
// /v1/secrets/{path}/versions, in ascending order. It reads no value, and where
// the service offers it, needs only the scope secrets:list. A secret that does
// not exist is [ErrNotFound].
//
// That URL is not documented. If the service does not have it, the error
// matches [ErrInvalid] and [errors.ErrUnsupported]; to tell that from a missing
// secret, [Client.Exists] is asked.
func (c *Client) Versions(ctx context.Context, path string) ([]VersionInfo, error) {
	const op = "list versions of"
	if rule := brokenPathRule(path); rule != "" {
		return nil, c.invalid(op, path, rule)
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	found, err := c.versions(ctx, op, path)
	if !errors.Is(err, ErrNotFound) && !notOffered(err) {
		return found, err
	}
	// The service may have read another secret, of that very path.
	there, lookErr := c.exists(ctx, op, path)
	switch {
	case lookErr != nil:
		return nil, lookErr
	case there:
		return nil, unsupported(op, path, "a list of versions; use GetVersion with their numbers", err)
	case errors.Is(err, ErrNotFound):
		return nil, err
	default:
		return nil, answeredBy(err, &Error{Kind: ErrNotFound, Op: op, Source: sourceScaiVault, Path: path})
	}
}

// versions goes through all pages.
func (c *Client) versions(ctx context.Context, op, path string) ([]VersionInfo, error) {
	all, cursor, seen := map[int]VersionInfo{}, "", cursorGuard{}
	for {
		r := request{
			op: op, path: path, method: http.MethodGet, apiPath: c.apiPart(path, partVersions),
			query: queryCursor(cursor), reads: true, category: CategoryList,
		}
		ans, err := c.exchange(ctx, r)
		if err != nil {
			return nil, plain(err)
		}
		var page versionPage
		if err := ans.decode(r, &page); err != nil {
			return nil, err
		}
		switch {
		case page.isSecret || page.path != "" && page.path != path:
			return nil, ans.unsupported(r, "a list of versions")
		case !page.known:
			return nil, ans.malformed(r, "the answer holds no list of versions")
		}
		if wrong := page.wrong(&seen); wrong != "" {
			return nil, ans.malformed(r, wrong)
		}
		for _, v := range page.items {
			if v.Version < 1 {
				return nil, ans.malformed(r, "the answer holds a version without a number")
			}
			all[int(v.Version)] = v.info()
		}
		if cursor = page.next; cursor == "" {
			break
		}
	}
	list := slices.AppendSeq(make([]VersionInfo, 0, len(all)), maps.Values(all))
	slices.SortFunc(list, func(a, b VersionInfo) int { return a.Version - b.Version })
	return list, nil
}

// A wireVersion is one version in any of the forms that a list may have.
type wireVersion struct {
	Version   wireInt         `json:"version"`
	CreatedAt wireTime        `json:"created_at"`
	CreatedBy lenient[string] `json:"created_by"`
	ExpiresAt wireTime        `json:"expires_at"`
	DeletedAt wireTime        `json:"deleted_at"`
	Deleted   lenient[bool]   `json:"deleted"`
	Destroyed lenient[bool]   `json:"destroyed"`
}

// UnmarshalJSON also takes a bare number.
func (v *wireVersion) UnmarshalJSON(b []byte) error {
	if !isObject(b) {
		return v.Version.UnmarshalJSON(b)
	}
	type plainVersion wireVersion
	return json.Unmarshal(b, (*plainVersion)(v))
}

func (v *wireVersion) info() VersionInfo {
	return VersionInfo{
		Version: int(v.Version), CreatedAt: v.CreatedAt.Time, CreatedBy: v.CreatedBy.value, ExpiresAt: v.ExpiresAt.Time,
		Deleted: v.Deleted.value || v.Destroyed.value || !v.DeletedAt.IsZero(), DeletedAt: v.DeletedAt.Time,
	}
}

// A versionPage is one page in any of the envelopes that the service's other
// collections show.
type versionPage struct {
	pageTail
	items    []wireVersion
	known    bool   // there was a list
	isSecret bool   // it is a secret with its value
	path     string // whose versions these are; empty where it is not told
}

// UnmarshalJSON accepts the versions under versions, data or items, as a list
// or, but for data, which then is a secret's, as a map by number; and as either
// alone.
func (p *versionPage) UnmarshalJSON(b []byte) error {
	if !isObject(b) {
		p.known = b[0] == '['
		return p.read(b)
	}
	var w struct {
		Path                  lenient[string] `json:"path"`
		Versions, Data, Items json.RawMessage
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	p.path, p.isSecret = w.Path.value, isObject(w.Data)
	if p.isSecret {
		return nil
	}
	if err := p.readTail(b); err != nil {
		return err
	}
	for _, list := range []json.RawMessage{w.Versions, w.Data, w.Items} {
		if list != nil {
			p.known = true // also as null, which some encoders write for an empty list
			return p.read(list)
		}
	}
	if isByNumber(b) {
		p.known = true
		return p.read(b)
	}
	return nil
}

// read reads a list, or a map by number.
func (p *versionPage) read(value []byte) error {
	if !isObject(value) {
		return json.Unmarshal(value, &p.items)
	}
	var failed error
	jsonvalue.EachMember(value, func(name, entry []byte) {
		var v wireVersion
		if isObject(entry) {
			failed = errors.Join(failed, json.Unmarshal(entry, &v))
		}
		v.Version = wireInt(readInt(name))
		p.items = append(p.items, v)
	})
	return failed
}

// isByNumber tells of an object whether every name in it is a number.
func isByNumber(object []byte) bool {
	numbers, others := 0, 0
	jsonvalue.EachMember(object, func(name, _ []byte) {
		if _, err := strconv.Atoi(string(name)); err == nil {
			numbers++
		} else {
			others++
		}
	})
	return numbers > 0 && others == 0
}
