// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/scailabs/scaivault-go/internal/disksort"
	"github.com/scailabs/scaivault-go/scaivault"
)

// DiffOptions are the optional parts of [Diff]. A nil pointer means the zero
// value.
type DiffOptions struct {
	// Prefixes are the subtrees to compare, by the names of the side that is
	// read first: "kv/data/apps". "/**" at the end is understood. If nil, all
	// that the mapping's rules name and that is not proxied.
	Prefixes []string
	// Include and Exclude are patterns of names of the side that is read
	// first, as [CopyOptions] has them. A secret that they leave out is
	// Skipped, and on the other side not looked at.
	Include, Exclude []string
	// Workers is how many secrets are under way at once, at most 10,000. If
	// zero, 32, and fewer in the beginning, while nothing is known of a limit.
	Workers int
	// PerSecond is how many secrets at most are begun in a second. If zero,
	// no limit.
	PerSecond float64
	// Cluster compares only the rules of this cluster. If empty, those that
	// name none.
	Cluster string
	// OneWay does not look for secrets that are only in the destination.
	OneWay bool
	// Versions also compares the numbers of the latest versions, which are
	// the same where the whole history was copied. It takes no further
	// requests. Where a side has no versions there is nothing to compare.
	Versions bool
	// Metadata also compares tags, owner, description and custom metadata:
	// what the source has of it must be in the destination as [Copy] carries
	// it over. It takes no further requests. Copy carries no metadata to Vault,
	// so for a Diff whose destination is Vault this is [scaivault.ErrInvalid].
	Metadata bool
	// Each is told every item, in the order of completion and never
	// concurrently. Its error stops the run and is returned. May be nil.
	Each func(Item) error
	// Progress is told after every secret, never concurrently with itself or
	// Each. May be nil.
	Progress func(Progress)
	// TempDir is where names are sorted. If empty, the system's directory for
	// temporary files.
	TempDir string
}

// Diff compares all secrets of both sides and says which are the same, which
// differ and in which fields, which are on one side alone, and which could not
// be read. Data is compared by meaning, as a Store compares it: the order of
// keys does not count, and 1.10 is 1.1. It writes nothing.
//
// The signs are those of rclone check: "=" same on both sides, "*" different,
// "+" missing in to, so only in from, "-" missing in from, so only in to, "!"
// not readable on one of them.
//
// A difference that is nothing but digits beyond 64-bit floating point, which
// KV v2 rounds away, is [Different] and told apart by [Item.Rounded].
//
// It lists both sides, and reads ScaiVault a hundred secrets in a request and
// Vault secret by secret. A service that refuses is asked at the rate that it
// lets through. Names are kept sorted in temporary files of mode 0600, so memory
// does not grow with them. Unless [DiffOptions.OneWay] is set,
// to must have List.
//
// The error is not nil if the run could not start, if ctx ended, if Each
// returned an error or if there is no room on the disk; but for the first there
// is a report nevertheless. [Report.Err] is nil only if both sides are the same.
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
	if opts.Metadata && to.Side() == scaivault.SideVault {
		return nil, invalid("diff", "Copy carries no metadata to Vault, so there is none to compare; leave Metadata out on the way back")
	}
	if r.selection, err = newSelection("diff", opts.Include, opts.Exclude, Shard{}); err != nil {
		return nil, err
	}
	there, ok := to.(lister)
	if !ok && !opts.OneWay {
		return nil, invalid("diff", fmt.Sprintf("%s can't be listed, so what is only there would not be seen; set OneWay if that is meant", to.Name()))
	}
	d := &differ{
		run: r, from: from, to: to, there: there, opts: *opts,
		met: &disksort.Sorter{Dir: opts.TempDir}, listed: &disksort.Sorter{Dir: opts.TempDir},
	}
	d.fromPace, d.toPace = newThrottle(from, "", opts.Workers), newThrottle(to, "", opts.Workers)
	d.fromBatch, _ = from.(batchGetter)
	d.toBatch, _ = to.(batchGetter)
	err = d.both(ctx)
	if err == nil && !opts.OneWay {
		err = d.far(ctx)
	}
	return r.end(errors.Join(err, d.met.Close(), d.listed.Close()))
}

// A differ compares single secrets.
type differ struct {
	run                *run
	from               From
	to                 endpoint
	fromBatch, toBatch batchGetter // nil: that side reads one by one
	fromPace, toPace   *throttle   // of batches
	there              lister
	opts               DiffOptions
	met                *disksort.Sorter // names in the destination that near compares
	listed             *disksort.Sorter // names that the destination lists
	unlisted           []Item           // subtrees that it could not list
}

// both compares what the source holds, and lists the destination meanwhile.
func (d *differ) both(ctx context.Context) error {
	if d.opts.OneWay {
		return d.near(ctx)
	}
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	var full error
	var beside sync.WaitGroup
	beside.Go(func() { full = d.list(within) })
	err := d.near(ctx)
	if err != nil {
		cancel()
	}
	beside.Wait()
	return errors.Join(err, full)
}

// near compares everything that the source holds.
func (d *differ) near(ctx context.Context) error {
	r := d.run
	var full error
	r.relisted = func(emit func(job) bool) func(job) bool {
		return func(j job) bool {
			if full = d.meet(&j); full != nil {
				return false
			}
			return emit(j)
		}
	}
	err := r.pass(ctx, func(ctx context.Context, emit func(job) bool) {
		r.walk(ctx, r.relisted(emit))
		r.walked.Store(d.opts.OneWay && ctx.Err() == nil)
	}, d.looker(), d.compare)
	if full != nil {
		return full
	}
	return err
}

// meet notes that a secret is compared.
func (d *differ) meet(j *job) error {
	if j.decided != nil && j.decided.Outcome == Failed {
		unlisted := *j.decided
		unlisted.Outcome = Unreadable
		j.decided = &unlisted
	}
	if d.opts.OneWay || j.decided != nil {
		return nil
	}
	return d.met.Add(disksort.Record{Key: []byte(j.to)})
}

// far looks for what only the destination holds.
func (d *differ) far(ctx context.Context) error {
	var full error
	err := d.run.pass(ctx, func(ctx context.Context, emit func(job) bool) {
		for _, item := range d.unlisted {
			if !emit(job{to: item.To, decided: &item}) {
				return
			}
		}
		full = d.unmet(emit)
		d.run.walked.Store(ctx.Err() == nil)
	}, d.looker(), d.onlyThere)
	if full != nil {
		return full
	}
	return err
}

// list lists the destination. Its error says that there is no room for the
// names.
func (d *differ) list(ctx context.Context) error {
	within := newTerritory(d.run.prefixes)
	for _, prefix := range d.run.route.farTerritory(d.run.prefixes).sorted() {
		for entry, err := range d.run.pace.listing(ctx, d.there, prefix) {
			if err != nil {
				d.unlisted = append(d.unlisted, Item{To: prefix, Outcome: Unreadable, Reason: "a part of this subtree could not be listed in " + d.to.Name(), Err: err})
				continue
			}
			if _, ok := d.nearName(entry.Path, within); !ok {
				continue
			}
			if err := d.listed.Add(disksort.Record{Key: []byte(entry.Path)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// nearName is the source's name of a secret that the destination lists, if it
// is one that this run is about and that no rule names exactly.
func (d *differ) nearName(path string, within territory) (string, bool) {
	name, ok := d.run.route.back(path)
	if !ok || d.run.isExact(name) || d.run.selection.leftOut(name) != "" {
		return "", false
	}
	return name, len(d.run.prefixes) == 0 || within.covers(name)
}

// unmet finds the names that the destination lists and near did not compare.
func (d *differ) unmet(emit func(job) bool) error {
	for record, err := range disksort.Without(d.listed, d.met) {
		if err != nil {
			return err
		}
		path := string(record.Key)
		name, _ := d.run.route.back(path)
		if !emit(job{from: name, to: path, found: listed}) {
			return nil
		}
	}
	return nil
}

// onlyThere compares a secret that the source did not list: it is not there,
// or came meanwhile, or may not be listed.
func (d *differ) onlyThere(ctx context.Context, j job) result {
	res := d.compare(ctx, j)
	res.silent = res.item.Outcome == Skipped // a deleted secret that is still listed
	return res
}
