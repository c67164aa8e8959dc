// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/scailabs/scaivault-go/scaivault"
)

// CopyOptions are the optional parts of [Copy]. A nil pointer means the zero
// value.
type CopyOptions struct {
	// Prefixes are the subtrees to copy, by the names of the side that is
	// read: "kv/data/apps". "/**" at the end is understood. If nil, all that
	// the mapping's rules name and that is not proxied.
	Prefixes []string
	// Workers is how many secrets are under way at once. If zero, 8.
	Workers int
	// PerSecond is how many secrets at most are begun in a second; each costs
	// at most one write, and up to five reads. If zero, no limit.
	PerSecond float64
	// MaxVersions bounds the history that ScaiVault keeps of each copied
	// secret. If zero, 10; if negative, the service's default. It does not
	// apply to copies to Vault.
	MaxVersions int
	// Overwrite also writes where somebody else has written, once it was
	// looked at. If false, that is a [Conflict] and stays as it is.
	Overwrite bool
	// DryRun writes nothing and reports what would be done. A conflict that
	// only a write would meet, such as a deleted secret in the way, is not
	// seen.
	DryRun bool
	// Cluster copies only the rules of this cluster. If empty, those that
	// name none.
	Cluster string
	// Each is told every item, in the order of completion and never
	// concurrently. Its error stops the run and is returned. May be nil.
	Each func(Item) error
	// Progress is told after every secret, never concurrently with itself or
	// Each. May be nil.
	Progress func(Progress)

	plan *Plan // carried out by CopyPlan; nil: everything that the walk finds
}

const defaultMaxVersions = 10

func (o *CopyOptions) maxVersions() int {
	switch {
	case o.MaxVersions == 0:
		return defaultMaxVersions
	case o.MaxVersions < 0:
		return 0 // nothing is sent
	default:
		return o.MaxVersions
	}
}

// Copy copies secrets from one side of the mapping to the other. It reads each
// secret, looks at the destination, writes if there is a difference, and reads
// back what it wrote before the secret counts as copied. It never writes to
// the side that it reads.
//
// A secret that the destination holds already, with equal data, is not written
// again. One that differs is written only if it is a copy of ours that nobody
// has changed since, or if the secret that is read is itself a copy of the very
// version that would be overwritten; all else is a [Conflict]. On KV v1, which
// has no versions, every difference is one.
//
// A copy to ScaiVault carries the tag "migrated-from-vault", a description that
// names the Vault path, and Vault's custom metadata. ScaiVault knows no
// conditional write, so the look comes right before the write. A copy to KV v2
// is written with check-and-set, and keeps the custom metadata that is there. A
// secret that was deleted from KV v2 counts as absent there, so the way back is
// open after [Retire]; one that was deleted from ScaiVault and can be restored
// is a Conflict.
//
// KV v2 rounds numbers to 64-bit floating point. A secret with a number that
// would not survive is a failure before anything is written.
//
// The error is not nil if the run could not start, if ctx ended, or if Each
// returned an error; in the last two cases there is a report nevertheless. What
// became of single secrets is in the report alone: see [Report.Err].
//
// A service that asks to be asked later is obeyed, and a secret for which a
// service was not available is tried once more at the end.
func Copy(ctx context.Context, from From, to To, m *scaivault.Mapping, opts *CopyOptions) (*Report, error) {
	if opts == nil {
		opts = &CopyOptions{}
	}
	r, err := newRun(settings{
		op: "copy", prefixes: opts.Prefixes, workers: opts.Workers, perSecond: opts.PerSecond,
		cluster: opts.Cluster, dryRun: opts.DryRun, each: opts.Each, progress: opts.Progress,
	}, from, to, m)
	if err != nil {
		return nil, err
	}
	c := &copier{from: from, to: to, pace: r.pace, opts: *opts}
	walk := func(ctx context.Context, emit func(job) bool) {
		if opts.plan != nil {
			r.walkPlan(opts.plan, emit)
		} else {
			r.walk(ctx, emit)
		}
		r.walked.Store(ctx.Err() == nil)
	}
	return r.end(r.pass(ctx, walk, r.looker(), c.work))
}

// A copier copies single secrets.
type copier struct {
	from From
	to   To
	pace *pacer
	opts CopyOptions
}

// work copies one secret.
func (c *copier) work(ctx context.Context, j job) result {
	item := Item{From: j.from, To: j.to}
	src, err := c.from.Get(ctx, j.from)
	if errors.Is(err, scaivault.ErrNotFound) {
		return j.planned.gone(absent(j, item, c.from.Name()))
	}
	if err != nil {
		return result{item: failed(item, "", err)}
	}
	item.FromVersion = src.Version()
	if j.refused != nil {
		return result{item: notAllowed(item, Failed, j.refused)}
	}
	if src.Equal(j.looked) {
		item.Outcome, item.ToVersion = Unchanged, j.looked.Version()
		return result{item: item}
	}
	return result{item: c.bring(ctx, j, item, src)}
}

// bring brings the destination up to date, if it may.
func (c *copier) bring(ctx context.Context, j job, item Item, src *scaivault.Secret) Item {
	dst, err := c.to.Get(ctx, item.To)
	latest := 0
	switch {
	case errors.Is(err, scaivault.ErrNotFound):
		dst, latest = nil, deletedVersion(err)
	case err != nil:
		return failed(item, "", err)
	default:
		latest = dst.Version()
		item.ToVersion = latest
	}
	if src.Equal(dst) {
		item.Outcome = Unchanged
		return item
	}
	if changed, ok := j.planned.outdated(item, src, dst); ok {
		return changed
	}
	if dst != nil && !c.opts.Overwrite {
		ours, err := c.ours(ctx, item, src, dst)
		if err != nil {
			return failed(item, "", err)
		}
		if !ours {
			item.Outcome, item.Reason = Conflict, "somebody else wrote it, or changed our copy; it was not touched"
			return item
		}
	}
	if reason := cannotHold(src, dst, c.to.Side(), item.To); reason != "" {
		item.Outcome, item.Reason = Failed, reason
		return item
	}
	item.Outcome = Created
	if dst != nil {
		item.Outcome = Updated
	}
	if c.opts.DryRun {
		return item
	}
	return c.write(ctx, item, src, dst, latest)
}

// absent says what it means that the source has no such secret.
func absent(j job, item Item, source string) result {
	item.Outcome = Skipped
	switch j.found {
	case top: // the name of a folder
		return result{silent: true}
	case named:
		item.Reason = fmt.Sprintf("a rule names it, and there is no such secret in %s", source)
	default:
		item.Reason = fmt.Sprintf("listed, and no longer in %s: deleted meanwhile or before", source)
	}
	return result{item: item}
}

func failed(item Item, reason string, err error) Item {
	item.Outcome, item.Reason, item.Err = Failed, reason, err
	return item
}

func notAllowed(item Item, outcome Outcome, err error) Item {
	item.Outcome, item.Reason = outcome, "name not allowed: "+reasonOf(err)+"; map it to another name with a rule of its own"
	item.Err = scaivault.ErrInvalid // the reason says the rest of err
	return item
}
