// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSmallVaultLocksOutLikeTheRealOne mixes wrong logins and right ones on one role.
func TestSmallVaultLocksOutLikeTheRealOne(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	rapid.Check(t, func(rt *rapid.T) {
		path := "auth/" + w.newPath("approle")
		kept := newIssued(w)
		kept.ask(t, rt, step{do: "POST sys/" + path, body: `{"type":"approle"}`}, "", "")
		kept.ask(t, rt, step{do: "POST " + path + "/role/a", body: `{}`}, "", "")
		kept.ask(t, rt, step{do: "GET " + path + "/role/a/role-id"}, "data", "role_id")
		kept.ask(t, rt, step{do: "POST " + path + "/role/a/secret-id"}, "data", "secret_id")
		for range 12 {
			secret := rapid.SampledFrom([]string{"wrong", "wrong", "wrong", "wrong", "{{secret_id1}}"}).Draw(rt, "secret id")
			kept.ask(t, rt, step{as: nobody, do: "POST " + path + "/login", body: `{"role_id":"{{role_id0}}","secret_id":"` + secret + `"}`}, "", "")
		}
	})
}
