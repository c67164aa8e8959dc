// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
)

// ours tells whether the destination may be overwritten without asking: it is
// a copy that nobody has changed since, or the source was copied from it and it
// has not changed since. Its error says that this could not be found out.
func (c *copier) ours(ctx context.Context, item Item, src, dst *scaivault.Secret) (bool, error) {
	if dst.Version() == 0 {
		return false, nil // no versions: nothing would show that it was changed
	}
	if m, ok := mark.Parse(src.Info().Metadata.Values); ok && m.Source == item.To && m.SourceVersion == dst.Version() {
		return true, nil
	}
	m, ok := mark.Parse(dst.Info().Metadata.Values)
	switch {
	case !ok:
		return false, nil
	case m.Version == dst.Version():
		return c.holdsOurWrite(ctx, m, dst)
	case c.to.Side() == scaivault.SideVault:
		// Vault takes the mark before the data: we were about to overwrite
		// this very version, and were cut off. Nobody has written since.
		return m.Version == dst.Version()+1, nil
	default:
		return c.wroteTheSame(ctx, m, dst)
	}
}

// wroteTheSame tells whether our copy became the version after the one that its
// mark claims, as somebody wrote the same just before. ScaiVault knows no
// condition by which to prevent that.
func (c *copier) wroteTheSame(ctx context.Context, m mark.Mark, dst *scaivault.Secret) (bool, error) {
	if m.Version != dst.Version()-1 {
		return false, nil
	}
	before, err := readVersion(ctx, c.far, c.to, dst.Path(), m.Version)
	if errors.Is(err, scaivault.ErrNotFound) {
		return false, nil
	}
	return err == nil && before.Equal(dst), err
}

// holdsOurWrite tells whether the version that a mark claims holds what was
// copied then. Vault keeps a secret's metadata apart from its versions and takes
// the two in two requests. Where somebody wrote between them, or our data was
// refused, the mark speaks of a version that is not ours. The source's own
// history shows that, as far back as it goes.
func (c *copier) holdsOurWrite(ctx context.Context, m mark.Mark, dst *scaivault.Secret) (bool, error) {
	if c.to.Side() != scaivault.SideVault || m.SourceVersion == 0 {
		return true, nil
	}
	then, err := readVersion(ctx, c.near, c.from, m.Source, m.SourceVersion)
	if errors.Is(err, scaivault.ErrNotFound) || errors.Is(err, scaivault.ErrInvalid) {
		return true, nil // the history is shorter, or the mark is of another mapping: the mark has to do
	}
	if err != nil {
		return false, err
	}
	return then.Equal(dst), nil
}
