// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"fmt"

	"github.com/scailabs/scaivault-go/scaivault"
)

// walk goes through the side that is read: first the secrets that rules name
// exactly, then the listings. It meets no secret twice, unless a listing does.
func (r *run) walk(ctx context.Context, emit func(job) bool) {
	emit = r.selecting(emit)
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

// walkSubtree lists below a prefix. One that the caller gave can also be the
// name of a secret; if it is neither that nor a folder, that is told, and so it
// is of a rule's subtree in which there is nothing, as it may be misspelt.
func (r *run) walkSubtree(ctx context.Context, prefix string, emit func(job) bool) bool {
	found, last := alone, ""
	for entry, err := range r.pace.listing(ctx, r.from, prefix) {
		found = top
		if err == nil && (r.isExact(entry.Path) || entry.Path == last) {
			continue // read by its own rule, or on two pages as the listing moved
		}
		last = entry.Path
		if !emit(r.listedJob(prefix, entry, err)) {
			return false
		}
	}
	if len(r.prefixes) == 0 && found == alone && prefix != "" && ctx.Err() == nil && !emit(r.newJob(prefix, empty)) {
		return false
	}
	if len(r.prefixes) > 0 && !r.isExact(prefix) && ctx.Err() == nil {
		j := r.newJob(prefix, found)
		if j.decided != nil && found == alone {
			j.decided.Outcome, j.decided.Err, j.unmapped = Failed, scaivault.ErrNotFound, false
			j.decided.Reason = "nothing is below it that the token may see, and no rule of the mapping covers it"
		}
		if (j.decided == nil || found == alone) && !emit(j) {
			return false
		}
	}
	return ctx.Err() == nil
}

// selecting passes on what the run is about: of a secret of another shard
// nothing is told but how many there were.
func (r *run) selecting(emit func(job) bool) func(job) bool {
	if r.selection == nil {
		return emit
	}
	return func(j job) bool {
		if j.isPrefix() {
			return emit(j)
		}
		if !r.selection.shard.holds(j.from) {
			if j.found != empty { // which is no secret
				r.elsewhere.Add(1)
			}
			return true
		}
		r.leaveOut(&j)
		return emit(j)
	}
}

// leaveOut decides a job that a pattern leaves out.
func (r *run) leaveOut(j *job) {
	if why := r.selection.leftOut(j.from); why != "" {
		j.decided, j.unmapped = &Item{From: j.from, To: j.to, Outcome: Skipped, Reason: why}, false
	}
}

// isPrefix tells whether a job is about a subtree and not about a secret.
func (j *job) isPrefix() bool { return j.decided != nil && j.decided.Outcome == Failed }

func (r *run) isExact(path string) bool {
	_, ok := r.route.exact[path]
	return ok
}

// newJob finds the secret's name on the other side.
func (r *run) newJob(path string, found finding) job {
	j := job{from: path, found: found}
	if found == empty {
		reason := fmt.Sprintf("a rule is about this subtree, and nothing is below it in %s that the token may see", r.from.Name())
		j.decided = &Item{From: path, Outcome: Skipped, Reason: reason, subtree: true}
		return j
	}
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

// listedJob makes a job of what a listing gives.
func (r *run) listedJob(prefix string, entry scaivault.Entry, err error) job {
	if err != nil {
		return failedListing(prefix, err)
	}
	return r.newJob(entry.Path, listed)
}

func failedListing(prefix string, err error) job {
	return job{from: prefix, decided: &Item{From: prefix, Outcome: Failed, Reason: "a part of this subtree could not be listed", Err: err}}
}
