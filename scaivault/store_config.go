// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"time"
)

// A StoreConfig says which services a [Store] asks, how their names map, and
// who decides. A Store needs at least one side; with both it needs a Mapping
// and a Flag too. The zero value of everything else is a good default.
type StoreConfig struct {
	// ScaiVault is the new side. May be nil at a constant [StageVault].
	ScaiVault Source
	// Vault is the old side, or the one that rules without a Cluster mean
	// when there are several. May be nil at a constant [StageScaiVault].
	Vault Source
	// Vaults are several old sides, by the names in [Rule.Cluster]. May be nil.
	Vaults map[string]Source
	// Mapping leads from ScaiVault paths to Vault paths. Required with a Vault.
	Mapping *Mapping
	// Flag decides the stage of each path at each call; a [Stage] is a
	// constant Flag. Required when both sides are set. If nil, StageScaiVault
	// or StageVault, whichever side is there.
	Flag Flag
	// InitialStage holds for a path of which the flag has not said a stage
	// yet. Required with a Flag that can answer StageUnknown. If zero, Get and
	// Put fail with ErrInvalid for as long as the flag has said nothing.
	InitialStage Stage
	// Cache keeps values in memory. If zero, there is no cache: every Get asks
	// a source, though those that ask at the same time share one answer.
	Cache CacheConfig
	// Failover says how long a source is waited for, and when it is left alone.
	Failover FailoverConfig
	// Compare says when the two sides are compared.
	Compare CompareConfig
	// Mirror says when writes are copied to the other side.
	Mirror MirrorConfig
	// Verdict has the thresholds of Store.Verdict, and of a Gate.
	Verdict VerdictConfig
	// Logger is told of failovers, differences and failed mirrors; of names
	// and errors, never of values. If nil, nothing is logged.
	Logger *slog.Logger
	// Trace is told of every call. If nil, nobody is.
	Trace *Trace
}

// A FailoverConfig says how long a [Store] waits for a source, and when it
// leaves one alone.
type FailoverConfig struct {
	// AttemptTimeout bounds each read of a source. When there is another one
	// to ask, a caller also waits for the first no longer than half of what
	// its ctx has left. If zero, 2 seconds.
	AttemptTimeout time.Duration
	// After is how long the first source is waited for before the other one,
	// where the stage allows it, is asked as well. At StageCanary, for a clean
	// path, the first answer that counts is taken. Where the first source is
	// the authority, the other's value is held until the authority has failed,
	// so that a slow no stays a no. If zero, 500 milliseconds. Negative
	// disables: the other one is asked only when the first has failed.
	After time.Duration
	// Breaker leaves a source alone that does not answer.
	Breaker BreakerConfig
	// PutTimeout bounds the write of a Put whose ctx has no deadline. Moving
	// the authority must wait for the longest Put. If zero, 30 seconds.
	PutTimeout time.Duration
}

// A BreakerConfig says when a [Store] leaves a source alone that gives no
// answers. While it does, the other source answers, or the cache; where there
// is neither, the source is asked all the same. Each source has a breaker of its
// own. A no is an answer; a 429 says nothing about a source's health.
type BreakerConfig struct {
	// Failures is how many reads in a row must fail for the source to be left
	// alone. If zero, 3. Negative disables.
	Failures int
	// OpenFor is how long. After that one read tries it again, which nobody
	// waits for if somebody else can answer. If zero, 5 seconds.
	OpenFor time.Duration
}

// A CacheConfig says how long a [Store] may answer from memory. A value is kept
// with the stage at which it was read: the first Get after a flip of the flag
// asks a source.
type CacheConfig struct {
	// TTL is how long a value may be served without asking. If zero, there is
	// no cache, and all else here must be zero too.
	TTL time.Duration
	// Jitter shortens each TTL by a random part of up to this size, so that
	// what was read together is not renewed together. If zero, 0.1. Negative
	// disables.
	Jitter float64
	// StaleFor is how long past its TTL a value may be served while no source
	// answers; [Secret.Stale] tells. If zero, never.
	StaleFor time.Duration
	// FailoverTTL is how long the other source's answer may be served, which
	// came in place of the first one's. If zero, 5 seconds. Never more than TTL.
	FailoverTTL time.Duration
	// NegativeTTL is how long it is remembered that there is no such secret. A
	// Put ends it at once. If zero, 1 second. Negative disables. Never more
	// than TTL.
	NegativeTTL time.Duration
	// MaxEntries is how many paths are kept; what was not asked for lately makes
	// room. If zero, 100,000.
	MaxEntries int
}

// A CompareConfig says when a [Store] compares the two sides. Only the first
// read of a path at StageCanary waits for a comparison; all others are made in
// the background.
//
// Those hold no more in memory than MaxParallel answers, each as large as its
// Source makes it ([ClientConfig].MaxResponseBytes bounds those of a [Client]),
// and what it takes to compare one value of more than 1 MiB: when another such
// value comes meanwhile, it is dropped and counted.
type CompareConfig struct {
	// SampleRate is the part of the reads that are compared at StageShadow
	// and StageCutover, evenly, from the first: of those that the authority
	// answered, by a value or by "not found", not those from the cache. If
	// zero, 0.01. Negative disables.
	SampleRate float64
	// MaxAge is how long a path counts as clean at StageCanary after it was
	// compared equal. If zero, 1 minute.
	MaxAge time.Duration
	// Timeout bounds a comparison. If zero, 1 second.
	Timeout time.Duration
	// MaxParallel bounds the comparisons in the background, and with them the
	// answers in memory; what is over it is dropped and counted. If zero, 16.
	MaxParallel int
}

// A MirrorConfig says when the authority's value is copied to the other side
// after a write.
type MirrorConfig struct {
	// Disabled switches the mirror off at StageCanary and StageCutover.
	Disabled bool
	// Shadow switches it on at StageShadow too.
	Shadow bool
	// Timeout bounds the mirroring of one write, which Put waits for. If zero,
	// 5 seconds.
	Timeout time.Duration
	// RepairFor is how long a write that could not be mirrored is tried again
	// in the background, with what the authority has by then. After that it is
	// given up, which the log, the Trace and [Stats] say. If zero, 1 hour.
	// Negative disables.
	RepairFor time.Duration
	// MaxRepairs bounds the paths that wait for that; what is over it is given
	// up at once. If zero, 10,000.
	MaxRepairs int
}

func (c FailoverConfig) attemptTimeout() time.Duration {
	return defaultTo(c.AttemptTimeout, 2*time.Second)
}
func (c FailoverConfig) after() time.Duration  { return defaultTo(c.After, 500*time.Millisecond) }
func (c BreakerConfig) failures() int          { return defaultTo(c.Failures, 3) }
func (c BreakerConfig) openFor() time.Duration { return defaultTo(c.OpenFor, 5*time.Second) }
func (c CacheConfig) jitter() float64          { return max(0, defaultTo(c.Jitter, 0.1)) }
func (c CacheConfig) maxEntries() int          { return defaultTo(c.MaxEntries, 100_000) }
func (c CacheConfig) failoverTTL() time.Duration {
	return min(c.TTL, defaultTo(c.FailoverTTL, 5*time.Second))
}

func (c CacheConfig) negativeTTL() time.Duration {
	return min(c.TTL, max(0, defaultTo(c.NegativeTTL, time.Second)))
}
func (c FailoverConfig) putTimeout() time.Duration { return defaultTo(c.PutTimeout, 30*time.Second) }
func (c CompareConfig) maxAge() time.Duration      { return defaultTo(c.MaxAge, time.Minute) }
func (c CompareConfig) timeout() time.Duration     { return defaultTo(c.Timeout, time.Second) }
func (c CompareConfig) maxParallel() int           { return defaultTo(c.MaxParallel, 16) }
func (c CompareConfig) sampleRate() float64        { return max(0, defaultTo(c.SampleRate, 0.01)) }
func (c MirrorConfig) timeout() time.Duration      { return defaultTo(c.Timeout, 5*time.Second) }
func (c MirrorConfig) repairFor() time.Duration    { return defaultTo(c.RepairFor, time.Hour) }
func (c MirrorConfig) maxRepairs() int             { return defaultTo(c.MaxRepairs, 10_000) }

func (c *StoreConfig) hasVault() bool { return c.Vault != nil || len(c.Vaults) > 0 }

// validate reports all mistakes at once.
func (c *StoreConfig) validate() error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.ScaiVault == nil && !c.hasVault() {
		problem("ScaiVault, Vault: set at least one side")
	}
	c.checkNils(problem)
	c.checkMapping(problem)
	c.checkFlag(problem)
	c.Cache.check(problem)
	if c.Failover.AttemptTimeout < 0 || c.Failover.Breaker.OpenFor < 0 || c.Failover.PutTimeout < 0 || c.Compare.MaxAge < 0 || c.Compare.Timeout < 0 ||
		c.Compare.MaxParallel < 0 || c.Mirror.Timeout < 0 || c.Mirror.MaxRepairs < 0 {
		problem("Failover, Compare, Mirror: a duration or number is negative; zero means the default")
	}
	c.Verdict.check(problem)
	if c.Compare.SampleRate > 1 || math.IsNaN(c.Compare.SampleRate) {
		problem("Compare.SampleRate: %v is not a part; give 0 to 1", c.Compare.SampleRate)
	}
	if len(problems) > 0 {
		return &Error{Kind: ErrInvalid, Op: "configure store", Err: joinLine(problems)}
	}
	return nil
}

func (c CacheConfig) check(problem func(string, ...any)) {
	if c.TTL < 0 || c.StaleFor < 0 || c.FailoverTTL < 0 || c.MaxEntries < 0 {
		problem("Cache: a duration or number is negative; zero means the default")
	}
	if c.TTL == 0 && c != (CacheConfig{}) {
		problem("Cache.TTL: is zero, which means no cache, and other fields of Cache are set; set TTL, or none of them")
	}
	if c.Jitter >= 1 || math.IsNaN(c.Jitter) {
		problem("Cache.Jitter: %v is not a part; give 0 to less than 1", c.Jitter)
	}
}

// checkNils finds nil pointers that are not nil interfaces.
func (c *StoreConfig) checkNils(problem func(string, ...any)) {
	if isNil(c.ScaiVault) {
		problem("ScaiVault: is a nil %T; leave the field out instead", c.ScaiVault)
	}
	if isNil(c.Vault) {
		problem("Vault: is a nil %T; leave the field out instead", c.Vault)
	}
	for name, v := range c.Vaults {
		if v == nil || isNil(v) {
			problem("Vaults[%q]: is nil", name)
		}
	}
}

func isNil(v any) bool {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Chan, reflect.Interface:
		return r.IsNil()
	default:
		return false
	}
}

func (c *StoreConfig) checkMapping(problem func(string, ...any)) {
	if !c.hasVault() {
		return
	}
	if c.Mapping == nil {
		problem("Mapping: required with a Vault; see NewMapping and ParseMapping")
		return
	}
	var missing []string
	for _, r := range c.Mapping.rules {
		if c.vaultOf(r.Cluster) == nil && !slices.Contains(missing, r.Cluster) {
			missing = append(missing, r.Cluster)
		}
	}
	for _, name := range missing {
		if name == "" {
			problem("Vault: is nil, and there are rules without a cluster; set it, or name a cluster of Vaults in each rule")
			continue
		}
		problem("Vaults[%q]: is not set, and a rule of the mapping names this cluster", name)
	}
}

// vaultOf returns the Vault that a rule means.
func (c *StoreConfig) vaultOf(cluster string) Source {
	if cluster == "" {
		return c.Vault
	}
	return c.Vaults[cluster]
}

func (c *StoreConfig) checkFlag(problem func(string, ...any)) {
	if c.InitialStage != StageUnknown && !c.InitialStage.known() {
		problem("InitialStage: %s is not a stage", c.InitialStage)
	}
	if gate, inner := gateOf(c.Flag); gate != nil {
		gate.check(problem)
		if inner == nil {
			return
		}
	}
	if c.Flag == nil {
		if c.ScaiVault != nil && c.hasVault() {
			problem("Flag: required when both sides are set; a constant one is a Stage, such as StageVault")
		}
		return
	}
	_, flag := gateOf(c.Flag)
	if holdsGate(flag) {
		problem("Flag: a Gate stands inside of another flag; put it around the whole flag")
	}
	checkFlagParts(flag, problem)
	if canBeUnknown(flag) && c.InitialStage == StageUnknown {
		problem("InitialStage: required, as the flag does not answer for every path; set the stage that holds until it does")
	}
	for _, constant := range []Flag{flag, c.InitialStage} {
		if stage, ok := constant.(Stage); ok && stage.known() {
			c.checkSides(stage, problem)
		}
	}
}

// checkSides asks that the sources which a constant stage needs are there.
func (c *StoreConfig) checkSides(stage Stage, problem func(string, ...any)) {
	needsScaiVault, needsVault := stage.needs()
	if needsScaiVault && c.ScaiVault == nil {
		problem("ScaiVault: is nil, and stage %s needs it", stage)
	}
	if needsVault && !c.hasVault() {
		problem("Vault: is nil, and stage %s needs it", stage)
	}
}

// canBeUnknown tells of this package's own flags whether there are paths for
// which they cannot say a stage. Of others it cannot tell.
func canBeUnknown(f Flag) bool {
	switch f := f.(type) {
	case nil:
		return true
	case Stage:
		return f == StageUnknown
	case Rollout:
		return canBeUnknown(f.From) || canBeUnknown(f.To)
	case *Rollout:
		return f != nil && canBeUnknown(*f)
	case *PathFlags:
		return f != nil && canBeUnknown(*f)
	case PathFlags:
		for _, line := range f {
			if canBeUnknown(line.Flag) {
				return true
			}
			if line.Pattern == "**" {
				return false
			}
		}
		return true
	default:
		return false
	}
}
