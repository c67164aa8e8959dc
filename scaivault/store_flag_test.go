// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A sideSource answers every read with its own name.
type sideSource string

func (s sideSource) Name() string { return string(s) }

func (s sideSource) Get(_ context.Context, path string) (*scaivault.Secret, error) {
	return scaivault.NewSecret(scaivault.SecretInfo{Path: path, Source: string(s)}, json.RawMessage(`{"from":"`+string(s)+`"}`))
}

func (s sideSource) Put(context.Context, string, map[string]any, *scaivault.PutOptions) (*scaivault.Written, error) {
	return &scaivault.Written{Source: string(s)}, nil
}

// flagConfig is of a Store that keeps all it reads for an hour.
func flagConfig(t *testing.T, flag scaivault.Flag) scaivault.StoreConfig {
	t.Helper()
	mapping, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/**", ScaiVault: "**"})
	require.NoError(t, err)
	return scaivault.StoreConfig{
		ScaiVault: sideSource("scaivault"), Vault: sideSource("vault"), Mapping: mapping, Flag: flag,
		Cache: scaivault.CacheConfig{TTL: time.Hour, Jitter: -1},
	}
}

func flagStore(t *testing.T, cfg scaivault.StoreConfig) *scaivault.Store {
	t.Helper()
	store, err := scaivault.NewStore(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func answeredBy(t *testing.T, store *scaivault.Store, path string) string {
	t.Helper()
	secret, err := store.Get(t.Context(), path)
	require.NoError(t, err)
	return secret.Source()
}

// An epochFlag says one stage, has an Epoch, and counts how often it is asked.
type epochFlag struct {
	stage, asked, epoch atomic.Uint64
	broken              atomic.Bool // Epoch panics
}

func newEpochFlag(s scaivault.Stage, epoch uint64) *epochFlag {
	f := &epochFlag{}
	f.stage.Store(uint64(s))
	f.epoch.Store(epoch)
	return f
}

func (f *epochFlag) Stage(context.Context, string) scaivault.Stage {
	f.asked.Add(1)
	return scaivault.Stage(f.stage.Load())
}

func (f *epochFlag) Epoch() uint64 {
	if f.broken.Load() {
		panic("the flag is broken")
	}
	return f.epoch.Load()
}

func (f *epochFlag) turn(s scaivault.Stage, epoch uint64) {
	f.stage.Store(uint64(s))
	f.epoch.Store(epoch)
}

// TestACachedGetObeysAFileFlagAtOnce, when the change was seen, and asks a source
// once for each stage.
func TestACachedGetObeysAFileFlagAtOnce(t *testing.T) {
	t.Parallel()
	flag, path := fileFlag(t, "a/**: scaivault\n**: vault\n")
	store := flagStore(t, flagConfig(t, flag))
	for range 3 {
		require.Equal(t, "scaivault", answeredBy(t, store, "a/x"))
		require.Equal(t, "vault", answeredBy(t, store, "b/x"))
	}
	require.Equal(t, uint64(4), store.Stats().Hits)
	writeFlag(t, path, "vault")
	require.Equal(t, "scaivault", answeredBy(t, store, "a/x"), "nobody has seen it yet")
	flag.Look()
	for range 3 {
		require.Equal(t, "vault", answeredBy(t, store, "a/x"))
		require.Equal(t, "vault", answeredBy(t, store, "b/x"))
	}
	require.Equal(t, uint64(10), store.Stats().Hits, "what stays where it was is not read again")
	writeFlag(t, path, "scaivault")
	flag.Look()
	require.Equal(t, "scaivault", answeredBy(t, store, "a/x"))
	require.Equal(t, "scaivault", answeredBy(t, store, "b/x"))
}

// TestACachedGetAllocatesNothingWithAFileFlag, nor asks the table.
func TestACachedGetAllocatesNothingWithAFileFlag(t *testing.T) {
	flag, _ := fileFlag(t, stagesFile)
	store := flagStore(t, flagConfig(t, scaivault.PathFlags{{Pattern: "x/**", Flag: scaivault.StageVault}, {Pattern: "**", Flag: flag}}))
	require.Equal(t, "scaivault", answeredBy(t, store, "environments/test/a"))
	ctx := t.Context()
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = store.Get(ctx, "environments/test/a") }))
}

// TestAStoreTellsOfItsFlagFile once for each change.
func TestAStoreTellsOfItsFlagFile(t *testing.T) {
	t.Parallel()
	flag, path := fileFlag(t, "vault")
	var out bytes.Buffer
	cfg := flagConfig(t, scaivault.PathFlags{{Pattern: "a/**", Flag: flag}, {Pattern: "**", Flag: flag}})
	cfg.Logger = slog.New(slog.NewTextHandler(&out, nil))
	store := flagStore(t, cfg)
	said := func() string {
		defer out.Reset()
		return out.String()
	}
	look := func(text string) string {
		writeFlag(t, path, text)
		for range 3 {
			flag.Look()
			_, err := store.Get(t.Context(), "a/x")
			require.NoError(t, err)
		}
		return said()
	}
	require.Empty(t, said())
	require.Empty(t, look("vault # the same"))
	turned := look("scaivault")
	require.Equal(t, 1, strings.Count(turned, "\n"), turned)
	require.Contains(t, turned, `level=INFO msg="the flag was turned" file=`+path)

	broken := look(canaryNested)
	require.Equal(t, 1, strings.Count(broken, "\n"), broken)
	require.Contains(t, broken, `level=ERROR msg="the file of the flag cannot be used; its last good content holds"`)
	require.Contains(t, broken, "line 1: this is not a stage")
	require.NotContains(t, broken, canaryNested)
	require.Equal(t, 1, store.Stats().FlagsBroken)
	require.Equal(t, 1, strings.Count(look(""), "the file is empty"), "another mistake is told too")

	late := flagStore(t, cfg)
	require.Contains(t, said(), "the file is empty", "a Store that comes later hears of it as well")
	require.NoError(t, late.Close())

	mended := look("scaivault\n")
	require.Equal(t, 1, strings.Count(mended, "\n"), mended)
	require.Contains(t, mended, "good again")
	require.Zero(t, store.Stats().FlagsBroken)
	require.NoError(t, store.Close())
	writeFlag(t, path, "vault")
	flag.Look()
	require.Empty(t, said(), "a closed Store is told nothing")
}

// TestAnEpochSavesTheQuestion: while it stands still, a cached Get does not ask
// the flag, and when it moves the very next one does.
func TestAnEpochSavesTheQuestion(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]func(f *epochFlag) scaivault.Flag{
		"itself": func(f *epochFlag) scaivault.Flag { return f },
		"PathFlags": func(f *epochFlag) scaivault.Flag {
			return scaivault.PathFlags{{Pattern: "a", Flag: f}, {Pattern: "**", Flag: scaivault.StageVault}}
		},
		"a nil line": func(f *epochFlag) scaivault.Flag {
			return scaivault.PathFlags{{Pattern: "b"}, {Pattern: "**", Flag: f}}
		},
		"Rollout": func(f *epochFlag) scaivault.Flag {
			return scaivault.Rollout{From: scaivault.StageVault, To: f, Percent: 100}
		},
		"both": func(f *epochFlag) scaivault.Flag {
			return scaivault.PathFlags{{Pattern: "**", Flag: scaivault.Rollout{From: f, To: newEpochFlag(scaivault.StageVault, 3)}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flag := newEpochFlag(scaivault.StageVault, 7)
			cfg := flagConfig(t, in(flag))
			cfg.InitialStage = scaivault.StageVault
			store := flagStore(t, cfg)
			for epoch, stage := range []scaivault.Stage{scaivault.StageVault, scaivault.StageScaiVault, scaivault.StageScaiVault, scaivault.StageVault} {
				flag.turn(stage, uint64(100-epoch)) // up or down is all the same
				for range 5 {
					require.Equal(t, stage.String(), answeredBy(t, store, "a"))
				}
				require.Equal(t, uint64(epoch+1), flag.asked.Load())
			}
		})
	}
}

// TestAFlagWithAPartThatHasNoEpochIsAskedEachTime.
func TestAFlagWithAPartThatHasNoEpochIsAskedEachTime(t *testing.T) {
	t.Parallel()
	still := newEpochFlag(scaivault.StageVault, 1)
	asked := scaivault.FlagFunc(func(context.Context, string) scaivault.Stage { return scaivault.StageVault })
	for _, flag := range []scaivault.Flag{
		scaivault.PathFlags{{Pattern: "b", Flag: asked}, {Pattern: "**", Flag: still}},
		scaivault.Rollout{From: still, To: asked},
		scaivault.Rollout{From: asked, To: still, Percent: 100},
	} {
		store := flagStore(t, flagConfig(t, flag))
		before := still.asked.Load()
		for range 5 {
			require.Equal(t, "vault", answeredBy(t, store, "a"))
		}
		require.GreaterOrEqual(t, still.asked.Load()-before, uint64(5))
	}
}

// TestTwoEpochsThatMoveAgainstEachOtherAreSeen.
func TestTwoEpochsThatMoveAgainstEachOtherAreSeen(t *testing.T) {
	t.Parallel()
	one, two := newEpochFlag(scaivault.StageVault, 1), newEpochFlag(scaivault.StageVault, 2)
	store := flagStore(t, flagConfig(t, scaivault.PathFlags{{Pattern: "a", Flag: one}, {Pattern: "**", Flag: two}}))
	require.Equal(t, "vault", answeredBy(t, store, "a"))
	require.Equal(t, "vault", answeredBy(t, store, "b"))
	one.turn(scaivault.StageScaiVault, 2)
	two.turn(scaivault.StageScaiVault, 1)
	require.Equal(t, "scaivault", answeredBy(t, store, "a"))
	require.Equal(t, "scaivault", answeredBy(t, store, "b"))
}

// TestAPanicInEpochIsCounted, and the flag is asked instead.
func TestAPanicInEpochIsCounted(t *testing.T) {
	t.Parallel()
	flag := newEpochFlag(scaivault.StageVault, 1)
	var out bytes.Buffer
	cfg := flagConfig(t, flag)
	cfg.Logger = slog.New(slog.NewTextHandler(&out, nil))
	store := flagStore(t, cfg)
	require.Equal(t, "vault", answeredBy(t, store, "a"))
	flag.broken.Store(true)
	for range 10 {
		require.Equal(t, "vault", answeredBy(t, store, "a"))
	}
	flag.stage.Store(uint64(scaivault.StageScaiVault))
	require.Equal(t, "scaivault", answeredBy(t, store, "a"))
	require.Equal(t, "scaivault", answeredBy(t, store, "a"))
	panics := store.Stats().FlagPanics
	require.GreaterOrEqual(t, panics, uint64(12))
	told := strings.Count(out.String(), "the flag panicked")
	require.Positive(t, told)
	require.LessOrEqual(t, told, 6, "not at each call")
	flag.broken.Store(false)
	require.Equal(t, "scaivault", answeredBy(t, store, "a"))
	require.Equal(t, panics, store.Stats().FlagPanics)
}

func TestFlagsThatNewStoreRefuses(t *testing.T) {
	t.Parallel()
	all := func(f scaivault.Flag) scaivault.Flag { return scaivault.PathFlags{{Pattern: "**", Flag: f}} }
	rollout := func(percent float64) scaivault.Flag {
		return scaivault.Rollout{From: scaivault.StageVault, To: scaivault.StageShadow, Percent: percent}
	}
	for _, c := range []struct {
		flag scaivault.Flag
		hint string
	}{
		{(*scaivault.WatchedFlag)(nil), "Flag: is a nil *scaivault.WatchedFlag; leave it out instead"},
		{(*epochFlag)(nil), "Flag: is a nil *scaivault_test.epochFlag"},
		{(*scaivault.Rollout)(nil), "Flag: is a nil *scaivault.Rollout"},
		{(*scaivault.PathFlags)(nil), "Flag: is a nil *scaivault.PathFlags"},
		{(*scaivault.Gate)(nil), "Flag: is a nil *scaivault.Gate"},
		{scaivault.Gate{Flag: (*epochFlag)(nil)}, "Flag: is a nil *scaivault_test.epochFlag"},
		{all((*scaivault.WatchedFlag)(nil)), "Flag: holds a nil *scaivault.WatchedFlag"},
		{all(scaivault.FlagFunc(nil)), "Flag: holds a nil scaivault.FlagFunc"},
		{scaivault.Rollout{From: scaivault.StageVault, To: (*epochFlag)(nil)}, "Flag: holds a nil *scaivault_test.epochFlag"},
		{all(scaivault.Stage(77)), "Flag: stage(77) is not a stage"},
		{rollout(-1), "Percent of a Rollout is -1; give 0 to 100"},
		{rollout(100.5), "Percent of a Rollout is 100.5"},
		{all(rollout(math.NaN())), "Percent of a Rollout is NaN"},
		{&scaivault.Rollout{From: scaivault.StageVault, To: scaivault.StageVault, Percent: math.Inf(1)}, "Percent of a Rollout is +Inf"},
		{all(scaivault.PathFlags{{Pattern: "A", Flag: scaivault.StageVault}}), "pattern 1 (A) can match no path"},
		{&scaivault.Rollout{From: scaivault.StageVault}, "InitialStage: required"},
		{&scaivault.PathFlags{{Pattern: "a", Flag: scaivault.StageVault}}, "InitialStage: required"},
	} {
		_, err := scaivault.NewStore(flagConfig(t, c.flag))
		require.ErrorIs(t, err, scaivault.ErrInvalid, c.hint)
		require.ErrorContains(t, err, c.hint)
		require.Equal(t, 1, strings.Count(err.Error(), c.hint), err)
	}
}

// TestARolloutWithoutAFreezeIsWarnedOf, wherever it stands. It is right for a
// service that never writes.
func TestARolloutWithoutAFreezeIsWarnedOf(t *testing.T) {
	t.Parallel()
	const warning = "a rollout moves the authority without a freeze"
	warnings := func(flag scaivault.Flag) int {
		var out bytes.Buffer
		cfg := flagConfig(t, flag)
		cfg.Logger = slog.New(slog.NewTextHandler(&out, nil))
		store := flagStore(t, cfg)
		_, err := store.Get(t.Context(), "a")
		require.NoError(t, err)
		require.NoError(t, store.Close()) // nobody logs from here on
		return strings.Count(out.String(), warning)
	}
	for from := scaivault.StageVault; from <= scaivault.StageScaiVault; from++ {
		for to := scaivault.StageVault; to <= scaivault.StageScaiVault; to++ {
			want := 0
			if from != scaivault.StageFreeze && to != scaivault.StageFreeze && (from < scaivault.StageCutover) != (to < scaivault.StageCutover) {
				want = 1
			}
			r := scaivault.Rollout{From: from, To: to, Percent: 50}
			require.Equal(t, want, warnings(r), "%s to %s", from, to)
			require.Equal(t, want, warnings(scaivault.PathFlags{{Pattern: "**", Flag: &r}}), "%s to %s", from, to)
		}
	}
	file, _ := fileFlag(t, "**: {from: canary, to: cutover, percent: 50}\n")
	require.Equal(t, 1, warnings(file))
}

// TestAStoreIsTurnedByAFileWhileItRuns, with no one who calls for it.
func TestAStoreIsTurnedByAFileWhileItRuns(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/stages"
	writeFlag(t, path, "scaivault")
	synctest.Test(t, func(t *testing.T) {
		flag, err := scaivault.FileFlag(path)
		require.NoError(t, err)
		defer flag.Close()
		store := flagStore(t, flagConfig(t, flag))
		require.Equal(t, "scaivault", answeredBy(t, store, "a"))
		writeFlag(t, path, "vault") // the kill switch
		time.Sleep(scaivault.FlagInterval)
		synctest.Wait()
		require.Equal(t, "vault", answeredBy(t, store, "a"))
	})
}
