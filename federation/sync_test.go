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

func TestSyncTakesEveryAnswer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		answer reply
		want   federation.SyncResult
	}{
		{"204", reply{status: 204}, federation.SyncResult{}},
		{"202 with nothing", reply{status: 202}, federation.SyncResult{}},
		{"202 with a job", reply{status: 202, body: `{"job_id":"job_1","status":"running"}`}, federation.SyncResult{JobID: "job_1", State: "running"}},
		{"202 with an id", reply{status: 202, body: `{"id":"sync_1","state":"queued"}`}, federation.SyncResult{JobID: "sync_1", State: "queued"}},
		{"200 with counts", ok(`{"status":"completed","secrets_synced":7,"duration_ms":250}`), federation.SyncResult{State: "completed", SecretsSynced: 7, Duration: 250 * time.Millisecond}},
		{"200 about the backend", ok(`{"id":"fed_abc","status":"syncing"}`), federation.SyncResult{State: "syncing"}},
		{"within data", ok(`{"data":{"sync_id":"s","synced":3}}`), federation.SyncResult{JobID: "s", SecretsSynced: 3}},
		{"a list", ok(`[1]`), federation.SyncResult{}},
		{"null", ok(`null`), federation.SyncResult{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newScript().on(resync, tc.answer)
			got, err := newClient(t, s).Sync(t.Context(), "fed_abc")
			require.NoError(t, err)
			assert.Equal(t, &tc.want, got)
			assert.Len(t, s.seen(), 1)
		})
	}
}

func TestSyncKeepsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	s := newScript().on(resync, ok(`{"status":"completed","failed":["a/b"]}`))
	got, err := newClient(t, s).Sync(t.Context(), "fed_abc")
	require.NoError(t, err)
	assert.JSONEq(t, `{"failed":["a/b"]}`, string(got.Extra.JSON()))
}

func TestSyncErrors(t *testing.T) {
	t.Parallel()
	for want, answer := range map[error]reply{
		scaivault.ErrConflict:   failure(409, "sync_in_progress"),
		scaivault.ErrNotFound:   failure(404, "backend_not_found"),
		scaivault.ErrUncertain:  {status: 504, body: "timed out"},
		scaivault.ErrInvalid:    failure(400, "invalid_request"),
		scaivault.ErrPermission: failure(403, "insufficient_scope"),
	} {
		s := newScript().on(resync, answer)
		_, err := newClient(t, s).Sync(t.Context(), "fed_abc")
		require.ErrorIs(t, err, want)
		assert.Len(t, s.seen(), 1)
	}
}
