// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
)

func TestPromoteSendsTheBodyOfTheGuide(t *testing.T) {
	t.Parallel()
	promoted := strings.Replace(vaultBackendJSON, `"mode": "proxy"`, `"mode": "sync", "sync_interval": "1h", "conflict_resolution": "local_wins"`, 1)
	s := newScript().on(patch, ok(promoted))
	b, err := newClient(t, s).Promote(t.Context(), "fed_abc", nil)
	require.NoError(t, err)
	require.Len(t, s.seen(), 1)
	assert.JSONEq(t, `{"mode": "sync", "sync_interval": "1h", "conflict_resolution": "local_wins"}`, s.seen()[0].Body)
	assert.Equal(t, federation.ModeSync, b.Mode)
	assert.Equal(t, time.Hour, b.SyncInterval)
	assert.Equal(t, federation.LocalWins, b.ConflictResolution)

	s = newScript().on(patch, reply{status: 204}).on(get, ok(promoted))
	_, err = newClient(t, s).Promote(t.Context(), "fed_abc", &federation.PromoteOptions{SyncInterval: 15 * time.Minute})
	require.NoError(t, err)
	assert.JSONEq(t, `{"mode": "sync", "sync_interval": "15m", "conflict_resolution": "local_wins"}`, s.seen()[0].Body)
}

func TestPromoteIsNotFooled(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"the mode stayed":       vaultBackendJSON,
		"the resolution stayed": strings.Replace(vaultBackendJSON, `"mode": "proxy"`, `"mode": "sync", "conflict_resolution": "remote_wins"`, 1),
	} {
		s := newScript().on(patch, ok(body))
		b, err := newClient(t, s).Promote(t.Context(), "fed_abc", nil)
		require.ErrorIs(t, err, scaivault.ErrConflict, name)
		assert.Nil(t, b)
	}
	_, err := newClient(t, newScript()).Promote(t.Context(), "fed_abc", &federation.PromoteOptions{SyncInterval: -1})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
}
