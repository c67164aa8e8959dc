// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"

	"github.com/scailabs/scaivault-go/scaivault"
)

// walk goes through the side that is read: first the secrets that rules name
// exactly, then the listings. It meets no secret twice, unless a listing does.
func (r *run) walk(ctx context.Context, emit func(job) bool) {
	area := r.route.nearTerritory(r.prefixes)
	for _, rule := range r.route.rules {
		path, tail := splitPattern(r.route.near(rule))
		if tail || len(r.prefixes) > 0 && !area.covers(path) {
			continue
		}
		if !emit(r.newJob(path, named)) {
			return
		}
	}
	for _, prefix := range area.sorted() {
		if !r.walkSubtree(ctx, prefix, emit) {
			return
		}
	}
}

func (r *run) walkSubtree(ctx context.Context, prefix string, emit func(job) bool) bool {
	if len(r.prefixes) > 0 && !r.isExact(prefix) {
		if j := r.newJob(prefix, top); j.decided == nil && !emit(j) {
			return false
		}
	}
	for entry, err := range r.pace.listing(ctx, r.from, prefix) {
		j := failedListing(prefix, err)
		if err == nil {
			if r.isExact(entry.Path) {
				continue // read by its own rule
			}
			j = r.newJob(entry.Path, listed)
		}
		if !emit(j) {
			return false
		}
	}
	return ctx.Err() == nil
}

func (r *run) isExact(path string) bool {
	_, ok := r.route.exact[path]
	return ok
}

// newJob finds the secret's name on the other side.
func (r *run) newJob(path string, found finding) job {
	j := job{from: path, found: found}
	to, ok := r.route.there(path)
	if !ok {
		j.unmapped = true
		j.decided = &Item{From: path, Outcome: Skipped, Reason: r.route.unmappedReason(path)}
		return j
	}
	j.to = to
	if r.toSide == scaivault.SideScaiVault {
		j.refused = scaivault.ValidatePath(to)
	}
	return j
}

func failedListing(prefix string, err error) job {
	return job{from: prefix, decided: &Item{From: prefix, Outcome: Failed, Reason: "a part of this subtree could not be listed", Err: err}}
}
