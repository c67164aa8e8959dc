// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"fmt"
	"slices"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// A Rule says that a secret, or everything below a path, has one name in Vault
// and another in ScaiVault. Both sides are exact, or both end in "/**", which
// stands for one or more further levels that are the same on both sides. A
// level is never empty, "." or "..". The ScaiVault side may also be "**" alone,
// for the whole tenant.
type Rule struct {
	// Vault is the Vault API path, as it stands in Vault policies and audit
	// logs: "kv/data/apps/billing/db" on KV v2, "secret/apps/db" on KV v1.
	Vault string `json:"vault" yaml:"vault"`
	// ScaiVault is the ScaiVault path, the name that applications use.
	ScaiVault string `json:"scaivault" yaml:"scaivault"`
	// Cluster names one of several Vaults, a key of [StoreConfig.Vaults]. If
	// empty, the only one.
	Cluster string `json:"cluster,omitempty" yaml:"cluster,omitempty"`
	// Proxied says that the ScaiVault path is federated to this Vault path:
	// it is no copy, so it is never compared, mirrored or copied.
	Proxied bool `json:"proxied,omitempty" yaml:"proxied,omitempty"`
}

// A Mapping knows for every secret its Vault path and its ScaiVault path. It is
// immutable and safe for concurrent use. A look-up costs a few map accesses,
// however many rules there are. A nil Mapping knows no path.
type Mapping struct {
	rules     []Rule           // what Rules shows
	numbered  []Rule           // what the indexes count: rules, and in a part of a mapping those of the other clusters
	scaiVault index            // all numbered rules by their ScaiVault side
	vault     map[string]index // rules that are not proxied, by cluster and their Vault side
	part      bool             // only the rules of one cluster answer
	cluster   string           // that one
}

// NewMapping checks the rules and indexes them. The first rule that matches a
// path decides, so an exact rule stands before the wildcard that covers it: it
// takes its two names out of the wildcard.
//
// The error matches [ErrInvalid] and names all rules that are malformed,
// duplicate, hidden wholly by an earlier one, or that would lead two names on
// one side to the same name on the other.
func NewMapping(rules ...Rule) (*Mapping, error) {
	rules = slices.Clone(rules)
	m := &Mapping{rules: rules, numbered: rules, scaiVault: newIndex(), vault: map[string]index{}}
	var problems []error
	for i, r := range m.rules {
		err := checkRule(r)
		if err == nil {
			err = m.checkAgainstEarlier(r)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("rule %d (%s): %w", i+1, r, err))
			continue
		}
		m.add(i, r)
	}
	if len(problems) > 0 {
		return nil, &Error{Kind: ErrInvalid, Op: "check mapping", Err: joinLine(problems)}
	}
	return m, nil
}

// String shows the rule as "vault path → ScaiVault path".
func (r Rule) String() string { return wire.Printable(r.Vault) + " → " + wire.Printable(r.ScaiVault) }

// Rules returns a copy of the rules, in their order.
func (m *Mapping) Rules() []Rule {
	if m == nil {
		return nil
	}
	return slices.Clone(m.rules)
}

// ForCluster returns the part of the mapping that is about one Vault of
// several, as [Rule.Cluster] names it. A name that an earlier rule gave to a
// secret of another Vault stays taken, so no two parts lead to one name.
func (m *Mapping) ForCluster(name string) *Mapping {
	if m == nil {
		return nil
	}
	part := &Mapping{numbered: m.numbered, scaiVault: m.scaiVault, vault: map[string]index{}, part: true, cluster: name}
	if m.part && m.cluster != name {
		return part
	}
	for _, r := range m.rules {
		if r.Cluster == name {
			part.rules = append(part.rules, r)
		}
	}
	part.vault[name] = m.vault[name]
	return part
}

// ToVault returns the Vault path of a secret that applications call
// scaiVaultPath. The first rule that matches decides; proxied rules answer too.
// It reports false for a path that no rule maps, and for one whose Vault path
// an exact rule gave another name.
func (m *Mapping) ToVault(scaiVaultPath string) (vaultPath string, ok bool) {
	_, vaultPath, ok = m.lookup(scaiVaultPath)
	return vaultPath, ok
}

// ToScaiVault returns the ScaiVault path of a Vault secret. The first rule that
// matches decides; proxied rules do not answer. What a wildcard yields is not
// checked against ScaiVault's path rules; see [ValidatePath]. With several
// Vaults the first one whose rules match decides; ask [Mapping.ForCluster] for
// one of them. For what is not proxied, ToVault and ToScaiVault invert each
// other.
func (m *Mapping) ToScaiVault(vaultPath string) (scaiVaultPath string, ok bool) {
	i, ok := m.firstInVault(vaultPath)
	if !ok {
		return "", false
	}
	r := m.numbered[i]
	scaiVaultPath = translate(r.Vault, r.ScaiVault, vaultPath)
	if back, ok := m.scaiVault.first(scaiVaultPath); !ok || back != i {
		return "", false // an earlier rule gave this name to another secret
	}
	return scaiVaultPath, true
}

// lookup finds the rule of a ScaiVault path and the Vault path it leads to.
func (m *Mapping) lookup(scaiVaultPath string) (*Rule, string, bool) {
	if m == nil {
		return nil, "", false
	}
	i, ok := m.scaiVault.first(scaiVaultPath)
	if !ok {
		return nil, "", false
	}
	r := &m.numbered[i]
	if m.part && r.Cluster != m.cluster {
		return nil, "", false
	}
	vaultPath := translate(r.ScaiVault, r.Vault, scaiVaultPath)
	if !r.Proxied {
		if back, ok := m.vault[r.Cluster].first(vaultPath); !ok || back != i {
			return nil, "", false // an earlier rule gave this secret another name
		}
	}
	return r, vaultPath, true
}

func (m *Mapping) firstInVault(vaultPath string) (int, bool) {
	if m == nil {
		return 0, false
	}
	best, found := 0, false
	for _, ix := range m.vault {
		if i, ok := ix.first(vaultPath); ok && (!found || i < best) {
			best, found = i, true
		}
	}
	return best, found
}

func (m *Mapping) add(i int, r Rule) {
	if r.Proxied {
		m.scaiVault.add(r.ScaiVault, i, false)
		return
	}
	m.scaiVault.add(r.ScaiVault, i, true)
	if _, ok := m.vault[r.Cluster]; !ok {
		m.vault[r.Cluster] = newIndex()
	}
	m.vault[r.Cluster].add(r.Vault, i, true)
}
