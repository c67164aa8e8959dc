// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// hostile are names that try to leave the place where they are shown.
var hostile = []string{
	`</script><script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `"><svg onload=alert(1)>`, `]]>`, `{{.}}`, `a&b'c"d`, "new\nline", "\u2028", "\x01",
}

// diffed is a Diff of all outcomes, with hostile names and fields, and its log.
func diffed(t *testing.T) (*migrate.Report, *migrate.ItemLog) {
	t.Helper()
	vault, scai := newVaultSide(), newScaiVaultSide()
	scatter(vault, scai)
	for _, name := range hostile {
		vault.seed("kv/data/apps/"+name, fmt.Sprintf(`{"v":%q}`, canary))
	}
	field, err := json.Marshal(map[string]string{hostile[0]: canary})
	require.NoError(t, err)
	vault.seed("kv/data/apps/fields", string(field))
	scai.seed("environments/production/fields", `{}`)
	log := &migrate.ItemLog{}
	t.Cleanup(func() { assert.NoError(t, log.Close()) })
	report, err := migrate.Diff(t.Context(), vault, scai, apps(t), &migrate.DiffOptions{Each: log.Add})
	require.NoError(t, err)
	return report, log
}

type renderer func(r *migrate.Report, w io.Writer, items iter.Seq2[migrate.Item, error]) error

var renderers = map[string]renderer{
	"text": (*migrate.Report).WriteText, "lines": (*migrate.Report).WriteLines,
	"JUnit": (*migrate.Report).WriteJUnit, "HTML": (*migrate.Report).WriteHTML,
}

func rendered(t *testing.T, format string, r *migrate.Report, items iter.Seq2[migrate.Item, error]) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, renderers[format](r, &b, items))
	return b.String()
}

func TestReportsHoldNoValues(t *testing.T) {
	t.Parallel()
	report, log := diffed(t)
	for format := range renderers {
		text := rendered(t, format, report, log.All())
		for i, form := range forms() {
			require.False(t, strings.Contains(text, form), "%s shows a value, in form %d", format, i)
		}
	}
}

func TestReportAsLines(t *testing.T) {
	t.Parallel()
	report, log := diffed(t)
	lines := strings.Split(strings.TrimSuffix(rendered(t, "lines", report, log.All()), "\n"), "\n")
	require.Len(t, lines, report.Total()+1)
	var head migrate.Report
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &head))
	assert.Equal(t, report.Counts, head.Counts)
	names := map[string]bool{}
	for _, line := range lines[1:] {
		var item migrate.Item
		require.NoError(t, json.Unmarshal([]byte(line), &item))
		names[item.From] = true
	}
	assert.True(t, names["kv/data/apps/"+hostile[0]])
	assert.Len(t, strings.Split(rendered(t, "lines", report, nil), "\n"), len(report.Problems)+2, "without a log the problems alone")
}

func TestReportAsText(t *testing.T) {
	t.Parallel()
	report, log := diffed(t)
	text := rendered(t, "text", report, log.All())
	assert.Contains(t, text, "= kv/data/apps/same → environments/production/same: same\n")
	assert.Contains(t, text, `"kv/data/apps/new\nline"`)
	assert.Equal(t, report.String(), rendered(t, "text", report, nil))
}

type junit struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Skipped  int `xml:"skipped,attr"`
	Suites   []struct {
		Cases []struct {
			Name    string    `xml:"name,attr"`
			Failure *struct{} `xml:"failure"`
			Error   *struct {
				Message string `xml:"message,attr"`
			} `xml:"error"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func parseJUnit(t *testing.T, text string) junit {
	t.Helper()
	var j junit
	require.NoError(t, xml.Unmarshal([]byte(text), &j))
	require.Len(t, j.Suites, 1)
	counts := [4]int{len(j.Suites[0].Cases)}
	for _, c := range j.Suites[0].Cases {
		for i, is := range []bool{c.Failure != nil, c.Error != nil, c.Skipped != nil} {
			if is {
				counts[i+1]++
			}
		}
	}
	require.Equal(t, [4]int{j.Tests, j.Failures, j.Errors, j.Skipped}, counts)
	return j
}

func TestALongNameLeavesTheTableItsColumns(t *testing.T) {
	t.Parallel()
	vault := newVaultSide()
	vault.seed("kv/data/apps/"+strings.Repeat("X", 512), `{"v":1}`)
	vault.seed("kv/data/apps/A", `{"v":1}`)
	vault.seed("kv/data/apps/Longer", `{"v":1}`)
	report := copyAll(t, vault, newScaiVaultSide())
	lines := strings.Split(report.String(), "\n")
	assert.Contains(t, lines[3], "kv/data/apps/A → environments/production/A            name not allowed")
	assert.Contains(t, lines[4], "kv/data/apps/Longer → environments/production/Longer  name not allowed")
	assert.Contains(t, lines[5], "XXX  name not allowed")
}

func TestReportAsJUnit(t *testing.T) {
	t.Parallel()
	report, log := diffed(t)
	j := parseJUnit(t, rendered(t, "JUnit", report, log.All()))
	assert.Equal(t, report.Total(), j.Tests)
	assert.Equal(t, report.Count(migrate.Different, migrate.OnlyInVault, migrate.OnlyInScaiVault), j.Failures)
	assert.Equal(t, report.Count(migrate.Unreadable), j.Errors)
	assert.Equal(t, len(report.Problems), parseJUnit(t, rendered(t, "JUnit", report, nil)).Tests)

	empty, err := migrate.Diff(t.Context(), newVaultSide(), newScaiVaultSide(), apps(t), nil)
	require.NoError(t, err)
	j = parseJUnit(t, rendered(t, "JUnit", empty, nil))
	assert.Equal(t, 1, j.Errors, "nothing found is not green")
	assert.Contains(t, j.Suites[0].Cases[0].Error.Message, "no secret was found")

	clean := cleanDiff(t)
	j = parseJUnit(t, rendered(t, "JUnit", clean, nil))
	assert.Zero(t, j.Failures+j.Errors)
}

func cleanDiff(t *testing.T) *migrate.Report {
	t.Helper()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	copyAll(t, vault, scai)
	clean, err := migrate.Diff(t.Context(), vault, scai, apps(t), nil)
	require.NoError(t, err)
	require.NoError(t, clean.Err())
	return clean
}

var (
	elements  = regexp.MustCompile(`(?s)<(script|style)([^>]*)>(.*?)</(?:script|style)>`)
	policy    = regexp.MustCompile(`content="(default-src[^"]*)"`)
	addresses = regexp.MustCompile(`(?i)(https?:)?//[a-z]|\bsrc=|\bhref=|@import|url\(`)
)

func TestReportAsOnePage(t *testing.T) {
	t.Parallel()
	report, log := diffed(t)
	text := rendered(t, "HTML", report, log.All())
	found := elements.FindAllStringSubmatch(text, -1)
	require.Len(t, found, 3, "the style, the items and the script, and no element of a name")
	var rows [][]any
	require.NoError(t, json.Unmarshal([]byte(found[1][3]), &rows))
	assert.Len(t, rows, report.Total())
	require.NotNil(t, policy.FindStringSubmatch(text))
	allowed := strings.ReplaceAll(policy.FindStringSubmatch(text)[1], "&#39;", "'")
	for _, i := range []int{0, 2} {
		sum := sha256.Sum256([]byte(found[i][3]))
		assert.Contains(t, strings.ReplaceAll(allowed, "&#43;", "+"), "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'", "the page may run what it holds, and nothing else")
	}
	assert.Empty(t, addresses.FindString(strings.ReplaceAll(text, found[1][0], "")), "nothing is loaded from anywhere")
	for _, name := range hostile[:3] {
		assert.NotContains(t, text, name)
	}
	assert.Contains(t, text, "<b>1</b> <code>=</code> same")
	assert.Contains(t, text, "kv/data/apps – ")
	assert.Contains(t, rendered(t, "HTML", cleanDiff(t), nil), `class="good">clean<`)
	assert.Contains(t, rendered(t, "HTML", report, nil), "The table has only what needs attention")
}

func TestReportChartsAtMostTwentyFourSubtrees(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	for team := range 5 {
		for service := range 10 {
			vault.seed(fmt.Sprintf("kv/data/apps/team%d/service%d/db", team, service), `{"v":1}`)
		}
	}
	report, err := migrate.Diff(t.Context(), vault, scai, apps(t), nil)
	require.NoError(t, err)
	require.Len(t, report.Subtrees, 5, "services would be too many")
	assert.Equal(t, "kv/data/apps/team0", report.Subtrees[0].Path)
	assert.Equal(t, 10, report.Subtrees[0].Total())
	assert.Equal(t, 10, report.Subtrees[0].Bad())
	for i := range 2000 {
		vault.seed(fmt.Sprintf("kv/data/apps/many%d/x/db", i), `{"v":1}`)
	}
	report, err = migrate.Diff(t.Context(), vault, scai, apps(t), nil)
	require.NoError(t, err)
	require.LessOrEqual(t, len(report.Subtrees), 24)
	total := 0
	for _, s := range report.Subtrees {
		total += s.Total()
	}
	assert.Equal(t, 2050, total, "none is left out")
}

// A brokenWriter has room for some bytes.
type brokenWriter struct{ room int }

var errFull = errors.New("full")

func (w *brokenWriter) Write(b []byte) (int, error) {
	if len(b) > w.room {
		return w.room, errFull
	}
	w.room -= len(b)
	return len(b), nil
}

func TestReportOnAFullDisk(t *testing.T) {
	t.Parallel()
	report, log := diffed(t)
	for format, render := range renderers {
		for _, room := range []int{0, 300, 900} {
			require.ErrorIs(t, render(report, &brokenWriter{room: room}, log.All()), errFull, format)
		}
		require.ErrorContains(t, render(report, &brokenWriter{}, nil), "write the report as "+strings.Replace(format, "lines", "lines of JSON", 1))
		broken := func(yield func(migrate.Item, error) bool) { yield(migrate.Item{}, errFull) }
		require.ErrorIs(t, render(report, io.Discard, broken), errFull, format)
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			continue // elsewhere than on Linux
		}
		require.ErrorContains(t, render(report, full, log.All()), "no space left", format)
		require.NoError(t, full.Close())
		assert.NotEmpty(t, rendered(t, format, report, log.All()), "it can be written again")
	}
}

func TestItemLogKeepsWhatItIsTold(t *testing.T) {
	t.Parallel()
	log := &migrate.ItemLog{}
	want := migrate.Item{From: "b", To: "c", Outcome: migrate.Different, FromVersion: 1, ToVersion: 2, Fields: []string{"f"}, Rounded: true, Reason: "why"}
	require.NoError(t, log.Add(want))
	require.NoError(t, log.Add(migrate.Item{To: "a", Outcome: migrate.Unreadable, Err: scaivault.ErrPermission}))
	var got []migrate.Item
	for item, err := range log.All() {
		require.NoError(t, err)
		got = append(got, item)
	}
	require.Len(t, got, 2)
	assert.Equal(t, "a", got[0].To)
	require.EqualError(t, got[0].Err, scaivault.ErrPermission.Error())
	assert.Equal(t, want, got[1])
	require.Error(t, log.Add(migrate.Item{}), "the zero outcome is none")
	require.NoError(t, log.Close())
}

// A report that does not fit on the disk is an error, however short it is.
func TestReportsOnAFullDisk(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	defer func() { assert.NoError(t, full.Close()) }()
	report, log := diffed(t)
	for format, render := range renderers {
		err := render(report, full, log.All())
		require.ErrorIs(t, err, syscall.ENOSPC, format)
		require.ErrorContains(t, err, "write the report", format)
		require.ErrorIs(t, render(report, full, nil), syscall.ENOSPC, format)
	}
}
