// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

var everyStage = map[string]scaivault.Stage{
	"vault":     scaivault.StageVault,
	"shadow":    scaivault.StageShadow,
	"canary":    scaivault.StageCanary,
	"freeze":    scaivault.StageFreeze,
	"cutover":   scaivault.StageCutover,
	"scaivault": scaivault.StageScaiVault,
}

func TestStagesGoIntoTextAndBack(t *testing.T) {
	t.Parallel()
	for name, stage := range everyStage {
		parsed, err := scaivault.ParseStage(name)
		require.NoError(t, err)
		assert.Equal(t, stage, parsed)
		assert.Equal(t, name, stage.String())

		encoded, err := json.Marshal(map[scaivault.Stage]scaivault.Stage{stage: stage})
		require.NoError(t, err)
		assert.Equal(t, `{"`+name+`":"`+name+`"}`, string(encoded))
		var decoded map[scaivault.Stage]scaivault.Stage
		require.NoError(t, json.Unmarshal(encoded, &decoded))
		assert.Equal(t, map[scaivault.Stage]scaivault.Stage{stage: stage}, decoded)
	}
}

func TestStagesAreInTheOrderOfAMove(t *testing.T) {
	t.Parallel()
	assert.IsIncreasing(t, []scaivault.Stage{
		scaivault.StageUnknown, scaivault.StageVault, scaivault.StageShadow, scaivault.StageCanary,
		scaivault.StageFreeze, scaivault.StageCutover, scaivault.StageScaiVault,
	})
	assert.Zero(t, scaivault.StageUnknown)
}

func TestTheUnknownStage(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "unknown", scaivault.StageUnknown.String())
	_, err := scaivault.ParseStage("unknown")
	require.ErrorIs(t, err, scaivault.ErrInvalid, "nobody sets it on purpose")

	text, err := scaivault.StageUnknown.MarshalText()
	require.NoError(t, err)
	stage := scaivault.StageCanary
	require.NoError(t, stage.UnmarshalText(text), "what was written can be read")
	assert.Equal(t, scaivault.StageUnknown, stage)
}

func TestWhatIsNoStageListsTheStages(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Canary", "CANARY", " canary", "canary\n", "canary ", "cut-over", "3", "stage(3)", strings.Repeat("x", 10_000)} {
		stage, err := scaivault.ParseStage(name)
		require.ErrorIs(t, err, scaivault.ErrInvalid, name)
		assert.Equal(t, scaivault.StageUnknown, stage)
		assert.True(t, strings.HasSuffix(err.Error(), "is not a stage; the stages are vault, shadow, canary, freeze, cutover, scaivault"), err.Error())
		assert.NotContains(t, err.Error(), "\n")
		assert.Less(t, len(err.Error()), 300)

		kept := scaivault.StageCanary
		require.ErrorIs(t, kept.UnmarshalText([]byte(name)), scaivault.ErrInvalid)
		assert.Equal(t, scaivault.StageCanary, kept, "it stays as it was")
	}
}

func TestANumberThatIsNoStage(t *testing.T) {
	t.Parallel()
	wrong := scaivault.StageScaiVault + 1
	assert.Equal(t, "stage(7)", wrong.String())
	_, err := wrong.MarshalText()
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Contains(t, err.Error(), "stage(7) is not a stage")
}

func TestAStageIsAConstantFlag(t *testing.T) {
	t.Parallel()
	for _, stage := range everyStage {
		var flag scaivault.Flag = stage
		assert.Equal(t, stage, flag.Stage(t.Context(), "a/b"))
		assert.Equal(t, stage, flag.Stage(t.Context(), ""))
	}
}
