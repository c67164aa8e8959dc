// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"encoding/json"
	"testing"

	"github.com/scailabs/scaivault-go/federation"
)

// FuzzAnswers gives any body to every call. Nothing may panic, a value comes only
// without an error, and what was read can be sent back.
func FuzzAnswers(f *testing.F) {
	f.Add(vaultBackendJSON)
	f.Add(`{"backends":[` + vaultBackendJSON + `]}`)
	f.Fuzz(func(t *testing.T, body string) {
		s := newScript()
		for _, on := range []string{list, create, get, patch, remove, status, resync, clash} {
			s.on(on, ok(body))
		}
		c := newClient(t, s)
		ctx := t.Context()
		if b, err := c.Get(ctx, "fed_abc"); err == nil {
			if b.ID == "" {
				t.Fatal("a backend without an id")
			}
			if b.Config != nil {
				_, err = c.Update(ctx, "fed_abc", federation.Update{Config: b.Config})
				_ = err // what the service told may be refused here
			}
			if extra := b.Extra.JSON(); extra != nil && !json.Valid(extra) {
				t.Fatal("what was kept is no JSON")
			}
		} else if b != nil {
			t.Fatal("a backend beside an error")
		}
		if all, err := c.List(ctx); (err == nil) != (all != nil) {
			t.Fatal("a list and an error, or neither")
		}
		if st, err := c.Status(ctx, "fed_abc"); err == nil && st.LastSyncDuration < 0 {
			t.Fatal("a negative duration")
		}
		if r, err := c.Sync(ctx, "fed_abc"); err == nil && r == nil {
			t.Fatal("nothing without an error")
		}
		if b, err := c.Create(ctx, newVaultBackend()); err == nil && (b.ID == "" || b.Config == nil || b.Mode == "") {
			t.Fatal("a backend that lacks what was sent")
		}
		for conflict, err := range c.Conflicts(ctx, "fed_abc") {
			_ = conflict.Extra.String()
			_ = err
		}
	})
}
