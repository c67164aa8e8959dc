// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
)

// A historian has the versions of a secret before the latest, as *vault.Source
// and *scaivault.Client have.
type historian interface {
	versionGetter
	Versions(ctx context.Context, path string) ([]scaivault.VersionInfo, error)
}

// copiedSince is the version of the source that the destination was copied
// from; 0 where it is not a copy of this secret.
func (c *copier) copiedSince(item Item, s sides) int {
	if s.dst == nil {
		return 0
	}
	if m, ok := mark.Parse(s.dst.Info().Metadata.Values); ok && m.Source == item.From && m.Version == s.dst.Version() {
		return m.SourceVersion
	}
	return 0
}

// historyLags tells whether a copy of ours, though its data is equal, lacks
// versions that were written since.
func (c *copier) historyLags(s sides, since int) bool {
	return c.opts.History > 1 && since > 0 && since < s.src.Version()-1
}

// writeHistory writes the versions that the destination lacks, oldest first,
// and the latest at last. A version that can't be represented is an item of its
// own, told before anything is written.
func (c *copier) writeHistory(ctx context.Context, item Item, s sides, since int) result {
	older, lost, err := c.olderVersions(ctx, item, s, since)
	if err != nil {
		return result{item: failed(item, "its history could not be read", err)}
	}
	if c.opts.DryRun {
		return result{item: withHistory(item, len(older)), besides: lost}
	}
	for _, number := range older {
		old, err := readVersion(ctx, c.near, c.from, item.From, number)
		if errors.Is(err, scaivault.ErrNotFound) { // deleted meanwhile
			lost = append(lost, notRepresentable(item, number, "deleted"))
			continue
		}
		if err != nil {
			return result{item: failed(item, fmt.Sprintf("version %d of its history could not be read", number), err), besides: lost}
		}
		step, now := c.writeOld(ctx, item, sides{src: old, dst: s.dst, latest: s.latest})
		if step.Outcome.Bad() {
			step.Reason = joined(step.Reason, fmt.Sprintf("this was version %d of its history; those after it were not written", number))
			return result{item: step, besides: lost}
		}
		s.dst, s.latest = now, now.Version()
	}
	res := c.write(ctx, withHistory(item, len(older)), s)
	res.besides = lost
	return res
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

func withHistory(item Item, older int) Item {
	if older > 0 {
		item.Reason = fmt.Sprintf("with %d versions before it", older)
		if older == 1 {
			item.Reason = "with 1 version before it"
		}
	}
	return item
}

// olderVersions are the numbers of the versions to write before the latest,
// and an item for each that was deleted.
func (c *copier) olderVersions(ctx context.Context, item Item, s sides, since int) (older []int, lost []Item, err error) {
	h, ok := c.from.(historian)
	if !ok || s.src.Version() == 0 || c.to.Side() == scaivault.SideVault && isKV1(s.dst, item.To) {
		return nil, nil, nil // no versions on one side: the latest is all there is
	}
	latest := s.src.Version()
	var all []scaivault.VersionInfo
	err = c.near.do(ctx, func(ctx context.Context) error {
		all, err = h.Versions(ctx, item.From)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	for _, v := range all {
		switch {
		case v.Version <= since || v.Version >= latest || v.Version <= latest-c.opts.History:
		case v.Deleted:
			lost = append(lost, notRepresentable(item, v.Version, "deleted"))
		default:
			older = append(older, v.Version)
		}
	}
	return older, lost, nil
}

func notRepresentable(item Item, version int, why string) Item {
	return Item{
		From: item.From, To: item.To, FromVersion: version, Outcome: NotRepresentable,
		Reason: fmt.Sprintf("version %d was %s in the source, and the history of a live secret can't hold such a version", version, why),
	}
}

// writeOld writes one version of the history and reads it back. The secret is
// what the destination holds then.
func (c *copier) writeOld(ctx context.Context, item Item, s sides) (Item, *scaivault.Secret) {
	if reason := cannotHold(s.src, s.dst, c.to.Side(), item.To); reason != "" {
		return failed(item, reason, scaivault.ErrInvalid), nil
	}
	s.old = true
	res := c.write(ctx, item, s)
	if res.written == nil && !res.item.Outcome.Bad() { // its fate was unknown, and was looked up
		now, err := read(ctx, c.far, c.to, item.To)
		if err != nil {
			return failed(item, "it was written, and could not be read back", err), nil
		}
		return res.item, now
	}
	if res.written == nil {
		return res.item, nil
	}
	done, now := c.verify(ctx, res.item, res.written)
	return done, now
}
