// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

// PromoteOptions are the optional parts of [Client.Promote]. A nil pointer means the
// zero value.
type PromoteOptions struct {
	// SyncInterval is how often ScaiVault copies from the backend. If zero, 1 hour.
	SyncInterval time.Duration
}

func (o *PromoteOptions) syncInterval() time.Duration {
	if o == nil || o.SyncInterval == 0 {
		return time.Hour
	}
	return o.SyncInterval
}

// Promote makes ScaiVault the authority for the paths of a backend and the backend its
// source of copies: mode sync, with [LocalWins], in one change. It can be repeated.
// Compare the two sides first; afterwards what ScaiVault holds counts where they differ.
//
// If the service took the change and shows another mode or resolution all the same,
// the error matches [scaivault.ErrConflict], and the authority has not moved.
func (c *Client) Promote(ctx context.Context, id string, opts *PromoteOptions) (*Backend, error) {
	b, err := c.Update(ctx, id, Update{Mode: ModeSync, SyncInterval: opts.syncInterval(), ConflictResolution: LocalWins})
	if err != nil {
		return nil, err
	}
	if b.Mode != ModeSync || b.ConflictResolution != LocalWins {
		return nil, &scaivault.Error{
			Kind: scaivault.ErrConflict, Op: "promote federation backend " + printable(id), Source: source,
			Reason: "the service shows mode " + word(State(b.Mode)) + " and conflict resolution " + word(State(b.ConflictResolution)) + " after the change",
		}
	}
	return b, nil
}
