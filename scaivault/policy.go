// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Permission is what a policy's rule allows. The vocabulary is open.
type Permission string

// The permissions that ScaiVault documents.
const (
	PermissionRead   Permission = "read"
	PermissionWrite  Permission = "write"
	PermissionDelete Permission = "delete"
	PermissionList   Permission = "list"
	PermissionRotate Permission = "rotate"
	PermissionAdmin  Permission = "admin" // all of them
)

// A Policy allows identities to use secrets. What no rule of any bound policy
// allows is denied.
//
// A Policy that was read and is given to [Client.UpdatePolicy] keeps what this
// version does not know, in the fields named Other.
type Policy struct {
	// ID is given by the service.
	ID string
	// Name and Description are for people. Name is required.
	Name, Description string
	// Scope is "tenant" or "partner". If empty, the service's default, which
	// is "tenant".
	Scope string
	// Rules are what it allows. At least one is required. A listing does not
	// tell them.
	Rules []PolicyRule
	// Bindings are whom it is bound to. A listing does not tell them, and a
	// write does not change them.
	Bindings []PolicyBinding
	// RuleCount and BindingCount are told by a listing, and counted from Rules
	// and Bindings otherwise.
	RuleCount, BindingCount int
	// Inactive says that the policy allows nothing at present.
	Inactive bool
	// CreatedAt and UpdatedAt are zero where the service does not tell.
	CreatedAt, UpdatedAt time.Time
	// Other are fields that this version does not know. May be nil.
	Other map[string]json.RawMessage
}

// A PolicyRule allows what it names, on the paths that match.
type PolicyRule struct {
	// PathPattern is a glob of paths, such as "environments/production/**".
	PathPattern string
	// Permissions are allowed. At least one is required.
	Permissions []Permission
	// Conditions must all hold. If nil, there are none.
	Conditions *PolicyConditions
	// Other are fields that this version does not know. May be nil.
	Other map[string]json.RawMessage
}

// PolicyConditions narrow a rule down.
type PolicyConditions struct {
	// IPRanges are the networks that requests may come from, such as
	// "10.0.0.0/8". If nil, any. An empty list that is not nil is sent as such.
	IPRanges []string
	// RequireMFA asks for a fresh second factor.
	RequireMFA bool
	// Other are conditions that this version does not know, such as a window
	// of time, and those of a form that it does not know. May be nil.
	Other map[string]json.RawMessage
}

// The fields of a policy that a write may send, by their documented names.
const (
	policyName        = "name"
	policyDescription = "description"
	policyScope       = "scope"
	policyRules       = "rules"
	policyActive      = "is_active"
)

// policyOwn are fields of a policy that the service makes, so that they are not
// sent back.
var policyOwn = []string{
	"id", "bindings", "rule_count", "binding_count", "created_at", "updated_at",
	"created_by", "updated_by", "tenant_id", "partner_id",
}

type wirePolicy struct {
	ID           lenient[string]   `json:"id"`
	Name         string            `json:"name"`
	Description  lenient[string]   `json:"description"`
	Scope        lenient[string]   `json:"scope"`
	Rules        []PolicyRule      `json:"rules"`
	Bindings     []json.RawMessage `json:"bindings"`
	RuleCount    wireInt           `json:"rule_count"`
	BindingCount wireInt           `json:"binding_count"`
	Active       *bool             `json:"is_active"`
	CreatedAt    wireTime          `json:"created_at"`
	UpdatedAt    wireTime          `json:"updated_at"`
}

// parsePolicy reads a policy, alone or under its own name. It is strict about
// what is allowed: a rule that is read wrongly would be written wrongly.
func parsePolicy(raw json.RawMessage) (*Policy, bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return nil, false
	}
	if inner, ok := fields["policy"]; ok && fields["id"] == nil {
		raw, fields = inner, nil
		if json.Unmarshal(raw, &fields) != nil {
			return nil, false
		}
	}
	var w wirePolicy
	if json.Unmarshal(raw, &w) != nil || w.ID.value == "" {
		return nil, false
	}
	p := &Policy{
		ID: w.ID.value, Name: w.Name, Description: w.Description.value, Scope: w.Scope.value, Rules: w.Rules,
		RuleCount: max(int(w.RuleCount), len(w.Rules)), BindingCount: max(int(w.BindingCount), len(w.Bindings)),
		Inactive: w.Active != nil && !*w.Active, CreatedAt: w.CreatedAt.Time, UpdatedAt: w.UpdatedAt.Time,
	}
	for _, raw := range w.Bindings {
		b, ok := parseBinding(raw)
		if !ok {
			return nil, false
		}
		p.Bindings = append(p.Bindings, *b)
	}
	known := append([]string{policyName, policyDescription, policyScope, policyRules, policyActive}, policyOwn...)
	p.Other = without(fields, known...)
	return p, true
}

// without returns the fields that are not known, or nil where there are none.
func without(fields map[string]json.RawMessage, known ...string) map[string]json.RawMessage {
	maps.DeleteFunc(fields, func(name string, _ json.RawMessage) bool { return slices.Contains(known, name) })
	if len(fields) == 0 {
		return nil
	}
	return fields
}

// body returns what a write sends.
func (p *Policy) body() map[string]any {
	all := map[string]any{}
	for name, raw := range p.Other {
		all[name] = raw
	}
	all[policyName], all[policyRules] = p.Name, p.Rules
	if p.Description != "" {
		all[policyDescription] = p.Description
	}
	if p.Scope != "" {
		all[policyScope] = p.Scope
	}
	if p.Inactive {
		all[policyActive] = false // a replacement must not wake it
	}
	return all
}

// wrong says what of a policy can't be sent, or "".
func (p *Policy) wrong() string {
	if strings.TrimSpace(p.Name) == "" {
		return "Policy.Name is empty"
	}
	if len(p.Rules) == 0 {
		return "Policy.Rules is empty; a listing does not tell them, GetPolicy does"
	}
	for i, r := range p.Rules {
		switch {
		case r.PathPattern == "":
			return fmt.Sprintf("Policy.Rules[%d].PathPattern is empty", i)
		case strings.HasPrefix(r.PathPattern, "/"):
			return fmt.Sprintf("Policy.Rules[%d].PathPattern: a pattern has no leading slash; remove it", i)
		case len(r.Permissions) == 0:
			return fmt.Sprintf("Policy.Rules[%d].Permissions is empty", i)
		}
	}
	for name := range p.Other {
		if slices.Contains(policyOwn, name) {
			return fmt.Sprintf("Policy.Other: the service makes %q itself", name)
		}
	}
	return ""
}

// MarshalJSON writes a rule as the service has it, with what this version does
// not know.
func (r PolicyRule) MarshalJSON() ([]byte, error) {
	all := map[string]any{}
	for name, raw := range r.Other {
		all[name] = raw
	}
	all["path_pattern"], all["permissions"] = r.PathPattern, r.Permissions
	if r.Conditions != nil {
		all["conditions"] = r.Conditions
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads a rule. Conditions of a form that it does not know go to
// Other, so that a write does not lose them.
func (r *PolicyRule) UnmarshalJSON(b []byte) error {
	// Fields are taken by their exact names, as Other has those in other letters.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	*r = PolicyRule{}
	for name, into := range map[string]any{"path_pattern": &r.PathPattern, "permissions": &r.Permissions} {
		if raw, ok := fields[name]; ok {
			if err := json.Unmarshal(raw, into); err != nil {
				return err
			}
		}
	}
	conditions := fields["conditions"]
	known := []string{"path_pattern", "permissions"}
	switch {
	case string(conditions) == "null":
		known = append(known, "conditions")
	case bytes.HasPrefix(conditions, []byte("{")):
		known = append(known, "conditions")
		r.Conditions = &PolicyConditions{}
		if err := json.Unmarshal(conditions, r.Conditions); err != nil {
			return err
		}
	}
	r.Other = without(fields, known...)
	return nil
}

// MarshalJSON writes conditions as the service has them, with those that this
// version does not know.
func (c PolicyConditions) MarshalJSON() ([]byte, error) {
	all := map[string]any{}
	for name, raw := range c.Other {
		all[name] = raw
	}
	if c.IPRanges != nil {
		all["ip_ranges"] = c.IPRanges
	}
	if c.RequireMFA {
		all["require_mfa"] = true
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads conditions. What it can't read goes to Other.
func (c *PolicyConditions) UnmarshalJSON(b []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	*c = PolicyConditions{}
	var ranges []string
	if json.Unmarshal(fields["ip_ranges"], &ranges) == nil {
		c.IPRanges = ranges
		delete(fields, "ip_ranges")
	}
	var mfa bool
	if json.Unmarshal(fields["require_mfa"], &mfa) == nil {
		c.RequireMFA = mfa
		delete(fields, "require_mfa")
	}
	c.Other = without(fields)
	return nil
}
