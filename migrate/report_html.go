// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"iter"
	"strings"
	"sync"
	"time"
)

//go:embed report_page.html
var pageText string

// pageTemplate writes what stands before the items. It escapes by itself.
var pageTemplate = sync.OnceValues(func() (*template.Template, error) { return template.New("report").Parse(pageText) })

// The style and the script of the page, as the page holds them.
//
//go:embed report_page.css
var pageStyle string

//go:embed report_page.js
var pageScript string

// A page is what the template is about.
type page struct {
	Title, Services, Started string
	Took                     time.Duration
	Notes                    []string
	Verdict                  string
	Clean                    bool
	Totals                   []pageTotal
	Chart                    pageChart
	Policy                   string
	Style                    template.CSS
	Shown                    string
}

// A pageTotal is one outcome of the totals.
type pageTotal struct {
	Sign, Name, Class string
	Count             int
}

// A pageChart is a bar for each subtree, in SVG units.
type pageChart struct {
	Height int
	Bars   []pageBar
}

type pageBar struct {
	Path, Label string
	TextY, Y    int
	Parts       []pagePart
}

type pagePart struct {
	Class, Title string
	X, Width     float64
}

// WriteHTML writes the report as one page that needs nothing else: no network,
// no other file. It has the totals, a chart by subtree, and a table of the items
// that can be filtered. It holds names and versions, never a value. If items is
// nil, the table has the problems that the report keeps. The error is w's, or
// that of items; what was written then is cut off.
func (r *Report) WriteHTML(w io.Writer, items iter.Seq2[Item, error]) error {
	return writing(w, "HTML", func(b *bufio.Writer) error {
		tmpl, err := pageTemplate()
		if err != nil {
			return err
		}
		if err := tmpl.Execute(b, r.page(items == nil)); err != nil {
			return err
		}
		if _, err := b.WriteString("<script type=\"application/json\" id=\"items\">["); err != nil {
			return err
		}
		if err := r.writeRows(b, items); err != nil {
			return err
		}
		_, err = b.WriteString("\n]</script>\n<script>" + pageScript + "</script>\n</body>\n</html>\n")
		return err
	})
}

// writeRows writes the items as the members of a JSON array.
func (r *Report) writeRows(b *bufio.Writer, items iter.Seq2[Item, error]) error {
	separator := "\n"
	for item, err := range r.itemsOr(items) {
		if err != nil {
			return err
		}
		row, err := pageRow(item)
		if err != nil {
			return err
		}
		if _, err := b.WriteString(separator + row); err != nil {
			return err
		}
		separator = ",\n"
	}
	return nil
}

// pageRow is an item for the script. encoding/json writes "<", ">" and "&" so
// that no name can end the element that it stands in.
func pageRow(i Item) (string, error) {
	row, err := json.Marshal([]any{
		i.Sign(), i.Outcome.String(), classOf(i.Outcome), orNames(i.From), orNames(i.To),
		versionCell(i.FromVersion), versionCell(i.ToVersion), i.why(),
	})
	return string(row), err
}

// orNames shows a name as people can read it, and nothing for none.
func orNames(name string) string {
	if name == "" {
		return ""
	}
	return printable(name)
}

func versionCell(version int) string {
	if version == 0 {
		return ""
	}
	return fmt.Sprint(version)
}

// classOf is how the page colours an outcome.
func classOf(o Outcome) string {
	switch {
	case o == Different || o == Conflict || o == DestinationChanged || o == SourceChanged:
		return "differs"
	case o == OnlyInVault || o == OnlyInScaiVault || o == DeletedInSource || o == SourceGone || o == Kept:
		return "single"
	case o.Bad():
		return "error"
	case o == Skipped || o == NotRepresentable:
		return "skipped"
	default:
		return "good"
	}
}

func (r *Report) page(problemsOnly bool) page {
	p := page{
		Title: r.Op, Services: r.From + " → " + r.To, Started: r.Started.UTC().Format(time.RFC3339),
		Took: r.Finished.Sub(r.Started).Round(time.Millisecond), Verdict: "clean", Clean: true,
		Style: template.CSS(pageStyle), Chart: newPageChart(r.Subtrees), //nolint:gosec // our own file
		Policy: fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", sourceHash(pageStyle), sourceHash(pageScript)),
	}
	if err := r.Err(); err != nil {
		p.Verdict, p.Clean = err.Error(), false
	}
	if r.DryRun {
		p.Notes = append(p.Notes, "Dry run: nothing was changed.")
	}
	if r.Incomplete {
		p.Notes = append(p.Notes, "Cut short: some secrets were not looked at.")
	}
	if problemsOnly {
		p.Notes = append(p.Notes, "The table has only what needs attention or was skipped, at most 1,000 secrets.")
	}
	if problemsOnly && r.Omitted > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%d further ones are not in the table.", r.Omitted))
	}
	for _, k := range outcomes {
		if n := r.Counts[k.outcome]; n > 0 {
			p.Totals = append(p.Totals, pageTotal{k.sign, k.name, classOf(k.outcome), n})
		}
	}
	return p
}

// sourceHash lets a browser run exactly this text, and no other.
func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// chartWidth is the longest bar, rowHeight a bar with its name.
const (
	chartWidth = 600
	rowHeight  = 40
)

// newPageChart draws a bar for each subtree, as long as it has secrets.
func newPageChart(all []Subtree) pageChart {
	longest := 1
	for _, s := range all {
		longest = max(longest, s.Total())
	}
	chart := pageChart{Height: rowHeight * len(all)}
	for i, s := range all {
		path := s.Path
		if path == "" {
			path = "everything"
		}
		bar := pageBar{Path: orNames(path), TextY: i*rowHeight + 14, Y: i*rowHeight + 20}
		bar.Label = fmt.Sprintf("%d secrets, %d need attention", s.Total(), s.Bad())
		at := 0.0
		for _, class := range []string{"good", "skipped", "differs", "single", "error"} {
			n, names := s.ofClass(class)
			if n == 0 {
				continue
			}
			width := max(2, float64(n)*chartWidth/float64(longest))
			bar.Parts = append(bar.Parts, pagePart{Class: class, Title: names, X: at, Width: width})
			at += width
		}
		chart.Bars = append(chart.Bars, bar)
	}
	return chart
}

// ofClass counts the items of one colour, and says what they are.
func (s Subtree) ofClass(class string) (int, string) {
	n := 0
	var names []string
	for _, k := range outcomes {
		if count := s.Counts[k.outcome]; count > 0 && classOf(k.outcome) == class {
			n += count
			names = append(names, fmt.Sprintf("%d %s", count, k.name))
		}
	}
	return n, strings.Join(names, ", ")
}
