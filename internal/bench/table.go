// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// A goal bounds what a judged row may cost, as a multiple of another row of its
// group.
type goal struct {
	peer  string // the other row's name
	short string // and what the head calls it
	bound string
	met   func(ratio float64) bool
}

var goals = []goal{
	{bareName, "bare", "≤ 1.15", func(ratio float64) bool { return ratio <= 1.15 }},
	{vaultAPIName, "vault/api", "< 1", func(ratio float64) bool { return ratio < 1 }},
}

// writeTable writes a row for each entry.
func writeTable(w io.Writer, entries []*entry) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := []string{"group", "name", "ns/op", "B/op", "allocs/op"}
	for _, g := range goals {
		head = append(head, "ns ÷ "+g.short+" "+g.bound, "allocs ÷ "+g.short+" "+g.bound)
	}
	writeRow(table, head)
	for _, e := range entries {
		row := []string{e.Group, e.Name}
		for _, of := range []func(sample) float64{nanoseconds, bytes, allocs} {
			row = append(row, fmt.Sprintf("%.0f", median(e.samples, of)))
		}
		for _, g := range goals {
			row = append(row, g.verdict(e, entries, nanoseconds), g.verdict(e, entries, allocs))
		}
		writeRow(table, row)
	}
	return table.Flush()
}

// writeRow leaves errors to Flush, which meets them again.
func writeRow(table *tabwriter.Writer, cells []string) {
	_, _ = fmt.Fprintln(table, strings.Join(cells, "\t"))
}

func nanoseconds(s sample) float64 { return s.nanoseconds }
func bytes(s sample) float64       { return s.bytes }
func allocs(s sample) float64      { return s.allocs }

// verdict tells what an entry costs as a multiple of the goal's peer, and for a
// judged one whether that is the goal. It is "-" where the group has no such
// peer.
func (g goal) verdict(e *entry, entries []*entry, of func(sample) float64) string {
	i := slices.IndexFunc(entries, func(p *entry) bool { return p.Group == e.Group && p.Name == g.peer })
	if i < 0 {
		return "-"
	}
	ratio := ratio(e.samples, entries[i].samples, of)
	switch {
	case !e.Judged:
		return fmt.Sprintf("%.2f", ratio)
	case g.met(ratio):
		return fmt.Sprintf("%.2f met", ratio)
	default:
		return fmt.Sprintf("%.2f missed", ratio)
	}
}

// ratio is the median of the rounds' ratios. What slows the machine down for a
// while slows both down, so each is compared with the other's same round.
func ratio(these, those []sample, of func(sample) float64) float64 {
	ratios := make([]float64, len(these))
	for i := range these {
		ratios[i] = of(these[i]) / of(those[i])
	}
	return middle(ratios)
}

func median(samples []sample, of func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	return middle(values)
}

// middle returns the median. It sorts the values.
func middle(values []float64) float64 {
	slices.Sort(values)
	half := len(values) / 2
	if len(values)%2 == 1 {
		return values[half]
	}
	return (values[half-1] + values[half]) / 2
}
