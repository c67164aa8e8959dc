// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A territory is a set of subtrees of which none lies within another, so that
// going through them meets no secret twice. The subtree "" is everything.
type territory map[string]struct{}

// newTerritory drops the prefixes that lie within another.
func newTerritory(prefixes []string) territory {
	all := make(territory, len(prefixes))
	for _, p := range prefixes {
		all[p] = struct{}{}
	}
	for p := range maps.Clone(all) {
		if p != "" && all.coversParent(p) {
			delete(all, p)
		}
	}
	return all
}

// covers tells whether path is the top of a subtree or lies below one.
func (t territory) covers(path string) bool {
	_, top := t[path]
	return top || t.coversParent(path)
}

func (t territory) coversParent(path string) bool {
	if _, everything := t[""]; everything {
		return true
	}
	for i := strings.LastIndexByte(path, '/'); i > 0; i = strings.LastIndexByte(path[:i], '/') {
		if _, ok := t[path[:i]]; ok {
			return true
		}
	}
	return false
}

// sorted returns the tops of the subtrees in order.
func (t territory) sorted() []string { return slices.Sorted(maps.Keys(t)) }

// cleanPrefixes reads the prefixes of a caller: "kv/data/apps", with or
// without "/" or "/**" at the end.
func cleanPrefixes(op string, prefixes []string, side scaivault.Side) ([]string, error) {
	clean := make([]string, 0, len(prefixes))
	for _, given := range prefixes {
		p, _ := splitPattern(given)
		p = strings.TrimSuffix(p, "/")
		switch {
		case p == "" && side == scaivault.SideVault:
			return nil, invalid(op, fmt.Sprintf("the prefix %q names no mount; give one, as in kv/data", given))
		case p == "" && given == "":
			return nil, invalid(op, `a prefix is empty; "**" is everything`)
		case strings.HasPrefix(p, "/") || strings.Contains(p, "//") || strings.Contains(p, "*"):
			return nil, invalid(op, fmt.Sprintf("the prefix %q is not a path; give one without leading and doubled slashes, as in %s", given, examplePrefix(side)))
		}
		clean = append(clean, p)
	}
	return clean, nil
}

func examplePrefix(side scaivault.Side) string {
	if side == scaivault.SideVault {
		return "kv/data/apps"
	}
	return "environments/production"
}

// nearTerritory is what to list on the side that is read: the prefixes, or
// everything that a wildcard covers.
func (r *route) nearTerritory(prefixes []string) territory {
	if len(prefixes) > 0 {
		return newTerritory(prefixes)
	}
	var tops []string
	for _, rule := range r.rules {
		if prefix, tail := splitPattern(r.near(rule)); tail {
			tops = append(tops, prefix)
		}
	}
	return newTerritory(tops)
}

// farTerritory is what to list on the other side to meet everything that a
// wildcard could lead to from within the prefixes, or from anywhere.
func (r *route) farTerritory(prefixes []string) territory {
	within := newTerritory(prefixes)
	var tops []string
	for _, rule := range r.rules {
		near, tail := splitPattern(r.near(rule))
		if !tail {
			continue
		}
		far, _ := splitPattern(r.far(rule))
		if len(prefixes) == 0 || within.covers(near) {
			tops = append(tops, far)
			continue
		}
		for p := range within {
			if rest, below := below(near, p); below {
				tops = append(tops, joinPath(far, rest))
			}
		}
	}
	return newTerritory(tops)
}

// below tells whether path lies below prefix, and where.
func below(prefix, path string) (rest string, ok bool) {
	if prefix == "" {
		return path, path != ""
	}
	return strings.CutPrefix(path, prefix+"/")
}

func joinPath(prefix, rest string) string {
	if prefix == "" {
		return rest
	}
	return prefix + "/" + rest
}
