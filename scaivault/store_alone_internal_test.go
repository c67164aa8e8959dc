// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A sayer is a Source whose every secret holds its name.
type sayer string

func (s sayer) Name() string { return string(s) }

func (s sayer) Get(context.Context, string) (*Secret, error) {
	return NewSecret(SecretInfo{}, []byte(`{"by":"`+string(s)+`"}`))
}

func (s sayer) Put(context.Context, string, map[string]any, *PutOptions) (*Written, error) {
	return &Written{}, nil
}

// TestAReadThatAFlipOvertookFliesAlone: its stage was decided before the flip, so
// nobody joins it and nobody keeps what it finds.
func TestAReadThatAFlipOvertookFliesAlone(t *testing.T) {
	t.Parallel()
	m, err := NewMapping(Rule{Vault: "kv/data/**", ScaiVault: "**"})
	require.NoError(t, err)
	s, err := NewStore(StoreConfig{
		ScaiVault: sayer("scaivault"), Vault: sayer("vault"), Mapping: m, Flag: StageVault, Cache: CacheConfig{TTL: 1 << 40},
	})
	require.NoError(t, err)
	r, err := s.route(t.Context(), "get", "a")
	require.NoError(t, err)
	r.state.enter(StageScaiVault)
	f, landed := s.board(t.Context(), &r, false)
	require.Nil(t, r.state.flight)
	res := s.await(t.Context(), f, landed)
	require.NoError(t, res.err)
	require.Equal(t, "vault", res.secret.Source())
	require.Nil(t, r.state.kept)
	require.Nil(t, r.state.value.Load())
	s.release(r.state)
	require.NoError(t, s.Close())
}
