// SPDX-License-Identifier: Apache-2.0

package scaivault

import "github.com/scailabs/scaivault-go/internal/wire"

// eachFlag visits f and the flags that it is made of, but for those that are nil
// interfaces.
func eachFlag(f Flag, visit func(Flag)) {
	if f == nil {
		return
	}
	visit(f)
	switch f := f.(type) {
	case Rollout:
		eachFlag(f.From, visit)
		eachFlag(f.To, visit)
	case *Rollout:
		if f != nil {
			eachFlag(*f, visit)
		}
	case PathFlags:
		for _, line := range f {
			eachFlag(line.Flag, visit)
		}
	case *PathFlags:
		if f != nil {
			eachFlag(*f, visit)
		}
	}
}

// checkFlagParts finds what can be found without asking a flag.
func checkFlagParts(f Flag, problem func(string, ...any)) {
	verb := "is"
	eachFlag(f, func(f Flag) {
		if isNil(f) {
			problem("Flag: %s a nil %T; leave it out instead", verb, f)
			return
		}
		verb = "holds"
		switch f := f.(type) {
		case PathFlags:
			for i, line := range f {
				if rule := brokenPattern(line.Pattern); rule != "" {
					problem("Flag: pattern %d (%s) can match no path: %s; write a path, a path and /**, or **", i+1, wire.Printable(line.Pattern), rule)
				}
			}
		case Stage:
			if f != StageUnknown && !f.known() {
				problem("Flag: %s is not a stage", f)
			}
		case Rollout:
			if !isPercent(f.Percent) {
				problem("Flag: Percent of a Rollout is %v; give 0 to 100", f.Percent)
			}
		}
	})
}

// isPercent is false for what is not a number too.
func isPercent(p float64) bool { return p >= 0 && p <= 100 }

// ownFlags tells whether a flag is made of nothing but this package's own, which
// do not panic.
func ownFlags(f Flag) bool {
	own := true
	eachFlag(f, func(f Flag) {
		switch f.(type) {
		case Stage, Rollout, PathFlags, *WatchedFlag:
		default:
			own = false
		}
	})
	return own
}

// skipsFreeze tells whether a rollout moves the authority of paths with no
// freeze between.
func (r Rollout) skipsFreeze() bool {
	from, ok := r.From.(Stage)
	to, ok2 := r.To.(Stage)
	return ok && ok2 && from.known() && to.known() && from != StageFreeze && to != StageFreeze && from.vaultRules() != to.vaultRules()
}
