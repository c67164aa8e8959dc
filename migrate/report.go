// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

const (
	// maxProblems is how many items a Report keeps.
	maxProblems = 1000
	// maxColumn is how wide the names of an item may be in a table.
	maxColumn = 160
)

// A Report says what became of all secrets of a run. It encodes to JSON and
// holds no values. Read it when the run has returned; after that it does not
// change.
type Report struct {
	// Op is what was done: "copy", "diff" or "retire".
	Op string `json:"op"`
	// From and To are the names of the two services.
	From string `json:"from"`
	To   string `json:"to"`
	// DryRun says that nothing was written or deleted, and the outcomes are
	// what they would have been.
	DryRun bool `json:"dry_run,omitempty"`
	// Started and Finished are when the run began and ended.
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	// Incomplete says that the run was cut short, so some secrets were not
	// looked at.
	Incomplete bool `json:"incomplete,omitempty"`
	// Counts has the number of items by outcome; outcomes that did not occur
	// are not in it.
	Counts map[Outcome]int `json:"counts"`
	// Unmapped is how many of the skipped items have no name on the other
	// side.
	Unmapped int `json:"unmapped,omitempty"`
	// Elsewhere is how many secrets belong to other shards, and are no items.
	Elsewhere int `json:"elsewhere,omitempty"`
	// DeletedNotSought says of a Copy that it went by what the source lists, and
	// did not look for copies of secrets that were removed there so that they
	// are no longer listed: KV v2 lists a deleted secret, and KV v1 does not,
	// nor does KV v2 one whose metadata was deleted. Such copies are kept, and
	// [CopyOptions.FindDeleted] finds them.
	DeletedNotSought bool `json:"deleted_not_sought,omitempty"`
	// Rounded is how many of the different items differ by nothing but digits
	// that KV v2 rounds away; see [Item.Rounded].
	Rounded int `json:"rounded,omitempty"`
	// Subtrees says the same by folder, as deep as there are at most 24 of
	// them.
	Subtrees []Subtree `json:"subtrees,omitempty"`
	// Problems are the items that need attention, then those that were
	// skipped, at most 1,000 together, sorted by name within each group.
	Problems []Item `json:"problems,omitempty"`
	// Omitted is how many more of such items there were.
	Omitted int `json:"omitted,omitempty"`

	bad, skipped []Item
	folders      subtrees
	kinds        map[error]error // the first error of each category
}

// Count returns how many items had one of these outcomes.
func (r *Report) Count(of ...Outcome) int {
	n := 0
	for _, o := range of {
		n += r.Counts[o]
	}
	return n
}

// Total returns the number of items.
func (r *Report) Total() int {
	n := 0
	for _, count := range r.Counts {
		n += count
	}
	return n
}

// Err returns nil if all is well: no item needs attention, the run was not cut
// short, and at least one secret was found that is not [Skipped], be it one of
// another shard. For a Retire it is enough that the mapping knows one: what was
// retired before is skipped. Otherwise it is a [*ProblemsError].
func (r *Report) Err() error {
	if r.Incomplete || r.badCount() > 0 || r.barren() {
		return &ProblemsError{Report: r}
	}
	return nil
}

// barren tells whether nothing was found that the run was about.
func (r *Report) barren() bool {
	passed := r.Count(Skipped)
	if r.Op == opRetire {
		passed = r.Unmapped
	}
	return r.Total() == passed && r.Elsewhere == 0
}

func (r *Report) badCount() int {
	n := 0
	for outcome, count := range r.Counts {
		if outcome.Bad() {
			n += count
		}
	}
	return n
}

// A ProblemsError says that a run was not clean. By errors.Is it matches the
// category of every item's error, and [scaivault.ErrNotFound] if nothing was
// found but what is skipped. A [Conflict] and what has changed since a plan was
// made match [scaivault.ErrConflict]. What Diff finds to differ, what was
// deleted in the source and what Retire keeps are no errors and match nothing.
type ProblemsError struct {
	// Report is the run's report.
	Report *Report
}

// Error is one line: what was done, the counts, and the first problem.
func (e *ProblemsError) Error() string {
	r := e.Report
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s → %s: ", r.Op, r.From, r.To)
	switch bad := r.badCount(); {
	case bad > 0:
		fmt.Fprintf(&b, "%d of %d need attention (%s)", bad, r.Total(), r.countsText(true))
	case r.Incomplete:
		fmt.Fprintf(&b, "cut short after %d", r.Total())
	case r.Total() == 0:
		b.WriteString("no secret was found; check the mapping, the prefixes, and what the token may list")
	case r.Total() == r.Unmapped:
		fmt.Fprintf(&b, "the mapping knows none of the %d secrets that were found", r.Total())
	default:
		fmt.Fprintf(&b, "no secret was found but what is skipped, %d in all; check the mapping, the patterns, and what the token may list", r.Total())
		if len(r.Problems) > 0 {
			b.WriteString("; first: " + r.Problems[0].String())
		}
	}
	if len(r.Problems) > 0 && r.Problems[0].Outcome.Bad() {
		b.WriteString("; first: " + r.Problems[0].String())
	}
	return b.String()
}

// Unwrap returns the first error of each category.
func (e *ProblemsError) Unwrap() []error {
	var all []error
	for _, kind := range categories {
		if err := e.Report.kinds[kind]; err != nil {
			all = append(all, err)
		}
	}
	if e.Report.barren() && !e.Report.Incomplete {
		all = append(all, scaivault.ErrNotFound)
	}
	return all
}

// categories are what an item's error can match.
var categories = []error{
	scaivault.ErrConflict, scaivault.ErrUncertain, scaivault.ErrInvalid, scaivault.ErrPermission, scaivault.ErrUnauthenticated,
	scaivault.ErrNotFound, scaivault.ErrRateLimited, scaivault.ErrUnavailable, scaivault.ErrFrozen, scaivault.ErrClosed,
}

// String is a table for people.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s → %s", r.Op, r.From, r.To)
	if r.DryRun {
		b.WriteString(" (dry run: nothing was changed)")
	}
	fmt.Fprintf(&b, ": %d in %s", r.Total(), r.Finished.Sub(r.Started).Round(time.Millisecond))
	if r.Incomplete {
		b.WriteString(", cut short")
	}
	if r.Elsewhere > 0 {
		fmt.Fprintf(&b, "; %d belong to other shards", r.Elsewhere)
	}
	b.WriteByte('\n')
	if text := r.countsText(false); text != "" {
		b.WriteString(text + "\n")
	}
	if r.DeletedNotSought {
		fmt.Fprintf(&b, "not looked for: copies of secrets that %s no longer lists, which are kept; FindDeleted finds them\n", r.From)
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, item := range r.Problems {
		names, end := item.names(), "\t"
		if len(names) > maxColumn { // it would push all others aside
			end = "  "
		}
		// A strings.Builder takes every write.
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s%s%s\n", item.Sign(), item.Outcome, names, end, item.why())
	}
	_ = w.Flush()
	if r.Omitted > 0 {
		fmt.Fprintf(&b, "and %d more\n", r.Omitted)
	}
	return b.String()
}

// countsText is "3 created, 1 failed".
func (r *Report) countsText(badOnly bool) string {
	var parts []string
	for _, k := range outcomes {
		if n := r.Counts[k.outcome]; n > 0 && (k.bad || !badOnly) {
			parts = append(parts, fmt.Sprintf("%d %s", n, k.name))
		}
	}
	return strings.Join(parts, ", ")
}

// add takes one item in.
func (r *Report) add(item Item, unmapped bool) {
	r.Counts[item.Outcome]++
	r.folders.add(item)
	if unmapped {
		r.Unmapped++
	}
	if item.Rounded {
		r.Rounded++
	}
	keep := &r.bad
	switch {
	case item.Outcome.Bad():
		r.noteKind(item)
	case item.Outcome == Skipped || item.Outcome == NotRepresentable:
		keep = &r.skipped
	default:
		return
	}
	if len(*keep) < maxProblems {
		*keep = append(*keep, item)
	}
}

func (r *Report) noteKind(item Item) {
	if item.Err == nil {
		return
	}
	for _, kind := range categories {
		if r.kinds[kind] == nil && errors.Is(item.Err, kind) {
			r.kinds[kind] = item.Err
		}
	}
}

// finish puts the problems in their order.
func (r *Report) finish() {
	slices.SortFunc(r.bad, compareItems)
	slices.SortFunc(r.skipped, compareItems)
	all := r.badCount() + r.Count(Skipped, NotRepresentable)
	r.Problems = append(r.bad, r.skipped...)
	r.Problems = slices.Clip(r.Problems[:min(len(r.Problems), maxProblems)])
	r.Omitted = all - len(r.Problems)
	r.Subtrees = r.folders.shown()
	r.bad, r.skipped, r.folders = nil, nil, nil
	r.Finished = time.Now()
}
