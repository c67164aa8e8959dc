// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/scailabs/scaivault-go/internal/bench"
)

func TestMain(m *testing.M) {
	if asked, err := bench.ServeIfAsked(); asked {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// quick measures next to nothing.
var quick = []string{"-rounds", "1", "-time", "1ms", "-reads", "40", "-entries", "500"}

func TestReportHasARowForEachBenchmark(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), quick, &stdout, &stderr))
	assert.Empty(t, stderr.String())
	sections := strings.Split(strings.TrimSpace(stdout.String()), "\n\n")
	tables := bench.Tables(bench.Options{Entries: 500})
	require.Len(t, sections, len(tables))
	for i, table := range tables {
		lines := strings.Split(sections[i], "\n")
		assert.Equal(t, table.Name+": "+table.Title, lines[0])
		require.Len(t, lines, 2+len(table.Benchmarks))
		for j, row := range table.Benchmarks {
			line := lines[j+2]
			assert.Regexp(t, `^`+regexp.QuoteMeta(row.Group)+` +`+regexp.QuoteMeta(row.Name)+` +\d`, line)
			assert.Equal(t, row.Judged, strings.Contains(line, " met") || strings.Contains(line, " missed"), line)
		}
	}
}

func TestReportMeasuresTheTablesThatAreNamed(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), append(quick[:len(quick):len(quick)], "memory", "cached"), &stdout, &stderr))
	assert.Regexp(t, `(?s)^memory: .*\n\ncached: `, stdout.String())
}

func TestReportRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`there is no table "all"; there are client, vault, cached, cores, cold, outage, memory`: {"all"},
		"must not be negative": {"-rounds", "-1"},
	} {
		var stdout, stderr bytes.Buffer
		assert.ErrorContains(t, run(t.Context(), args, &stdout, &stderr), want)
		assert.Empty(t, stdout.String())
	}
	var stderr bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, &bytes.Buffer{}, &stderr), flag.ErrHelp)
	assert.Contains(t, stderr.String(), "-rounds n")
}
