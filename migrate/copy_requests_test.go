// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// counted counts the requests of a run by what they are for.
func (e *estate) counted(run func()) map[string]int {
	before := e.allRequests()
	run()
	after := e.allRequests()
	for kind, n := range before {
		if after[kind] -= n; after[kind] == 0 {
			delete(after, kind)
		}
	}
	return after
}

func (e *estate) allRequests() map[string]int {
	counts := map[string]int{}
	for _, r := range e.vault.Requests() {
		switch {
		case strings.HasPrefix(r.Path, "/v1/sys/"):
			counts["mount look-up"]++
		case r.Method == "LIST" || strings.Contains(r.Query, "list=true"):
			counts["listing"]++
		case r.Method == http.MethodGet && strings.Contains(r.Path, "/metadata/"):
			counts["metadata read"]++
		case r.Method == http.MethodGet:
			counts["value read"]++
		default:
			counts["vault "+r.Method]++
		}
	}
	for _, r := range e.scai.Requests() {
		if r.Path == "/v1/secrets/batch" {
			counts["batch"]++
		} else {
			counts["scaivault "+r.Method]++
		}
	}
	return counts
}

func TestCopyTakesAsManyRequestsAsItSays(t *testing.T) {
	t.Parallel()
	const folders, each = 7, 33
	const n = folders * each
	const hundreds = (n + 99) / 100
	for _, tc := range []struct {
		name, mount   string
		first, second map[string]int
	}{
		{
			"KV v2", "kv/data",
			map[string]int{"mount look-up": 1, "listing": folders + 1, "value read": n, "scaivault PUT": n, "batch": 2 * hundreds},
			map[string]int{"listing": folders + 1, "metadata read": n, "batch": hundreds},
		},
		{
			"KV v1", "secret",
			map[string]int{"mount look-up": 1, "listing": folders + 1, "value read": n, "scaivault PUT": n, "batch": 2 * hundreds},
			map[string]int{"listing": folders + 1, "value read": n, "batch": hundreds},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := newEstate(t, &scaivaulttest.ServerOptions{NoLimits: true})
			for f := range folders {
				for i := range each {
					e.vault.Seed(fmt.Sprintf("%s/apps/f%d/s%02d", tc.mount, f, i), map[string]any{"v": i})
				}
			}
			m := mustMapping(t, scaivault.Rule{Vault: tc.mount + "/apps/**", ScaiVault: "environments/production/**"})
			for round, want := range []map[string]int{tc.first, tc.second} {
				got := e.counted(func() {
					report, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
					require.NoError(t, err)
					require.NoError(t, report.Err())
					assert.Equal(t, n, report.Total())
				})
				assert.Equal(t, want, got, "copy %d", round+1)
			}

			// What has changed is read, written and read back; the rest is not.
			e.vault.Seed(tc.mount+"/apps/f0/s00", map[string]any{"v": "new"})
			got := e.counted(func() {
				report, err := migrate.Copy(t.Context(), e.source, e.client, m, nil)
				require.NoError(t, err)
				assert.Equal(t, map[migrate.Outcome]int{migrate.Updated: 1, migrate.Unchanged: n - 1}, report.Counts)
			})
			want := maps.Clone(tc.second)
			want["scaivault PUT"]++
			want["batch"]++
			if tc.mount == "kv/data" {
				want["value read"]++
			}
			assert.Equal(t, want, got)
		})
	}
}
