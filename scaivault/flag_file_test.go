// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// stagesFile is a table with all that can stand in one.
const stagesFile = `# first match decides
environments/production/billing/database: cutover
environments/production/**: {from: shadow, to: canary, percent: 50, seed: october}
environments/test/**: scaivault
**: vault
`

func writeFlag(t testing.TB, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// fileFlag makes a flag of a file with this text, in a folder of its own.
func fileFlag(t testing.TB, text string) (flag *scaivault.WatchedFlag, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "stages")
	writeFlag(t, path, text)
	flag, err := scaivault.FileFlag(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, flag.Close()) })
	return flag, path
}

func TestFileFlagReadsOneStageForAllPaths(t *testing.T) {
	t.Parallel()
	for name, stage := range everyStage {
		for _, form := range []string{"%", "%\n", "%\r\n", "\uFEFF%\n", "\n  %\n\n", "# a comment\n% # another\n", `"%"`, "---\n%\n", "**: %", `{"**": "%"}`} {
			flag, _ := fileFlag(t, strings.ReplaceAll(form, "%", name))
			for _, path := range []string{"a/b", "c", ""} {
				assert.Equal(t, stage, flag.Stage(t.Context(), path), form)
			}
			assert.Zero(t, flag.Epoch())
			require.NoError(t, flag.Err())
		}
	}
}

// TestTheFirstPatternInAFileDecides, in whatever way the table is written.
func TestTheFirstPatternInAFileDecides(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"as people write it": stagesFile,
		"YAML in blocks": "environments/production/billing/database: 'cutover'\n\"environments/production/**\":\n" +
			"  seed: october\n  from: shadow\n  to: canary\n  percent: 50.0\nenvironments/test/**: scaivault\n'**': vault\n",
		"JSON": `{"environments/production/billing/database": "cutover",` + "\r\n\t" + `"environments\/production\/**": {"from": "shadow", "to": "canary", "percent": 5e1, "seed": "october"},
			"environments/test/**": "scaivault", "**": "vault"}`,
		"indented": "  environments/production/billing/database: cutover\n  environments/production/**: {from: shadow, to: canary, percent: 50, seed: october}\n" +
			"  environments/test/**: scaivault\n  **: vault",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flag, _ := fileFlag(t, text)
			inCode := scaivault.PathFlags{
				{Pattern: "environments/production/billing/database", Flag: scaivault.StageCutover},
				{Pattern: "environments/production/**", Flag: scaivault.Rollout{From: scaivault.StageShadow, To: scaivault.StageCanary, Percent: 50, Seed: "october"}},
				{Pattern: "environments/test/**", Flag: scaivault.StageScaiVault},
				{Pattern: "**", Flag: scaivault.StageVault},
			}
			paths := append(manyPaths(200), "environments/production/billing/database", "environments/production", "environments/production/billing/database/x",
				"environments/test/a", "environments/test", "environmentsx/test/a", "a")
			for _, p := range paths {
				assert.Equal(t, inCode.Stage(t.Context(), p), flag.Stage(t.Context(), p), p)
			}
			assert.Equal(t, scaivault.StageVault, flag.Stage(t.Context(), ""), "there is a stage for every path")
		})
	}
}

func TestWhatIsWrongInAFlagFile(t *testing.T) {
	t.Parallel()
	const stages = "this is not a stage; the stages are vault, shadow, canary, freeze, cutover, scaivault"
	for _, c := range []struct{ name, text, hint string }{
		{"empty", "", "the file is empty; write a stage such as vault"},
		{"blank", " \n\n", "the file is empty"},
		{"a comment", "# vault\n", "the file is empty"},
		{"no stage", "\ncanray\n", "line 2: " + stages},
		{"upper case", "Canary", "line 1: " + stages},
		{"another file", canaryNested, "line 1: " + stages},
		{"unknown", "unknown", "line 1: " + stages},
		{"two stages", "vault\ncanary\n", "line 1: " + stages},
		{"a list", "- a: vault\n", "line 1: " + stages},
		{"no stage in a line", "a/**: vault\n\nb/**: " + canaryNested + "\n**: vault\n", "line 3: " + stages},
		{"nothing in a line", "a/**:\n**: vault\n", "line 1: " + stages},
		{"a list in a line", "a/**: [vault]\n**: vault\n", "line 1: " + stages},
		{"no line for all", "a/**: vault\n", `the end is missing: add a last line for all other paths, such as "**": vault`},
		{"an empty table", "{}", "the end is missing"},
		{"a pattern twice", "a: vault\nb: vault\na: canary\n**: vault\n", "line 3: the pattern stands twice, first in line 1; remove one"},
		{"a line behind all", "**: vault\na: canary\n", "line 2: the pattern of line 1 matches all of this one first; put this line before that one"},
		{"a hidden line", "a/**: vault\na/b/**: canary\n**: vault\n", "line 2: the pattern of line 1 matches all"},
		{"a leading slash", "/a: vault\n**: vault\n", "line 1: the pattern can match no path: a path has no leading slash; remove it; write a path, a path and /**, or **"},
		{"a star within", "a/*/b: vault\n**: vault\n", "line 1: the pattern can match no path: character '*' at position 3"},
		{"one star", "a/*: vault\n**: vault\n", "line 1: the pattern can match no path"},
		{"upper case in a pattern", "b: vault\nA/**: vault\n**: vault\n", "line 2: the pattern can match no path: upper-case letter 'A' at position 1"},
		{"an object as pattern", "? {a: b}\n: vault\n**: vault\n", "line 1: a pattern is not a string"},
		{"no YAML", "a: vault\nb: [\n", "yaml: line"},
		{"a star alone", "*: vault\n", "line 1: the pattern can match no path: character '*' at position 1; allowed are a-z, 0-9, - and _; write a path, a path and /**, or **"},
		{"two documents", "vault\n---\ncanary\n", "line 2: there is a second document"},
		{"NULs", "\x00\x00\x00\x00", "yaml: control characters"},
		{"an anchor in itself", "a: &x [*x]\n**: vault\n", "line 1: "},
		{"a rollout without from", "**: {to: canary, percent: 5}", "line 1: from is missing; a rollout has from, to, percent and perhaps seed"},
		{"a rollout without percent", "**: {from: vault, to: canary}", "line 1: percent is missing"},
		{"a rollout of rollouts", "**: {from: {from: vault, to: vault, percent: 1}, to: canary, percent: 5}", "line 1: from: " + stages},
		{"more than all", "**: {from: vault, to: canary, percent: 101}", "line 1: percent: this is not a number from 0 to 100"},
		{"less than none", "**: {from: vault, to: canary, percent: -1}", "line 1: percent: this is not a number"},
		{"no number", "**: {from: vault, to: canary, percent: .nan}", "line 1: percent: this is not a number"},
		{"NaN", "**: {from: vault, to: canary, percent: NaN}", "line 1: percent: this is not a number"},
		{"half a number", "**:\n  from: vault\n  to: canary\n  percent: 1", "line 1: the file ends within a line, so that a number there may lack digits; end it with a newline"},
		{"a misspelt key", "**: {from: vault, to: canary, percentage: 5}", `line 1: unknown key "percentage"; a rollout has from, to, percent and seed`},
		{"a key twice", "**: {from: vault, to: canary, percent: 1, percent: 5}", `line 1: "percent" stands twice; remove one`},
		{"a list as seed", "**: {from: vault, to: canary, percent: 1, seed: []}", "line 1: seed: this is not a string"},
		{"too large", strings.Repeat("#", 1<<20) + "\nvault", "it is larger than 1 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "stages")
			writeFlag(t, path, c.text)
			flag, err := scaivault.FileFlag(path)
			assert.Nil(t, flag)
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			assert.Contains(t, err.Error(), "read flag: invalid: file "+path+": ")
			assert.Contains(t, err.Error(), c.hint)
			assert.NotContains(t, err.Error(), canaryNested)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestAFlagFileMustBeThere(t *testing.T) {
	t.Parallel()
	_, err := scaivault.FileFlag("")
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	require.ErrorContains(t, err, "name the file")

	path := filepath.Join(t.TempDir(), "stages")
	flag, err := scaivault.FileFlag(path)
	require.Nil(t, flag)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, path+": no such file or directory; write a stage such as vault to this file, and let this process read it")

	_, err = scaivault.FileFlag(filepath.Dir(path))
	require.ErrorContains(t, err, "it is not a regular file")
}

// TestNoPartOfAFlagFileSaysAnythingElse: a file that is cut off anywhere is
// broken, or it says the same.
func TestNoPartOfAFlagFileSaysAnythingElse(t *testing.T) {
	t.Parallel()
	paths := append(manyPaths(20), "environments/production/billing/database", "environments/test/a", "b")
	for _, whole := range []string{
		stagesFile, "scaivault\n", "a: vault\n**:\n  from: vault\n  seed: a\n  to: scaivault\n  percent: 12.5\n", `{"b": "cutover", "**": {"from": "vault", "to": "canary", "percent": 55}}`,
	} {
		all, _ := fileFlag(t, whole)
		path, broken := filepath.Join(t.TempDir(), "stages"), 0
		for n := range len(whole) {
			writeFlag(t, path, whole[:n])
			flag, err := scaivault.FileFlag(path)
			if err != nil {
				broken++
				continue
			}
			for _, p := range paths {
				require.Equal(t, all.Stage(t.Context(), p), flag.Stage(t.Context(), p), "%q", whole[:n])
			}
			require.NoError(t, flag.Close())
		}
		assert.GreaterOrEqual(t, broken, len(whole)-len("\n"))
	}
}

// TestAFlagFileIsFollowed through every way in which files are changed.
func TestAFlagFileIsFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "stages")
	long := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	swap := func(t *testing.T, folder, text string) {
		t.Helper()
		require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
		writeFlag(t, filepath.Join(dir, folder, "stages"), text)
		require.NoError(t, os.Symlink(folder, filepath.Join(dir, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	writeFlag(t, path, "shadow")
	require.NoError(t, os.Chtimes(path, long, long))
	synctest.Test(t, func(t *testing.T) {
		flag, err := scaivault.FileFlag(path)
		require.NoError(t, err)
		defer flag.Close()
		for i, step := range []struct {
			name   string
			change func(t *testing.T)
			want   scaivault.Stage
		}{
			{"in place, with the same size and time", func(t *testing.T) {
				writeFlag(t, path, "canary")
				require.NoError(t, os.Chtimes(path, long, long))
			}, scaivault.StageCanary},
			{"renamed over", func(t *testing.T) {
				writeFlag(t, path+".new", "freeze")
				require.NoError(t, os.Rename(path+".new", path))
			}, scaivault.StageFreeze},
			{"a ConfigMap in its place", func(t *testing.T) {
				swap(t, "..1", "cutover\n")
				require.NoError(t, os.Remove(path))
				require.NoError(t, os.Symlink(filepath.Join("..data", "stages"), path))
			}, scaivault.StageCutover},
			{"a ConfigMap that changes", func(t *testing.T) {
				swap(t, "..2", "scaivault\n")
				require.NoError(t, os.RemoveAll(filepath.Join(dir, "..1")))
			}, scaivault.StageScaiVault},
			{"back", func(t *testing.T) { swap(t, "..3", "vault") }, scaivault.StageVault},
		} {
			before := flag.Stage(t.Context(), "a")
			step.change(t)
			require.Equal(t, before, flag.Stage(t.Context(), "a"), step.name)
			time.Sleep(scaivault.FlagInterval)
			synctest.Wait()
			require.Equal(t, step.want, flag.Stage(t.Context(), "a"), step.name)
			require.Equal(t, uint64(i+1), flag.Epoch(), step.name)
			require.NoError(t, flag.Err())
		}
	})
}

// TestABrokenFlagFileKeepsTheLastGoodContent, says what is wrong, and counts for
// nothing once it is mended.
func TestABrokenFlagFileKeepsTheLastGoodContent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, path string)
		hint  string
	}{
		"empty":     {func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 0)) }, "the file is empty"},
		"cut off":   {func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 150)) }, "yaml: "},
		"misspelt":  {func(t *testing.T, path string) { writeFlag(t, path, "canray\n") }, "line 1: this is not a stage"},
		"missing":   {func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }, "no such file"},
		"too large": {func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 1<<40)) }, "larger than 1 MiB"},
		"a folder": {func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		}, "not a regular file"},
		"a link to nowhere": {func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Symlink("nowhere", path))
		}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flag, path := fileFlag(t, stagesFile)
			c.spoil(t, path)
			for range 2 {
				flag.Look()
				require.Equal(t, scaivault.StageScaiVault, flag.Stage(t.Context(), "environments/test/a"))
				require.Zero(t, flag.Epoch())
				require.ErrorIs(t, flag.Err(), scaivault.ErrInvalid)
				require.ErrorContains(t, flag.Err(), path+": ")
				require.ErrorContains(t, flag.Err(), c.hint)
			}
			require.NoError(t, os.RemoveAll(path))
			writeFlag(t, path, stagesFile)
			flag.Look()
			require.NoError(t, flag.Err())
			require.Zero(t, flag.Epoch(), "it says what it said before")
			require.NoError(t, os.RemoveAll(path))
			writeFlag(t, path, "vault")
			flag.Look()
			require.Equal(t, scaivault.StageVault, flag.Stage(t.Context(), "environments/test/a"))
			require.Equal(t, uint64(1), flag.Epoch())
		})
	}
}

// TestTheEpochMovesWithTheStagesAlone: not with how they are written.
func TestTheEpochMovesWithTheStagesAlone(t *testing.T) {
	t.Parallel()
	flag, path := fileFlag(t, "a: canary\nb: {from: vault, to: canary, percent: 5}\n**: vault\n")
	for _, same := range []string{
		"# why\na:   canary\n\nb: {percent: 5.0, to: canary, from: vault}\n'**': vault", `{"a":"canary","b":{"from":"vault","to":"canary","percent":5},"**":"vault"}`, "", "broken",
	} {
		writeFlag(t, path, same)
		flag.Look()
		require.Zero(t, flag.Epoch(), same)
	}
	for i, other := range []string{
		"a: canary\nb: {from: vault, to: canary, percent: 6}\n**: vault\n", "a: canary\nb: {from: vault, to: canary, percent: 6, seed: x}\n**: vault\n", "a: canary\n**: vault\n", "canary",
	} {
		writeFlag(t, path, other)
		flag.Look()
		require.Equal(t, uint64(i+1), flag.Epoch(), other)
	}
	writeFlag(t, path, "**: canary")
	flag.Look()
	require.Equal(t, uint64(4), flag.Epoch(), "the same in other words")
}

// TestNobodySeesAStageThatWasInNoFile, however often the file is written over
// while many read, and nobody gets an answer from before the epoch that he saw.
func TestNobodySeesAStageThatWasInNoFile(t *testing.T) {
	t.Parallel()
	const versions = 300
	stage := func(epoch uint64) scaivault.Stage { return scaivault.StageVault + scaivault.Stage(epoch%6) }
	text := func(epoch uint64) string {
		return "a/**: " + stage(epoch).String() + "\n" + strings.Repeat("# to fill it\n", int(epoch%7)) + "**: " + stage(epoch+1).String() + "\n"
	}
	flag, path := fileFlag(t, text(0))
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					runtime.Gosched() // so that the writer has its turn
				}
				before := flag.Epoch()
				a, b := flag.Stage(t.Context(), "a/x"), flag.Stage(t.Context(), "b")
				if after := flag.Epoch(); after == before && (a != stage(before) || b != stage(before+1)) {
					assert.Fail(t, "torn", "epoch %d: %s and %s", before, a, b)
					return
				} else if after == before+1 && a != stage(before) && a != stage(after) {
					assert.Fail(t, "from nowhere", "epochs %d to %d: %s", before, after, a)
					return
				}
			}
		})
	}
	for epoch := uint64(1); epoch <= versions; epoch++ {
		whole := text(epoch)
		if epoch%2 == 0 { // half of it first
			writeFlag(t, path, whole[:len(whole)/2])
			flag.Look()
			require.Error(t, flag.Err())
		}
		writeFlag(t, path, whole)
		flag.Look()
		require.Equal(t, epoch, flag.Epoch())
	}
	close(done)
	readers.Wait()
}

func TestAClosedFlagKeepsItsStages(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stages")
	writeFlag(t, path, "canary")
	synctest.Test(t, func(t *testing.T) {
		flag, err := scaivault.FileFlag(path)
		require.NoError(t, err)
		var closers sync.WaitGroup
		for range 4 {
			closers.Go(func() { assert.NoError(t, flag.Close()) })
		}
		closers.Wait()
		writeFlag(t, path, "vault")
		time.Sleep(time.Hour)
		require.Equal(t, scaivault.StageCanary, flag.Stage(t.Context(), "a"))
		require.NoError(t, flag.Err())
	})
}

// TestAFlagThatNobodyHoldsIsNotWatched.
func TestAFlagThatNobodyHoldsIsNotWatched(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stages")
	writeFlag(t, path, "canary")
	flag, err := scaivault.FileFlag(path)
	require.NoError(t, err)
	unwatched := flag.Unwatched()
	require.False(t, unwatched())
	runtime.KeepAlive(flag)
	for !unwatched() { // or the test's time is over
		runtime.GC()
	}
}

// TestAFlagFileIsFoundFromEveryFolder: its name is taken as it was at the start.
func TestAFlagFileIsFoundFromEveryFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stages")
	writeFlag(t, path, "canary")
	t.Chdir(filepath.Dir(path))
	flag, err := scaivault.FileFlag("stages")
	require.NoError(t, err)
	defer flag.Close()
	t.Chdir(t.TempDir())
	writeFlag(t, path, "vault")
	flag.Look()
	require.NoError(t, flag.Err())
	require.Equal(t, scaivault.StageVault, flag.Stage(t.Context(), "a"))
}

// hundredPatterns is a table of a hundred lines.
func hundredPatterns() (text string, inCode scaivault.PathFlags) {
	var b strings.Builder
	for i := range 99 {
		pattern := "environments/production/service-" + strconv.Itoa(i) + "/**"
		b.WriteString(pattern + ": canary\n")
		inCode = append(inCode, scaivault.PathFlag{Pattern: pattern, Flag: scaivault.StageCanary})
	}
	b.WriteString("**: vault\n")
	return b.String(), append(inCode, scaivault.PathFlag{Pattern: "**", Flag: scaivault.StageVault})
}

func TestAskingAFileFlagAllocatesNothing(t *testing.T) {
	text, _ := hundredPatterns()
	flag, _ := fileFlag(t, text+"")
	rollout, _ := fileFlag(t, "environments/**: {from: vault, to: canary, percent: 50, seed: october}\n**: vault\n")
	ctx := t.Context()
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		flag.Epoch()
		flag.Stage(ctx, "environments/production/service-98/database")
		flag.Stage(ctx, "elsewhere/database")
		rollout.Stage(ctx, "environments/production/service-98/database")
	}))
}

// BenchmarkFileFlag asks tables of a hundred lines: that of a file, and the same
// in code.
func BenchmarkFileFlag(b *testing.B) {
	text, inCode := hundredPatterns()
	flag, _ := fileFlag(b, text)
	one, _ := fileFlag(b, "canary\n")
	ctx := b.Context()
	for name, path := range map[string]string{"line 1": "environments/production/service-0/database", "line 99": "environments/production/service-98/database", "line 100": "elsewhere/database"} {
		for kind, f := range map[string]scaivault.Flag{"file": flag, "PathFlags": inCode} {
			b.Run("Stage/"+name+"/"+kind, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f.Stage(ctx, path)
				}
			})
		}
	}
	b.Run("Stage/one stage/file", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			one.Stage(ctx, "elsewhere/database")
		}
	})
	b.Run("Epoch/file", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			flag.Epoch()
		}
	})
}
