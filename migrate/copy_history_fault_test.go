// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// A brokenHistory is a Vault whose older versions can't all be read.
type brokenHistory struct {
	*vault.Source
	versions error         // of Versions
	version  map[int]error // of GetVersion, by number
}

func (b *brokenHistory) Versions(ctx context.Context, path string) ([]scaivault.VersionInfo, error) {
	if b.versions != nil {
		return nil, b.versions
	}
	return b.Source.Versions(ctx, path)
}

func (b *brokenHistory) GetVersion(ctx context.Context, path string, version int) (*scaivault.Secret, error) {
	if err := b.version[version]; err != nil {
		return nil, err
	}
	return b.Source.GetVersion(ctx, path, version)
}

func refusal(kind error) error {
	return &scaivault.Error{Kind: kind, Op: "get", Source: "vault", Path: dbInVault}
}

// A secret whose history can't be carried over whole is not carried over without
// it: the next Copy would take it for done.
func TestCopyOfAHistoryThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		source  brokenHistory
		says    string
		written int
	}{
		{"not told", brokenHistory{versions: refusal(scaivault.ErrPermission)}, "its history could not be read", 0},
		{"the first", brokenHistory{version: map[int]error{1: refusal(scaivault.ErrPermission)}}, "version 1 of its history could not be read", 0},
		{"one in the middle", brokenHistory{version: map[int]error{4: refusal(scaivault.ErrPermission)}}, "version 4 of its history could not be read", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, client, sent, m := history(t)
			tc.source.Source = e.source
			report, err := migrate.Copy(t.Context(), &tc.source, client, m, &migrate.CopyOptions{History: 10})
			require.NoError(t, err)
			require.ErrorIs(t, report.Err(), scaivault.ErrPermission)
			assert.Equal(t, 1, report.Count(migrate.Failed))
			assert.Contains(t, report.Err().Error(), tc.says)
			assert.Len(t, sent.puts, tc.written)

			report, err = migrate.Copy(t.Context(), e.source, client, m, &migrate.CopyOptions{History: 10})
			require.NoError(t, err)
			require.NoError(t, report.Err())
			require.Len(t, sent.puts, 3, "the next one carries the rest over")
			for i, v := range []int{1, 4, 5} {
				assert.EqualValues(t, v, sent.puts[i].Data["v"])
			}
		})
	}
}

func TestCopyTellsAVersionThatWasDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	e, client, sent, m := history(t)
	source := &brokenHistory{Source: e.source, version: map[int]error{4: refusal(scaivault.ErrNotFound)}}
	report, err := migrate.Copy(t.Context(), source, client, m, &migrate.CopyOptions{History: 10})
	require.NoError(t, err)
	require.NoError(t, report.Err())
	assert.Equal(t, map[migrate.Outcome]int{migrate.Created: 1, migrate.NotRepresentable: 3}, report.Counts)
	assert.Equal(t, 4, report.Problems[2].FromVersion)
	assert.Len(t, sent.puts, 2)
}

func TestCopyOfTheHistorySaysWhatKV2WouldRound(t *testing.T) {
	t.Parallel()
	e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	e.scai.Seed(dbInScai, map[string]any{"v": 1})
	e.scai.Seed(dbInScai, map[string]any{"v": json.Number("9007199254740993")})
	e.scai.Seed(dbInScai, map[string]any{"v": 3})
	report, err := migrate.Copy(t.Context(), e.client, e.source, m, &migrate.CopyOptions{History: 5})
	require.NoError(t, err)
	require.ErrorIs(t, report.Err(), scaivault.ErrInvalid)
	assert.Contains(t, report.Err().Error(), "round a number in field v")
	assert.Contains(t, report.Err().Error(), "this was version 2 of its history; those after it were not written")
	raw, _ := e.vault.Value(dbInVault)
	assert.JSONEq(t, `{"v":1}`, string(raw), "nothing that is rounded")
}

// A forgetful service carries the first writes out and loses their answers.
type forgetful struct {
	*scaivault.Client
	left atomic.Int32
}

func (f *forgetful) Put(ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
	written, err := f.Client.Put(ctx, path, data, opts)
	if err == nil && f.left.Add(-1) >= 0 {
		return nil, &scaivault.Error{Kind: scaivault.ErrUncertain, Op: "put", Path: path}
	}
	return written, err
}

func TestCopyOfTheHistoryLooksUpAWriteOfUnknownFate(t *testing.T) {
	t.Parallel()
	for lost := range int32(4) {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			t.Parallel()
			e, client, sent, m := history(t)
			to := &forgetful{Client: client}
			to.left.Store(lost)
			report, err := migrate.Copy(t.Context(), e.source, to, m, &migrate.CopyOptions{History: 10})
			require.NoError(t, err)
			require.NoError(t, report.Err())
			require.Len(t, sent.puts, 3, "nothing is written twice")
			for i, v := range []int{1, 4, 5} {
				assert.EqualValues(t, v, sent.puts[i].Data["v"])
			}
		})
	}
}
