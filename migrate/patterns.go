// SPDX-License-Identifier: Apache-2.0

package migrate

import "strings"

// patterns are names, exact or with "/**" at the end. Looking one up costs a
// few map accesses, however many there are.
type patterns struct {
	exact map[string]struct{}
	tails territory // a name below one of them matches
}

func newPatterns(all []string) *patterns {
	p := &patterns{exact: map[string]struct{}{}}
	var tails []string
	for _, pattern := range all {
		if name, tail := splitPattern(pattern); tail {
			tails = append(tails, name)
		} else {
			p.exact[name] = struct{}{}
		}
	}
	p.tails = newTerritory(tails)
	return p
}

func (p *patterns) match(name string) bool {
	if _, ok := p.exact[name]; ok {
		return true
	}
	return p.tails.coversParent(name)
}

// needles are pieces of text of which a line of JSON that holds a matching
// name must hold one; nil where that is not certain or not worth it.
func (p *patterns) needles() [][]byte {
	if len(p.exact)+len(p.tails) > maxFiltered {
		return nil
	}
	var all [][]byte
	for _, names := range []map[string]struct{}{p.exact, p.tails} {
		for name := range names {
			if name == "" || strings.ContainsFunc(name, escapable) {
				return nil
			}
			all = append(all, []byte(name))
		}
	}
	return all
}

// escapable tells whether JSON may write a character in another way.
func escapable(r rune) bool {
	return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r)
}
