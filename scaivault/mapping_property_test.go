// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scailabs/scaivault-go/scaivault"
)

// The alphabets are small, so that rules overlap often.
var (
	somePath = rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 1, 4).Draw(t, "levels"), "/")
	})
	someRule = rapid.Custom(func(t *rapid.T) scaivault.Rule {
		vault, scaiVault := "kv/"+somePath.Draw(t, "vault"), somePath.Draw(t, "scaivault")
		if rapid.Bool().Draw(t, "wildcard") {
			cut := rapid.IntRange(0, 2).Draw(t, "cut")
			vault, scaiVault = shortened(vault, cut)+"/**", shortened(scaiVault, cut)+"/**"
			if rapid.IntRange(0, 5).Draw(t, "tenant") == 0 {
				scaiVault = "**"
			}
		}
		return scaivault.Rule{
			Vault: vault, ScaiVault: scaiVault,
			Proxied: rapid.IntRange(0, 4).Draw(t, "proxied") == 0,
		}
	})
	clusters = rapid.SampledFrom([]string{"", "", "x"})
)

// shortened takes levels away from the end, but for the first.
func shortened(path string, n int) string {
	for range n {
		if i := strings.LastIndex(path, "/"); i >= 0 {
			path = path[:i]
		}
	}
	return path
}

// accepted draws rules one by one and keeps those that NewMapping takes after
// the ones before.
func accepted(t *rapid.T, withClusters bool) ([]scaivault.Rule, *scaivault.Mapping) {
	var rules []scaivault.Rule
	m, err := scaivault.NewMapping()
	require.NoError(t, err)
	for _, r := range rapid.SliceOfN(someRule, 1, 8).Draw(t, "rules") {
		if withClusters {
			r.Cluster = clusters.Draw(t, "cluster")
		}
		if next, err := scaivault.NewMapping(append(rules, r)...); err == nil {
			rules, m = append(rules, r), next
		}
	}
	return rules, m
}

// everyPath has up to five levels of the alphabet, and what lies at its edges.
func everyPath(prefix string) []string {
	paths := []string{"", "/", prefix, prefix + "/a", prefix + "a/", prefix + "a//b", prefix + "a/../b"}
	level := []string{prefix}
	for range 5 {
		var next []string
		for _, p := range level {
			for _, name := range []string{"a", "b"} {
				next = append(next, p+name+"/")
				paths = append(paths, p+name)
			}
		}
		level = next
	}
	return paths
}

func TestToVaultAndToScaiVaultInvertEachOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules, m := accepted(t, false)
		for _, p := range everyPath("") {
			v, ok := m.ToVault(p)
			if !ok || oracleRule(rules, p).Proxied {
				continue
			}
			back, ok := m.ToScaiVault(v)
			require.True(t, ok && back == p, "%s → %s → %s, %v with %v", p, v, back, ok, rules)
		}
		for _, v := range everyPath("kv/") {
			p, ok := m.ToScaiVault(v)
			if !ok {
				continue
			}
			back, ok := m.ToVault(p)
			require.True(t, ok && back == v, "%s → %s → %s, %v with %v", v, p, back, ok, rules)
		}
	})
}

// No two secrets ever share a name: not within a Vault, not among several, and
// not in the parts of a mapping.
func TestNoTwoSecretsShareAName(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules, m := accepted(t, true)
		taken := map[string]string{}
		for _, cluster := range []string{"", "x"} {
			part := m.ForCluster(cluster)
			for _, v := range everyPath("kv/") {
				p, ok := part.ToScaiVault(v)
				if !ok {
					continue
				}
				secret := cluster + ":" + v
				require.Empty(t, taken[p], "%s is also the name of %s with %v", p, secret, rules)
				taken[p] = secret
				back, ok := part.ToVault(p)
				require.True(t, ok && back == v, "%s → %s → %s", v, p, back)
				whole, ok := m.ToVault(p)
				require.True(t, ok && whole == v, "the whole mapping says %s → %s", p, whole)
			}
		}
	})
}

// A name gets lost only to a rule that says so: its own name on the other side
// is another rule's, or a wildcard would give it one that an earlier rule gave
// away. An exact rule that was taken always answers.
func TestARuleNeverLosesSilently(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules, m := accepted(t, false)
		for i, r := range rules {
			if strings.HasSuffix(r.Vault, "**") {
				continue
			}
			got, ok := m.ToVault(r.ScaiVault)
			require.True(t, ok && got == r.Vault, "rule %d, %s, does not answer: %s in %v", i+1, r, got, rules)
			if !r.Proxied {
				got, ok = m.ToScaiVault(r.Vault)
				require.True(t, ok && got == r.ScaiVault, "rule %d, %s, does not answer: %s in %v", i+1, r, got, rules)
			}
		}
		for _, v := range everyPath("kv/") {
			first := oracleVaultRule(rules, v)
			if first == nil {
				continue
			}
			if _, ok := m.ToScaiVault(v); ok {
				continue
			}
			winner := oracleRule(rules, oracleTranslate(first.Vault, first.ScaiVault, v))
			require.True(t, winner != nil && winner != first, "%s has no name and no rule took it, with %v", v, rules)
			require.True(t, winner.Proxied || !strings.HasSuffix(winner.ScaiVault, "**"),
				"a whole subtree, which %s is in, lost its names to %s, with %v", v, winner, rules)
		}
	})
}

func TestTheFirstRuleThatMatchesDecides(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules, m := accepted(t, false)
		for _, p := range everyPath("") {
			got, ok := m.ToVault(p)
			want, wantOK := oracleToVault(rules, p)
			require.Equal(t, fmt.Sprint(want, wantOK), fmt.Sprint(got, ok), "ToVault(%q) with %v", p, rules)
		}
		for _, v := range everyPath("kv/") {
			got, ok := m.ToScaiVault(v)
			want, wantOK := oracleToScaiVault(rules, v)
			require.Equal(t, fmt.Sprint(want, wantOK), fmt.Sprint(got, ok), "ToScaiVault(%q) with %v", v, rules)
		}
	})
}

// The oracle goes through the rules one by one, level by level.

func oracleToVault(rules []scaivault.Rule, p string) (string, bool) {
	r := oracleRule(rules, p)
	if r == nil {
		return "", false
	}
	v := oracleTranslate(r.ScaiVault, r.Vault, p)
	if !r.Proxied && oracleVaultRule(rules, v) != r {
		return "", false
	}
	return v, true
}

func oracleToScaiVault(rules []scaivault.Rule, v string) (string, bool) {
	r := oracleVaultRule(rules, v)
	if r == nil {
		return "", false
	}
	p := oracleTranslate(r.Vault, r.ScaiVault, v)
	if oracleRule(rules, p) != r {
		return "", false
	}
	return p, true
}

func oracleRule(rules []scaivault.Rule, p string) *scaivault.Rule {
	for i, r := range rules {
		if oracleMatches(r.ScaiVault, p) {
			return &rules[i]
		}
	}
	return nil
}

func oracleVaultRule(rules []scaivault.Rule, v string) *scaivault.Rule {
	for i, r := range rules {
		if !r.Proxied && oracleMatches(r.Vault, v) {
			return &rules[i]
		}
	}
	return nil
}

func oracleMatches(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, level := range want {
		if level == "**" {
			return len(got) > i && !strings.Contains("/"+strings.Join(got, "/")+"/", "//") && !strings.Contains("/"+path+"/", "/../")
		}
		if i >= len(got) || got[i] != level {
			return false
		}
	}
	return len(got) == len(want)
}

func oracleTranslate(from, to, path string) string {
	if !strings.HasSuffix(from, "**") {
		return to
	}
	rest := strings.Split(path, "/")[len(strings.Split(from, "/"))-1:]
	return strings.Join(append(strings.Split(to, "/")[:len(strings.Split(to, "/"))-1], rest...), "/")
}
