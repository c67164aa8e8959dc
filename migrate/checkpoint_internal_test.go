// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A namesOnly is a Vault that can only be listed.
type namesOnly struct {
	From
	names int
}

func (n namesOnly) Name() string         { return "vault" }
func (n namesOnly) Side() scaivault.Side { return scaivault.SideVault }

func (n namesOnly) List(context.Context, string, *scaivault.ListOptions) iter.Seq2[scaivault.Entry, error] {
	return func(yield func(scaivault.Entry, error) bool) {
		for i := range n.names {
			if !yield(scaivault.Entry{Path: fmt.Sprintf("kv/data/apps/s%04d", i)}, nil) {
				return
			}
		}
	}
}

// A nowhere is a ScaiVault that nobody asks.
type nowhere struct{ To }

func (nowhere) Name() string         { return "scaivault" }
func (nowhere) Side() scaivault.Side { return scaivault.SideScaiVault }

// A fullDisk takes some bytes, and then no more.
type fullDisk struct{ left int }

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(d.left, len(p))
	if d.left -= n; n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func TestAListingOnAFullDiskIsAnError(t *testing.T) {
	t.Parallel()
	m, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "apps/**"})
	require.NoError(t, err)
	c, err := newCopy(namesOnly{names: 500}, nowhere{}, m, CopyOptions{})
	require.NoError(t, err)
	var whole bytes.Buffer
	_, err = c.writeListing(t.Context(), &whole, c.listingHead())
	require.NoError(t, err)
	require.Greater(t, whole.Len(), 3*4096, "it takes several writes")
	for left := 0; left < whole.Len(); left += 97 {
		_, err := c.writeListing(t.Context(), &fullDisk{left}, c.listingHead())
		require.ErrorIs(t, err, syscall.ENOSPC, "room for %d bytes", left)
	}
	_, err = c.writeListing(t.Context(), &fullDisk{whole.Len() - 1}, c.listingHead())
	require.ErrorIs(t, err, syscall.ENOSPC, "also where the last byte is missing")
}
