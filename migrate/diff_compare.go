// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
)

// A sight is what was seen of a secret when many were read at once. The zero
// sight is of a secret that was not read, or whose answer was none.
type sight struct {
	secret *scaivault.Secret
	err    error
}

// A pair is a secret on both sides.
type pair struct{ from, to sight }

// looker reads many secrets at once, where a side can do it.
func (d *differ) looker() lookFunc {
	if d.fromBatch == nil && d.toBatch == nil {
		return nil
	}
	return d.look
}

func (d *differ) look(ctx context.Context, jobs []job) {
	var from, to []string
	for _, j := range jobs {
		if j.decided != nil {
			continue
		}
		from = append(from, j.from)
		if j.refused == nil {
			to = append(to, j.to)
		}
	}
	seenFrom, seenTo := readBatch(ctx, d.fromPace, d.fromBatch, from), readBatch(ctx, d.toPace, d.toBatch, to)
	for i, j := range jobs {
		jobs[i].pair = &pair{from: seenFrom[j.from], to: seenTo[j.to]}
	}
}

// readBatch reads what it can. An error is taken for an answer only if it is
// one; the others are read one by one.
func readBatch(ctx context.Context, pace *throttle, b batchGetter, paths []string) map[string]sight {
	if b == nil || len(paths) == 0 {
		return nil
	}
	found, err := readMany(ctx, pace, b, paths)
	seen := make(map[string]sight, len(paths))
	for path, s := range found {
		seen[path] = sight{secret: s}
	}
	var parts *scaivault.BatchError
	if errors.As(err, &parts) {
		for path, err := range parts.Errors {
			if isAnswer(err) {
				seen[path] = sight{err: err}
			}
		}
	}
	return seen
}

// isAnswer tells whether an error is the service's word on one secret.
func isAnswer(err error) bool {
	return errors.Is(err, scaivault.ErrNotFound) || errors.Is(err, scaivault.ErrPermission) || errors.Is(err, scaivault.ErrInvalid)
}

// read returns what was seen, or reads now.
func (s sight) read(ctx context.Context, from endpoint, path string) (*scaivault.Secret, error) {
	if s.secret != nil || s.err != nil {
		return s.secret, s.err
	}
	return from.Get(ctx, path)
}

// compare compares one secret.
func (d *differ) compare(ctx context.Context, j job) result {
	item := Item{From: j.from, To: j.to, back: d.from.Side() == scaivault.SideScaiVault}
	seen := pair{}
	if j.pair != nil {
		seen = *j.pair
	}
	src, err := seen.from.read(ctx, d.from, j.from)
	srcMissing := errors.Is(err, scaivault.ErrNotFound)
	switch {
	case err != nil && !srcMissing:
		return result{item: unreadable(item, d.from.Name(), err)}
	case j.refused != nil && srcMissing:
		return d.absent(j, item)
	case j.refused != nil:
		return result{item: notAllowed(item, onlyIn(d.from.Side()), j.refused)}
	}
	dst, err := seen.to.read(ctx, d.to, j.to)
	dstMissing := errors.Is(err, scaivault.ErrNotFound)
	if err != nil && !dstMissing {
		return result{item: unreadable(item, d.to.Name(), err)}
	}
	if src != nil {
		item.FromVersion = src.Version()
	}
	if dst != nil {
		item.ToVersion = dst.Version()
	}
	switch {
	case srcMissing && dstMissing:
		return d.absent(j, item)
	case srcMissing:
		item.Outcome = onlyIn(d.to.Side())
	case dstMissing:
		item.Outcome = onlyIn(d.from.Side())
	default:
		item = d.contrast(item, src, dst)
	}
	return result{item: item}
}

// absent is a secret that is on neither side, in the words of a Diff.
func (d *differ) absent(j job, item Item) result {
	res := absent(j, item, d.from.Name())
	if res.item.Outcome == Failed {
		res.item.Outcome = Unreadable
	}
	return res
}

func unreadable(item Item, where string, err error) Item {
	item.Outcome, item.Reason, item.Err = Unreadable, "not readable in "+where, err
	return item
}

// contrast compares two secrets.
func (d *differ) contrast(item Item, src, dst *scaivault.Secret) Item {
	item.Outcome = Same
	var reasons []string
	if !src.Equal(dst) {
		item.Outcome = Different
		fields, err := jsonvalue.DifferentFields(src.JSON(), dst.JSON())
		item.Fields = fields
		if err != nil {
			reasons = append(reasons, "one side is not a JSON object")
		}
		if jsonvalue.EqualRounded(src.JSON(), dst.JSON()) {
			item.Rounded = true
			reasons = append(reasons, "only by digits beyond 64-bit floating point, as after the rounding of KV v2")
		}
	}
	if d.opts.Versions && src.Version() != dst.Version() && src.Version() > 0 && dst.Version() > 0 {
		item.Outcome = Different
		reasons = append(reasons, "other numbers of versions")
	}
	if d.opts.Metadata {
		if names := lackingMetadata(src.Info().Metadata, dst.Info().Metadata); len(names) > 0 {
			item.Outcome = Different
			reasons = append(reasons, "the destination lacks metadata: "+strings.Join(names, ", "))
		}
	}
	item.Reason = strings.Join(reasons, "; ")
	return item
}

// lackingMetadata names what of the source's metadata the destination does not
// have, sorted. Copy puts what is its own at the same place under another key,
// and adds to what is there, so more in the destination is no difference.
func lackingMetadata(src, dst scaivault.Metadata) []string {
	var names []string
	there := mark.WithoutPutID(dst.Clone().Values)
	for _, tag := range src.Tags {
		if tag != tagMigrated && !slices.Contains(dst.Tags, tag) {
			names = append(names, "tags")
			break
		}
	}
	if src.Owner != "" && src.Owner != dst.Owner {
		names = append(names, "owner")
	}
	if text := src.Description; text != "" && text != dst.Description && text != there[sourcePrefix+"description"] && !strings.HasPrefix(text, descriptionPrefix) {
		names = append(names, "description")
	}
	for key, value := range src.Values {
		if mark.IsKey(key) || sameMetadata(value, there[key]) || sameMetadata(value, there[sourcePrefix+key]) {
			continue
		}
		names = append(names, printable(key))
	}
	slices.Sort(names)
	return names
}

// sameMetadata compares two metadata values, which are JSON.
func sameMetadata(a, b any) bool {
	return string(jsonvalue.Canonical(a)) == string(jsonvalue.Canonical(b))
}
