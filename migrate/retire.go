// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/scaivault"
)

const opRetire = "retire"

// A Retiree is a Vault to delete from. *vault.Source is one.
//
// It may also have DeleteVersion(ctx, path, version int) error; then exactly
// the version is deleted that was compared.
type Retiree interface {
	From
	// Delete deletes the latest version, on KV v2 so that it can be
	// undeleted, on KV v1 for good.
	Delete(ctx context.Context, path string) error
}

// A Keeper is where the secrets are proved to be: [*scaivault.Client].
type Keeper interface {
	// Name says who this is in reports: "scaivault".
	Name() string
	// Side says which names of the mapping it goes by.
	Side() scaivault.Side
	// Get reads the latest version; a secret that does not exist is
	// [scaivault.ErrNotFound].
	Get(ctx context.Context, path string) (*scaivault.Secret, error)
}

type versionDeleter interface {
	DeleteVersion(ctx context.Context, path string, version int) error
}

// RetireOptions are the optional parts of [Retire]. A nil pointer means the
// zero value.
type RetireOptions struct {
	// Prefixes are the Vault subtrees to delete: "kv/data/apps". "/**" at the
	// end is understood. If nil, all that the mapping's rules name and that
	// is not proxied.
	Prefixes []string
	// Workers is how many secrets are under way at once, at most 10,000. If
	// zero, 32.
	Workers int
	// PerSecond is how many secrets at most are begun in a second. If zero,
	// no limit.
	PerSecond float64
	// Cluster deletes only by the rules of this cluster. If empty, by those
	// that name none.
	Cluster string
	// QuietFor is how long nobody may have used a secret in Vault. If zero,
	// 7 days.
	QuietFor time.Duration
	// MaxLogAge is how long ago the audit log may end. If zero, 1 hour.
	MaxLogAge time.Duration
	// WaiveReaders deletes without knowing who still reads Vault. If false,
	// [Evidence.Readers] is required.
	WaiveReaders bool
	// DryRun deletes nothing and reports what would be.
	DryRun bool
	// Each is told every item, in the order of completion and never
	// concurrently. Its error stops the run and is returned. May be nil.
	Each func(Item) error
	// Progress is told after every secret that was checked, and again after
	// every one that was deleted; never concurrently with itself or Each. May
	// be nil.
	Progress func(Progress)
}

const (
	defaultQuietFor  = 7 * 24 * time.Hour
	defaultMaxLogAge = time.Hour
)

func (o *RetireOptions) quietFor() time.Duration {
	if o.QuietFor == 0 {
		return defaultQuietFor
	}
	return o.QuietFor
}

func (o *RetireOptions) maxLogAge() time.Duration {
	if o.MaxLogAge == 0 {
		return defaultMaxLogAge
	}
	return o.MaxLogAge
}

// Retire deletes from Vault what has moved to ScaiVault. It needs three proofs
// for every secret: the flag says [scaivault.StageScaiVault], nobody has used
// it in Vault for [RetireOptions.QuietFor], and ScaiVault holds equal data.
//
// First it checks all of them. If a single one does not stand the check, nothing
// at all is deleted, and the report says which and why. Then it goes through
// them once more, compares each again, and deletes it right after. On KV v2
// what is deleted can be undeleted; on KV v1 it is gone.
//
// The error is not nil if the run could not start, which includes readers that
// prove nothing, if ctx ended, or if Each returned an error; in the last two
// cases there is a report nevertheless. See also [Report.Err].
func Retire(ctx context.Context, vault Retiree, scaiVault Keeper, m *scaivault.Mapping, evidence Evidence, opts *RetireOptions) (*Report, error) {
	if opts == nil {
		opts = &RetireOptions{}
	}
	r, err := newRun(settings{
		op: opRetire, prefixes: opts.Prefixes, workers: opts.Workers, perSecond: opts.PerSecond,
		cluster: opts.Cluster, dryRun: opts.DryRun, each: opts.Each, progress: opts.Progress,
	}, vault, scaiVault, m)
	if err != nil {
		return nil, err
	}
	if vault.Side() != scaivault.SideVault {
		return nil, invalid(opRetire, vault.Name()+" is not on the Vault side; only Vault is retired")
	}
	if opts.QuietFor < 0 || opts.MaxLogAge < 0 {
		return nil, invalid(opRetire, "QuietFor and MaxLogAge can't be negative; 0 means the default")
	}
	now := time.Now()
	p := &pensioner{run: r, vault: vault, keeper: scaiVault, evidence: evidence, opts: *opts, since: now.Add(-opts.quietFor())}
	if err := evidence.check(p.since, now.Add(-opts.maxLogAge()), opts.WaiveReaders); err != nil {
		return nil, err
	}
	err = r.pass(ctx, r.walk, r.looker(), p.check)
	if err != nil || opts.DryRun || r.report.badCount() > 0 {
		return r.end(err)
	}
	return r.end(r.pass(ctx, p.walkChecked, nil, p.delete))
}

// A pensioner retires single secrets.
type pensioner struct {
	run      *run
	vault    Retiree
	keeper   Keeper
	evidence Evidence
	opts     RetireOptions
	since    time.Time
}

// walkChecked finds the secrets again. What the first walk told is not told
// twice.
func (p *pensioner) walkChecked(ctx context.Context, emit func(job) bool) {
	p.run.walk(ctx, func(j job) bool {
		if j.decided != nil && !j.decided.Outcome.Bad() {
			return true
		}
		return emit(j)
	})
	p.run.walked.Store(ctx.Err() == nil)
}

// check does everything but delete.
func (p *pensioner) check(ctx context.Context, j job) result {
	item, src := p.prove(ctx, j)
	switch {
	case src != nil && !p.opts.DryRun:
		return result{silent: true}
	case src != nil:
		item.Outcome = Deleted
	case item.Outcome == Skipped:
		return absent(j, item, p.vault.Name())
	}
	return result{item: item}
}

// delete proves once more and deletes.
func (p *pensioner) delete(ctx context.Context, j job) result {
	j.looked = nil
	item, src := p.prove(ctx, j)
	if src == nil {
		return result{item: item, silent: item.Outcome == Skipped}
	}
	var err error
	if d, ok := p.vault.(versionDeleter); ok && src.Version() > 0 {
		err = d.DeleteVersion(ctx, j.from, src.Version())
	} else {
		err = p.vault.Delete(ctx, j.from)
	}
	if err != nil && !errors.Is(err, scaivault.ErrUncertain) {
		return result{item: failed(item, "it could not be deleted", err)}
	}
	return result{item: p.verify(ctx, item, err)}
}

// verify sees that a secret is no longer there.
func (p *pensioner) verify(ctx context.Context, item Item, cause error) Item {
	left, err := p.vault.Get(ctx, item.From)
	switch {
	case errors.Is(err, scaivault.ErrNotFound):
		item.Outcome = Deleted
		return item
	case err != nil && cause != nil:
		return failed(item, "the delete got no answer, and it could not be seen whether it was done", cause)
	case err != nil:
		item.Outcome, item.Reason = Deleted, "Vault accepted the delete; that it is gone could not be seen"
		return item
	case left.Version() > item.FromVersion:
		item.Outcome = Kept
		item.Reason = fmt.Sprintf("version %d was written in Vault meanwhile, and is kept", left.Version())
		return item
	default:
		return failed(item, "it was deleted and is still there", cause)
	}
}

// prove returns the secret if it may be deleted; else the item says why not.
// The outcome Skipped stands for one that Vault does not have.
func (p *pensioner) prove(ctx context.Context, j job) (Item, *scaivault.Secret) {
	item := Item{From: j.from, To: j.to}
	src, err := p.vault.Get(ctx, j.from)
	switch {
	case errors.Is(err, scaivault.ErrNotFound):
		item.Outcome = Skipped
		return item, nil
	case err != nil:
		return failed(item, "", err), nil
	}
	item.FromVersion = src.Version()
	if j.refused != nil {
		return notAllowed(item, Kept, j.refused), nil
	}
	if reason := p.evidence.objection(ctx, j, p.since, p.opts.WaiveReaders); reason != "" {
		item.Outcome, item.Reason = Kept, reason
		return item, nil
	}
	kept := j.looked
	if kept == nil {
		kept, err = p.keeper.Get(ctx, j.to)
	}
	switch {
	case kept == nil && errors.Is(err, scaivault.ErrNotFound):
		item.Outcome, item.Reason = Kept, "it is not in "+p.keeper.Name()
		return item, nil
	case kept == nil:
		return failed(item, "", err), nil
	}
	item.ToVersion = kept.Version()
	if !src.Equal(kept) {
		item.Outcome, item.Reason = Kept, "its data differs in "+p.keeper.Name()
		item.Fields, _ = jsonvalue.DifferentFields(src.JSON(), kept.JSON())
		return item, nil
	}
	return item, src
}
