// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestEvidenceIsBoundedAndKeepsWhatSpeaksAgainst a step.
func TestEvidenceIsBoundedAndKeepsWhatSpeaksAgainst(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := newLedger(10, time.Hour)
	l.add("differs", StageCutover, CompareDifferent, now)
	for i := range 1000 {
		l.add(fmt.Sprintf("p/%d", i), StageCutover, CompareEqual, now)
		require.LessOrEqual(t, len(l.paths), 10)
	}
	sum := l.sum("**", groundCutover, now)
	require.EqualValues(t, 9, sum.equal)
	require.EqualValues(t, 1, sum.unequal)
	require.Equal(t, "differs", sum.example)
	for i := range 100 { // there is room for them, whatever they say
		l.add(fmt.Sprintf("q/%d", i), StageCutover, CompareDifferent, now)
		require.LessOrEqual(t, len(l.paths), 10)
	}
	require.Equal(t, 10, l.sum("**", groundCutover, now).differing)
}

// TestEvidenceCountsForAWindow: for half of it at least, and for no more than all.
func TestEvidenceCountsForAWindow(t *testing.T) {
	t.Parallel()
	l := newLedger(10, time.Hour)
	at := func(after time.Duration) uint64 { return l.sum("a", groundShadow, l.start.Add(after)).equal }
	l.add("a", StageShadow, CompareEqual, l.start.Add(10*time.Minute))
	l.add("a", StageShadow, CompareEqual, l.start.Add(20*time.Minute))
	require.EqualValues(t, 2, at(20*time.Minute))
	l.add("a", StageShadow, CompareEqual, l.start.Add(40*time.Minute))
	require.EqualValues(t, 3, at(59*time.Minute))
	require.EqualValues(t, 1, at(60*time.Minute))
	require.EqualValues(t, 0, at(90*time.Minute))
	l.add("a", StageShadow, CompareDropped, l.start.Add(90*time.Minute))
	l.add("a", StageVault, CompareEqual, l.start.Add(90*time.Minute))
	require.EqualValues(t, 0, at(90*time.Minute))
}

// TestVerdictsOfSinglePathsAreBounded.
func TestVerdictsOfSinglePathsAreBounded(t *testing.T) {
	t.Parallel()
	m, err := NewMapping(Rule{Vault: "kv/data/**", ScaiVault: "**"})
	require.NoError(t, err)
	stage := StageShadow
	s, err := NewStore(StoreConfig{
		ScaiVault: sayer("scaivault"), Vault: sayer("vault"), Mapping: m, InitialStage: StageVault,
		Flag:  Gate{Flag: FlagFunc(func(context.Context, string) Stage { return stage }), Patterns: []string{"x/**"}},
		Cache: CacheConfig{TTL: 1 << 40, MaxEntries: 50},
	})
	require.NoError(t, err)
	for _, stage = range []Stage{StageShadow, StageCanary} {
		for i := range 200 {
			secret, err := s.Get(t.Context(), fmt.Sprintf("p/%d", i))
			require.NoError(t, err)
			require.Equal(t, "vault", secret.Source())
		}
	}
	require.Positive(t, s.Stats().Held)
	require.LessOrEqual(t, len(s.gates.verdicts), 50)
	require.NoError(t, s.Close())
}

// TestAComparisonThatComesLateHurtsNoOtherAuthority: what ScaiVault has answered
// stays where its word is the truth by now.
func TestAComparisonThatComesLateHurtsNoOtherAuthority(t *testing.T) {
	t.Parallel()
	for stage, stays := range map[Stage]bool{StageCanary: false, StageFreeze: false, StageCutover: true, StageScaiVault: true} {
		st := &pathState{last: stage, kept: &entry{side: SideScaiVault}}
		generation := st.tried().generation
		st.settle(generation, CompareDifferent, time.Now())
		require.Equal(t, stays, st.kept != nil, stage.String())
	}
}
