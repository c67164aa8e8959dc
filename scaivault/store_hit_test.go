// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A standingFlag tells by its Epoch that its answers stand.
type standingFlag struct{ scaivault.FlagFunc }

func (standingFlag) Epoch() uint64 { return 7 }

// TestACachedGetAllocatesNothing is for each kind of flag, and for paths that the
// caller holds in other memory than the Store.
func TestACachedGetAllocatesNothing(t *testing.T) {
	always := scaivault.FlagFunc(func(context.Context, string) scaivault.Stage { return scaivault.StageScaiVault })
	source := &plainSource{name: "scaivault", get: func(_ context.Context, path string) (*scaivault.Secret, error) {
		return scaivault.NewSecret(scaivault.SecretInfo{Path: path}, []byte(`{"key":"value"}`))
	}}
	for name, flag := range map[string]scaivault.Flag{
		"a constant": scaivault.StageScaiVault, "one with an epoch": standingFlag{always}, "one that is asked each time": always,
	} {
		for _, n := range []int{1, 1000} {
			t.Run(fmt.Sprintf("%s, %d paths", name, n), func(t *testing.T) {
				store, err := scaivault.NewStore(scaivault.StoreConfig{
					ScaiVault: source, Flag: flag, InitialStage: scaivault.StageScaiVault,
					Cache: scaivault.CacheConfig{TTL: time.Hour},
				})
				require.NoError(t, err)
				defer func() { require.NoError(t, store.Close()) }()
				paths := make([]string, n)
				for i := range paths {
					paths[i] = fmt.Sprintf("environments/production/svc%04d/db", i)
					_, err := store.Get(t.Context(), strings.Clone(paths[i]))
					require.NoError(t, err)
				}
				ctx, i := t.Context(), 0
				assert.Zero(t, testing.AllocsPerRun(2*n, func() {
					secret, err := store.Get(ctx, paths[i%n])
					if err != nil || secret == nil {
						panic("no secret from the cache")
					}
					i++
				}))
				assert.EqualValues(t, 2*n+1, store.Stats().Hits, "all from the cache")
			})
		}
	}
}
