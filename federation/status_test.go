// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
)

func TestStatusReadsTheDocumentedAnswer(t *testing.T) {
	t.Parallel()
	const documented = `{"id":"fed_abc","name":"n","status":"healthy","last_sync":"2030-01-02T03:04:05Z","last_sync_duration_ms":1500,
		"secrets_synced":42,"connection":{"status":"connected","latency_ms":12.5}}`
	want := &federation.Status{
		ID: "fed_abc", Name: "n", State: federation.StateHealthy, LastSync: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
		LastSyncDuration: 1500 * time.Millisecond, SecretsSynced: 42,
		Connection: federation.Connection{State: federation.StateConnected, Latency: 12500 * time.Microsecond},
	}
	for _, body := range []string{documented, `{"status":` + documented + `}`, `{"data":` + documented + `}`} {
		got, err := newClient(t, newScript().on(status, ok(body))).Status(t.Context(), "fed_abc")
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.True(t, got.Healthy())
	}
}

func TestStatusSurvivesWhatIsNotDocumented(t *testing.T) {
	t.Parallel()
	s := newScript().on(status, ok(`{"status":"degraded","last_sync":null,"secrets_synced":"many","last_sync_duration_ms":-1,
		"connection":{"status":"refused","latency_ms":null,"error":"password hunter2 refused"},"error":{"message":"hunter2"},"lag":3}`))
	got, err := newClient(t, s).Status(t.Context(), "fed_abc")
	require.NoError(t, err)
	assert.Equal(t, "fed_abc", got.ID)
	assert.Equal(t, federation.State("degraded"), got.State)
	assert.Equal(t, federation.State("refused"), got.Connection.State)
	assert.Equal(t, []string{"error"}, got.Connection.Extra.Names())
	assert.Equal(t, []string{"error", "lag", "last_sync_duration_ms", "secrets_synced"}, got.Extra.Names())
	assert.Equal(t, "status degraded, connection refused", got.String())
	assert.False(t, got.Healthy())
}

func TestHealthy(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"status":"healthy"}`:                                              true,
		`{"status":"HEALTHY"}`:                                              true,
		`{"state":"healthy"}`:                                               true,
		`{"connection":{"status":"connected"}}`:                             true,
		`{"connection":"connected"}`:                                        true,
		`{"status":"degraded","connection":{"status":"connected"}}`:         false,
		`{"status":"unhealthy"}`:                                            false,
		`{"connection":{"status":"disconnected"}}`:                          false,
		`{"status":"ok"}`:                                                   true,
		`{"status":"UP","connection":{}}`:                                   true,
		`{"status":"connected","connection":{"status":"ok"}}`:               true,
		`{"status":"online","connection":{"status":"disconnected"}}`:        false,
		`{"status":"ready","connection":{"status":"strange"}}`:              false,
		`{"status":"active","connection":{"status":"connected"}}`:           true,
		`{"status":"active","connection":{"status":"failed"}}`:              false,
		`{"status":"active"}`:                                               false,
		`{"status":"splendid","connection":{"status":"connected"}}`:         false,
		`{"connection":{"status":"ok"}}`:                                    true,
		`{"connection":{"status":"active"}}`:                                false,
		`{"status":7}`:                                                      false,
		`{"last_error":"x"}`:                                                false,
		`{"status":{"status":"healthy","connection":{"status":"strange"}}}`: true,
	} {
		got, err := newClient(t, newScript().on(status, ok(body))).Status(t.Context(), "fed_abc")
		require.NoError(t, err, body)
		assert.Equal(t, want, got.Healthy(), body)
	}
}

func TestStatusIsNeverEmpty(t *testing.T) {
	t.Parallel()
	for _, answer := range []reply{{status: 204}, ok(`{}`), ok(`[]`), ok(`null`), ok(`{"id":"fed_abc"}`)} {
		_, err := newClient(t, newScript().on(status, answer)).Status(t.Context(), "fed_abc")
		require.ErrorIs(t, err, scaivault.ErrUnavailable, answer.body)
	}
}
