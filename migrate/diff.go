// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/scaivault"
)

// DiffOptions are the optional parts of [Diff]. A nil pointer means the zero
// value.
type DiffOptions struct {
	// Prefixes are the subtrees to compare, by the names of the side that is
	// read first: "kv/data/apps". "/**" at the end is understood. If nil, all
	// that the mapping's rules name and that is not proxied.
	Prefixes []string
	// Workers is how many secrets are under way at once. If zero, 8.
	Workers int
	// PerSecond is how many secrets at most are begun in a second. If zero,
	// no limit.
	PerSecond float64
	// Cluster compares only the rules of this cluster. If empty, those that
	// name none.
	Cluster string
	// OneWay does not look for secrets that are only in the destination.
	OneWay bool
	// Each is told every item, in the order of completion and never
	// concurrently. Its error stops the run and is returned. May be nil.
	Each func(Item) error
	// Progress is told after every secret, never concurrently with itself or
	// Each. May be nil.
	Progress func(Progress)
}

// maxMet is how many names Diff remembers. What it does not remember it asks
// the source for once more.
const maxMet = 100_000

// Diff compares all secrets of both sides and says which are the same, which
// differ and in which fields, which are on one side alone, and which could not
// be read. Data is compared by meaning: the order of keys does not count, and
// 1.10 is 1.1. It writes nothing.
//
// It reads the source secret by secret and the destination a hundred at a time
// where that can be done. Then it lists the destination; unless
// [DiffOptions.OneWay] is set, to must have List. Of names beyond the first
// 100,000 it asks the source once more, which takes one read for each.
//
// The error is not nil if the run could not start, if ctx ended, or if Each
// returned an error; in the last two cases there is a report nevertheless.
// [Report.Err] is nil only if both sides are the same.
func Diff(ctx context.Context, from From, to To, m *scaivault.Mapping, opts *DiffOptions) (*Report, error) {
	if opts == nil {
		opts = &DiffOptions{}
	}
	r, err := newRun(settings{
		op: "diff", prefixes: opts.Prefixes, workers: opts.Workers, perSecond: opts.PerSecond,
		cluster: opts.Cluster, each: opts.Each, progress: opts.Progress,
	}, from, to, m)
	if err != nil {
		return nil, err
	}
	there, ok := to.(lister)
	if !ok && !opts.OneWay {
		return nil, invalid("diff", fmt.Sprintf("%s can't be listed, so what is only there would not be seen; set OneWay if that is meant", to.Name()))
	}
	d := &differ{run: r, from: from, to: to, there: there, met: map[string]struct{}{}}
	if err := d.near(ctx, opts.OneWay); err != nil || opts.OneWay {
		return r.end(err)
	}
	return r.end(d.far(ctx))
}

// A differ compares single secrets.
type differ struct {
	run   *run
	from  From
	to    endpoint
	there lister
	met   map[string]struct{} // names in the destination that were compared, up to maxMet
}

// near compares everything that the source holds.
func (d *differ) near(ctx context.Context, last bool) error {
	r := d.run
	tell := r.each
	r.each = func(item Item) error {
		if item.To != "" && item.Outcome != Skipped && len(d.met) < maxMet {
			d.met[item.To] = struct{}{}
		}
		if tell != nil {
			return tell(item)
		}
		return nil
	}
	defer func() { r.each = tell }()
	return r.pass(ctx, func(ctx context.Context, emit func(job) bool) {
		r.walk(ctx, emit)
		r.walked.Store(last && ctx.Err() == nil)
	}, r.looker(), d.compare)
}

// compare compares one secret of the source.
func (d *differ) compare(ctx context.Context, j job) result {
	item := Item{From: j.from, To: j.to}
	src, err := d.from.Get(ctx, j.from)
	missing := errors.Is(err, scaivault.ErrNotFound)
	switch {
	case missing && j.found != named:
		// If the destination has it, listing that will meet it.
		return absent(j, item, d.from.Name())
	case err != nil && !missing:
		return result{item: unreadable(item, d.from.Name(), err)}
	case j.refused != nil:
		if missing {
			return absent(j, item, d.from.Name())
		}
		return result{item: notAllowed(item, onlyIn(d.from.Side()), j.refused)}
	}
	if src != nil {
		item.FromVersion = src.Version()
	}
	dst := j.looked
	if dst == nil {
		dst, err = d.to.Get(ctx, j.to)
	}
	switch {
	case dst == nil && errors.Is(err, scaivault.ErrNotFound):
		if missing {
			return absent(j, item, d.from.Name())
		}
		item.Outcome = onlyIn(d.from.Side())
		return result{item: item}
	case dst == nil:
		return result{item: unreadable(item, d.to.Name(), err)}
	}
	item.ToVersion = dst.Version()
	if missing {
		item.Outcome = onlyIn(d.to.Side())
		return result{item: item}
	}
	return result{item: contrast(item, src, dst)}
}

// contrast compares two secrets.
func contrast(item Item, src, dst *scaivault.Secret) Item {
	if src.Equal(dst) {
		item.Outcome = Same
		return item
	}
	item.Outcome = Different
	fields, err := jsonvalue.DifferentFields(src.JSON(), dst.JSON())
	if err != nil {
		item.Reason = "one side is not a JSON object"
	}
	item.Fields = fields
	return item
}

// far looks for what only the destination holds.
func (d *differ) far(ctx context.Context) error {
	return d.run.pass(ctx, func(ctx context.Context, emit func(job) bool) {
		d.walkFar(ctx, emit)
		d.run.walked.Store(ctx.Err() == nil)
	}, nil, d.onlyThere)
}

// walkFar lists the destination and finds the names that were not compared.
func (d *differ) walkFar(ctx context.Context, emit func(job) bool) {
	within := newTerritory(d.run.prefixes)
	for _, prefix := range d.run.route.farTerritory(d.run.prefixes).sorted() {
		for entry, err := range d.run.pace.listing(ctx, d.there, prefix) {
			if err != nil {
				item := Item{To: prefix, Outcome: Unreadable, Reason: "a part of this subtree could not be listed in " + d.to.Name(), Err: err}
				if !emit(job{to: prefix, decided: &item}) {
					return
				}
				continue
			}
			if name, ask := d.unmet(entry.Path, within); ask && !emit(job{from: name, to: entry.Path}) {
				return
			}
		}
	}
}

// unmet finds the source's name of a secret that was not compared yet.
func (d *differ) unmet(path string, within territory) (string, bool) {
	name, ok := d.run.route.back(path)
	if !ok || d.run.isExact(name) {
		return "", false
	}
	if len(d.run.prefixes) > 0 && !within.covers(name) {
		return "", false
	}
	_, met := d.met[path]
	return name, !met
}

// onlyThere tells whether one secret of the destination is missing in the
// source. If it is not, it was compared before, or came meanwhile.
func (d *differ) onlyThere(ctx context.Context, j job) result {
	item := Item{From: j.from, To: j.to}
	_, err := d.from.Get(ctx, j.from)
	switch {
	case err == nil:
		return result{silent: true}
	case !errors.Is(err, scaivault.ErrNotFound):
		return result{item: unreadable(item, d.from.Name(), err)}
	}
	dst, err := d.to.Get(ctx, j.to)
	switch {
	case errors.Is(err, scaivault.ErrNotFound):
		return result{silent: true} // a deleted secret that is still listed
	case err != nil:
		return result{item: unreadable(item, d.to.Name(), err)}
	}
	item.Outcome, item.ToVersion = onlyIn(d.to.Side()), dst.Version()
	return result{item: item}
}

func unreadable(item Item, where string, err error) Item {
	item.Outcome, item.Reason, item.Err = Unreadable, "not readable in "+where, err
	return item
}
