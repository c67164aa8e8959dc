// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
)

// verifyLooks is how often a destination is read that does not show yet what
// it has taken, and verifyWait how long to wait between, for services whose
// reads lag behind.
const (
	verifyLooks = 3
	verifyWait  = 200 * time.Millisecond
)

// check reads back what was written, many secrets in one request, and compares.
func (c *copier) check(ctx context.Context, results []result) {
	var left []*result
	for i := range results {
		if results[i].written != nil {
			left = append(left, &results[i])
		}
	}
	for look := 1; len(left) > 0; look++ {
		paths := make([]string, len(left))
		for i, r := range left {
			paths[i] = r.item.To
		}
		found, err := readMany(ctx, c.far, c.run.batch, paths)
		why := reasonsIn(err)
		last := look == verifyLooks
		var lagging []*result
		for _, r := range left {
			item, ok := c.judge(ctx, r.item, r.written, found[r.item.To], why(r.item.To))
			if ok && errors.Is(item.Err, scaivault.ErrUnavailable) && ctx.Err() == nil {
				item, _ = c.verify(ctx, r.item, r.written) // the batch may be what is missing
			}
			if !ok && !last {
				lagging = append(lagging, r)
				continue
			}
			r.item, r.written = item, nil
		}
		left = lagging
		if len(left) > 0 && sleep(ctx, verifyWait) != nil {
			continue // the next look says what is to be said of the end of ctx
		}
	}
}

// reasonsIn tells by the error of a batch why a path could not be read.
func reasonsIn(err error) func(path string) error {
	var parts *scaivault.BatchError
	if errors.As(err, &parts) {
		return func(path string) error { return parts.Errors[path] }
	}
	return func(string) error { return err }
}

// verify reads back one write, and returns also what it has found.
func (c *copier) verify(ctx context.Context, item Item, w *written) (Item, *scaivault.Secret) {
	for look := 1; ; look++ {
		got, err := read(ctx, c.far, c.to, item.To)
		judged, ok := c.judge(ctx, item, w, got, err)
		if ok || look == verifyLooks || sleep(ctx, verifyWait) != nil {
			return judged, got
		}
	}
}

// judge says what it means what was read back. It reports false where a later
// look could show something better.
func (c *copier) judge(ctx context.Context, item Item, w *written, got *scaivault.Secret, err error) (Item, bool) {
	switch {
	case got == nil && err != nil && !errors.Is(err, scaivault.ErrNotFound):
		if ctx.Err() != nil {
			err = uncertain(item, err)
		}
		return failed(item, "it was written, and could not be read back", err), true
	case w.src.Equal(got):
		return c.judgeVersion(ctx, item, w, got), true
	case got != nil && w.version > 0 && got.Version() > w.version:
		item.ToVersion = w.version
		item.Reason = fmt.Sprintf("somebody has written version %d since", got.Version())
		return item, true
	}
	reason := "the destination does not hold what was written: it was changed while it was copied, or the service altered it"
	return failed(item, reason, scaivault.ErrConflict), false
}

// judgeVersion looks whether somebody else wrote between the look and our
// write: ScaiVault knows no condition by which to prevent that.
func (c *copier) judgeVersion(ctx context.Context, item Item, w *written, got *scaivault.Secret) Item {
	item.ToVersion = got.Version()
	made := w.version
	if made == 0 {
		made = got.Version()
	}
	if made <= w.mark.Version || c.to.Side() != scaivault.SideScaiVault {
		return item
	}
	if settled, ok := c.settle(ctx, item, w, got); ok {
		return settled
	}
	item.Outcome = Conflict
	item.Reason = fmt.Sprintf("somebody wrote version %d at the same time, or it had expired; ours came after it, as version %d: see which is right", w.mark.Version, made)
	return item
}

// settle reports true where the version that somebody wrote just before ours is
// of the source too, as where a service writes to it through a Store that
// mirrors it. If that was what the source holds by now, it is written once more.
func (c *copier) settle(ctx context.Context, item Item, w *written, got *scaivault.Secret) (Item, bool) {
	if w.settles || got.Version() != w.mark.Version+1 {
		return item, false
	}
	between, err := readVersion(ctx, c.far, c.to, item.To, w.mark.Version)
	if err != nil {
		return item, false
	}
	if between.Equal(w.src) {
		return item, true
	}
	now, err := read(ctx, c.near, c.from, item.From)
	if err != nil || !between.Equal(now) {
		return item, false
	}
	item.FromVersion = now.Version()
	res := c.write(ctx, item, sides{src: now, dst: got, latest: got.Version()})
	if res.written != nil {
		res.written.settles = true
		res.item, _ = c.verify(ctx, res.item, res.written)
	}
	return res.item, true
}

// lookAgain finds out whether a write of unknown fate was done.
func (c *copier) lookAgain(ctx context.Context, item Item, src *scaivault.Secret, m mark.Mark, cause error) Item {
	got, err := read(ctx, c.far, c.to, item.To)
	if err != nil {
		return failed(item, "the destination could not be read back either", cause)
	}
	found, ok := mark.Parse(got.Info().Metadata.Values)
	switch {
	case ok && found.WriteID == m.WriteID && src.Equal(got):
		item.ToVersion = got.Version()
		return item
	case src.Equal(got):
		item.Outcome, item.ToVersion = Unchanged, got.Version()
		item.Reason = "the write got no answer, and the destination holds the data"
		return item
	default:
		return failed(item, "the destination does not show the write; look before you copy again", cause)
	}
}

// uncertain is the error of a write that the end of the run cut off.
func uncertain(item Item, cause error) error {
	return &scaivault.Error{Kind: scaivault.ErrUncertain, Op: "copy", Path: item.To, Reason: "it may have been written", Err: cause}
}
