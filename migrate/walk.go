// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
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
	found := alone
	some, goOn := r.list(ctx, prefix, "", emit)
	switch {
	case !goOn:
		return false
	case some:
		found = top
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

// list hands on what a listing gives behind a secret; after is its name, or
// empty for everything. It reports whether the listing came as far as that, or
// gave anything, and whether to go on.
func (r *run) list(ctx context.Context, prefix, after string, emit func(job) bool) (some, goOn bool) {
	last := after
	var failure *job // the last pair so far
	for entry, err := range r.pace.listing(ctx, r.from, prefix) {
		if failure != nil { // more follows, so it was not cut off
			failure.cutOff = nil
			if !emit(*failure) {
				return true, false
			}
			failure = nil
		}
		switch {
		case after != "" && err == nil:
			if entry.Path == after {
				after, some = "", true
			}
			continue
		case after != "" && !passes(err):
			continue // it was told before
		case err != nil:
			j := failedListing(prefix, err)
			if passes(err) {
				j.cutOff = &cutOff{after: last}
			}
			failure, some = &j, true
			continue
		}
		some = true
		if r.isExact(entry.Path) || entry.Path == last {
			continue // read by its own rule, or on two pages as the listing moved
		}
		last = entry.Path
		if !emit(r.newJob(entry.Path, listed)) {
			return true, false
		}
	}
	if failure != nil {
		return true, emit(*failure)
	}
	return some, true
}

// A cutOff is what a listing had given when the service gave no answer.
type cutOff struct {
	after string // the last secret; empty for nothing
}

// passes tells whether what failed can go well a little later.
func passes(err error) bool {
	return errors.Is(err, scaivault.ErrUnavailable) || errors.Is(err, scaivault.ErrRateLimited)
}

// replay tries jobs once more, and goes on with listings that were cut off.
func (r *run) replay(jobs []job) walkFunc {
	return func(ctx context.Context, emit func(job) bool) {
		for _, j := range jobs {
			if j.cutOff == nil && !emit(j) || j.cutOff != nil && !r.listOn(ctx, j, emit) {
				return
			}
		}
	}
}

// listOn goes on with a listing that was cut off. Where it does not come as far
// as before, as that secret may be gone, the failure stands.
func (r *run) listOn(ctx context.Context, failure job, emit func(job) bool) bool {
	tell := emit
	emit = func(j job) bool {
		r.found.Add(1)
		return tell(j)
	}
	if r.relisted != nil {
		emit = r.relisted(emit)
	}
	some, goOn := r.list(ctx, failure.from, failure.cutOff.after, r.selecting(emit))
	if some || !goOn {
		r.found.Add(-1) // the failure, which is not told
		return goOn
	}
	return tell(failure)
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

func failedListing(prefix string, err error) job {
	return job{from: prefix, decided: &Item{From: prefix, Outcome: Failed, Reason: "a part of this subtree could not be listed", Err: err}}
}
