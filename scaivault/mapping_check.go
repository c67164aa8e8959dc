// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// checkRule checks one rule by itself.
func checkRule(r Rule) error {
	vault, vaultTail := splitPattern(r.Vault)
	scai, scaiTail := splitPattern(r.ScaiVault)
	switch {
	case r.Vault == "" || r.ScaiVault == "":
		return errors.New("a rule needs both sides; set vault and scaivault")
	case strings.Contains(vault, "*") || strings.Contains(scai, "*"):
		return errors.New(`a wildcard is "**" and stands only at the end, as in kv/data/apps/**`)
	case vaultTail != scaiTail:
		return errors.New(`either both sides end in "/**" or neither does; add it to the other side, or remove it`)
	}
	if err := checkVaultPattern(vault, vaultTail); err != nil {
		return err
	}
	if scai == "" {
		return nil // "**": the whole tenant
	}
	if rule := brokenPathRule(scai); rule != "" {
		return fmt.Errorf("on the ScaiVault side: %s", rule)
	}
	if scaiTail && strings.Count(scai, "/")+2 > maxPathLevels {
		return fmt.Errorf("on the ScaiVault side: nothing can lie below a path of %d levels; leave some away", maxPathLevels)
	}
	if scaiTail && len(scai)+len("/x") > maxPathLength {
		return fmt.Errorf("on the ScaiVault side: nothing can lie below a path of %d characters; leave some away", len(scai))
	}
	return nil
}

func checkVaultPattern(path string, tail bool) error {
	switch {
	case path == "":
		return errors.New("on the Vault side: name the mount, as in kv/data/**")
	case strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") || strings.Contains(path, "//"):
		return errors.New("on the Vault side: no leading, trailing or doubled slash; remove it")
	case !tail && !strings.Contains(path, "/"):
		return errors.New("on the Vault side: a mount alone is no secret; name one, as in kv/data/apps/db")
	}
	for _, segment := range strings.Split(path, "/") {
		if segment == "." || segment == ".." {
			return fmt.Errorf("on the Vault side: %q is not a name; write the path without it", segment)
		}
	}
	for _, c := range path {
		if c < ' ' || c == 0x7f {
			return fmt.Errorf("on the Vault side: unprintable character %q; remove it", c)
		}
	}
	return nil
}

// checkAgainstEarlier looks for duplicates, hidden rules, and pairs that would
// not invert, among the rules that were added so far.
func (m *Mapping) checkAgainstEarlier(r Rule) error {
	if err := m.checkScaiVaultSide(r); err != nil {
		return err
	}
	if r.Proxied {
		return nil
	}
	if err := m.checkVaultSide(r); err != nil {
		return err
	}
	if _, tail := splitPattern(r.Vault); tail {
		return m.checkInversion(r)
	}
	return nil
}

func (m *Mapping) checkScaiVaultSide(r Rule) error {
	hidden, ok := m.scaiVault.covering(r.ScaiVault)
	if !ok {
		return nil
	}
	if m.rules[hidden].ScaiVault == r.ScaiVault {
		return fmt.Errorf("duplicate: rule %d has the same ScaiVault side; remove one of them", hidden+1)
	}
	return fmt.Errorf("hidden: rule %d (%s) matches all of its ScaiVault side first; put it before that rule", hidden+1, m.rules[hidden])
}

func (m *Mapping) checkVaultSide(r Rule) error {
	hidden, ok := m.vault[r.Cluster].covering(r.Vault)
	if !ok {
		return nil
	}
	if m.rules[hidden].Vault == r.Vault {
		return fmt.Errorf("not invertible: rule %d has the same Vault side, so one secret would have two ScaiVault names; remove one of them", hidden+1)
	}
	return fmt.Errorf("hidden: rule %d (%s) matches all of its Vault side first; put it before that rule", hidden+1, m.rules[hidden])
}

// checkInversion looks at the earlier wildcards that lie within this one, on
// either side. They take a subtree out of it, which inverts only where both
// sides lie at the same place in it.
func (m *Mapping) checkInversion(r Rule) error {
	vault, _ := splitPattern(r.Vault)
	scai, _ := splitPattern(r.ScaiVault)
	for _, j := range slices.Concat(m.vault[r.Cluster].below[vault], m.scaiVault.below[scai]) {
		e := m.rules[j]
		eVault, _ := splitPattern(e.Vault)
		eScai, _ := splitPattern(e.ScaiVault)
		vaultRest, vaultWithin := within(vault, eVault)
		vaultWithin = vaultWithin && e.Cluster == r.Cluster
		scaiRest, scaiWithin := within(scai, eScai)
		if vaultWithin && scaiWithin && vaultRest == scaiRest {
			continue
		}
		return fmt.Errorf("not invertible: rule %d (%s) lies within it on one side at another place than on the other, so two secrets would share one name; map the other subtrees one by one", j+1, e)
	}
	return nil
}

// within tells whether path lies below prefix, and where.
func within(prefix, path string) (rest string, ok bool) {
	if prefix == "" {
		return path, true
	}
	return strings.CutPrefix(path, prefix+"/")
}
