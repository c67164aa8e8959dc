// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// A SyncResult is what the service says of a sync that it was asked for. What it does
// not tell is zero, and it may tell nothing.
type SyncResult struct {
	// JobID is the service's name for the sync, where it goes on by itself.
	JobID string
	// State is the service's word for how far it is.
	State State
	// SecretsSynced is how many secrets were copied.
	SecretsSynced int64
	// Duration is how long that took.
	Duration time.Duration
	// Extra holds the fields that this version does not know, as one object.
	Extra Opaque
}

// Sync asks the service to copy the secrets of a backend in [ModeSync] now. Whether it
// returns before that is done is up to the service; LastSync of [Client.Status] tells.
// After an error that matches scaivault.ErrUncertain it may be asked for again.
//
// While a sync of the backend runs, the service may refuse another one, which is an
// error that matches scaivault.ErrConflict, take the running one for the answer, or let
// one follow. Only the last copies for certain what was written just before.
func (c *Client) Sync(ctx context.Context, id string) (*SyncResult, error) {
	op := "sync federation backend " + printable(id)
	if err := checkID(op, id); err != nil {
		return nil, err
	}
	raw, err := c.call(ctx, op, http.MethodPost, apiSync(id), nil)
	if err != nil {
		return nil, err
	}
	return parseSync(raw, id), nil
}

// parseSync never fails: the service took the order, whatever it says about it.
func parseSync(raw json.RawMessage, id string) *SyncResult {
	r := &SyncResult{}
	f, ok := parseFields(unwrap(raw, keyStatus, "sync", "data", "job"))
	if !ok {
		return r
	}
	var about string
	if take(f, keyID, &about); about != id {
		r.JobID = about
	}
	takeText(f, &r.JobID, "job_id", "sync_id")
	takeText(f, &r.State, keyStatus, "state")
	if !take(f, "secrets_synced", &r.SecretsSynced) {
		take(f, "synced", &r.SecretsSynced)
	}
	takeMilliseconds(f, "duration_ms", &r.Duration)
	r.Extra = f.rest()
	return r
}
