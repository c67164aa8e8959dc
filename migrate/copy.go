// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"

	"github.com/scailabs/scaivault-go/scaivault"
)

// CopyOptions are the optional parts of [Copy]. A nil pointer means the zero
// value.
type CopyOptions struct {
	// Prefixes are the subtrees to copy, by the names of the side that is
	// read: "kv/data/apps". "/**" at the end is understood. If nil, all that
	// the mapping's rules name and that is not proxied.
	Prefixes []string
	// Include and Exclude are patterns of names of the side that is read, in
	// which "*" stands for anything within one level and "**" for any levels:
	// "kv/data/apps/*/db", "kv/data/tmp/**". A secret that Exclude matches, or
	// that Include does not match, is Skipped. A nil Include matches all, a
	// nil Exclude none.
	Include, Exclude []string
	// Shard copies only one part of the secrets, so that several processes
	// can share the work. The zero Shard is all.
	Shard Shard
	// Workers is how many secrets are under way at once, at most 10,000. If
	// zero, 32, and fewer in the beginning, while nothing is known of a limit.
	Workers int
	// PerSecond is how many secrets at most are begun in a second. If zero,
	// no limit but those of the services.
	PerSecond float64
	// MaxVersions bounds the history that ScaiVault keeps of each copied
	// secret; it is never less than History. If zero, 10; if negative, the
	// service's default. It does not apply to copies to Vault.
	MaxVersions int
	// History is how many versions of each secret to copy, oldest first. Each
	// bears its number in the source in its metadata. Of a copy that is there
	// already, the versions since are written. If zero or one, the latest
	// alone.
	History int
	// ReadAll reads every value on both sides and compares, also of secrets
	// whose marks say that nothing has changed. It also writes a copy of ours
	// anew that lacks metadata of the source, as DiffOptions.Metadata tells it:
	// metadata of KV v2 changes without a new version. If false, such a copy is
	// Unchanged.
	ReadAll bool
	// FindDeleted also lists the destination, at the end, and reads the
	// source's metadata of each secret there, to find copies of ours whose
	// source is no longer even listed: it was deleted from KV v1, or from KV v2
	// with its metadata. They are [DeletedInSource]. If false, only those are
	// seen that are listed or that a rule names, and the report says so by
	// [Report.DeletedNotSought].
	FindDeleted bool
	// Checkpoint is a local file that keeps the names of all secrets, so that
	// a run that was killed need not list them again. It is made, with mode
	// 0600, when they are listed, before anything is copied, holds no values,
	// and is removed when a run has gone through all of them; in a dry run it
	// stays. Each shard needs a file of its own. What is there already and is
	// no such listing, or no regular file, is [scaivault.ErrInvalid] and stays
	// as it is. If empty, none.
	Checkpoint string
	// FailFast stops the run at the first item that needs attention. If
	// false, the others are copied.
	FailFast bool
	// Overwrite also writes where somebody else has written, once it was
	// looked at. If false, that is a [Conflict] and stays as it is.
	Overwrite bool
	// DryRun writes nothing and reports what would be done. A conflict that
	// only a write would meet is not seen: that a deleted secret is in the way,
	// where the service does not tell it from one that never was.
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

	plan   *Plan          // carried out by CopyPlan; nil: everything that the walk finds
	prints *fingerprinter // of NewPlan; may be nil
}

const defaultMaxVersions = 10

func (o *CopyOptions) maxVersions() int {
	switch {
	case o.MaxVersions == 0:
		return max(defaultMaxVersions, o.History)
	case o.MaxVersions < 0:
		return 0 // nothing is sent
	default:
		return max(o.MaxVersions, o.History)
	}
}

// Copy copies secrets from one side of the mapping to the other. It looks at
// the destination, reads the source, writes if there is a difference, and reads
// back what it wrote before the secret counts as copied. It never writes to the
// side that it reads.
//
// A secret that the destination holds already, with equal data, is not written
// again. One that differs is written only if it is a copy of ours that nobody
// has changed since, or if the secret that is read is itself a copy of the very
// version that would be overwritten; all else is a [Conflict]. On KV v1, which
// has no versions, every difference is one.
//
// # What it costs
//
// Of N secrets in L folders of KV v2, the first Copy to ScaiVault takes L
// listings, N reads and N writes, and two batch reads for each hundred: one
// before, one after. The next one, while nothing has changed, takes L listings,
// N reads of metadata and one batch read for each hundred, and reads no value of
// Vault: the mark on each copy says which version it was made from. KV v1 has
// no versions, so its values are read each time, and compared; so are those of
// ScaiVault on the way back, a hundred in a request.
//
// A service that tells its rate limits is asked as fast as they allow, one that
// refuses is asked at the rate that it lets through, and Retry-After is obeyed.
// One that takes nothing for an hour, or asks to wait longer, is not asked any
// more: what is left fails with [scaivault.ErrRateLimited], and another run goes
// on there.
//
// # What is carried over
//
// A copy to ScaiVault carries the tag "migrated-from-vault", a description that
// names the Vault path, Vault's custom metadata, and the time when it expires.
// ScaiVault knows no conditional write: if somebody else writes between the look
// and the write, that is found afterwards and is a Conflict, unless it was the
// source's own value, as a Store mirrors it; both versions stand in the history. A copy to KV v2 is written with check-and-set, and keeps the
// custom metadata that is there. A secret that was deleted from KV v2 counts as
// absent there, so the way back is open after [Retire]; one that was deleted
// from ScaiVault and can be restored is a Conflict.
//
// KV v2 rounds numbers to 64-bit floating point. A secret with a number that
// would not survive is a failure before anything is written.
//
// # Errors
//
// The error is not nil if the run could not start, if ctx ended, if Each
// returned an error, or if FailFast stopped it; but for the first, there is a
// report nevertheless. What became of single secrets is in the report alone:
// see [Report.Err]. A secret for which a service was not available is tried once
// more at the end, and a listing that was cut off goes on there.
func Copy(ctx context.Context, from From, to To, m *scaivault.Mapping, opts *CopyOptions) (*Report, error) {
	if opts == nil {
		opts = &CopyOptions{}
	}
	c, err := newCopy(from, to, m, *opts)
	if err != nil {
		return nil, err
	}
	r := c.run
	walk := r.walk
	if opts.plan != nil {
		walk = func(_ context.Context, emit func(job) bool) { r.walkPlan(opts.plan, r.selecting(emit)) }
	}
	if opts.Checkpoint != "" {
		if walk, err = c.listFirst(ctx, opts.Checkpoint); err != nil {
			return r.end(err)
		}
	}
	err = r.passThrough(ctx, func(ctx context.Context, emit func(job) bool) {
		walk(ctx, emit)
		r.walked.Store(ctx.Err() == nil && !opts.FindDeleted)
	}, c.steps())
	if err == nil && opts.FindDeleted {
		err = c.findDeleted(ctx)
	}
	if err == nil && opts.Checkpoint != "" && !opts.DryRun {
		err = removeCheckpoint(opts.Checkpoint)
	}
	report, err := r.end(err)
	if errors.Is(err, errFirstProblem) {
		return report, report.Err()
	}
	return report, err
}

// newCopy checks everything, and does no I/O.
func newCopy(from From, to To, m *scaivault.Mapping, opts CopyOptions) (*copier, error) {
	const op = "copy"
	s := settings{
		op: op, prefixes: opts.Prefixes, workers: opts.Workers, perSecond: opts.PerSecond, failFast: opts.FailFast,
		cluster: opts.Cluster, dryRun: opts.DryRun, each: opts.Each, progress: opts.Progress,
	}
	r, err := newRun(s, from, to, m)
	if err != nil {
		return nil, err
	}
	if r.selection, err = newSelection(op, opts.Include, opts.Exclude, opts.Shard); err != nil {
		return nil, err
	}
	switch {
	case opts.History < 0:
		return nil, invalid(op, "History is negative; give the number of versions to copy, or 0 for the latest alone")
	case opts.plan != nil && (opts.Checkpoint != "" || opts.FindDeleted):
		return nil, invalid(op, "Checkpoint and FindDeleted are of no use with a plan, which has all names already")
	}
	r.report.DeletedNotSought = opts.plan == nil && !opts.FindDeleted && r.route.lists()
	c := newCopier(r, from, to, opts)
	if opts.FindDeleted {
		if err := c.canFindDeleted(op); err != nil {
			return nil, err
		}
	}
	return c, nil
}
