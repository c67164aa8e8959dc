// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
)

func (c *copier) canFindDeleted(op string) error {
	if _, ok := c.to.(lister); !ok {
		return invalid(op, fmt.Sprintf("%s can't be listed, which FindDeleted needs", c.to.Name()))
	}
	return nil
}

// findDeleted lists the destination and finds copies of ours whose source is
// gone.
func (c *copier) findDeleted(ctx context.Context) error {
	s := steps{work: c.seek}
	if c.run.batch != nil {
		s.look = c.run.look
	}
	return c.run.passThrough(ctx, func(ctx context.Context, emit func(job) bool) {
		c.walkFar(ctx, emit)
		c.run.walked.Store(ctx.Err() == nil)
	}, s)
}

// walkFar lists the destination. What a rule names exactly was met before.
func (c *copier) walkFar(ctx context.Context, emit func(job) bool) {
	r := c.run
	there, ok := c.to.(lister)
	if !ok {
		return
	}
	within := newTerritory(r.prefixes)
	for _, prefix := range r.route.farTerritory(r.prefixes).sorted() {
		for entry, err := range r.pace.listing(ctx, there, prefix) {
			if err != nil {
				item := Item{To: prefix, Outcome: Failed, Reason: "a part of this subtree could not be listed in " + c.to.Name(), Err: err}
				if !emit(job{to: prefix, decided: &item}) {
					return
				}
				continue
			}
			name, ok := r.route.back(entry.Path)
			if !ok || r.isExact(name) || len(r.prefixes) > 0 && !within.covers(name) ||
				!r.selection.shard.holds(name) || r.selection.leftOut(name) != "" {
				continue
			}
			if !emit(job{from: name, to: entry.Path}) {
				return
			}
		}
	}
}

// seek looks whether the source of a copy is there. If it is, it was told of
// before. One that is listed though it was deleted was told of, too.
func (c *copier) seek(ctx context.Context, j job) result {
	if j.decided != nil {
		return result{job: j, item: *j.decided}
	}
	if c.run.pace.turn(ctx) != nil {
		return result{job: j, dropped: true}
	}
	res := c.seekSource(ctx, j)
	res.job = j
	res.dropped = ctx.Err() != nil && cutShort(res.item.Err)
	return res
}

func (c *copier) seekSource(ctx context.Context, j job) result {
	dst, _, err := c.destination(ctx, j)
	if err != nil {
		return result{item: failed(Item{From: j.from, To: j.to}, "it could not be looked for what it is a copy of", err)}
	}
	if dst == nil {
		return result{silent: true}
	}
	if m, ok := mark.Parse(dst.Info().Metadata.Values); !ok || m.Source != j.from {
		return result{silent: true}
	}
	err = c.near.do(ctx, func(ctx context.Context) error {
		if d, ok := c.from.(describer); ok {
			if _, err := d.Metadata(ctx, j.from); err == nil || errors.Is(err, scaivault.ErrNotFound) {
				return err
			}
		}
		_, err := c.from.Get(ctx, j.from)
		return err
	})
	switch {
	case err == nil || deletedVersion(err) > 0: // what keeps its versions is still listed
		return result{silent: true}
	case !errors.Is(err, scaivault.ErrNotFound):
		return result{item: failed(Item{From: j.from, To: j.to}, "", err)}
	}
	return c.missing(ctx, j, Item{From: j.from, To: j.to})
}
