// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"strings"
	"time"
)

// A vaultGrant is what an auth method found out about who logs in, and what it gives.
type vaultGrant struct {
	mount       *vaultMount
	displayName string // added to the name of the mount; may be empty
	policies    []string
	noDefault   bool
	meta        map[string]string
	entity      string
	newEntity   bool
	kind        string // "batch", or anything else for a service token
	limits      tokenLimits
	uses        int
	renewal     func() (tokenLimits, error) // what the method allows when the token is renewed
}

// issue makes the token of a login.
func (v *vaultCore) issue(c *vaultCall, g vaultGrant) (*vaultAnswer, *vaultRefusal) {
	policies := cleanPolicies(g.policies, !g.noDefault)
	if len(policies) == 1 && policies[0] == "root" {
		return nil, badRequest("auth methods cannot create root tokens")
	}
	now := time.Now()
	ttl, warnings, err := leaseTime(now, 0, g.limits, g.mount.lease(), g.mount.longestLease())
	if err != nil {
		return nil, &vaultRefusal{status: http.StatusInternalServerError, cause: err.Error()}
	}
	name := strings.ReplaceAll(strings.TrimSuffix(g.mount.path, "/"), "/", "-")
	if g.displayName != "" {
		name += "-" + g.displayName
	}
	token := &vaultToken{
		id: "hvs." + randomBase62(90), accessor: randomBase62(24), path: c.path, policies: policies, meta: g.meta, kind: "service",
		displayName: name, ns: c.ns, entityID: g.entity, orphan: true, renewable: true, issued: now, ttl: ttl,
		explicitMax: g.limits.explicitMax, period: g.limits.period, lease: g.mount.lease(), maxLease: g.mount.longestLease(),
		numUses: g.uses, uses: g.uses, expires: now.Add(ttl), limits: g.renewal,
	}
	if g.kind == "batch" {
		token.kind, token.id, token.accessor, token.renewable = "batch", "hvb."+randomBase62(120), "", false
	}
	v.tokens.add(token)
	c.issued = token.auth(token.id, ttl)
	c.issued.created = g.newEntity
	return &vaultAnswer{auth: c.issued, warnings: warnings}, nil
}
