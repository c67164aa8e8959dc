// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// permissions is the documented vocabulary; admin stands for all the others.
var permissions = [...]string{"read", "write", "delete", "list", "rotate", "admin"}

// The scopes of policies.
const (
	policyOfTenant  = "tenant"
	policyOfPartner = "partner"
)

// A policy never changes; a new one takes its place, with the same id and bindings.
// Policies are kept and tested, and are not enforced: Deny is what refuses.
type policy struct {
	number      int // in the order of creation
	id          string
	Name        string
	Description string
	Scope       string
	Rules       []grantRule
	Active      bool
	created     time.Time
	updated     time.Time
}

// A grantRule allows permissions on the paths that match.
type grantRule struct {
	PathPattern string                     `json:"path_pattern"`
	Permissions []string                   `json:"permissions"`
	Conditions  map[string]json.RawMessage `json:"conditions,omitempty"`
}

// A policyBody is the body of a POST, a PUT or a PATCH. What is nil was left out.
type policyBody struct {
	Name        *string      `json:"name"`
	Description *string      `json:"description"`
	Scope       *string      `json:"scope"`
	Rules       *[]grantRule `json:"rules"`
	Active      *bool        `json:"is_active"`
}

// merged returns the policy with the body's members put over its own.
func (p policy) merged(body *policyBody) *policy {
	set(&p.Name, body.Name)
	set(&p.Description, body.Description)
	set(&p.Scope, body.Scope)
	set(&p.Rules, body.Rules)
	set(&p.Active, body.Active)
	p.updated = time.Now()
	return &p
}

// set takes over a value that was given.
func set[T any](field, given *T) {
	if given != nil {
		*field = *given
	}
}

func invalidPolicy(format string, args ...any) *refusal {
	return refuse(http.StatusBadRequest, "invalid_policy", format, args...)
}

// check refuses what no policy can be.
func (p *policy) check() *refusal {
	switch {
	case strings.TrimSpace(p.Name) == "":
		return wrongField("name", "is required")
	case p.Scope != policyOfTenant && p.Scope != policyOfPartner:
		return wrongField("scope", "must be tenant or partner")
	case len(p.Rules) == 0:
		return invalidPolicy("rules: at least one is required")
	}
	for i := range p.Rules {
		if refusal := p.Rules[i].check(); refusal != nil {
			return refusal.with("rule", i)
		}
	}
	return nil
}

func (r *grantRule) check() *refusal {
	if refusal := checkGlob(r.PathPattern); refusal != nil {
		return refusal
	}
	if len(r.Permissions) == 0 {
		return invalidPolicy("permissions: at least one is required")
	}
	for _, permission := range r.Permissions {
		if !slices.Contains(permissions[:], permission) {
			return invalidPolicy("permissions must be of %s", strings.Join(permissions[:], ", "))
		}
	}
	if raw, ok := r.Conditions["ip_ranges"]; ok {
		var ranges []netip.Prefix
		if json.Unmarshal(raw, &ranges) != nil {
			return invalidPolicy("ip_ranges must be a list of CIDR ranges")
		}
	}
	if raw, ok := r.Conditions["require_mfa"]; ok {
		var required bool
		if json.Unmarshal(raw, &required) != nil {
			return invalidPolicy("require_mfa must be true or false")
		}
	}
	return nil
}

// allows reports whether the rule gives a permission on a path, its conditions apart.
func (r *grantRule) allows(path, permission string) bool {
	return (slices.Contains(r.Permissions, permission) || slices.Contains(r.Permissions, "admin")) &&
		parseGlob(r.PathPattern).match(path)
}

// checkGlob refuses what is not a documented pattern on paths.
func checkGlob(pattern string) *refusal {
	invalid := func(why string) *refusal {
		return refuse(http.StatusBadRequest, "invalid_glob", "invalid pattern: %s", why)
	}
	if pattern == "" {
		return invalid("it is empty")
	}
	if len(pattern) > maxPathLength {
		return invalid("more than 512 characters")
	}
	for segment := range strings.SplitSeq(pattern, "/") {
		switch {
		case segment == "":
			return invalid("a slash at its end, or an empty segment")
		case segment != "**" && strings.Contains(segment, "**"):
			return invalid("** must be a whole segment")
		}
	}
	for i := range len(pattern) {
		if c := pattern[i]; !pathCharacter(c) && c != '*' && c != '?' {
			return invalid("only a-z, 0-9, -, _, /, * and ? are allowed")
		}
	}
	return nil
}

// item is what the list tells of the policy.
func (p *policy) item(bindings int) map[string]any {
	return map[string]any{
		"id": p.id, "name": p.Name, "scope": p.Scope, "rule_count": len(p.Rules), "binding_count": bindings,
		"is_active": p.Active, "created_at": timestamp(p.created), "updated_at": timestamp(p.updated),
	}
}

// body is the whole policy.
func (p *policy) body(bindings []policyBinding) map[string]any {
	return map[string]any{
		"id": p.id, "name": p.Name, "description": p.Description, "scope": p.Scope, "is_active": p.Active,
		"rules": p.Rules, "bindings": append([]policyBinding{}, bindings...),
		"created_at": timestamp(p.created), "updated_at": timestamp(p.updated),
	}
}

// A policyBinding gives a policy to an identity.
type policyBinding struct {
	ID           string  `json:"id"`
	IdentityType string  `json:"identity_type"`
	IdentityID   string  `json:"identity_id"`
	ExpiresAt    *string `json:"expires_at"`
	CreatedAt    *string `json:"created_at"`

	expires time.Time // zero: never
}

// binds reports whether the binding is the identity's, and has not expired.
func (b *policyBinding) binds(identityID string, now time.Time) bool {
	return b.IdentityID == identityID && (b.expires.IsZero() || now.Before(b.expires))
}

func byNumber(a, b *policy) int { return cmp.Compare(a.number, b.number) }
