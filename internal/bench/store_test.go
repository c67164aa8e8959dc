// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gocloud.dev/runtimevar"

	"github.com/scailabs/scaivault-go/internal/bench"
	"github.com/scailabs/scaivault-go/scaivault"
)

// tableOf returns one of the tables, small.
func tableOf(t *testing.T, name string) bench.Table {
	t.Helper()
	for _, table := range bench.Tables(bench.Options{Entries: 500}) {
		if table.Name == name {
			return table
		}
	}
	require.Fail(t, "no such table", name)
	return bench.Table{}
}

// each does the Op of each row once.
func each(t *testing.T, name string, check func(row bench.Benchmark, answer any)) {
	t.Helper()
	url := openServer(t)
	for _, row := range tableOf(t, name).Benchmarks {
		op, done, err := row.Open(url)
		require.NoError(t, err, "%s: %s", row.Group, row.Name)
		answer, err := op(t.Context())
		require.NoError(t, err, "%s: %s", row.Group, row.Name)
		check(row, answer)
		done()
	}
}

func TestWhatIsCachedIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"cached", "cores"} {
		each(t, name, func(row bench.Benchmark, answer any) {
			var body []byte
			switch answer := answer.(type) {
			case *scaivault.Secret:
				body = answer.JSON()
			case []byte:
				body = answer
			case runtimevar.Snapshot:
				body, _ = answer.Value.([]byte)
			}
			var fields map[string]string
			require.NoError(t, json.Unmarshal(body, &fields), "%s: %s", row.Group, row.Name)
			assert.Contains(t, fields, "key", "%s: %s", row.Group, row.Name)
			assert.Len(t, body, 16)
		})
	}
}

func TestAColdReadIsAnsweredByScaiVault(t *testing.T) {
	t.Parallel()
	each(t, "cold", func(row bench.Benchmark, answer any) {
		secret, ok := answer.(*scaivault.Secret)
		require.True(t, ok)
		assert.Equal(t, "scaivault", secret.Source(), "%s: %s", row.Group, row.Name)
		assert.Len(t, secret.JSON(), 1<<10)
	})
}

func TestInTheOutageVaultAnswers(t *testing.T) {
	t.Parallel()
	each(t, "outage", func(row bench.Benchmark, answer any) {
		secret, ok := answer.(*scaivault.Secret)
		require.True(t, ok)
		assert.Equal(t, "vault", secret.Source(), "%s: %s", row.Group, row.Name)
		if row.Rarely > 10 { // all wait, as their paths stay clean
			assert.True(t, secret.Failover(), "%s: %s", row.Group, row.Name)
		}
	})
}

func TestTheStoreKeepsAllWhoseMemoryIsMeasured(t *testing.T) {
	t.Parallel()
	each(t, "memory", func(row bench.Benchmark, answer any) {
		store, ok := answer.(*scaivault.Store)
		if !ok {
			return // the map
		}
		assert.Equal(t, row.Each, store.Stats().Entries)
		require.NoError(t, store.Close())
	})
}
