// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// addFederated makes of the listing what the quirk wants with secrets at backends.
func (c *serverCall) addFederated(l *listing) *refusal {
	hub := c.server.federation
	if c.partner {
		return nil
	}
	switch c.server.quirks.ListFederated {
	case ListFederatedLeftOut:
		l.leftOut = map[string]bool{}
		for _, b := range hub.list() {
			l.leftOut[b.id] = true
		}
	case ListFederatedShown:
		var failed *refusal
		l.proxied, failed = hub.proxiedBelow(c.r.Context(), l.prefix)
		return c.server.quirks.BackendFailure.told(failed)
	}
	return nil
}

// proxiedBelow asks the backends in mode proxy for what they list below a prefix, and
// returns a record without versions for each path. That asks for all of a pattern for
// every page, which is good enough for an answer that only a test asks for.
func (h *federationHub) proxiedBelow(ctx context.Context, prefix string) (map[string]*record, *refusal) {
	origins := map[string]string{}
	for _, b := range h.list() {
		settings := b.settings.Load()
		if settings.Mode != modeProxy || settings.link == nil { // one of another type holds nothing here
			continue
		}
		for i := range settings.patterns {
			p := &settings.patterns[i]
			if !p.meets(prefix) {
				continue
			}
			refusal := b.eachSecret(ctx, settings, p, func(path, remote string) *refusal {
				return b.collect(ctx, p, path, remote, origins)
			})
			b.note(ctx, refusal)
			if refusal != nil {
				return nil, refusal
			}
		}
	}
	// By age they come behind all local ones, in the order of their paths.
	const behindAll = 1 << 30
	paths := make([]string, 0, len(origins))
	for path := range origins {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	records := make(map[string]*record, len(paths))
	for i, path := range paths {
		records[path] = &record{path: path, origin: origins[path], order: behindAll + i}
	}
	return records, nil
}

// collect notes that path is at b, if a read would go there.
func (b *backend) collect(ctx context.Context, p *mappedPattern, path, remote string, origins map[string]string) *refusal {
	if checkPath(path) != nil { // the backend's names may have more characters
		return nil
	}
	nearest := b.hub.table.Load().find(path)
	if nearest == nil || nearest.backend != b || nearest.local != p.local || nearest.subtree != p.subtree {
		return nil
	}
	if !p.subtree { // nothing has listed it
		switch _, refusal := b.read(ctx, remote, path, 0); {
		case refusal == nil || refusal.status == http.StatusForbidden: // denied is not gone
		case refusal.status == http.StatusNotFound:
			return nil
		default:
			return refusal
		}
	}
	origins[path] = b.id
	return nil
}

// meets reports whether anything that the pattern covers can begin with prefix.
func (p *mappedPattern) meets(prefix string) bool {
	return p.local == "" || strings.HasPrefix(p.local+"/", prefix) || p.subtree && strings.HasPrefix(prefix, p.local+"/")
}

// sorted are the paths that the listing is made of; the caller holds mu.
func (s *secretStore) sorted(l *listing) *sortedPaths {
	if len(l.proxied) == 0 {
		return &s.paths
	}
	var all sortedPaths
	for path := range s.paths.from("") {
		all.add(path)
	}
	for path := range l.proxied {
		all.add(path)
	}
	return &all
}

// record is what the listing has at a path; the caller holds mu.
func (s *secretStore) record(l *listing, path string) *record {
	if rec := l.proxied[path]; rec != nil {
		return rec
	}
	return s.records[path]
}
