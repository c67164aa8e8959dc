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

func TestReportHasARowForEachPeer(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-rounds", "1", "-time", "1ms"}, &stdout, &stderr))
	assert.Empty(t, stderr.String())
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	rows := bench.Benchmarks()
	require.Len(t, lines, 1+len(rows))
	for i, row := range rows {
		line := lines[i+1]
		assert.Regexp(t, `^`+regexp.QuoteMeta(row.Group)+` +`+regexp.QuoteMeta(row.Name)+`( +\d+){3} `, line)
		verdicts := strings.Count(line, "met") + strings.Count(line, "missed")
		if row.Judged {
			assert.Equal(t, 4, verdicts, line)
		} else {
			assert.Zero(t, verdicts, line)
		}
	}
}

func TestReportRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`unexpected argument "all"`:              {"all"},
		"-rounds and -time must not be negative": {"-rounds", "-1"},
	} {
		var stdout, stderr bytes.Buffer
		assert.ErrorContains(t, run(t.Context(), args, &stdout, &stderr), want)
		assert.Empty(t, stdout.String())
	}
	var stderr bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, &bytes.Buffer{}, &stderr), flag.ErrHelp)
	assert.Contains(t, stderr.String(), "-rounds n")
}
