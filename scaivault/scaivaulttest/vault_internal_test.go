// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Every token has the default policy, and defaultPolicy has no way to tell that it cannot be read.
func TestDefaultPolicyCanBeRead(t *testing.T) {
	t.Parallel()
	policy := defaultPolicy()
	parsed, err := parsePolicy("default", policy.text)
	require.NoError(t, err)
	assert.Equal(t, parsed.rules, policy.rules)
	assert.NotEmpty(t, policy.rules)
}

// A pathTree is a map with folders.
func TestPathTreeAgainstAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var tree pathTree[int]
		model := map[string]int{}
		segment := rapid.SampledFrom([]string{"a", "b", "c"})
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			path := strings.Join(rapid.SliceOfN(segment, 1, 3).Draw(t, "path"), "/")
			if value := rapid.IntRange(0, 3).Draw(t, "value"); value == 0 {
				tree.remove(path)
				delete(model, path)
			} else {
				tree.put(path, value)
				model[path] = value
			}
			got, ok := tree.get(path)
			want, wanted := model[path]
			if got != want || ok != wanted {
				t.Fatalf("get %s: %d %t, want %d %t", path, got, ok, want, wanted)
			}
			folder := strings.Join(rapid.SliceOfN(segment, 0, 2).Draw(t, "folder"), "/")
			if folder != "" {
				folder += "/"
			}
			if got, want := tree.list(folder, nil), modelList(model, folder); !slices.Equal(got, want) {
				t.Fatalf("list %q: %v, want %v", folder, got, want)
			}
		}
	})
}

func modelList(model map[string]int, folder string) []string {
	var names []string
	for path := range model {
		rest, ok := strings.CutPrefix(path, folder)
		if !ok {
			continue
		}
		if first, _, below := strings.Cut(rest, "/"); below {
			rest = first + "/"
		}
		names = append(names, rest)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// FuzzCheckJSON holds that the check refuses nothing for its syntax that encoding/json takes.
func FuzzCheckJSON(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		err := checkJSON([]byte(text))
		if err == nil || !json.Valid([]byte(text)) {
			return
		}
		for _, ours := range []string{"duplicate key", "exceeds allowed", "invalid number syntax", "surrogate pair"} {
			if strings.Contains(err.Error(), ours) {
				return
			}
		}
		t.Fatalf("refused: %v", err)
	})
}

// FuzzParsePolicy holds that no text brings the parser down, and that what it takes can be compiled and asked.
func FuzzParsePolicy(f *testing.F) {
	f.Fuzz(func(t *testing.T, text, path string) {
		policy, err := parsePolicy("p", text)
		if err != nil {
			return
		}
		ns := &vaultNamespace{policies: map[string]*vaultPolicy{"p": policy}}
		acl := ns.compile([]string{"p"})
		if slices.Contains(acl.words(path), "deny") && acl.allows(opRead, path, false) {
			t.Fatal("denied and allowed")
		}
		acl.reaches(path + "/")
	})
}
