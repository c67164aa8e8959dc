// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// asked collects the paths of each request of a batch.
func asked(requests *[][]string) func(*http.Request, []byte) {
	return func(_ *http.Request, body []byte) {
		var b struct{ Paths []string }
		_ = json.Unmarshal(body, &b)
		*requests = append(*requests, b.Paths)
	}
}

// TestBatchAsksOnceMoreForWhatFailedForNow, and for nothing else.
func TestBatchAsksOnceMoreForWhatFailedForNow(t *testing.T) {
	t.Parallel()
	const first = `{"secrets":{"good":{"data":{}},"nodata":{"version":1},"uninvited":{"data":{}}},"errors":{` +
		`"limited":{"code":"rate_limited"},"down":{"code":"service_unavailable"},"broken":{"code":"internal_error"},"strange":"?",` +
		`"none":{"code":"secret_not_found"},"denied":{"code":"access_denied"},"newcode":{"code":"some_new_code"}}}`
	paths := []string{"good", "limited", "down", "broken", "strange", "left-out", "none", "denied", "newcode", "nodata", "limited"}
	again := []string{"limited", "down", "broken", "strange", "left-out"}
	second := `{"secrets":{"limited":{"data":{}},"down":{"data":{}},"strange":{"data":{}},"left-out":{"data":{}}},"errors":{"broken":{"code":"internal_error"}}}`
	for name, c := range map[string]struct {
		answer  func(*http.Request) (*http.Response, error)
		change  []configure
		within  time.Duration // of ctx; 0 for no end
		again   bool
		waited  time.Duration // at least
		missing []string
	}{
		"at once":                      {answer: says(200, first), again: true, missing: []string{"broken"}},
		"as 207":                       {answer: says(207, first), again: true, missing: []string{"broken"}},
		"after the wait asked for":     {answer: says(200, first, "Retry-After", "7"), again: true, waited: 7 * time.Second, missing: []string{"broken"}},
		"not past the end of ctx":      {answer: says(200, first, "Retry-After", "7"), within: 5 * time.Second, missing: again},
		"not past Timeout":             {answer: says(200, first, "Retry-After", "3600"), missing: again},
		"not where it is switched off": {answer: says(200, first), change: []configure{retries(-1)}, missing: again},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var requests [][]string
				rt := &script{answers: says2(c.answer, says(200, second)), seen: asked(&requests)}
				client := newTestClient(t, "https://s.test", append([]configure{through(rt), retries(2)}, c.change...)...)
				ctx, cancel := context.WithCancel(t.Context())
				if c.within > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), c.within)
				}
				defer cancel()
				start := time.Now()
				found, err := client.GetBatch(ctx, paths)
				require.GreaterOrEqual(t, time.Since(start), c.waited)
				require.Less(t, time.Since(start), c.waited+time.Second)
				want := [][]string{paths[:10]}
				if c.again {
					want = append(want, again)
				}
				require.Equal(t, want, requests)
				var some *scaivault.BatchError
				require.ErrorAs(t, err, &some)
				missing := append([]string{"none", "denied", "newcode", "nodata"}, c.missing...)
				assert.Len(t, some.Errors, len(missing))
				for _, path := range missing {
					assert.Error(t, some.Errors[path], path)
					assert.NotContains(t, found, path)
				}
				assert.Len(t, found, 10-len(missing))
			})
		})
	}
}

// TestBatchDoesNotRepeatWhatFailedAsAWhole: those requests had repetitions of
// their own.
func TestBatchDoesNotRepeatWhatFailedAsAWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for status, requests := range map[int]int64{503: 3, 403: 1, 404: 1} {
			rt := &script{answers: says2(says(status, refusal(map[int]string{503: "service_unavailable", 403: "access_denied", 404: "not_found"}[status])))}
			_, err := newTestClient(t, "https://s.test", through(rt), retries(2)).GetBatch(t.Context(), []string{"a"})
			require.Error(t, err)
			require.Equal(t, requests, rt.requests.Load())
		}
	})
}

// TestBatchOfTenThousand is read in requests of a hundred, each path once.
func TestBatchOfTenThousand(t *testing.T) {
	t.Parallel()
	s, c := service(t, &scaivaulttest.ServerOptions{NoLimits: true})
	paths := make([]string, 10_000)
	for i := range paths {
		paths[i] = fmt.Sprintf("a/%d", i)
		if i%10 != 0 {
			s.Seed(paths[i], map[string]any{"i": i})
		}
	}
	found, err := c.GetBatch(t.Context(), append(paths, paths[:500]...))
	require.Len(t, found, 9_000)
	var some *scaivault.BatchError
	require.ErrorAs(t, err, &some)
	require.Len(t, some.Errors, 1_000)
	require.True(t, errors.Is(err, scaivault.ErrNotFound))
	require.Equal(t, 100, s.RequestCount(http.MethodPost, "/v1/secrets/batch"))
	i, _ := found["a/9999"].Field("i")
	require.Equal(t, "9999", i)
}

// TestGetBatchOfNothing asks nobody.
func TestGetBatchOfNothing(t *testing.T) {
	t.Parallel()
	rt := &script{}
	found, err := newTestClient(t, "https://s.test", through(rt)).GetBatch(t.Context(), nil)
	require.NoError(t, err)
	require.NotNil(t, found)
	require.Empty(t, found)
	require.Zero(t, rt.requests.Load())
}

func TestSecretOfABatchKeepsOnlyItself(t *testing.T) { // alone, as it measures
	const large = 16 << 20
	body := `{"secrets":{"large":{"data":{"k":"` + strings.Repeat("v", large) + `"}},"small":{"data":{"k":"v"}}}}`
	c := newTestClient(t, "https://s.test", through(&script{answers: says2(says(200, body))}))
	inUse := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := inUse()
	all, err := c.GetBatch(t.Context(), []string{"large", "small"})
	require.NoError(t, err)
	small := all["small"]
	clear(all)
	require.Less(t, inUse()-before, int64(large/2))
	runtime.KeepAlive(small)
	runtime.KeepAlive(body)
}

// What does not fit into one answer is asked for in smaller batches, and what
// does not fit alone is the only one that fails.
func TestBatchIsCutWhereItsAnswerIsTooLarge(t *testing.T) {
	t.Parallel()
	server := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{NoLimits: true})
	var paths []string
	for i := range 100 {
		path := fmt.Sprintf("large/s%03d", i)
		size := 4 << 10
		if i == 42 {
			size = 70 << 10
		}
		server.Seed(path, map[string]any{"v": strings.Repeat("x", size)})
		paths = append(paths, path)
	}
	c := newTestClient(t, server.URL(), func(cfg *scaivault.ClientConfig) {
		cfg.Token, cfg.MaxResponseBytes = scaivault.StaticToken(server.IssueToken("sa:reader")), 64<<10
	})
	found, err := c.GetBatch(t.Context(), paths)
	var failed *scaivault.BatchError
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Errors, 1)
	require.ErrorIs(t, failed.Errors["large/s042"], scaivault.ErrUnavailable)
	require.ErrorContains(t, failed.Errors["large/s042"], "MaxResponseBytes")
	require.Len(t, found, 99)
	require.Less(t, len(server.Requests()), 25, "not one by one")
}
