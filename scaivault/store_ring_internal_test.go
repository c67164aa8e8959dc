// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStagesOfPathsThatMadeRoomAreBounded: the last known stage of a path is kept
// when it makes room, but of no more paths than that.
func TestStagesOfPathsThatMadeRoomAreBounded(t *testing.T) {
	t.Parallel()
	stage := StageScaiVault
	m, err := NewMapping(Rule{Vault: "kv/data/**", ScaiVault: "**"})
	require.NoError(t, err)
	s, err := NewStore(StoreConfig{
		ScaiVault: sayer("scaivault"), Vault: sayer("vault"), Mapping: m, InitialStage: StageVault,
		Flag:  FlagFunc(func(context.Context, string) Stage { return stage }),
		Cache: CacheConfig{TTL: 1 << 40, MaxEntries: 1},
	})
	require.NoError(t, err)
	s.ring.most = 10
	by := map[string]int{}
	read := func() {
		for i := range 100 {
			secret, err := s.Get(t.Context(), fmt.Sprintf("p/%d", i))
			require.NoError(t, err)
			by[secret.Source()]++
			require.LessOrEqual(t, len(s.ring.forgotten), 10)
		}
	}
	read()
	require.Len(t, s.ring.forgotten, 10)
	require.Equal(t, map[string]int{"scaivault": 100}, by)
	stage = StageUnknown
	clear(by)
	read()
	require.GreaterOrEqual(t, by["scaivault"], 1, "a kept stage holds")
	require.GreaterOrEqual(t, by["vault"], 80, "where none is kept, InitialStage holds")
	require.NoError(t, s.Close())
}
