// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
)

// A describer tells of a secret without reading its value.
type describer interface {
	Metadata(ctx context.Context, path string) (*scaivault.SecretInfo, error)
}

// A versionGetter also reads versions before the latest.
type versionGetter interface {
	GetVersion(ctx context.Context, path string, version int) (*scaivault.Secret, error)
}

// A copier copies single secrets, and looks at and checks many together.
type copier struct {
	run  *run
	from From
	to   To
	opts CopyOptions

	describe describer   // nil: what the source holds is known by reading it
	gather   batchGetter // nil: the source reads one by one

	near, far, writes *throttle // reads of the source, of the destination, writes
}

func newCopier(r *run, from From, to To, opts CopyOptions) *copier {
	c := &copier{
		run: r, from: from, to: to, opts: opts,
		near: newThrottle(from, "", opts.Workers), far: newThrottle(to, "", opts.Workers), writes: newThrottle(to, scaivault.CategoryWrite, opts.Workers),
	}
	if d, ok := from.(describer); ok && !opts.ReadAll {
		c.describe = d
	}
	c.gather, _ = from.(batchGetter)
	return c
}

func (c *copier) steps() steps {
	s := steps{work: c.work}
	if c.run.batch != nil || c.gather != nil {
		s.look = c.look
	}
	if c.run.batch != nil {
		s.check = c.check
	}
	return s
}

// look reads what both sides hold, many secrets in one request, where they can
// do that. What it can't read is read one by one later, so its errors are not
// told.
func (c *copier) look(ctx context.Context, jobs []job) {
	paths := pathsOf(jobs)
	if len(paths) == 0 {
		return
	}
	if c.run.batch != nil {
		found, err := readMany(ctx, c.far, c.run.batch, paths)
		noteLooks(jobs, found, err)
	}
	if c.gather == nil {
		return
	}
	paths = paths[:0]
	for _, j := range jobs {
		if j.decided == nil && j.refused == nil {
			paths = append(paths, j.from)
		}
	}
	found, _ := readMany(ctx, c.near, c.gather, paths)
	for i := range jobs {
		jobs[i].read = found[jobs[i].from]
	}
}

// readMany reads many secrets in one request, and again where the service was
// asked too often and has read none.
func readMany(ctx context.Context, t *throttle, g batchGetter, paths []string) (map[string]*scaivault.Secret, error) {
	var found map[string]*scaivault.Secret
	var err error
	ended := t.do(ctx, func(ctx context.Context) error {
		if found, err = g.GetBatch(ctx, paths); len(found) > 0 {
			return nil
		}
		return err
	})
	if err == nil && len(found) == 0 {
		err = ended
	}
	return found, err
}

// read reads one secret.
func read(ctx context.Context, t *throttle, from endpoint, path string) (s *scaivault.Secret, err error) {
	err = t.do(ctx, func(ctx context.Context) error {
		s, err = from.Get(ctx, path)
		return err
	})
	return s, err
}

// readVersion reads one version of a secret. It is ErrNotFound also where the
// service has no versions.
func readVersion(ctx context.Context, t *throttle, from endpoint, path string, number int) (s *scaivault.Secret, err error) {
	versions, ok := from.(versionGetter)
	if !ok {
		return nil, scaivault.ErrNotFound
	}
	err = t.do(ctx, func(ctx context.Context) error {
		s, err = versions.GetVersion(ctx, path, number)
		return err
	})
	return s, err
}

// work copies one secret.
func (c *copier) work(ctx context.Context, j job) result {
	if j.decided != nil {
		return result{job: j, item: *j.decided}
	}
	if c.run.pace.turn(ctx) != nil {
		return result{job: j, dropped: true}
	}
	res := c.copy(ctx, j)
	if res.raced {
		j.forget()
		res = c.copy(ctx, j)
	}
	res.job = j
	if res.written != nil {
		res.job.wrote = res.item.Outcome
	}
	// At once where a batch has told nothing, or can't be read, and where somebody
	// wrote just before: that may have been newer.
	if w := res.written; w != nil && (j.looked == nil && !j.lacking || w.version > w.mark.Version) {
		res.item, _ = c.verify(ctx, res.item, res.written)
		res.written = nil
	}
	res.dropped = ctx.Err() != nil && cutShort(res.item.Err)
	return res
}

// copy copies one secret, and leaves to others to see that it is there.
func (c *copier) copy(ctx context.Context, j job) result {
	item := Item{From: j.from, To: j.to}
	if res, ok := c.byMark(ctx, j, item); ok {
		return res
	}
	src, err := j.read, error(nil)
	if src == nil {
		src, err = read(ctx, c.near, c.from, j.from)
	}
	if errors.Is(err, scaivault.ErrNotFound) {
		return c.missing(ctx, j, item)
	}
	if err != nil {
		return result{item: failed(item, "", err)}
	}
	item.FromVersion = src.Version()
	if j.refused != nil {
		return result{item: notAllowed(item, Failed, j.refused)}
	}
	dst, latest, err := c.destination(ctx, j)
	if err != nil {
		return result{item: failed(item, "", err)}
	}
	if latest == restorable {
		if latest = 0; c.opts.DryRun { // else the write shows whether it still is
			item.Outcome = Conflict
			item.Reason = fmt.Sprintf("it was deleted in %s and can still be restored, so nothing new can be written there", c.to.Name())
			return result{item: item}
		}
	}
	item.ToVersion = latest
	if dst == nil {
		item.ToVersion = 0
	}
	if j.overtakes(src, dst) {
		src, err = read(ctx, c.near, c.from, j.from)
		switch {
		case errors.Is(err, scaivault.ErrNotFound):
			return c.missing(ctx, j, item)
		case err != nil:
			return result{item: failed(item, "", err)}
		}
		item.FromVersion = src.Version()
	}
	return c.bring(ctx, j, item, sides{src: src, dst: dst, latest: latest})
}

// overtakes tells whether the destination may hold what is newer than what was
// read of the source: it was looked at later, and services that write meanwhile
// bring it to the destination themselves. What is read of the source now is not
// older than what was seen there.
func (j *job) overtakes(src, dst *scaivault.Secret) bool {
	if dst == nil || j.looked != nil || src.Equal(dst) {
		return false
	}
	m, ok := mark.Parse(dst.Info().Metadata.Values)
	return !ok || m.Source != j.from || m.SourceVersion == 0 || m.SourceVersion > src.Version()
}

// sides are what both sides hold of one secret. dst is nil where the
// destination has none; latest is the number of its latest version, deleted or
// not, or 0.
type sides struct {
	src, dst *scaivault.Secret
	latest   int
	old      bool // src is not the latest version
}

// byMark tells of a copy of ours that nobody has changed, without reading
// either value, whether the source is still what it was copied from.
func (c *copier) byMark(ctx context.Context, j job, item Item) (result, bool) {
	if c.describe == nil || j.looked == nil || j.read != nil {
		return result{}, false
	}
	m, ok := mark.Parse(j.looked.Info().Metadata.Values)
	if !ok || m.Source != j.from || m.SourceVersion == 0 || m.Version != j.looked.Version() {
		return result{}, false
	}
	var info *scaivault.SecretInfo
	err := c.near.do(ctx, func(ctx context.Context) (err error) {
		info, err = c.describe.Metadata(ctx, j.from)
		return err
	})
	switch {
	case errors.Is(err, scaivault.ErrNotFound):
		return c.missing(ctx, j, item), true
	case err != nil || !m.IsOf(j.from, info.Version, info.UpdatedAt):
		return result{}, false // the value decides
	}
	item.Outcome, item.FromVersion, item.ToVersion = j.unchanged(), info.Version, j.looked.Version()
	return result{item: item}, true
}

// unchanged is the outcome of a secret that the destination holds. If this very
// run has written it, its reading back was cut short then.
func (j *job) unchanged() Outcome {
	if j.wrote != 0 {
		return j.wrote
	}
	return Unchanged
}

// restorable stands for the latest version of a secret that was deleted from
// ScaiVault, where that is told from one that never was.
const restorable = -1

// destination is what the destination holds of one secret.
func (c *copier) destination(ctx context.Context, j job) (dst *scaivault.Secret, latest int, err error) {
	switch {
	case j.looked != nil:
		return j.looked, j.looked.Version(), nil
	case j.lacking:
		return nil, 0, nil
	}
	dst, err = read(ctx, c.far, c.to, j.to)
	switch {
	case errors.Is(err, scaivault.ErrNotFound):
		return nil, deletedVersion(err), nil
	case err != nil:
		return nil, 0, err
	default:
		return dst, dst.Version(), nil
	}
}

// bring brings the destination up to date, if it may.
func (c *copier) bring(ctx context.Context, j job, item Item, s sides) result {
	since := c.copiedSince(item, s)
	if s.src.Equal(s.dst) && !c.historyLags(s, since) {
		lacks := c.metadataLags(j, s, since)
		if len(lacks) == 0 {
			item.Outcome = j.unchanged()
			return result{item: item}
		}
		item.Reason = "the copy lacked metadata: " + strings.Join(lacks, ", ")
	}
	if changed, ok := j.planned.outdated(item, s, c.from.Side()); ok {
		return result{item: changed}
	}
	if c.opts.DryRun {
		item.seen = seenIn(item, s, c.from.Side(), c.opts.prints)
	}
	if s.dst != nil && !c.opts.Overwrite {
		ours, err := c.ours(ctx, item, s.src, s.dst)
		if err != nil {
			return result{item: failed(item, "", err)}
		}
		if !ours {
			item.Outcome, item.Reason = Conflict, "somebody else wrote it, or changed our copy; it was not touched"
			return result{item: item}
		}
	}
	if reason := cannotHold(s.src, s.dst, c.to.Side(), item.To); reason != "" {
		return result{item: failed(item, reason, scaivault.ErrInvalid)}
	}
	item.Outcome = Created
	if s.dst != nil {
		item.Outcome = Updated
	}
	if c.opts.History > 1 {
		return c.writeHistory(ctx, item, s, since)
	}
	if c.opts.DryRun {
		return result{item: item}
	}
	return c.write(ctx, item, s)
}

// metadataLags names the metadata that a copy of ours, though its data is equal,
// lacks. It is asked for by ReadAll alone: what is there may also have been
// changed in the destination, which no version would show.
func (c *copier) metadataLags(j job, s sides, since int) []string {
	if !c.opts.ReadAll || since == 0 || j.wrote != 0 || c.to.Side() != scaivault.SideScaiVault {
		return nil
	}
	return lackingMetadata(s.src.Info().Metadata, s.dst.Info().Metadata)
}

// missing says what it means that the source has no such secret. If the
// destination has a copy of it, it was deleted since.
func (c *copier) missing(ctx context.Context, j job, item Item) result {
	if j.found == top || j.refused != nil || j.planned != nil {
		return j.planned.gone(absent(j, item, c.from.Name()))
	}
	dst, _, err := c.destination(ctx, j)
	if err != nil {
		return result{item: failed(item, "it is not in "+c.from.Name(), err)}
	}
	if dst == nil {
		return absent(j, item, c.from.Name())
	}
	m, ok := mark.Parse(dst.Info().Metadata.Values)
	if !ok || m.Source != j.from {
		return absent(j, item, c.from.Name())
	}
	item.Outcome, item.FromVersion, item.ToVersion = DeletedInSource, m.SourceVersion, dst.Version()
	item.Reason = fmt.Sprintf("deleted in %s since it was copied; the copy in %s is kept", c.from.Name(), c.to.Name())
	if m.Version != dst.Version() {
		item.Reason += ", which somebody has changed since"
	}
	return result{item: item}
}

// absent says what it means that neither side has such a secret.
func absent(j job, item Item, source string) result {
	item.Outcome = Skipped
	switch j.found {
	case top: // the name of a folder
		return result{silent: true}
	case alone:
		item.Outcome, item.Err = Failed, scaivault.ErrNotFound
		item.Reason = fmt.Sprintf("%s has neither a secret nor a folder of this name that the token may see", source)
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
