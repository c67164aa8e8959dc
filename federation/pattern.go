// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"fmt"
	"strings"

	"github.com/scailabs/scaivault-go/scaivault"
)

// PathMapping returns the rules of one Vault that are marked as proxied, in the form
// that a backend's PathMapping takes. So one mapping file serves services, migration
// and federation. The other rules are left out: their ScaiVault paths hold copies,
// which a backend would hide.
//
// The cluster is the one of [scaivault.Rule]; empty for the only Vault. The result is
// empty, and refused by [Client.Create], where no rule of it is proxied.
func PathMapping(m *scaivault.Mapping, cluster string) map[string]string {
	mapping := map[string]string{}
	for _, r := range m.Rules() {
		if r.Proxied && r.Cluster == cluster {
			mapping[r.ScaiVault] = r.Vault
		}
	}
	return mapping
}

// wrongMapping says what is wrong with one pair; nothing where it is right.
func wrongMapping(pattern, template string, config Config) string {
	prefix, tail := splitPattern(pattern)
	base, templateTail := strings.CutSuffix(template, "**")
	switch {
	case strings.Contains(prefix, "*"):
		return `a wildcard is "**" and stands only at the end, after a slash, as in external/hashicorp/**`
	case prefix != "" && scaivault.ValidatePath(prefix) != nil, prefix == "" && pattern != "**":
		return "is not a ScaiVault path; allowed are levels of a-z, 0-9, - and _, parted by single slashes"
	case template == "":
		return "leads to nothing; name the place in the backend, as in kv/data/**"
	case strings.Contains(base, "*"):
		return `leads to a name with a wildcard that is not "**" at the end`
	case tail != templateTail:
		return `either both sides end in "**" or neither does`
	case strings.ContainsFunc(template, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "leads to a name with an unprintable character"
	}
	if config != nil && config.Type() == TypeHashiCorpVault {
		return wrongVaultName(base, templateTail)
	}
	return ""
}

// wrongVaultName says what is wrong with the part of a Vault API path before "**".
func wrongVaultName(base string, tail bool) string {
	path, slash := strings.CutSuffix(base, "/")
	switch {
	case tail && base != "" && !slash:
		return `leads to a name in which "**" does not stand after a slash, as it does in kv/data/**`
	case !tail && slash, strings.HasPrefix(base, "/"), strings.Contains(base, "//"):
		return "leads to a Vault path with a leading, trailing or doubled slash"
	case !tail && !strings.Contains(path, "/"):
		return "leads to a mount, which is no secret; name one, as in kv/data/apps/db"
	}
	return ""
}

// splitPattern returns the part before "/**" and whether there was one.
func splitPattern(pattern string) (prefix string, tail bool) {
	if pattern == "**" {
		return "", true
	}
	return strings.CutSuffix(pattern, "/**")
}

// covers tells whether a pattern stands for a path.
func covers(pattern, path string) bool {
	prefix, tail := splitPattern(pattern)
	if !tail {
		return path == prefix
	}
	return prefix == "" || strings.HasPrefix(path, prefix+"/")
}

const maxPrinted = 160

// printable keeps what came from outside harmless in one line of an error: quoted
// where it holds anything unprintable, and cut where it is too long.
func printable(text string) string {
	if len(text) > maxPrinted {
		text = strings.ToValidUTF8(text[:maxPrinted], "") + "…"
	}
	quoted := fmt.Sprintf("%q", text)
	if quoted == `"`+text+`"` && !strings.Contains(text, " ") {
		return text
	}
	return quoted
}
