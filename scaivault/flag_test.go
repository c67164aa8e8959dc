// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

const flagVariable = "BILLING_SCAIVAULT_STAGE"

func TestEnvFlagReadsOneStageForAllPaths(t *testing.T) {
	for name, stage := range everyStage {
		t.Setenv(flagVariable, name)
		flag, err := scaivault.EnvFlag(flagVariable)
		require.NoError(t, err)
		assert.Equal(t, stage, flag.Stage(t.Context(), "a/b"))
		assert.Equal(t, stage, flag.Stage(t.Context(), "c"))
	}
}

func TestEnvFlagIsReadOnce(t *testing.T) {
	t.Setenv(flagVariable, "canary")
	flag, err := scaivault.EnvFlag(flagVariable)
	require.NoError(t, err)
	t.Setenv(flagVariable, "cutover")
	assert.Equal(t, scaivault.StageCanary, flag.Stage(t.Context(), "a/b"))
}

func TestEnvFlagNamesTheVariable(t *testing.T) {
	flag, err := scaivault.EnvFlag("BILLING_SCAIVAULT_STAGE_THAT_NOBODY_SETS")
	assert.Nil(t, flag)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Contains(t, err.Error(), "environment variable BILLING_SCAIVAULT_STAGE_THAT_NOBODY_SETS is not set; set it to a stage such as vault")

	for _, wrong := range []string{"", "unknown", "Cutover"} {
		t.Setenv(flagVariable, wrong)
		flag, err = scaivault.EnvFlag(flagVariable)
		assert.Nil(t, flag)
		require.ErrorIs(t, err, scaivault.ErrInvalid)
		assert.Contains(t, err.Error(), "environment variable "+flagVariable+": ")
		assert.Contains(t, err.Error(), "the stages are vault, shadow, canary, freeze, cutover, scaivault")
	}
}

func TestFlagFuncIsAskedWithThePath(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "here")
	var flag scaivault.Flag = scaivault.FlagFunc(func(got context.Context, path string) scaivault.Stage {
		assert.Equal(t, "here", got.Value(key{}))
		assert.Equal(t, "a/b", path)
		return scaivault.StageShadow
	})
	assert.Equal(t, scaivault.StageShadow, flag.Stage(ctx, "a/b"))
}

func TestTheFirstPatternThatMatchesDecides(t *testing.T) {
	t.Parallel()
	flags := scaivault.PathFlags{
		{Pattern: "apps/billing/db", Flag: scaivault.StageCutover},
		{Pattern: "apps/billing/**", Flag: scaivault.StageCanary},
		{Pattern: "apps/undecided/**"},
		{Pattern: "apps/**", Flag: scaivault.Rollout{From: scaivault.StageVault, To: scaivault.StageShadow, Percent: 100}},
		{Pattern: "apps/billing/late", Flag: scaivault.StageFreeze},
	}
	for path, want := range map[string]scaivault.Stage{
		"apps/billing/db":     scaivault.StageCutover,
		"apps/billing/db/x":   scaivault.StageCanary,
		"apps/billing/late":   scaivault.StageCanary,
		"apps/billing":        scaivault.StageShadow,
		"apps/billings/x":     scaivault.StageShadow,
		"apps/undecided/x":    scaivault.StageUnknown, // never the stage of a later line
		"apps":                scaivault.StageUnknown,
		"appsx/y":             scaivault.StageUnknown,
		"elsewhere":           scaivault.StageUnknown,
		"x/apps/billing/db":   scaivault.StageUnknown,
		"apps/other":          scaivault.StageShadow,
		"apps/a/b/c/d/e/f/g":  scaivault.StageShadow,
		"apps/billing/db-two": scaivault.StageCanary,
	} {
		assert.Equal(t, want, flags.Stage(t.Context(), path), path)
	}
	assert.Equal(t, scaivault.StageUnknown, scaivault.PathFlags(nil).Stage(t.Context(), "apps"))
	everything := append(flags, scaivault.PathFlag{Pattern: "**", Flag: scaivault.StageScaiVault})
	assert.Equal(t, scaivault.StageScaiVault, everything.Stage(t.Context(), "elsewhere"))
	assert.Equal(t, scaivault.StageScaiVault, everything.Stage(t.Context(), "a/b/c"))
	assert.Equal(t, scaivault.StageCutover, everything.Stage(t.Context(), "apps/billing/db"))
}

// rollout moves a part of the paths from vault to shadow.
func rollout(percent float64, seed string) scaivault.Rollout {
	return scaivault.Rollout{From: scaivault.StageVault, To: scaivault.StageShadow, Percent: percent, Seed: seed}
}

// manyPaths are as alike as the names of an estate are.
func manyPaths(n int) []string {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = "environments/production/service-" + strconv.Itoa(i) + "/database"
	}
	return paths
}

func moved(t *testing.T, r scaivault.Rollout, paths []string) map[string]bool {
	t.Helper()
	in := map[string]bool{}
	for _, p := range paths {
		switch stage := r.Stage(t.Context(), p); stage {
		case scaivault.StageShadow:
			in[p] = true
		case scaivault.StageVault:
		default:
			t.Fatalf("%s is at %s", p, stage)
		}
	}
	return in
}

func TestARolloutIsTheSameInEveryInstance(t *testing.T) {
	t.Parallel()
	assert.Equal(t, moved(t, rollout(50, "s"), manyPaths(1000)), moved(t, rollout(50, "s"), manyPaths(1000)), "asked twice")
	// What another version of the library would have to answer as well.
	var got []bool
	for _, p := range []string{"a", "b", "c", "environments/production/billing/database", "x/y", "z"} {
		got = append(got, rollout(50, "billing").Stage(t.Context(), p) == scaivault.StageShadow)
	}
	assert.Equal(t, []bool{true, true, true, true, false, true}, got)
	var shares []int
	for _, p := range []string{"a", "b", "environments/production/billing/database", "x/y"} {
		for _, seed := range []string{"", "billing"} {
			shares = append(shares, shareOf(t, seed, p, 100))
		}
	}
	assert.Equal(t, []int{37, 48, 58, 6, 54, 33, 39, 97}, shares, "the whole percentages at which they move")
}

func TestRaisingThePercentNeverTakesAPathBack(t *testing.T) {
	t.Parallel()
	paths := manyPaths(2000)
	before := map[string]bool{}
	for _, percent := range []float64{0, 0.1, 1, 2.5, 10, 33.3, 50, 90, 99.9, 100} {
		now := moved(t, rollout(percent, ""), paths)
		for p := range before {
			assert.True(t, now[p], "%s went back at %v%%", p, percent)
		}
		before = now
	}
	assert.Len(t, before, len(paths))
}

func TestTheEndsOfARollout(t *testing.T) {
	t.Parallel()
	paths := append(manyPaths(1000), "", "a")
	for _, none := range []float64{0, -5, math.Inf(-1), math.NaN()} {
		assert.Empty(t, moved(t, rollout(none, ""), paths), "%v", none)
	}
	for _, all := range []float64{100, 101, math.Inf(1)} {
		assert.Len(t, moved(t, rollout(all, ""), paths), len(paths), "%v", all)
	}
}

func TestARolloutIsEven(t *testing.T) {
	t.Parallel()
	const n, buckets = 100_000, 100
	paths := manyPaths(n)
	for _, seed := range []string{"", "billing", "2"} {
		counts := make([]float64, buckets)
		for _, p := range paths {
			counts[shareOf(t, seed, p, buckets)]++
		}
		expected, chiSquare := float64(n)/buckets, 0.0
		for _, c := range counts {
			chiSquare += (c - expected) * (c - expected) / expected
		}
		// With 99 degrees of freedom, one in a hundred thousand fair ones is above.
		assert.Less(t, chiSquare, 170.0, "seed %q", seed)
		assert.InDelta(t, 1.0, 100*float64(len(moved(t, rollout(1, seed), paths)))/n, 0.15, "1%% with seed %q", seed)
	}
}

// shareOf finds the whole percentage at which a path moves.
func shareOf(t *testing.T, seed, path string, buckets int) int {
	t.Helper()
	low, high := 0, buckets // moved at high, not at low
	for high-low > 1 {
		middle := (low + high) / 2
		if rollout(float64(middle), seed).Stage(t.Context(), path) == scaivault.StageShadow {
			high = middle
		} else {
			low = middle
		}
	}
	return low
}

func TestTheSeedMakesTwoRolloutsIndependent(t *testing.T) {
	t.Parallel()
	paths := manyPaths(100_000)
	one, two := moved(t, rollout(10, "one"), paths), moved(t, rollout(10, "two"), paths)
	both := 0
	for p := range one {
		if two[p] {
			both++
		}
	}
	assert.InDelta(t, 0.1, float64(both)/float64(len(one)), 0.015, "a tenth of a tenth")
	// A seed and a path are not just put together.
	assert.NotEqual(t, moved(t, rollout(50, "a"), []string{"bc", "bd", "be", "bf", "bg", "bh", "bi", "bj"}),
		moved(t, rollout(50, "ab"), []string{"bc", "bd", "be", "bf", "bg", "bh", "bi", "bj"}))
}

func TestARolloutWithoutAFlagCannotSay(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	assert.Equal(t, scaivault.StageUnknown, scaivault.Rollout{}.Stage(ctx, "a"))
	assert.Equal(t, scaivault.StageUnknown, scaivault.Rollout{To: scaivault.StageShadow, Percent: 0}.Stage(ctx, "a"))
	assert.Equal(t, scaivault.StageUnknown, scaivault.Rollout{From: scaivault.StageVault, Percent: 100}.Stage(ctx, "a"))
	assert.Equal(t, scaivault.StageShadow, scaivault.Rollout{To: scaivault.StageShadow, Percent: 100}.Stage(ctx, "a"))
}

func TestARolloutOfRollouts(t *testing.T) {
	t.Parallel()
	inner := rollout(50, "inner")
	outer := scaivault.Rollout{From: inner, To: scaivault.StageCanary, Percent: 20, Seed: "outer"}
	counts := map[scaivault.Stage]int{}
	for _, p := range manyPaths(10_000) {
		counts[outer.Stage(t.Context(), p)]++
	}
	assert.InDelta(t, 2000, counts[scaivault.StageCanary], 200)
	assert.InDelta(t, 4000, counts[scaivault.StageVault], 300)
	assert.InDelta(t, 4000, counts[scaivault.StageShadow], 300)
}
