// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A route translates the names of one run: from the side that is read to the
// other side, for one Vault.
type route struct {
	mapping *scaivault.Mapping
	// prefix stands before every Vault path in mapping, so that the rules of
	// several Vaults, whose paths can be alike, are told apart.
	prefix string
	from   scaivault.Side
	rules  []scaivault.Rule    // of this Vault and not proxied, in their order
	exact  map[string]struct{} // names on the from side that a rule gives exactly
}

// lists tells whether some rule is about all that a listing holds.
func (r *route) lists() bool {
	return slices.ContainsFunc(r.rules, func(rule scaivault.Rule) bool {
		_, tail := splitPattern(r.near(rule))
		return tail
	})
}

func newRoute(op string, m *scaivault.Mapping, cluster string, from scaivault.Side) (*route, error) {
	r := &route{mapping: m, from: from, exact: map[string]struct{}{}}
	all := m.Rules()
	clusters := clustersOf(all)
	for _, rule := range all {
		if rule.Cluster != cluster || rule.Proxied {
			continue
		}
		r.rules = append(r.rules, rule)
		if name, tail := splitPattern(r.near(rule)); !tail {
			r.exact[name] = struct{}{}
		}
	}
	if len(r.rules) == 0 {
		return nil, invalid(op, noRuleReason(cluster, clusters))
	}
	if len(clusters) < 2 {
		return r, nil
	}
	r.prefix = clusterPrefix(clusters, cluster)
	for i, rule := range all {
		all[i].Vault = clusterPrefix(clusters, rule.Cluster) + rule.Vault
		all[i].Cluster = ""
	}
	var err error
	if r.mapping, err = scaivault.NewMapping(all...); err != nil {
		return nil, fmt.Errorf("%s: tell the Vaults of the mapping apart: %w", op, err)
	}
	return r, nil
}

func noRuleReason(cluster string, clusters []string) string {
	if slices.Contains(clusters, cluster) {
		return "all rules of the mapping are proxied, so there is nothing to move"
	}
	if cluster == "" {
		return fmt.Sprintf("the mapping is about several Vaults; set Cluster to one of %q", clusters)
	}
	return fmt.Sprintf("no rule of the mapping is about the cluster %q; there is %q", cluster, clusters)
}

func clustersOf(rules []scaivault.Rule) []string {
	var names []string
	for _, rule := range rules {
		if !slices.Contains(names, rule.Cluster) {
			names = append(names, rule.Cluster)
		}
	}
	return names
}

func clusterPrefix(clusters []string, name string) string {
	return fmt.Sprintf("c%d/", slices.Index(clusters, name))
}

// near is a rule's pattern on the side that is read.
func (r *route) near(rule scaivault.Rule) string {
	if r.from == scaivault.SideVault {
		return rule.Vault
	}
	return rule.ScaiVault
}

// far is a rule's pattern on the other side.
func (r *route) far(rule scaivault.Rule) string {
	if r.from == scaivault.SideVault {
		return rule.ScaiVault
	}
	return rule.Vault
}

// there translates a name of the side that is read.
func (r *route) there(path string) (string, bool) {
	if r.from == scaivault.SideVault {
		return r.toScaiVault(path)
	}
	return r.toVault(path)
}

// back translates a name of the other side.
func (r *route) back(path string) (string, bool) {
	if r.from == scaivault.SideVault {
		return r.toVault(path)
	}
	return r.toScaiVault(path)
}

func (r *route) toScaiVault(path string) (string, bool) {
	return r.mapping.ToScaiVault(r.prefix + path)
}

func (r *route) toVault(path string) (string, bool) {
	found, ok := r.mapping.ToVault(path)
	if !ok {
		return "", false
	}
	// Proxied rules answer only in this direction: there is no copy.
	if again, ok := r.mapping.ToScaiVault(found); !ok || again != path {
		return "", false
	}
	return strings.CutPrefix(found, r.prefix)
}

// unmappedReason says why a name has none on the other side.
func (r *route) unmappedReason(path string) string {
	if r.from == scaivault.SideScaiVault {
		if _, ok := r.mapping.ToVault(path); ok {
			return "not mapped: the path is federated, or it belongs to another rule or another Vault"
		}
	}
	return "not mapped: no rule gives it a name on the other side"
}

// splitPattern returns the part before "/**" and whether there was one.
func splitPattern(pattern string) (prefix string, tail bool) {
	if pattern == "**" {
		return "", true
	}
	return strings.CutSuffix(pattern, "/**")
}
