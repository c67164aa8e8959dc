// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// struck tells which of 200 requests a fault hits; beside each comes one that it does
// not match.
func struck(t *testing.T, f scaivaulttest.Fault) (hits []bool) {
	t.Helper()
	srv, c := inMemory(t, nil)
	f.Path, f.Status, f.Body = "/v1/version", 502, "bad luck"
	srv.Inject(f)
	for range 200 {
		require.Equal(t, 200, c.get("/v1/health").status)
		hits = append(hits, c.get("/v1/version").status == 502)
	}
	return hits
}

func count(hits []bool) (n int) {
	for _, hit := range hits {
		if hit {
			n++
		}
	}
	return n
}

func TestFaultChanceIsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	first := struck(t, scaivaulttest.Fault{Chance: 0.25, Seed: 1})
	assert.InDelta(t, 50, count(first), 25, "a quarter of them")
	assert.Equal(t, first, struck(t, scaivaulttest.Fault{Chance: 0.25, Seed: 1}))
	assert.NotEqual(t, first, struck(t, scaivaulttest.Fault{Chance: 0.25, Seed: 2}))
	assert.Equal(t, 3, count(struck(t, scaivaulttest.Fault{Chance: 0.25, Seed: 1, Count: 3})), "Count is of the hits")
	assert.Equal(t, 200, count(struck(t, scaivaulttest.Fault{Chance: 1})))
	assert.Equal(t, 200, count(struck(t, scaivaulttest.Fault{Seed: 1})), "without a Chance all")
}

func TestFaultSparedByOneMeetsTheOneBefore(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	srv.Inject(scaivaulttest.Fault{Status: 500, Body: "before"})
	srv.Inject(scaivaulttest.Fault{Status: 502, Body: "after", Chance: 0.5})
	met := map[int]int{}
	for range 50 {
		met[c.get("/v1/version").status]++
	}
	assert.Len(t, met, 2)
	assert.Positive(t, met[500])
	assert.Positive(t, met[502])
}

// A failedTB notes that a test was failed.
type failedTB struct {
	*testing.T
	said string
}

func (f *failedTB) Fatalf(format string, args ...any) { f.said = fmt.Sprintf(format, args...) }

func TestFaultChanceThatIsNoneFailsTheTest(t *testing.T) {
	t.Parallel()
	for _, chance := range []float64{-0.1, 1.1, math.NaN(), math.Inf(1)} {
		tb := &failedTB{T: t}
		srv := scaivaulttest.NewServer(tb, &scaivaulttest.ServerOptions{NoLimits: true})
		srv.Inject(scaivaulttest.Fault{Chance: chance, Body: "hit"})()
		assert.Contains(t, tb.said, "probability")
		assert.NotEqual(t, "hit", as(t, srv, "").get("/v1/version").body)
	}
}

func TestFaultThatCannotBeFailsTheTest(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]scaivaulttest.Fault{
		"Status is -1": {Status: -1}, "Status is 99": {Status: 99}, "Status is 103": {Status: 103}, "Status is 1000": {Status: 1000},
		"no such Cut": {Cut: scaivaulttest.CutAfterBody + 1}, "3, 0; use": {Cut: scaivaulttest.CutInBody, Break: scaivaulttest.BreakSilent + 1},
		"0, 3; use": {Spoil: scaivaulttest.SpoilGarbage + 1},
	} {
		failures := try(t, func(t *trial) { scaivaulttest.NewServer(t).Inject(f)() })
		require.Len(t, failures, 1, name)
		assert.Contains(t, failures[0], name)
	}
	for _, status := range []int{0, 200, 204, 304, 599, 999} {
		assert.Empty(t, try(t, func(t *trial) { scaivaulttest.NewServer(t).Inject(scaivaulttest.Fault{Status: status})() }))
	}
}
