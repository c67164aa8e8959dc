// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
)

// browser is a Chromium of the machine; without one the page is not looked at.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless_shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium is installed, so the page of a report is not looked at; on Debian: apt-get install chromium")
	return ""
}

// shown loads a page in a browser without a network and returns the document
// that its scripts make of it.
func shown(t *testing.T, page string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "report.html")
	require.NoError(t, os.WriteFile(file, []byte(page), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser(t), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir="+filepath.Join(dir, "profile"),
		"--virtual-time-budget=5000", "--dump-dom", "file://"+file)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Run(), errs.String())
	return out.String()
}

// hostileNames try to leave the place where they are shown.
var hostileNames = []string{
	`</script><script>document.title="owned"</script>`, `<img src=x onerror='document.title="owned"'>`,
	`"><svg onload='document.title="owned"'>`, `kv/data/a&amp;b`, "{{.}}",
}

// reportPage is the page of a Diff with 600 secrets, some of hostile names.
func reportPage(t *testing.T) string {
	t.Helper()
	log := &migrate.ItemLog{}
	t.Cleanup(func() { assert.NoError(t, log.Close()) })
	for i := range 595 {
		item := migrate.Item{From: fmt.Sprintf("kv/data/apps/s%03d", i), To: fmt.Sprintf("production/s%03d", i), Outcome: migrate.Same}
		if i < 3 {
			item.Outcome, item.Fields = migrate.Different, []string{"password"}
		}
		require.NoError(t, log.Add(item))
	}
	for _, name := range hostileNames {
		require.NoError(t, log.Add(migrate.Item{From: name, To: name, Outcome: migrate.OnlyInVault, Fields: []string{name}, Reason: name}))
	}
	subtree := func(path string, counts map[migrate.Outcome]int) migrate.Subtree {
		return migrate.Subtree{Path: path, Counts: counts}
	}
	report := migrate.Report{
		Op: "diff", From: hostileNames[0], To: "scaivault", Started: time.Unix(1e9, 0), Finished: time.Unix(1e9+3, 0),
		Counts: map[migrate.Outcome]int{migrate.Same: 592, migrate.Different: 3, migrate.OnlyInVault: 5},
		Subtrees: []migrate.Subtree{
			subtree(hostileNames[2], map[migrate.Outcome]int{migrate.OnlyInVault: 5}),
			subtree("kv/data/apps", map[migrate.Outcome]int{migrate.Same: 592, migrate.Different: 3}),
		},
	}
	text, err := json.Marshal(report)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &report))
	var page bytes.Buffer
	require.NoError(t, report.WriteHTML(&page, log.All()))
	return page.String()
}

var tableRow = regexp.MustCompile(`(?s)<tr class="[a-z]+">.*?</tr>`)

func TestChromiumShowsTheReport(t *testing.T) {
	t.Parallel()
	browser(t)
	dom := shown(t, reportPage(t))
	assert.Contains(t, dom, "<title>diff "+html.EscapeString(hostileNames[0])[:10], "no name ran as a script")
	assert.NotContains(t, dom, "<title>owned")
	assert.Len(t, tableRow.FindAllString(dom, -1), 500, "the rows of the first look")
	assert.Contains(t, tableRow.FindString(dom), "different", "what needs attention stands first")
	assert.Contains(t, dom, "600 of 600, the first 500 shown")
	assert.Contains(t, dom, `<option value="only in vault">only in vault</option>`)
	assert.Contains(t, dom, `<rect class="good"`, "the chart")
	assert.NotContains(t, dom, "<img")
	assert.Equal(t, 1, strings.Count(dom, "<svg"))
}

// The page's own rules let no other script run, so they are taken off for the
// script that uses the page as a person would.
func TestChromiumFiltersTheTable(t *testing.T) {
	t.Parallel()
	browser(t)
	page := reportPage(t)
	rule := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`)
	require.Len(t, rule.FindAllString(page, -1), 1)
	person := `<script>
var filter = document.getElementById("filter"), outcome = document.getElementById("outcome");
var seen = [];
function look() { seen.push(document.getElementById("shown").textContent + ":" + document.querySelectorAll("#rows tr").length); }
outcome.value = "different"; outcome.dispatchEvent(new Event("change")); look();
filter.value = "S001"; filter.dispatchEvent(new Event("input")); look();
outcome.value = ""; outcome.dispatchEvent(new Event("change")); filter.value = "onerror"; filter.dispatchEvent(new Event("input")); look();
filter.value = "nothing has this name"; filter.dispatchEvent(new Event("input")); look();
seen.push("loaded " + performance.getEntriesByType("resource").length);
document.title = seen.join("|");
</script></body>`
	dom := shown(t, strings.Replace(rule.ReplaceAllString(page, ""), "</body>", person, 1))
	assert.Contains(t, dom, "<title>3 of 600:3|1 of 600:1|1 of 600:1|0 of 600:0|loaded 0</title>")

	blocked := shown(t, strings.Replace(page, "</body>", person, 1))
	assert.NotContains(t, blocked, "loaded 0", "with its own rules the page runs nothing but its own script")
}
