// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// A capability is one bit of what a policy allows.
type capability uint16

const (
	capDeny capability = 1 << iota
	capCreate
	capRead
	capUpdate
	capDelete
	capList
	capSudo
	capPatch
	capSubscribe
	capRecover
)

// capabilityOf returns zero for a word that is no capability.
func capabilityOf(word string) capability {
	switch word {
	case "deny":
		return capDeny
	case opCreate:
		return capCreate
	case opRead:
		return capRead
	case opUpdate:
		return capUpdate
	case opDelete:
		return capDelete
	case opList:
		return capList
	case "sudo":
		return capSudo
	case opPatch:
		return capPatch
	case "subscribe":
		return capSubscribe
	case "recover":
		return capRecover
	}
	return 0
}

// A vaultPolicy is a policy as it was written, and what it means.
type vaultPolicy struct {
	name  string
	text  string
	rules []policyRule
}

// A policyRule is one path of a policy.
type policyRule struct {
	path     string // relative to the policy's namespace
	prefix   bool   // it stands for everything that begins with path
	segments bool   // it has a + for a whole segment; a * at its end still stands in path
	allowed  capability
}

// parsePolicy reads HCL or JSON. What this Vault would not obey it refuses rather than ignores.
func parsePolicy(name, text string) (*vaultPolicy, error) {
	items, err := parseHCL(text)
	if err != nil {
		return nil, fmt.Errorf("failed to parse policy: %w", err)
	}
	if err := checkKeys(items, "name", "path"); err != nil {
		return nil, fmt.Errorf("failed to parse policy: %w", err)
	}
	policy := &vaultPolicy{name: name, text: text}
	for _, item := range items {
		if item.keys[0] != "path" {
			continue
		}
		rule, err := parseRule(item)
		if err != nil {
			return nil, fmt.Errorf("failed to parse policy: %w", err)
		}
		policy.rules = append(policy.rules, rule)
	}
	return policy, nil
}

// checkKeys finds keys that have no business there.
func checkKeys(items []hclItem, valid ...string) error {
	var problems []string
	for _, item := range items {
		if !slices.Contains(valid, item.keys[0]) {
			problems = append(problems, fmt.Sprintf("invalid key %q on line %d", item.keys[0], item.assigned))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%s", listErrors(problems...))
	}
	return nil
}

func parseRule(item hclItem) (policyRule, error) {
	path := "path"
	if len(item.keys) > 1 {
		path = item.keys[1]
	}
	fail := func(format string, args ...any) (policyRule, error) {
		return policyRule{}, fmt.Errorf("path %q: %s", path, fmt.Sprintf(format, args...))
	}
	if !item.value.isObject {
		return fail("cannot check HCL keys of type *ast.LiteralType")
	}
	for _, entry := range item.value.items {
		switch key := entry.keys[0]; key {
		case "comment", "policy", "capabilities":
		case "allowed_parameters", "denied_parameters", "required_parameters", "min_wrapping_ttl", "max_wrapping_ttl", "mfa_methods",
			"control_group", "subscribe_event_types":
			return fail("%s is not obeyed by this in-memory Vault: leave it out, or test against a real one", key)
		default:
			return policyRule{}, fmt.Errorf("%s", listErrors(fmt.Sprintf("path %q: invalid key %q on line %d", path, key, entry.assigned)))
		}
	}
	if strings.Contains(path, "{{") {
		return fail("templates are not filled in by this in-memory Vault: name the path, or test against a real one")
	}
	rule, err := rulePath(path)
	if err != nil {
		return rule, err
	}
	words, problem := ruleWords(item.value.items)
	if problem != "" {
		return fail("%s", problem)
	}
	for _, word := range words {
		allowed := capabilityOf(word)
		if allowed == 0 {
			return fail("invalid capability %q", word)
		}
		rule.allowed |= allowed
		if allowed == capDeny {
			rule.allowed = capDeny
			break
		}
	}
	return rule, nil
}

func rulePath(path string) (policyRule, error) {
	path = strings.TrimPrefix(path, "/")
	rule := policyRule{path: path}
	if strings.Contains(path, "+*") {
		return rule, fmt.Errorf("path %q: invalid use of wildcards ('+*' is forbidden)", path)
	}
	if path == "+" || strings.Contains(path, "/+") || strings.HasPrefix(path, "+/") {
		rule.segments = true
	} else {
		rule.path, rule.prefix = strings.CutSuffix(path, "*")
	}
	return rule, nil
}

// ruleWords collects the capabilities, also in the old form of one word for several.
func ruleWords(entries []hclItem) (words []string, problem string) {
	for _, entry := range entries {
		value := entry.value
		switch entry.keys[0] {
		case "policy":
			old := map[string]string{
				"deny": "deny", "read": "read list", "write": "create read update delete list",
				"sudo": "create read update delete list sudo",
			}[value.text]
			if old == "" {
				return nil, fmt.Sprintf("invalid policy %q", value.text)
			}
			words = append(words, strings.Fields(old)...)
		case "capabilities":
			if !value.isList {
				return nil, fmt.Sprintf("At %d:%d: unknown slice type: *ast.LiteralType", value.line, value.column)
			}
			for _, element := range value.list {
				if !element.literal {
					return nil, fmt.Sprintf("At %d:%d: a capability is a string", element.line, element.column)
				}
				words = append(words, element.text)
			}
		}
	}
	return words, ""
}

// policyText undoes the base64 in which some clients send policies.
func policyText(sent string) string {
	if decoded, err := base64.StdEncoding.DecodeString(sent); err == nil {
		return string(decoded)
	}
	return sent
}

// defaultPolicy is what every token has unless it was asked not to.
func defaultPolicy() *vaultPolicy {
	const text = `# What every token may do: know, keep and end itself.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self" { capabilities = ["update"] }
path "sys/internal/ui/resultant-acl" { capabilities = ["read"] }
path "sys/renew" { capabilities = ["update"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/lookup" { capabilities = ["update"] }
path "cubbyhole/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "sys/wrapping/wrap" { capabilities = ["update"] }
path "sys/wrapping/lookup" { capabilities = ["update"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }
path "sys/tools/hash" { capabilities = ["update"] }
path "sys/tools/hash/*" { capabilities = ["update"] }
path "sys/control-group/request" { capabilities = ["update"] }
path "identity/oidc/provider/+/authorize" { capabilities = ["read", "update"] }
`
	policy, err := parsePolicy("default", text)
	if err != nil {
		return &vaultPolicy{name: "default", text: text} // a test holds that this does not happen
	}
	return policy
}

func (ns *vaultNamespace) policy(name string) *vaultPolicy {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	return ns.policies[name]
}
