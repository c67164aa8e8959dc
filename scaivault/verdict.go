// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// A Verdict says whether what a [Store] has seen so far allows the paths of a
// pattern to go to a stage.
type Verdict struct {
	Pattern string
	Stage   Stage
	// Allowed says that no check speaks against it.
	Allowed bool
	// Checks are what was looked at, in a fixed order.
	Checks []Check
}

// A Check is one thing that a [Verdict] looks at.
type Check struct {
	// Name is "samples", "mismatches", "errors", "differing", "quiet" or
	// "repairs"; or "pattern" or "stage" where those make no sense.
	Name string
	OK   bool
	// Value is what was seen and Threshold what is asked for, for people.
	Value, Threshold string
	// Reason says in words what is missing; empty where OK.
	Reason string
}

// String returns one line: what is allowed, or why it is not.
func (v Verdict) String() string {
	if v.Allowed {
		return fmt.Sprintf("%s may go to %s", wire.Printable(v.Pattern), v.Stage)
	}
	var reasons []string
	for _, c := range v.Checks {
		if !c.OK {
			reasons = append(reasons, c.Reason)
		}
	}
	return fmt.Sprintf("%s may not go to %s: %s", wire.Printable(v.Pattern), v.Stage, strings.Join(reasons, "; "))
}

// A VerdictConfig has the thresholds of [Store.Verdict] and of a [Gate].
type VerdictConfig struct {
	// Window is how far back comparisons count. If zero, 1 hour.
	Window time.Duration
	// MinSamples is how many comparisons there must be. If zero, 100. Negative:
	// none.
	MinSamples int
	// MaxMismatchRate is the part of them that may have shown a difference, or
	// that one side has no such secret. If zero, 0.001. Negative: none.
	MaxMismatchRate float64
	// MaxErrorRate is the part of all tries that may have ended without a
	// comparison, as a side gave no answer. If zero, 0.01. Negative: none.
	MaxErrorRate float64
	// QuietFor is how long ago the last difference must be. If zero, 10
	// minutes. Negative disables.
	QuietFor time.Duration
}

func (c VerdictConfig) window() time.Duration    { return defaultTo(c.Window, time.Hour) }
func (c VerdictConfig) minSamples() int          { return defaultTo(c.MinSamples, 100) }
func (c VerdictConfig) maxMismatchRate() float64 { return max(0, defaultTo(c.MaxMismatchRate, 0.001)) }
func (c VerdictConfig) maxErrorRate() float64    { return max(0, defaultTo(c.MaxErrorRate, 0.01)) }
func (c VerdictConfig) quietFor() time.Duration {
	return max(0, defaultTo(c.QuietFor, 10*time.Minute))
}

func (c VerdictConfig) check(problem func(string, ...any)) {
	if c.Window < 0 {
		problem("Verdict.Window: is negative; zero means the default")
	}
	for _, rate := range []float64{c.MaxMismatchRate, c.MaxErrorRate} {
		if rate > 1 || math.IsNaN(rate) {
			problem("Verdict: a rate of %v is not a part; give 0 to 1", rate)
		}
	}
}

// Verdict says whether what this Store has seen so far allows the paths that
// match pattern (a path, a path and "/**", or "**") to go to stage; see
// [VerdictConfig] for the thresholds. What counts is what was seen at the stage
// before: at StageShadow for StageCanary, at StageCanary and StageFreeze for
// StageFreeze and StageCutover, and at StageCutover for StageScaiVault.
// StageShadow and StageVault need no evidence. Proxied paths are none.
//
// It tells of this process alone, and of paths whose sides were compared since
// it began: ask more than one instance, and see a clean migrate.Diff, before the
// authority moves. It does no I/O.
func (s *Store) Verdict(pattern string, stage Stage) Verdict {
	v := Verdict{Pattern: pattern, Stage: stage}
	if reason := brokenPattern(pattern); reason != "" {
		v.Checks = []Check{{Name: "pattern", Value: wire.Printable(pattern), Threshold: "a path, a path and /**, or **", Reason: "the pattern can match no path: " + reason}}
		return v
	}
	ground, needed := evidenceFor(stage)
	switch {
	case !stage.known():
		v.Checks = []Check{{Name: "stage", Value: stage.String(), Threshold: "a stage", Reason: stage.String() + " is not a stage"}}
		return v
	case !needed:
		v.Allowed = true
		return v
	}
	v.Checks = s.judge(s.evidence.sum(pattern, ground, time.Now()), pattern, stage)
	v.Allowed = true
	for _, c := range v.Checks {
		v.Allowed = v.Allowed && c.OK
	}
	return v
}

func brokenPattern(pattern string) string {
	if pattern == "**" {
		return ""
	}
	prefix, _ := splitPattern(pattern)
	return brokenPathRule(prefix)
}

// judge holds what was seen against the thresholds.
func (s *Store) judge(sum tally, pattern string, stage Stage) []Check {
	c := s.cfg.Verdict
	compared := sum.equal + sum.unequal
	check := func(name string, ok bool, value, threshold, reason string) Check {
		if ok {
			reason = ""
		}
		return Check{Name: name, OK: ok, Value: value, Threshold: threshold, Reason: reason}
	}
	rate := func(part, whole uint64) float64 {
		if whole == 0 {
			return 0
		}
		return float64(part) / float64(whole)
	}
	mismatches, errs := rate(sum.unequal, compared), rate(sum.unreadable, compared+sum.unreadable)
	quiet, quietFor := "never", c.quietFor()
	if !sum.lastUnequal.IsZero() {
		quiet = time.Since(sum.lastUnequal).Round(time.Second).String() + " ago"
	}
	checks := []Check{
		check("samples", compared >= uint64(max(0, c.minSamples())), fmt.Sprint(compared), fmt.Sprintf("at least %d", c.minSamples()),
			fmt.Sprintf("only %d comparisons within %v, of %d asked for", compared, c.window(), c.minSamples())),
		check("mismatches", mismatches <= c.maxMismatchRate(), percent(mismatches), "at most "+percent(c.maxMismatchRate()),
			fmt.Sprintf("%d of %d comparisons were unequal", sum.unequal, compared)),
		check("errors", errs <= c.maxErrorRate(), percent(errs), "at most "+percent(c.maxErrorRate()),
			fmt.Sprintf("%d of %d comparisons found a side that gave no answer", sum.unreadable, compared+sum.unreadable)),
		check("differing", sum.differing == 0, fmt.Sprint(sum.differing), "0",
			fmt.Sprintf("%d paths were unequal when they were compared last, such as %s", sum.differing, sum.example)),
		check("quiet", sum.lastUnequal.IsZero() || time.Since(sum.lastUnequal) >= quietFor, quiet, fmt.Sprintf("at least %v ago", quietFor),
			fmt.Sprintf("the last difference was seen %s; wait for %v", quiet, quietFor)),
	}
	if stage >= StageFreeze {
		waiting := s.repairs.matching(pattern)
		checks = append(checks, check("repairs", waiting == 0, fmt.Sprint(waiting), "0",
			fmt.Sprintf("%d writes are still to be copied to the other side", waiting)))
	}
	return checks
}

func percent(part float64) string { return fmt.Sprintf("%.3g%%", 100*part) }
