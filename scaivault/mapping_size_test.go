// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

const manyRules = 200_000

func exactRules(n int) []scaivault.Rule {
	rules := make([]scaivault.Rule, 0, n+1)
	for i := range n {
		rules = append(rules, rule(fmt.Sprintf("kv/data/apps/team-%d/service-%d", i%97, i), fmt.Sprintf("environments/production/team-%d/service-%d", i%97, i)))
	}
	return append(rules, rule("kv/data/apps/**", "environments/production/**"))
}

func TestALookUpAllocatesTheSameHoweverManyRules(t *testing.T) {
	few, many := mustMapping(t, exactRules(10)...), mustMapping(t, exactRules(manyRules)...)
	for _, m := range []*scaivault.Mapping{few, many} {
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			if _, ok := m.ToVault("environments/production/team-7/service-7"); !ok {
				t.Error("an exact rule does not answer")
			}
			if _, ok := m.ToScaiVault("kv/data/apps/team-7/service-7"); !ok {
				t.Error("an exact rule does not answer")
			}
			if _, ok := m.ToVault("unmapped/team-7/service-7"); ok {
				t.Error("no rule maps this")
			}
		}))
		assert.LessOrEqual(t, testing.AllocsPerRun(100, func() {
			if _, ok := m.ToVault("environments/production/other"); !ok {
				t.Error("the wildcard does not answer")
			}
		}), 1.0, "the answer itself")
	}
}

// TestEveryOneOfManyRulesIsLookedUp in well under a second. Look-ups that walk
// the rules would compare 40,000,000,000 times, and not end before the tests do.
func TestEveryOneOfManyRulesIsLookedUp(t *testing.T) {
	rules := exactRules(manyRules)
	m := mustMapping(t, rules...)
	for _, r := range rules[:manyRules] {
		if got, ok := m.ToVault(r.ScaiVault); !ok || got != r.Vault {
			t.Fatalf("%s is mapped to %s", r.ScaiVault, got)
		}
		if got, ok := m.ToScaiVault(r.Vault); !ok || got != r.ScaiVault {
			t.Fatalf("%s is mapped to %s", r.Vault, got)
		}
	}
}

// Checking every rule against every other one would take hours.
func TestManyWildcardsAreCheckedInTime(t *testing.T) {
	t.Parallel()
	var rules []scaivault.Rule
	for i := range 50_000 {
		rules = append(rules, rule(fmt.Sprintf("kv/data/a%d/b%d/**", i%100, i), fmt.Sprintf("all/a%d/b%d/**", i%100, i)))
	}
	for i := range 100 {
		rules = append(rules, rule(fmt.Sprintf("kv/data/a%d/**", i), fmt.Sprintf("all/a%d/**", i)))
	}
	rules = append(rules, rule("kv/data/**", "all/**"))
	m := mustMapping(t, rules...)
	assertToVault(t, m, "all/a1/b101/x", "kv/data/a1/b101/x")
	assertToVault(t, m, "all/a1/other", "kv/data/a1/other")

	_, err := scaivault.NewMapping(append(rules[:len(rules)-1], rule("kv/data/**", "elsewhere/**"))...)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Contains(t, err.Error(), "rule 50101 (kv/data/** → elsewhere/**): not invertible")
}

func TestALargeMappingFileIsRead(t *testing.T) {
	t.Parallel()
	rules := exactRules(20_000)
	file, err := json.Marshal(map[string]any{"rules": rules})
	require.NoError(t, err)
	m, err := scaivault.ParseMapping(bytes.NewReader(file))
	require.NoError(t, err)
	assert.True(t, slices.Equal(rules, m.Rules()))
}

func BenchmarkMapping(b *testing.B) {
	for _, n := range []int{10, 1_000, manyRules} {
		m := mustMapping(b, exactRules(n)...)
		lookUps := map[string]func() bool{
			"ToVault/exact":        func() bool { _, ok := m.ToVault("environments/production/team-7/service-7"); return ok },
			"ToVault/wildcard":     func() bool { _, ok := m.ToVault("environments/production/other/db"); return ok },
			"ToScaiVault/exact":    func() bool { _, ok := m.ToScaiVault("kv/data/apps/team-7/service-7"); return ok },
			"ToScaiVault/wildcard": func() bool { _, ok := m.ToScaiVault("kv/data/apps/other/db"); return ok },
		}
		for name, lookUp := range lookUps {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !lookUp() {
						b.Fatal("no rule answers")
					}
				}
			})
		}
	}
}
