// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/scailabs/scaivault-go/scaivault"
)

// fileRules are the rules of the files in testdata.
func fileRules() []scaivault.Rule {
	return []scaivault.Rule{
		rule("kv/data/apps/billing/db", "environments/production/billing/database"),
		rule("kv/data/apps/billing/stripe", "environments/production/billing/stripe"),
		rule("kv/data/shared/salesforce", "shared/integrations/salesforce/oauth"),
		rule("kv/data/apps/**", "environments/production/**"),
		rule("secret/legacy app/**", "legacy/**"),
		inCluster("eu", rule("kv/data/apps/**", "environments/eu/**")),
		proxied("kv/data/**", "external/hashicorp/**"),
	}
}

func TestParseMappingReadsJSONAndYAML(t *testing.T) {
	t.Parallel()
	utf16le := func(text string) string {
		b := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(text)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return string(b)
	}
	for _, name := range []string{"mapping.yaml", "mapping.json"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		text := string(raw)
		forms := map[string]string{
			"as it is":               text,
			"a byte order mark":      "\ufeff" + text,
			"the newlines of DOS":    strings.ReplaceAll(text, "\n", "\r\n"),
			"nothing at the end":     strings.TrimSpace(text),
			"white space around it":  "\n\n" + text + "\n\n",
			"UTF-16 as Windows does": utf16le(text),
		}
		if name == "mapping.yaml" {
			forms["the marks of a document"] = "---\n" + text + "...\n"
		}
		for form, text := range forms {
			m, err := scaivault.ParseMapping(strings.NewReader(text))
			if form == "UTF-16 as Windows does" && name == "mapping.json" {
				require.ErrorIs(t, err, scaivault.ErrInvalid, "tabs are not YAML")
				continue
			}
			require.NoError(t, err, "%s, %s", name, form)
			assert.Equal(t, fileRules(), m.Rules(), "%s, %s", name, form)
		}
	}
}

func TestRulesGoIntoAFileAndBack(t *testing.T) {
	t.Parallel()
	file := map[string]any{"rules": fileRules()}
	for name, marshal := range map[string]func(any) ([]byte, error){"JSON": json.Marshal, "YAML": yaml.Marshal} {
		text, err := marshal(file)
		require.NoError(t, err)
		m, err := scaivault.ParseMapping(bytes.NewReader(text))
		require.NoError(t, err, "%s: %s", name, text)
		assert.Equal(t, fileRules(), m.Rules(), name)
	}
}

func TestParseMappingTakesWhatYAMLTakesForAString(t *testing.T) {
	t.Parallel()
	m, err := scaivault.ParseMapping(strings.NewReader(`
base: &base {}
`))
	require.ErrorIs(t, err, scaivault.ErrInvalid, "a key of one's own")
	assert.Nil(t, m)

	m, err = scaivault.ParseMapping(strings.NewReader(`
rules:
  - {vault: kv/1, scaivault: 2025, cluster: &c eu}
  - {vault: kv/2, scaivault: 2025-01-01, cluster: *c, proxied: False}
  - {vault: 'kv/3', scaivault: "true", cluster: ~}
`))
	require.NoError(t, err)
	assert.Equal(t, []scaivault.Rule{
		inCluster("eu", rule("kv/1", "2025")), inCluster("eu", rule("kv/2", "2025-01-01")), rule("kv/3", "true"),
	}, m.Rules())
}

const goodRule = `{"vault": "kv/data/a", "scaivault": "a"}`

func TestParseMappingNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text, want string
	}{
		{"empty", ``, "there are no rules; the file is an object with a list \"rules\" of {vault, scaivault}"},
		{"white space", " \n \n", "there are no rules"},
		{"a comment", "# rules:\n", "there are no rules"},
		{"null", `null`, "there are no rules"},
		{"an empty object", `{}`, "there are no rules"},
		{"no rules in JSON", `{"rules": []}`, "there are no rules"},
		{"no rules in YAML", `rules: []`, "there are no rules"},
		{"null rules in JSON", `{"rules": null}`, "there are no rules"},
		{"null rules in YAML", `rules:`, "there are no rules"},
		{"a byte order mark alone", "\ufeff", "there are no rules"},

		{"a list in JSON", `[` + goodRule + `]`, "line 1: this is not an object with keys and values"},
		{"a list in YAML", "- vault: kv/data/a\n  scaivault: a\n", "line 1: this is not an object with keys and values"},
		{"a text", `hunter2`, "line 1: this is not an object"},
		{"rules that are no list", `{"rules": ` + goodRule + `}`, "rules is not a list"},
		{"rules that are no list in YAML", "rules:\n  vault: kv/data/a\n", "line 2: rules is not a list"},
		{"a rule that is no object", `{"rules": [` + goodRule + ",\n" + `"hunter2"]}`, "line 2: rule 2: this is not an object"},
		{"a rule that is no object in YAML", "rules:\n- hunter2\n", "line 2: rule 1: this is not an object"},

		{"a misspelt key", `{"rules": [{"vualt": "kv/data/a", "scaivault": "a"}]}`, `rule 1: unknown key "vualt"; a rule has vault, scaivault, cluster, proxied`},
		{"a misspelt key in YAML", "rules:\n- vualt: kv/data/a\n", `line 2: rule 1: unknown key "vualt"; a rule has vault, scaivault, cluster, proxied`},
		{"a key in upper case", `{"rules": [{"Vault": "kv/data/a", "scaivault": "a"}]}`, `unknown key "Vault"`},
		{"a key of the file in upper case", `{"Rules": [` + goodRule + `]}`, `unknown key "Rules"; the file is an object with a list "rules"`},
		{"another key of the file", `{"rules": [` + goodRule + `], "version": 1}`, `unknown key "version"`},
		{"another key of the file in YAML", "version: 1\nrules: []\n", `line 1: unknown key "version"`},
		{"a key with a newline", `{"a\nb": 1}`, `unknown key "a\nb"`},
		{"a key that is no string", "rules:\n- ? [a]\n  : b\n", "a key is not a string"},
		{"a merge key", "rules:\n- &a {vault: kv/a, scaivault: a}\n- {<<: *a}\n", `unknown key "<<"`},

		{"rules twice", `{"rules": [` + goodRule + `], "rules": []}`, "rules stands twice; join the lists"},
		{"rules twice in YAML", "rules: []\nrules: []\n", "line 2: rules stands twice"},
		{"a key twice", `{"rules": [{"vault": "kv/data/a", "scaivault": "a", "vault": "kv/data/b"}]}`, "rule 1: vault stands twice; remove one"},
		{"a key twice in YAML", "rules:\n- vault: kv/data/a\n  vault: kv/data/b\n", "line 3: rule 1: vault stands twice; remove one"},

		{"a number for a path", `{"rules": [{"vault": 5, "scaivault": "a"}]}`, "rule 1: vault is not a string; write it in quotes"},
		{"a list for a path", `{"rules": [{"vault": ["hunter2"], "scaivault": "a"}]}`, "vault is not a string"},
		{"a boolean for a path in YAML", "rules:\n- vault: true\n", "line 2: rule 1: vault is not a string; write it in quotes"},
		{"an object for a path in YAML", "rules:\n- vault: {hunter2: 1}\n", "vault is not a string"},
		{"a binary for a path in YAML", "rules:\n- vault: !!binary aHVudGVyMg==\n", "vault is not a string"},
		{"a text for a boolean", `{"rules": [{"proxied": "hunter2"}]}`, "proxied is not a boolean; write true or false"},
		{"yes for a boolean", "rules:\n- proxied: yes\n", "proxied is not a boolean; write true or false"},
		{"no boolean that says so", "rules:\n- proxied: !!bool hunter2\n", "proxied is not a boolean"},

		{"JSON cut off", `{"rules": [` + goodRule, "line 1: this is not JSON, though the file begins as if it were"},
		{"JSON cut off in a rule", "{\"rules\": [\n{\"vault\":", "line 2: this is not JSON"},
		{"a comma too many", `{"rules": [` + goodRule + `,]}`, "this is not JSON"},
		{"a comma too few", `{"rules": [` + goodRule + goodRule + `]}`, "this is not JSON"},
		{"YAML in braces", `{rules: []}`, "this is not JSON"},
		{"more behind the object", `{"rules": [` + goodRule + `]} hunter2`, "there is more behind the object; remove it"},
		{"another object", `{"rules": [` + goodRule + `]}{}`, "there is more behind the object; remove it"},
		{"a brace too many", `{"rules": [` + goodRule + `]}}`, "there is more behind the object"},
		{"no UTF-8 in JSON", "{\"rules\": [{\"vault\": \"kv/\xff\", \"scaivault\": \"a\"}]}", "the file is not UTF-8; save it as such"},
		{"no UTF-8 in YAML", "rules:\n- {vault: \"kv/\xff\", scaivault: a}\n", "yaml: "},
		{"a second document", "rules:\n- {vault: kv/a, scaivault: a}\n---\nrules:\n- {vault: kv/b, scaivault: b}\n", "there is a second document; join them to one"},
		{"a broken second document", "rules:\n- {vault: kv/a, scaivault: a}\n---\n[", "yaml: "},
		{"a tab in YAML", "rules:\n\t- vault: hunter2\n", "yaml: line 2: found character that cannot start any token"},
		{"broken YAML", "rules: [hunter2", "yaml: "},
		{"an alias of nothing", "password: *hunter2\n", "an alias names no anchor; put a text that starts with * in quotes"},
		{"a list in itself", "rules: &r [*r]\n", "line 1: rule 1: this is not an object"},
		{"an unknown directive", "%hunter2\n---\n", "yaml: "},

		{"rules that are wrong", "rules:\n- {vault: kv/data/a, scaivault: A}\n", "check mapping: invalid: rule 1 (kv/data/a → A): on the ScaiVault side: upper-case letter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := scaivault.ParseMapping(strings.NewReader(tt.text))
			assert.Nil(t, m)
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			assert.Contains(t, err.Error(), tt.want)
			assert.NotContains(t, err.Error(), "\n", "it is one line")
			assert.NotContains(t, err.Error(), "hunter2", "it may be the wrong file, and hold secrets")
		})
	}
}

func TestParseMappingReturnsWhatTheReaderReturned(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	_, err := scaivault.ParseMapping(io.MultiReader(strings.NewReader("rules:\n"), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	assert.NotErrorIs(t, err, scaivault.ErrInvalid)
	assert.Equal(t, "read mapping: the disk is gone", err.Error())
}

// endlessSpace is a file without an end.
type endlessSpace struct{ read int }

func (e *endlessSpace) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func TestParseMappingStopsAtAFileThatIsTooLarge(t *testing.T) {
	t.Parallel()
	var source endlessSpace
	_, err := scaivault.ParseMapping(&source)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Equal(t, "read mapping: invalid: the file is larger than 64 MiB; is it a mapping?", err.Error())
	assert.LessOrEqual(t, source.read, 65<<20)
}

func TestParseMappingSurvivesBombs(t *testing.T) {
	t.Parallel()
	laughs := "a: &a [lol]\n"
	for c := 'b'; c <= 'z'; c++ {
		before := string(c - 1)
		laughs += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+before+",", 9) + "*" + before + "]\n"
	}
	inRules := "rules:\n- &a {vault: kv/a, scaivault: a}\n" + strings.Repeat("- *a\n", 100_000)
	bombs := map[string]string{
		"a billion laughs":         laughs + "rules: *z\n",
		"laughs in the rules":      "rules:\n- &a [x]\n- &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n- &c [*b,*b,*b,*b,*b,*b,*b,*b]\n",
		"an alias for every rule":  inRules,
		"deep lists in YAML":       "rules: " + strings.Repeat("[", 100_000),
		"deep objects in YAML":     strings.Repeat("{a: ", 9_000) + strings.Repeat("}", 9_000),
		"deep lists in JSON":       `{"rules": ` + strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000) + `}`,
		"a long key":               `{"` + strings.Repeat("k", 1<<20) + `": 1}`,
		"a long path":              "rules:\n- {vault: kv/" + strings.Repeat("x", 1<<20) + ", scaivault: " + strings.Repeat("y", 1<<20) + "}\n",
		"many keys":                "rules:\n- {" + strings.Repeat("a: 1, ", 100_000) + "}\n",
		"many documents":           strings.Repeat("---\n", 100_000),
		"many keys of the file":    strings.Repeat("rules: []\n", 100_000),
		"a merge of everything":    "rules:\n- &a {<<: [*a, *a]}\n",
		"a path of ten thousand /": "rules:\n- {vault: kv" + strings.Repeat("/x", 10_000) + ", scaivault: A}\n",
	}
	for name, text := range bombs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := scaivault.ParseMapping(strings.NewReader(text))
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			assert.Less(t, len(err.Error()), 64<<10, "the error stays readable")
		})
	}
}

func FuzzParseMapping(f *testing.F) {
	for _, name := range []string{"mapping.yaml", "mapping.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := scaivault.ParseMapping(bytes.NewReader(text))
		if err != nil {
			if !errors.Is(err, scaivault.ErrInvalid) || m != nil || strings.ContainsAny(err.Error(), "\r\n") {
				t.Fatalf("not one line of ErrInvalid: %q", err)
			}
			return
		}
		if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) && !json.Valid(text) {
			t.Fatal("took what is not JSON")
		}
		encoded, err := json.Marshal(map[string]any{"rules": m.Rules()})
		if err != nil {
			t.Fatal(err)
		}
		again, err := scaivault.ParseMapping(bytes.NewReader(encoded))
		if err != nil {
			t.Fatalf("does not read its own rules: %v", err)
		}
		for i, r := range m.Rules() {
			if again.Rules()[i] != r && strings.ToValidUTF8(r.Vault+r.Cluster, "") == r.Vault+r.Cluster {
				t.Fatalf("rule %d became another", i+1)
			}
		}
	})
}
