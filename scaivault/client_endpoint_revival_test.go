// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestReadsContinueWhileOneEndpointWorks, although it was skipped a moment ago:
// the one that dies is left for those that were dead before.
func TestReadsContinueWhileOneEndpointWorks(t *testing.T) {
	t.Parallel()
	for name, dead := range deadEndpoints {
		for _, n := range []int{-1, 2} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					works := says(200, oneSecret)
					rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": dead, "b": dead, "c": works})
					c := newTestClient(t, "", hosts("a", "b", "c"), through(rt), retries(n))
					get := func() error {
						ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
						defer cancel()
						return getOf(testPath)(ctx, c)
					}
					for range 3 {
						require.NoError(t, get())
					}
					for _, alive := range []string{"b", "a", "c", "b", "c", "a"} {
						for _, host := range []string{"a", "b", "c"} {
							rt.set(host, dead)
						}
						rt.set(alive, works)
						for range 3 { // a soft failure more or less
							require.NoError(t, get())
						}
						for _, host := range []string{"a", "b", "c"} {
							rt.count(host)
						}
						for range 100 {
							require.NoError(t, get())
						}
						require.Equal(t, 100, rt.count(alive), "and nobody else is asked")
					}
				})
			})
		}
	}
}

// TestWriteGoesOnToAnEndpointThatCameBack, as nothing was sent.
func TestWriteGoesOnToAnEndpointThatCameBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": refusesDial, "b": says(200, oneSecret)})
		c := newTestClient(t, "", hosts("a", "b"), through(rt))
		require.NoError(t, getOf(testPath)(t.Context(), c))
		rt.set("a", says(200, `{"version":1}`))
		rt.set("b", refusesDial)
		require.NoError(t, putOf(map[string]any{"k": "v"}, nil)(t.Context(), c))
	})
}

// TestGuessDoesNotHoldACallForLong: who asks a skipped endpoint rather than
// fail waits for it only as long as for a probe.
func TestGuessDoesNotHoldACallForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": hangs, "b": says(200, oneSecret)})
		c := newTestClient(t, "", hosts("a", "b"), through(rt))
		require.NoError(t, getOf(testPath)(t.Context(), c))
		rt.set("b", says(503, ""))
		start := time.Now()
		requireMatches(t, getOf(testPath)(t.Context(), c), scaivault.ErrUnavailable)
		require.Equal(t, 2*time.Second, time.Since(start))
	})
}
