// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

func rule(vault, scaiVault string) scaivault.Rule {
	return scaivault.Rule{Vault: vault, ScaiVault: scaiVault}
}

func proxied(vault, scaiVault string) scaivault.Rule {
	return scaivault.Rule{Vault: vault, ScaiVault: scaiVault, Proxied: true}
}

func inCluster(name string, r scaivault.Rule) scaivault.Rule {
	r.Cluster = name
	return r
}

func mustMapping(t testing.TB, rules ...scaivault.Rule) *scaivault.Mapping {
	t.Helper()
	m, err := scaivault.NewMapping(rules...)
	require.NoError(t, err)
	return m
}

// nothing stands for a look-up that reports false.
const nothing = ""

func assertToVault(t *testing.T, m *scaivault.Mapping, scaiVaultPath, want string) {
	t.Helper()
	got, ok := m.ToVault(scaiVaultPath)
	assert.Equal(t, want, got, "ToVault(%q)", scaiVaultPath)
	assert.Equal(t, want != nothing, ok, "ToVault(%q)", scaiVaultPath)
}

func assertToScaiVault(t *testing.T, m *scaivault.Mapping, vaultPath, want string) {
	t.Helper()
	got, ok := m.ToScaiVault(vaultPath)
	assert.Equal(t, want, got, "ToScaiVault(%q)", vaultPath)
	assert.Equal(t, want != nothing, ok, "ToScaiVault(%q)", vaultPath)
}

func TestMappingIsReadInBothDirections(t *testing.T) {
	t.Parallel()
	m := mustMapping(t,
		rule("kv/data/apps/billing/db", "environments/production/billing/database"),
		rule("kv/data/apps/**", "environments/production/**"),
		rule("secret/apps/db", "legacy/db"),
		rule("kv/data/Größe und so/**", "shared/size/**"),
	)
	for scaiVaultPath, vaultPath := range map[string]string{
		"environments/production/billing/database": "kv/data/apps/billing/db",
		"environments/production/billing/stripe":   "kv/data/apps/billing/stripe",
		"environments/production/x":                "kv/data/apps/x",
		"environments/production/a/b/c/d":          "kv/data/apps/a/b/c/d",
		"legacy/db":                                "secret/apps/db",
		"shared/size/x":                            "kv/data/Größe und so/x",
	} {
		assertToVault(t, m, scaiVaultPath, vaultPath)
		assertToScaiVault(t, m, vaultPath, scaiVaultPath)
	}
	for _, unmapped := range []string{
		"", "/", "environments", "environments/production", "environments/production/", "environments/productions/x",
		"legacy", "legacy/db/x", "legacy/d", "/legacy/db", "Environments/production/x",
	} {
		assertToVault(t, m, unmapped, nothing)
	}
	for _, unmapped := range []string{
		"", "/", "kv", "kv/data", "kv/data/apps", "kv/data/apps/", "kv/data/app/x", "secret/apps/db/x",
		"secret/apps", "kv/data/Größe und so", "v1/kv/data/apps/x",
	} {
		assertToScaiVault(t, m, unmapped, nothing)
	}
}

func TestAnExactRuleTakesItsTwoNamesOutOfTheWildcard(t *testing.T) {
	t.Parallel()
	m := mustMapping(t,
		rule("kv/data/apps/db", "apps/database"),
		rule("kv/data/apps/same", "apps/same"),
		rule("kv/data/apps/away", "elsewhere/away"),
		rule("kv/data/apps/**", "apps/**"),
	)
	assertToVault(t, m, "apps/database", "kv/data/apps/db")
	assertToScaiVault(t, m, "kv/data/apps/db", "apps/database")
	assertToVault(t, m, "apps/db", nothing)                   // its secret has another name
	assertToScaiVault(t, m, "kv/data/apps/database", nothing) // its name is another secret's

	assertToVault(t, m, "apps/same", "kv/data/apps/same")
	assertToScaiVault(t, m, "kv/data/apps/same", "apps/same")
	assertToVault(t, m, "elsewhere/away", "kv/data/apps/away")
	assertToVault(t, m, "apps/away", nothing)
	assertToScaiVault(t, m, "kv/data/apps/away", "elsewhere/away")
	assertToVault(t, m, "apps/other", "kv/data/apps/other")
}

func TestAWildcardBeforeTheOneThatHoldsIt(t *testing.T) {
	t.Parallel()
	m := mustMapping(t,
		rule("kv/data/apps/billing/**", "apps/billing/**"),
		rule("kv/data/apps/**", "apps/**"),
	)
	assertToVault(t, m, "apps/billing/db", "kv/data/apps/billing/db")
	assertToVault(t, m, "apps/billing", "kv/data/apps/billing")
	assertToScaiVault(t, m, "kv/data/apps/billing/a/b", "apps/billing/a/b")
	assertToScaiVault(t, m, "kv/data/apps/other", "apps/other")
}

func TestTwoStarsAloneStandForTheWholeTenant(t *testing.T) {
	t.Parallel()
	m := mustMapping(t, rule("kv/data/special", "a/b"), rule("kv/data/**", "**"))
	assertToVault(t, m, "x", "kv/data/x")
	assertToVault(t, m, "x/y/z", "kv/data/x/y/z")
	assertToVault(t, m, "a/b", "kv/data/special")
	assertToVault(t, m, "special", nothing)
	assertToVault(t, m, "", nothing)
	assertToScaiVault(t, m, "kv/data/x/y", "x/y")
	assertToScaiVault(t, m, "kv/data", nothing)
	assertToScaiVault(t, m, "kv/data/a/b", nothing)
}

func TestAWildcardStandsForLevelsThatAreNames(t *testing.T) {
	t.Parallel()
	m, whole := mustMapping(t, rule("kv/data/apps/**", "apps/**")), mustMapping(t, rule("other/**", "**"))
	for _, rest := range []string{"/x", "x/", "x//y", "..", "../../sys/x", "x/..", "x/../y", ".", "./x", "x/./y"} {
		assertToVault(t, m, "apps/"+rest, nothing)
		assertToScaiVault(t, m, "kv/data/apps/"+rest, nothing)
		assertToVault(t, whole, rest, nothing)
		assertToScaiVault(t, whole, "other/"+rest, nothing)
	}
	for _, rest := range []string{"...", "..x", "x..", ".x", "x.y"} {
		assertToVault(t, m, "apps/"+rest, "kv/data/apps/"+rest)
		assertToScaiVault(t, m, "kv/data/apps/"+rest, "apps/"+rest)
	}
}

func TestProxiedRulesAnswerInOneDirection(t *testing.T) {
	t.Parallel()
	m := mustMapping(t,
		proxied("kv/data/**", "external/hashicorp/**"),
		proxied("kv/data/apps/db", "external/one"),
		rule("kv/data/apps/db", "apps/database"),
		rule("kv/data/apps/**", "apps/**"),
	)
	assertToVault(t, m, "external/hashicorp/apps/db", "kv/data/apps/db")
	assertToVault(t, m, "external/one", "kv/data/apps/db")
	assertToVault(t, m, "apps/database", "kv/data/apps/db")
	assertToScaiVault(t, m, "kv/data/apps/db", "apps/database")
	assertToScaiVault(t, m, "kv/data/apps/x", "apps/x")
	assertToScaiVault(t, m, "kv/data/other", nothing)

	tenant := mustMapping(t, proxied("kv/data/fed/**", "external/**"), rule("kv/data/**", "**"))
	assertToVault(t, tenant, "external/x", "kv/data/fed/x")
	assertToScaiVault(t, tenant, "kv/data/fed/x", "fed/x")
	assertToScaiVault(t, tenant, "kv/data/external/x", nothing) // its name is federated
}

func TestSeveralVaults(t *testing.T) {
	t.Parallel()
	m := mustMapping(t,
		inCluster("eu", rule("kv/data/apps/db", "eu/database")),
		inCluster("eu", rule("kv/data/apps/**", "eu/**")),
		inCluster("us", rule("kv/data/apps/**", "us/**")),
		inCluster("us", proxied("kv/data/**", "external/us/**")),
		rule("kv/data/apps/**", "only/**"),
	)
	assertToVault(t, m, "eu/x", "kv/data/apps/x")
	assertToVault(t, m, "us/x", "kv/data/apps/x")
	assertToVault(t, m, "us/db", "kv/data/apps/db") // the exact rule is about another Vault
	assertToVault(t, m, "only/x", "kv/data/apps/x")
	assertToScaiVault(t, m, "kv/data/apps/x", "eu/x") // the first rule decides

	us := m.ForCluster("us")
	assertToScaiVault(t, us, "kv/data/apps/x", "us/x")
	assertToScaiVault(t, us, "kv/data/apps/db", "us/db")
	assertToVault(t, us, "us/x", "kv/data/apps/x")
	assertToVault(t, us, "eu/x", nothing)
	assertToVault(t, us, "external/us/x", "kv/data/x")
	assertToVault(t, m.ForCluster("eu"), "external/us/x", nothing)
	assert.Equal(t, m.Rules()[2:4], us.Rules())

	assertToScaiVault(t, m.ForCluster(""), "kv/data/apps/x", "only/x")
	assertToScaiVault(t, m.ForCluster("eu"), "kv/data/apps/db", "eu/database")
	for _, none := range []*scaivault.Mapping{m.ForCluster("asia"), us.ForCluster("eu")} {
		assert.Empty(t, none.Rules())
		assertToVault(t, none, "us/x", nothing)
		assertToVault(t, none, "eu/x", nothing)
		assertToScaiVault(t, none, "kv/data/apps/x", nothing)
	}
	assertToVault(t, us.ForCluster("us"), "us/x", "kv/data/apps/x")
}

func TestANameStaysTakenInThePartOfAnotherCluster(t *testing.T) {
	t.Parallel()
	m := mustMapping(t, inCluster("a", rule("kv/data/q", "apps/z")), inCluster("b", rule("kv/data/**", "apps/**")))
	assertToVault(t, m, "apps/z", "kv/data/q")
	b := m.ForCluster("b")
	assertToScaiVault(t, b, "kv/data/z", nothing) // else two secrets would go to apps/z
	assertToVault(t, b, "apps/z", nothing)
	assertToScaiVault(t, b, "kv/data/q", "apps/q")
	assertToVault(t, b, "apps/q", "kv/data/q")
}

func TestANilAndAnEmptyMappingKnowNoPath(t *testing.T) {
	t.Parallel()
	var none *scaivault.Mapping
	for _, m := range []*scaivault.Mapping{none, mustMapping(t), none.ForCluster("x")} {
		assertToVault(t, m, "a/b", nothing)
		assertToScaiVault(t, m, "kv/data/a", nothing)
		assert.Empty(t, m.Rules())
	}
}

func TestAMappingIsImmutable(t *testing.T) {
	t.Parallel()
	given := []scaivault.Rule{rule("kv/data/a", "a"), rule("kv/data/b", "b")}
	m := mustMapping(t, given...)
	given[0] = rule("kv/data/x", "x")
	m.Rules()[1] = rule("kv/data/y", "y")
	assert.Equal(t, []scaivault.Rule{rule("kv/data/a", "a"), rule("kv/data/b", "b")}, m.Rules())
	assertToVault(t, m, "a", "kv/data/a")
}

func TestNewMappingNamesTheRuleAndTheWayOut(t *testing.T) {
	t.Parallel()
	levels := func(n int) string { return strings.TrimSuffix(strings.Repeat("a/", n), "/") }
	tests := []struct {
		name  string
		rules []scaivault.Rule
		want  []string // the last rule is the wrong one
	}{
		{"nothing", []scaivault.Rule{{}}, []string{"a rule needs both sides; set vault and scaivault"}},
		{"no Vault side", []scaivault.Rule{rule("", "a/b")}, []string{"needs both sides"}},
		{"no ScaiVault side", []scaivault.Rule{rule("kv/data/a", "")}, []string{"needs both sides"}},
		{"one star", []scaivault.Rule{rule("kv/data/*", "a/*")}, []string{`stands only at the end, as in kv/data/apps/**`}},
		{"stars in the middle", []scaivault.Rule{rule("kv/**/db", "a/**/db")}, []string{"stands only at the end"}},
		{"stars twice", []scaivault.Rule{rule("kv/**/**", "a/**/**")}, []string{"stands only at the end"}},
		{"stars in a level", []scaivault.Rule{rule("kv/data/a**", "a**")}, []string{"stands only at the end"}},
		{"a wildcard on the Vault side alone", []scaivault.Rule{rule("kv/data/**", "a/b")}, []string{`both sides end in "/**" or neither does`}},
		{"a wildcard on the ScaiVault side alone", []scaivault.Rule{rule("kv/data/a", "a/**")}, []string{`both sides end in "/**" or neither does`}},
		{"the whole of Vault", []scaivault.Rule{rule("**", "a/**")}, []string{"Vault side: name the mount, as in kv/data/**"}},
		{"nothing before the stars", []scaivault.Rule{rule("/**", "a/**")}, []string{"Vault side: name the mount"}},
		{"a mount alone", []scaivault.Rule{rule("kv", "a/b")}, []string{"a mount alone is no secret; name one"}},
		{"a leading slash", []scaivault.Rule{rule("/kv/data/a", "a/b")}, []string{"Vault side: no leading, trailing or doubled slash; remove it"}},
		{"a trailing slash", []scaivault.Rule{rule("kv/data/a/", "a/b")}, []string{"Vault side: no leading, trailing or doubled slash"}},
		{"a doubled slash", []scaivault.Rule{rule("kv//data/**", "a/**")}, []string{"Vault side: no leading, trailing or doubled slash"}},
		{"two dots", []scaivault.Rule{rule("kv/data/../x", "a/b")}, []string{`Vault side: ".." is not a name; write the path without it`}},
		{"one dot", []scaivault.Rule{rule("kv/data/./**", "a/**")}, []string{`Vault side: "." is not a name`}},
		{"a newline in Vault", []scaivault.Rule{rule("kv/data/a\nb", "a/b")}, []string{`Vault side: unprintable character '\n'; remove it`}},
		{"an upper-case letter", []scaivault.Rule{rule("kv/data/a", "a/Bc")}, []string{`ScaiVault side: upper-case letter 'B' at position 3; allowed are a-z, 0-9, - and _`}},
		{"a dot", []scaivault.Rule{rule("kv/data/**", "a.b/**")}, []string{`ScaiVault side: character '.' at position 2`}},
		{"dots in ScaiVault", []scaivault.Rule{rule("kv/data/a", "../a")}, []string{`ScaiVault side: character '.'`}},
		{"a slash in front", []scaivault.Rule{rule("kv/data/a", "/a")}, []string{"ScaiVault side: a path has no leading slash; remove it"}},
		{"11 levels", []scaivault.Rule{rule("kv/data/a", levels(11))}, []string{"ScaiVault side: the path has 11 levels, at most 10 are allowed"}},
		{"10 levels and more below", []scaivault.Rule{rule("kv/data/**", levels(10)+"/**")}, []string{"nothing can lie below a path of 10 levels; leave some away"}},
		{"513 characters", []scaivault.Rule{rule("kv/data/a", strings.Repeat("a", 513))}, []string{"ScaiVault side: the path has 513 characters, at most 512 are allowed"}},
		{"511 characters and more below", []scaivault.Rule{rule("kv/data/**", strings.Repeat("a", 511)+"/**")}, []string{"nothing can lie below a path of 511 characters; leave some away"}},
		{
			"duplicate",
			[]scaivault.Rule{rule("kv/data/a", "a"), rule("kv/data/b", "a")},
			[]string{"duplicate: rule 1 has the same ScaiVault side; remove one of them"},
		},
		{"duplicate wildcard", []scaivault.Rule{rule("kv/data/**", "a/**"), proxied("x/**", "a/**")}, []string{"duplicate: rule 1"}},
		{"duplicate in another cluster", []scaivault.Rule{rule("kv/data/a", "a"), inCluster("x", rule("kv/data/a", "a"))}, []string{"duplicate: rule 1"}},
		{
			"hidden in ScaiVault",
			[]scaivault.Rule{rule("kv/data/**", "a/**"), rule("x/b", "a/b")},
			[]string{"hidden: rule 1 (kv/data/** → a/**) matches all of its ScaiVault side first; put it before that rule"},
		},
		{"hidden by the whole tenant", []scaivault.Rule{rule("kv/data/**", "**"), rule("x/**", "a/**")}, []string{"hidden: rule 1"}},
		{"hidden wildcard", []scaivault.Rule{rule("kv/data/**", "a/**"), rule("x/**", "a/b/c/**")}, []string{"hidden: rule 1"}},
		{"a proxied one that is hidden", []scaivault.Rule{rule("kv/data/**", "a/**"), proxied("x/**", "a/b/**")}, []string{"hidden: rule 1"}},
		{
			"hidden in Vault",
			[]scaivault.Rule{rule("kv/data/**", "a/**"), rule("kv/data/x", "b")},
			[]string{"hidden: rule 1 (kv/data/** → a/**) matches all of its Vault side first; put it before that rule"},
		},
		{
			"one secret under two names",
			[]scaivault.Rule{rule("kv/data/a", "a"), rule("kv/data/a", "b")},
			[]string{"not invertible: rule 1 has the same Vault side, so one secret would have two ScaiVault names; remove one of them"},
		},
		{
			"a subtree that goes elsewhere",
			[]scaivault.Rule{rule("kv/data/apps/billing/**", "apps/payments/**"), rule("kv/data/apps/**", "apps/**")},
			[]string{"not invertible: rule 1 (kv/data/apps/billing/** → apps/payments/**) lies within it", "map the other subtrees one by one"},
		},
		{
			"a subtree that comes from elsewhere",
			[]scaivault.Rule{rule("secret/**", "apps/payments/**"), rule("kv/data/apps/**", "apps/**")},
			[]string{"not invertible: rule 1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := scaivault.NewMapping(tt.rules...)
			assert.Nil(t, m)
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			assert.True(t, strings.HasPrefix(err.Error(), fmt.Sprintf("check mapping: invalid: rule %d (", len(tt.rules))), err.Error())
			for _, want := range tt.want {
				assert.Contains(t, err.Error(), want)
			}
			assert.NotContains(t, err.Error(), "\n")
			if len(tt.rules) > 1 {
				_, err := scaivault.NewMapping(tt.rules[:len(tt.rules)-1]...)
				assert.NoError(t, err, "the rules before are right")
			}
		})
	}
}

func TestNewMappingTakesTheLimits(t *testing.T) {
	t.Parallel()
	tenLevels := strings.TrimSuffix(strings.Repeat("a/", 10), "/")
	m := mustMapping(t,
		rule("kv/a", tenLevels),
		rule("kv/b", strings.Repeat("b", 512)),
		rule("kv/c/**", strings.Repeat("c/", 8)+"c/**"),
		rule("kv/d/**", strings.Repeat("d", 510)+"/**"),
		rule("kv/e f/Ä?#%/**", "e-_9/**"),
		rule("team/kv/data/**", "team/**"),
	)
	assertToVault(t, m, tenLevels, "kv/a")
	assertToScaiVault(t, m, "kv/b", strings.Repeat("b", 512))
	assertToScaiVault(t, m, "kv/d/x", strings.Repeat("d", 510)+"/x")
	assertToVault(t, m, "e-_9/x", "kv/e f/Ä?#%/x")
}

func TestNewMappingNamesAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := scaivault.NewMapping(
		rule("kv/data/a", "A"),
		rule("kv/data/b", "b"),
		rule("kv", "c"),
		rule("kv/data/b", "d"),
		rule("kv/data/\x1b[2Je\u2028", "E"),
	)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Contains(t, err.Error(), "rule 1 (kv/data/a → A): ")
	assert.Contains(t, err.Error(), "; rule 3 (kv → c): ")
	assert.Contains(t, err.Error(), "; rule 4 (kv/data/b → d): ")
	assert.Contains(t, err.Error(), `; rule 5 ("kv/data/\x1b[2Je\u2028" → E): `)
	assert.NotContains(t, err.Error(), "rule 2 (")

	many := make([]scaivault.Rule, 50)
	for i := range many {
		many[i] = rule("kv/data/a", "UPPER"+strconv.Itoa(i))
	}
	_, err = scaivault.NewMapping(many...)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Contains(t, err.Error(), "rule 20 (")
	assert.True(t, strings.HasSuffix(err.Error(), "; and 30 more"), "one line stays readable")
}
