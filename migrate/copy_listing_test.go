// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// A gap is a service that gives no answer in the middle of its listings.
type gap struct {
	*fakeSide
	after  int // how many secrets it lists before
	left   int // how many listings it breaks off
	kind   error
	goOn   bool // the listing goes on behind the error
	broken func()
}

func (g *gap) List(ctx context.Context, prefix string, opts *scaivault.ListOptions) iter.Seq2[scaivault.Entry, error] {
	return func(yield func(scaivault.Entry, error) bool) {
		breaks, n := g.left > 0, 0
		g.left--
		for entry, err := range g.fakeSide.List(ctx, prefix, opts) {
			if n++; breaks && n == g.after+1 {
				if g.broken != nil {
					g.broken()
				}
				if !yield(scaivault.Entry{}, g.fail(g.kind, "list", prefix, "")) || !g.goOn {
					return
				}
			}
			if !yield(entry, err) {
				return
			}
		}
	}
}

func newGap(t *testing.T, after, left int) (*gap, *fakeSide) {
	t.Helper()
	g := &gap{fakeSide: newVaultSide(), after: after, left: left, kind: scaivault.ErrUnavailable}
	for i := range 300 {
		g.seed(fmt.Sprintf("kv/data/apps/s%03d", i), `{"v":1}`)
	}
	return g, newScaiVaultSide()
}

func TestAListingThatWasCutOffGoesOnAtTheEnd(t *testing.T) {
	t.Parallel()
	for _, after := range []int{0, 1, 150, 299} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			t.Parallel()
			seen := map[string]int{}
			var last migrate.Progress
			each := func(i migrate.Item) error { seen[i.From]++; return nil }
			once := func(kind string, report *migrate.Report, err error) {
				t.Helper()
				require.NoError(t, err, kind)
				require.NoError(t, report.Err(), kind)
				require.Len(t, seen, 300, kind)
				for name, n := range seen {
					require.Equal(t, 1, n, "%s: %s", kind, name)
				}
				clear(seen)
			}
			vault, scai := newGap(t, after, 1)
			report, err := migrate.Copy(t.Context(), vault, scai, apps(t), &migrate.CopyOptions{Each: each, Progress: func(p migrate.Progress) { last = p }})
			once("copy", report, err)
			assert.Equal(t, 300, scai.writes())
			assert.Equal(t, migrate.Progress{Done: 300, Total: 300}, migrate.Progress{Done: last.Done, Total: last.Total})

			vault.left = 1
			report, err = migrate.Diff(t.Context(), vault, scai, apps(t), &migrate.DiffOptions{Each: each})
			once("diff", report, err)

			vault.left = 1
			file := filepath.Join(t.TempDir(), "listing")
			report, err = migrate.Copy(t.Context(), vault, scai, apps(t), &migrate.CopyOptions{Each: each, Checkpoint: file})
			once("copy with a checkpoint", report, err)

			for index := range 3 {
				vault.left = 1
				report, err = migrate.Copy(t.Context(), vault, scai, apps(t), &migrate.CopyOptions{Each: each, Shard: migrate.Shard{Index: index, Count: 3}})
				require.NoError(t, err)
				assert.Equal(t, 300, report.Total()+report.Elsewhere)
			}
			once("shards", report, err)
		})
	}
}

// A deniedFolder is refused behind the first secrets of every listing.
type deniedFolder struct{ *gap }

func (d deniedFolder) List(ctx context.Context, prefix string, opts *scaivault.ListOptions) iter.Seq2[scaivault.Entry, error] {
	return func(yield func(scaivault.Entry, error) bool) {
		n := 0
		for entry, err := range d.gap.List(ctx, prefix, opts) {
			if n++; n == 50 && !yield(scaivault.Entry{}, d.fail(scaivault.ErrPermission, "list", prefix+"/denied", "")) {
				return
			}
			if !yield(entry, err) {
				return
			}
		}
	}
}

func TestAFolderThatIsDeniedIsToldOnceThoughTheListingWasCutOff(t *testing.T) {
	t.Parallel()
	vault, scai := newGap(t, 100, 1)
	report, err := migrate.Copy(t.Context(), deniedFolder{vault}, scai, apps(t), nil)
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), scaivault.ErrPermission)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 300, migrate.Failed: 1}, report.Counts)
}

func TestAListingThatStaysCutOffIsAFailure(t *testing.T) {
	t.Parallel()
	vault, scai := newGap(t, 100, 2)
	report, err := migrate.Copy(t.Context(), vault, scai, apps(t), nil)
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), scaivault.ErrUnavailable)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 100, migrate.Failed: 1}, report.Counts)

	vault, scai = newGap(t, 100, 1)
	vault.broken = func() { // by s099 it would know where it was
		vault.mu.Lock()
		defer vault.mu.Unlock()
		delete(vault.secrets, "kv/data/apps/s099")
	}
	report, err = migrate.Copy(t.Context(), vault, scai, apps(t), nil)
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), scaivault.ErrUnavailable)

	vault, scai = newGap(t, 100, 1)
	vault.broken = func() {
		vault.mu.Lock()
		defer vault.mu.Unlock()
		for i := 100; i < 300; i++ {
			delete(vault.secrets, fmt.Sprintf("kv/data/apps/s%03d", i))
		}
	}
	report, err = migrate.Copy(t.Context(), vault, scai, apps(t), nil)
	require.NoError(t, err)
	require.NoError(t, report.Err(), "there is nothing behind it any more")

	vault, scai = newGap(t, 100, 1)
	vault.goOn = true
	report, err = migrate.Copy(t.Context(), vault, scai, apps(t), nil)
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), scaivault.ErrUnavailable, "what it left out nobody knows")
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 300, migrate.Failed: 1}, report.Counts)

	vault, scai = newGap(t, 100, 1)
	vault.kind = scaivault.ErrPermission
	report, err = migrate.Copy(t.Context(), vault, scai, apps(t), nil)
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), scaivault.ErrPermission)
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 100, migrate.Failed: 1}, report.Counts, "a refusal stands")
}
