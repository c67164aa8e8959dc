// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A tokenRequest is what auth/token/create was asked for.
type tokenRequest struct {
	id, kind, displayName           string
	policies                        []string
	meta                            map[string]string
	ttl, explicitMax, period        time.Duration
	noDefault, orphan, notRenewable bool
	explicitGiven                   bool
	uses                            int
}

func (b *tokenBackend) create(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	sudo := c.token.acl().hasSudo(c.ns.path + c.path)
	asked, refusal := readTokenRequest(c)
	if refusal == nil && b.core.tokens.spent(c.token) {
		refusal = badRequest("parent token lookup failed: no parent found")
	}
	if refusal == nil {
		refusal = asked.check(c.token, sudo)
	}
	if refusal != nil {
		return nil, refusal
	}
	policies, refusal := asked.tokenPolicies(c.token, sudo)
	if refusal != nil {
		return nil, refusal
	}
	token := &vaultToken{
		id: asked.id, accessor: randomBase62(24), displayName: asked.displayName, path: c.path, policies: policies, meta: asked.meta,
		kind: asked.kind, ns: c.ns, orphan: asked.orphan, renewable: !asked.notRenewable && asked.kind != "batch", issued: time.Now(),
		explicitMax: asked.explicitMax, period: asked.period, numUses: asked.uses, uses: asked.uses,
	}
	if !token.orphan {
		token.entityID = c.token.entityID
	}
	warnings, refusal := token.settle(asked, c.token)
	if refusal != nil {
		return nil, refusal
	}
	switch id := asked.id; {
	case strings.HasPrefix(id, "hvs."):
		return nil, badRequest("custom token ID cannot have the 'hvs.' prefix")
	case strings.HasPrefix(id, "s."):
		return nil, badRequest("custom token ID cannot have the 's.' prefix")
	case strings.Contains(id, "."):
		return nil, badRequest("custom token ID cannot have a '.' in the value")
	case b.core.tokens.find(token.id) != nil:
		return nil, badRequest("cannot create a token with a duplicate ID")
	}
	b.core.tokens.adopt(c.token, token)
	for _, policy := range policies {
		if c.ns.policy(policy) == nil {
			warnings = append(warnings, fmt.Sprintf("Policy %q does not exist", policy))
		}
	}
	return &vaultAnswer{auth: token.auth(token.id, token.ttl), warnings: warnings}, nil
}

func readTokenRequest(c *vaultCall) (asked tokenRequest, refusal *vaultRefusal) {
	f := c.validatedFields()
	asked.id, asked.kind = f.text("id"), f.text("type")
	asked.policies, _ = f.list("policies", false)
	asked.meta = f.pairs("meta")
	asked.noDefault, _ = f.boolean("no_default_policy")
	asked.orphan, _ = f.boolean("no_parent")
	asked.explicitGiven = f.text("explicit_max_ttl") != ""
	asked.uses, _ = f.integer("num_uses")
	renewable, given := f.boolean("renewable")
	asked.notRenewable = given && !renewable
	asked.displayName = displayName(f.text("display_name"))
	for _, field := range []struct {
		name string
		into *time.Duration
	}{{"explicit_max_ttl", &asked.explicitMax}, {"period", &asked.period}, {"ttl", &asked.ttl}} {
		d, err := weakDuration(f.text(field.name))
		switch {
		case f.refusal != nil:
		case err != nil:
			return asked, badRequest("%s", err)
		case d < 0:
			return asked, badRequest("%s must be positive", field.name)
		}
		*field.into = d
	}
	return asked, f.refusal
}

func displayName(asked string) string {
	if asked == "" {
		return "token"
	}
	clean := strings.Map(func(r rune) rune {
		if r > 127 || !strings.ContainsRune(base62, r) {
			return '-'
		}
		return r
	}, asked)
	return strings.TrimSuffix("token-"+clean, "-")
}

// check refuses what the parent may not ask for.
func (r *tokenRequest) check(parent *vaultToken, sudo bool) *vaultRefusal {
	switch {
	case parent.kind == "batch":
		return invalid("batch tokens cannot create more tokens")
	case parent.numUses > 0:
		return badRequest("restricted use token cannot generate child tokens")
	}
	if refusal := r.checkKind(); refusal != nil {
		return refusal
	}
	switch {
	case r.uses < 0:
		return badRequest("number of uses cannot be negative")
	case r.id != "" && !sudo:
		return badRequest("root or sudo privileges required to specify token id")
	case r.orphan && !sudo:
		return badRequest("root or sudo privileges required to create orphan token")
	case r.period > 0 && !sudo:
		return badRequest("root or sudo privileges required to create periodic token")
	}
	return nil
}

// checkKind settles the kind of token, and what a batch token cannot have.
func (r *tokenRequest) checkKind() *vaultRefusal {
	switch r.kind {
	case "":
		r.kind = "service"
	case "service":
	case "batch":
		bad := ""
		switch { // of several, Vault looks at the first
		case r.explicitGiven && r.explicitMax != 0:
			bad = "explicit_max_ttl"
		case r.explicitGiven:
		case r.uses != 0:
			bad = "num_uses"
		case r.period != 0:
			bad = "period"
		}
		if bad != "" {
			return invalid("batch tokens cannot have %q set", bad)
		}
	default:
		return badRequest("invalid 'token_type' value")
	}
	return nil
}

// tokenPolicies works out what the new token may do: no more than its parent, unless that has sudo.
func (r *tokenRequest) tokenPolicies(parent *vaultToken, sudo bool) ([]string, *vaultRefusal) {
	policies := cleanPolicies(r.policies, false)
	switch {
	case len(r.policies) == 0:
		policies = slices.Clone(parent.policies)
	case sudo:
		policies = cleanPolicies(policies, !r.noDefault)
	default:
		for _, policy := range policies {
			if !slices.Contains(parent.policies, policy) {
				return nil, badRequest("child policies must be subset of parent")
			}
		}
		policies = cleanPolicies(policies, !r.noDefault && slices.Contains(parent.policies, "default"))
	}
	if r.noDefault {
		policies = slices.DeleteFunc(policies, func(p string) bool { return p == "default" })
	}
	if slices.Contains(policies, "root") {
		if !parent.isRoot() {
			return nil, badRequest("root tokens may not be created without parent token being root")
		}
		if r.kind == "batch" {
			return nil, invalid("batch tokens cannot be root tokens")
		}
	}
	return policies, nil
}

// cleanPolicies sorts, lowers and de-duplicates names; root stands alone.
func cleanPolicies(names []string, addDefault bool) []string {
	clean := []string{}
	for _, name := range names {
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case "":
		case "root":
			return []string{"root"}
		default:
			clean = append(clean, name)
		}
	}
	if addDefault {
		clean = append(clean, "default")
	}
	slices.Sort(clean)
	return slices.Compact(clean)
}

// settle gives the token its id and its time to live.
func (t *vaultToken) settle(asked tokenRequest, parent *vaultToken) (warnings []string, refusal *vaultRefusal) {
	if t.path == "auth/token/create-orphan" {
		t.orphan, t.entityID = true, ""
	}
	if asked.id != "" {
		warnings = append(warnings, "Supplying a custom ID for the token uses the weaker SHA1 hashing instead of the more secure SHA2-256 HMAC "+
			"for token obfuscation. SHA1 hashed tokens on the wire leads to less secure lookups.")
	} else {
		t.id = "hvs." + randomBase62(90)
	}
	if t.kind == "batch" {
		t.id, t.accessor = "hvb."+randomBase62(120), ""
	}
	if asked.ttl > 0 || asked.period > 0 || !t.isRoot() {
		limits := tokenLimits{ttl: asked.ttl, explicitMax: asked.explicitMax, period: asked.period}
		ttl, more, err := leaseTime(t.issued, 0, limits, defaultLease, maxLease)
		if err != nil {
			return nil, &vaultRefusal{status: http.StatusInternalServerError, cause: err.Error()}
		}
		t.ttl, warnings = ttl, append(more, warnings...)
	} else {
		t.ttl = asked.explicitMax
	}
	if t.ttl == 0 {
		if parent.ttl != 0 {
			return nil, badRequest("expiring root tokens cannot create non-expiring root tokens")
		}
		t.renewable = false
		return warnings, nil
	}
	t.expires = t.issued.Add(t.ttl)
	return warnings, nil
}
