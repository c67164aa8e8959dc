// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"cmp"
	"slices"
	"strings"
)

// A vaultACL is what a token's policies come to. It does not change.
type vaultACL struct {
	root     bool
	prefix   string // of the token's namespace
	exact    map[string]capability
	prefixes []policyRule // longest first
	segments []policyRule // with a + in them, first to be asked first
}

// compile puts policies together: the capabilities for one path add up, and deny wins over them.
func (ns *vaultNamespace) compile(names []string) *vaultACL {
	acl := &vaultACL{exact: map[string]capability{}, prefix: ns.path}
	merged := map[policyRule]capability{}
	for _, name := range names {
		if name == "root" {
			return &vaultACL{root: true, prefix: ns.path}
		}
		policy := ns.policy(name)
		if policy == nil {
			continue
		}
		for _, rule := range policy.rules {
			place := rule
			place.allowed = 0
			place.path = ns.path + place.path
			if merged[place] |= rule.allowed; merged[place]&capDeny != 0 {
				merged[place] = capDeny
			}
		}
	}
	for rule, allowed := range merged {
		rule.allowed = allowed
		switch {
		case rule.segments:
			acl.segments = append(acl.segments, rule)
		case rule.prefix:
			acl.prefixes = append(acl.prefixes, rule)
		default:
			acl.exact[rule.path] = allowed
		}
	}
	slices.SortFunc(acl.prefixes, func(a, b policyRule) int { return cmp.Compare(len(b.path), len(a.path)) })
	slices.SortFunc(acl.segments, func(a, b policyRule) int { return -a.comparePriority(b) })
	return acl
}

// allows decides about one operation. A listing is also allowed by a rule for the folder's name without its slash.
func (a *vaultACL) allows(op, path string, sudo bool) bool {
	if a.root {
		return strings.HasPrefix(path, a.prefix)
	}
	granted := a.capabilities(path, op == opList)
	needed := capabilityOf(op)
	return needed != 0 && granted&needed != 0 && (!sudo || granted&capSudo != 0)
}

func (a *vaultACL) hasSudo(path string) bool {
	return a.root || a.capabilities(path, false)&capSudo != 0
}

// capabilities finds the one rule that counts: an exact one, else the closest wildcard.
func (a *vaultACL) capabilities(path string, listing bool) capability {
	if granted, ok := a.exact[path]; ok {
		return granted
	}
	if folder := strings.TrimSuffix(path, "/"); listing && folder != path {
		if granted, ok := a.exact[folder]; ok {
			return granted
		}
		if granted, ok := a.wildcard(folder); ok {
			return granted
		}
	}
	granted, _ := a.wildcard(path)
	return granted
}

func (a *vaultACL) wildcard(path string) (granted capability, ok bool) {
	var best policyRule
	for _, rule := range a.prefixes {
		if strings.HasPrefix(path, rule.path) {
			best, ok = rule, true
			break
		}
	}
	for _, rule := range a.segments {
		if !rule.matchesSegments(path) {
			continue
		}
		if !ok || rule.comparePriority(best) > 0 {
			best, ok = rule, true
		}
		break
	}
	return best.allowed, ok
}

// matchesSegments takes + for one whole segment and a * at the end for the rest.
func (r policyRule) matchesSegments(path string) bool {
	pattern, open := strings.CutSuffix(r.path, "*")
	for {
		want, moreWanted, hasWanted := strings.Cut(pattern, "/")
		have, moreHave, hasHave := strings.Cut(path, "/")
		switch {
		case !hasWanted && open:
			return want == "+" || strings.HasPrefix(have, want)
		case want != "+" && want != have:
			return false
		case !hasWanted || !hasHave:
			return hasWanted == hasHave
		}
		pattern, path = moreWanted, moreHave
	}
}

// comparePriority is positive when r counts before other: the later first wildcard, then no * at the end, fewer +, the longer text.
func (r policyRule) comparePriority(other policyRule) int {
	return cmp.Or(
		cmp.Compare(r.firstWildcard(), other.firstWildcard()),
		cmp.Compare(boolRank(!r.open()), boolRank(!other.open())),
		-cmp.Compare(r.wildcards(), other.wildcards()),
		cmp.Compare(len(strings.TrimSuffix(r.path, "*")), len(strings.TrimSuffix(other.path, "*"))),
		cmp.Compare(r.path, other.path),
	)
}

func (r policyRule) open() bool { return r.prefix || (r.segments && strings.HasSuffix(r.path, "*")) }

func (r policyRule) firstWildcard() int {
	if r.segments {
		return strings.IndexByte(r.path, '+')
	}
	return len(r.path)
}

func (r policyRule) wildcards() int {
	n := 0
	for segment := range strings.SplitSeq(r.path, "/") {
		if r.segments && segment == "+" {
			n++
		}
	}
	return n
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// reaches tells whether the token may do anything at or below a mount, which is all that Vault wants to know before it says that the mount is there.
func (a *vaultACL) reaches(mount string) bool {
	if a.root {
		return strings.HasPrefix(mount, a.prefix)
	}
	if granted := a.capabilities(mount, true); granted != 0 && granted&capDeny == 0 {
		return true
	}
	for path, granted := range a.exact {
		if strings.HasPrefix(path, mount) && granted != 0 && granted&capDeny == 0 {
			return true
		}
	}
	for _, rule := range a.prefixes {
		if strings.HasPrefix(rule.path, mount) && rule.allowed != 0 && rule.allowed&capDeny == 0 {
			return true
		}
	}
	for _, rule := range a.segments {
		if rule.allowed != 0 && rule.allowed&capDeny == 0 && rule.mayLieBelow(mount) {
			return true
		}
	}
	return false
}

// mayLieBelow tells whether the first segments of the rule match those of the mount.
func (r policyRule) mayLieBelow(mount string) bool {
	pattern, open := strings.CutSuffix(r.path, "*")
	wanted := strings.Split(pattern, "/")
	for i, segment := range strings.Split(strings.TrimSuffix(mount, "/"), "/") {
		if i >= len(wanted) {
			return false
		}
		started := open && i == len(wanted)-1 && strings.HasPrefix(segment, wanted[i])
		if wanted[i] != "+" && wanted[i] != segment && !started {
			return false
		}
	}
	return true
}

// words lists the capabilities at a path, as sys/capabilities-self tells them.
func (a *vaultACL) words(path string) []string {
	if a.root {
		return []string{"root"}
	}
	granted := a.capabilities(path, true)
	var words []string
	for _, word := range []string{opCreate, opDelete, opList, opPatch, opRead, "recover", "subscribe", "sudo", opUpdate} {
		if granted&capabilityOf(word) != 0 && granted&capDeny == 0 {
			words = append(words, word)
		}
	}
	if words == nil {
		return []string{"deny"}
	}
	return words
}
