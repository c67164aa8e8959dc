// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// A Table is a set of benchmarks that are measured in the same way.
type Table struct {
	Name       string // by which it is asked for
	Title      string // what it shows, in one line
	Benchmarks []Benchmark
	measure    func(ctx context.Context, e *entry, opts Options) (sample, error)
	shows      []quantity
	goals      []goal
	once       bool // one round tells all
	anew       bool // each row is opened for each round
}

// A goal bounds what a judged row may cost, next to another row of its group.
type goal struct {
	of    quantity
	peer  string // the other row's name; empty where there is none
	rows  string // how the names of the rows begin that it is for; empty for all
	head  string
	by    func(ours, theirs float64) float64
	cell  string // the format of what by returns
	bound bound
}

// A bound is what a goal asks for. Without met it is information.
type bound struct {
	text string
	met  func(float64) bool
}

func atMost(limit float64) bound {
	return bound{fmt.Sprintf("≤ %v", limit), func(x float64) bool { return x <= limit }}
}

// none is met by what rounds to nothing: the runtime itself allocates at times.
func none() bound { return bound{"= 0", func(x float64) bool { return x < 0.01 }} }

func below(limit float64) bound {
	return bound{fmt.Sprintf("< %v", limit), func(x float64) bool { return x < limit }}
}

func atLeast(limit float64) bound {
	return bound{fmt.Sprintf("≥ %v", limit), func(x float64) bool { return x >= limit }}
}

// ratioTo says how many times another row's.
func ratioTo(peer, short string, of quantity, b bound) goal {
	return goal{
		of: of, peer: peer, head: unit(of) + " ÷ " + short, bound: b, cell: "%.2f",
		by: func(ours, theirs float64) float64 { return ours / theirs },
	}
}

// moreThan says how much more than another row's.
func moreThan(peer, short string, of quantity, b bound) goal {
	return goal{
		of: of, peer: peer, head: unit(of) + " − " + short, bound: b, cell: "%+.0f",
		by: func(ours, theirs float64) float64 { return math.Round(ours - theirs) },
	}
}

// itself is the value, which has no peer.
func itself(of quantity, b bound) goal {
	return goal{of: of, head: unit(of), bound: b, cell: of.format, by: func(ours, _ float64) float64 { return ours }}
}

func unit(of quantity) string { return strings.TrimSuffix(of.name, "/op") }

// write writes a row for each entry.
func (t Table) write(w io.Writer, entries []*entry) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := []string{"group", "name"}
	for _, q := range t.shows {
		head = append(head, q.name)
	}
	for _, g := range t.goals {
		head = append(head, strings.TrimSpace(g.head+" "+g.bound.text))
	}
	writeRow(table, head)
	for _, e := range entries {
		row := []string{e.Group, e.Name}
		for _, q := range t.shows {
			row = append(row, fmt.Sprintf(q.format, q.over(e.values(q))))
		}
		for _, g := range t.goals {
			row = append(row, g.verdict(e, entries))
		}
		writeRow(table, row)
	}
	return table.Flush()
}

// writeRow leaves errors to Flush, which meets them again.
func writeRow(table *tabwriter.Writer, cells []string) {
	_, _ = fmt.Fprintln(table, strings.Join(cells, "\t"))
}

// verdict tells what an entry costs next to the goal's peer, and for a judged
// one whether that is the goal. It is "-" where the group has no such peer.
func (g goal) verdict(e *entry, entries []*entry) string {
	i := slices.IndexFunc(entries, func(p *entry) bool { return p.Group == e.Group && (p.Name == g.peer || g.peer == "") })
	if i < 0 || !strings.HasPrefix(e.Name, g.rows) {
		return "-"
	}
	value := g.value(e.samples, entries[i].samples)
	cell := fmt.Sprintf(g.cell, value)
	switch {
	case !e.Judged || g.bound.met == nil:
		return cell
	case g.bound.met(value):
		return cell + " met"
	default:
		return cell + " missed"
	}
}

// value is that over the rounds, mostly their median. What slows the machine down
// for a while slows both down, so each is compared with the other's same round.
func (g goal) value(these, those []sample) float64 {
	values := make([]float64, len(these))
	for i := range these {
		values[i] = g.by(these[i][g.of.name], those[i][g.of.name])
	}
	return g.of.over(values)
}

// values are those of all rounds.
func (e *entry) values(of quantity) []float64 {
	values := make([]float64, len(e.samples))
	for i, s := range e.samples {
		values[i] = s[of.name]
	}
	return values
}

// over makes one value of those of all rounds. It sorts them.
func (q quantity) over(values []float64) float64 {
	switch {
	case q.least:
		return slices.Min(values)
	case !q.total:
		return middle(values)
	}
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum
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
