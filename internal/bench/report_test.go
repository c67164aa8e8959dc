// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/bench"
)

// clientTable is the first table.
func clientTable() bench.Table { return bench.Tables(bench.Options{})[0] }

// of is a table like the client's with other rows.
func of(rows ...bench.Benchmark) []bench.Table {
	t := clientTable()
	t.Benchmarks = rows
	return []bench.Table{t}
}

// table splits a report of one table into its rows, and these into cells.
func table(report string) [][]string {
	var rows [][]string
	for line := range strings.Lines(strings.TrimSpace(report)) {
		rows = append(rows, regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line), -1))
	}
	return rows
}

// fake is a benchmark whose operation is done here.
func fake(group, name string, op bench.Op) bench.Benchmark {
	open := func(string) (bench.Op, func(), error) { return op, func() {}, nil }
	return bench.Benchmark{Group: group, Name: name, Open: open}
}

var sink atomic.Pointer[[64]byte]

// allocating allocates n times.
func allocating(n int) bench.Op {
	return func(context.Context) (any, error) {
		for range n {
			sink.Store(new([64]byte))
		}
		return nil, nil
	}
}

func TestReportCountsAndCompares(t *testing.T) {
	judged := fake("many", "ours", allocating(1000))
	judged.Judged = true
	alone := fake("alone", "ours", allocating(1000))
	alone.Judged = true
	var out bytes.Buffer
	err := bench.Report(t.Context(), &out, of(
		fake("many", "net/http and encoding/json", allocating(500)),
		fake("many", "vault/api KVv2.Get", allocating(4000)),
		judged,
		fake("many", "another", allocating(1000)),
		alone,
	), bench.Options{Rounds: 3, Time: 20 * time.Millisecond})
	require.NoError(t, err)

	rows := table(out.String())
	require.Len(t, rows, 7, out.String())
	assert.Equal(t, []string{"client: an uncached read"}, rows[0])
	head, ours, another := rows[1], rows[4], rows[5]
	assert.Equal(t, []string{
		"group", "name", "ns/op", "B/op", "allocs/op",
		"ns ÷ bare ≤ 1.15", "allocs ÷ bare ≤ 1.15", "ns ÷ vault/api < 1", "allocs ÷ vault/api < 1",
	}, head)
	assert.Equal(t, []string{"many", "ours"}, ours[:2])
	assert.Regexp(t, `^10\d\d$`, ours[4], "allocations")
	assert.Regexp(t, `^2\.0\d missed$|^1\.9\d missed$`, ours[6], "of net/http")
	assert.Regexp(t, `^0\.2\d met$`, ours[8], "of vault/api")
	assert.Regexp(t, `^0\.2\d$`, another[8], "nobody judges it")
	assert.Equal(t, []string{"-", "-", "-", "-"}, rows[6][5:], "there is nothing to compare with")
}

func TestReportTellsWhatDidNotWork(t *testing.T) {
	t.Parallel()
	broken := fake("group", "broken", func(context.Context) (any, error) { return nil, errors.New("no answer") })
	closed := fake("group", "closed", nil)
	closed.Open = func(string) (bench.Op, func(), error) { return nil, nil, errors.New("no client") }
	for name, row := range map[string]bench.Benchmark{"broken (group): no answer": broken, "closed (group): no client": closed} {
		for _, goroutines := range []int{0, 8} {
			row.Goroutines = goroutines
			var out bytes.Buffer
			err := bench.Report(t.Context(), &out, of(row), bench.Options{Rounds: 1, Time: time.Millisecond})
			assert.ErrorContains(t, err, name)
			assert.Empty(t, out.String(), "no table")
		}
	}
}

func TestTheGoroutinesWorkAtOnce(t *testing.T) {
	t.Parallel()
	var begun atomic.Int64
	all := make(chan struct{})
	row := fake("group", "row", func(context.Context) (any, error) {
		if begun.Add(1) == 8 {
			close(all)
		}
		<-all // opens when all eight have come
		return nil, nil
	})
	row.Goroutines = 8
	err := bench.Report(t.Context(), &bytes.Buffer{}, of(row), bench.Options{Rounds: 1, Time: time.Millisecond})
	require.NoError(t, err)
}
