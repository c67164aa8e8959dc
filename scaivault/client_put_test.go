// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestMetadataTakesAnIDAlong, a new one each time, and only then.
func TestMetadataTakesAnIDAlong(t *testing.T) {
	t.Parallel()
	s := scaivaulttest.NewServer(t)
	var sent []map[string]any
	rt := &script{answers: says2(s.RoundTripper().RoundTrip), seen: func(r *http.Request, body []byte) {
		if r.Method == http.MethodPut {
			var b struct{ Metadata map[string]any }
			require.NoError(t, json.Unmarshal(body, &b))
			sent = append(sent, b.Metadata)
		}
		r.Body = io.NopCloser(bytes.NewReader(body)) // the script has read it
	}}
	c := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) { cfg.Token = scaivault.StaticToken(s.IssueToken("sa:x")) })
	put := func(m scaivault.Metadata) map[string]any {
		_, err := c.Put(t.Context(), testPath, valueA, &scaivault.PutOptions{Metadata: m})
		require.NoError(t, err)
		return sent[len(sent)-1]
	}
	require.Nil(t, put(scaivault.Metadata{}), "for our own sake alone")

	given := scaivault.Metadata{Owner: "o", Values: map[string]any{"k": "v"}}
	first := put(given)
	require.Regexp(t, `^[0-9a-f]{32}$`, first["scaivault_write_id"])
	require.Equal(t, map[string]any{"k": "v"}, given.Values, "the caller's map was changed")

	read, err := c.Get(t.Context(), testPath)
	require.NoError(t, err)
	require.Equal(t, given, read.Info().Metadata, "the id is ours alone")
	second := put(read.Info().Metadata)
	require.Regexp(t, `^[0-9a-f]{32}$`, second["scaivault_write_id"])
	require.NotEqual(t, first["scaivault_write_id"], second["scaivault_write_id"])

	old := maps.Clone(second) // as another client would show it
	delete(old, "owner")
	third := put(scaivault.Metadata{Owner: "o", Values: old})
	require.NotEqual(t, second["scaivault_write_id"], third["scaivault_write_id"])

	marked := mark.Mark{Source: "kv/data/a", SourceVersion: 1, Version: 5, WriteID: "w"}.AddTo(nil)
	require.Equal(t, marked, put(scaivault.Metadata{Values: marked}), "the id of the mark is enough")
}

// TestLostWriteIsKnownByItsID, and nothing else is taken for it.
func TestLostWriteIsKnownByItsID(t *testing.T) {
	t.Parallel()
	given := scaivault.Metadata{Owner: "team:x"}
	marked := scaivault.Metadata{Values: mark.Mark{Source: "kv/data/a", SourceVersion: 1, Version: 1, WriteID: "w"}.AddTo(nil)}
	for name, c := range map[string]struct {
		before  func(*testing.T, *scaivault.Client) // writes of the same data
		meta    scaivault.Metadata
		done    bool
		between map[string]any // what another writer puts after it
		want    int            // version; -1: uncertain
		reason  string
	}{
		"done":                  {meta: given, done: true, want: 1},
		"not done":              {meta: given, want: -1, reason: "no secret stands there so far"},
		"the same data before":  {before: putBefore(given), meta: given, want: -1, reason: "version 1 stands there, which is not known to be this write"},
		"done, the same before": {before: putBefore(given), meta: given, done: true, want: 2},
		"done and written over": {meta: given, done: true, between: valueB, want: 0},
		"a mark, done":          {meta: marked, done: true, want: 1},
		"a mark, not done":      {meta: marked, want: -1, reason: "no secret stands there so far"},
		"an old mark, not done": {before: putBefore(marked), meta: marked, want: -1, reason: "version 1 stands there"},
		"an old mark, done":     {before: putBefore(marked), meta: marked, done: true, want: 2},
		"no metadata, done":     {done: true, want: 1},
		"no metadata, not done": {before: putBefore(scaivault.Metadata{}), want: -1, reason: "version 1 stands there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, client := service(t, nil)
				if c.before != nil {
					c.before(t, client)
					<-time.After(time.Minute)
				}
				s.Inject(scaivaulttest.Fault{Method: http.MethodPut, After: c.done, Hang: true})
				if c.between != nil {
					time.AfterFunc(time.Second, func() { s.Seed(testPath, c.between) })
				}
				w, err := client.Put(t.Context(), testPath, valueA, &scaivault.PutOptions{Metadata: c.meta})
				if c.want < 0 {
					requireMatches(t, err, scaivault.ErrUncertain)
					require.ErrorContains(t, err, c.reason)
					return
				}
				require.NoError(t, err)
				require.Equal(t, &scaivault.Written{Version: c.want, Source: "scaivault"}, w)
			})
		})
	}
}

func putBefore(m scaivault.Metadata) func(*testing.T, *scaivault.Client) {
	return func(t *testing.T, c *scaivault.Client) {
		_, err := c.Put(t.Context(), testPath, valueA, &scaivault.PutOptions{Metadata: m})
		require.NoError(t, err)
	}
}

// TestUncertainSaysThatReadingBackFailed, and how.
func TestUncertainSaysThatReadingBackFailed(t *testing.T) {
	t.Parallel()
	s, c := service(t, nil)
	s.Inject(scaivaulttest.Fault{Method: http.MethodGet, Status: 403, Code: "access_denied"})
	s.Inject(scaivaulttest.Fault{Method: http.MethodPut, Status: 502, Body: balancerPage})
	_, err := c.Put(t.Context(), testPath, valueA, nil)
	requireMatches(t, err, scaivault.ErrUncertain)
	require.ErrorContains(t, err, "reading it back failed too (permission denied)")
}

// faultsOfAWrite are what can become of a PUT on its way.
var faultsOfAWrite = []scaivaulttest.Fault{
	{Cut: scaivaulttest.CutBeforeAnswer},
	{Cut: scaivaulttest.CutBeforeAnswer, After: true},
	{Cut: scaivaulttest.CutInBody, After: true},
	{Status: 500, Code: "internal_error"},
	{Status: 500, Code: "internal_error", After: true},
	{Status: 502, Body: balancerPage},
	{Status: 502, Body: balancerPage, After: true},
	{Status: 503, Code: "service_unavailable"},
	{Status: 503, Code: "service_unavailable", After: true},
	{Status: 504, Body: "late"},
	{Status: 504, Body: "late", After: true},
	{Status: 429, Code: "rate_limited", Header: http.Header{"Retry-After": {"0"}}},
	{Status: 403, Code: "access_denied"},
	{Hang: true},
	{Hang: true, After: true},
}

// TestPutHappensOnce: of concurrent writers of different data, what was
// acknowledged stands in the history exactly once, what is uncertain at most
// once, and what failed never.
func TestPutHappensOnce(t *testing.T) {
	t.Parallel()
	for _, socket := range []bool{false, true} {
		for _, meta := range []scaivault.Metadata{{}, {Owner: "team:x"}} {
			t.Run(fmt.Sprintf("socket %t, metadata %t", socket, !meta.IsZero()), func(t *testing.T) {
				t.Parallel()
				if socket { // whose goroutines a bubble cannot hold
					writeAtOnce(t, meta, func(s *scaivaulttest.Server) (string, configure) {
						return s.URL(), func(cfg *scaivault.ClientConfig) { cfg.AttemptTimeout = 100 * time.Millisecond }
					})
					return
				}
				synctest.Test(t, func(t *testing.T) {
					writeAtOnce(t, meta, func(s *scaivaulttest.Server) (string, configure) { return "https://s.test", through(s.RoundTripper()) })
				})
			})
		}
	}
}

func writeAtOnce(t *testing.T, meta scaivault.Metadata, reach func(*scaivaulttest.Server) (string, configure)) {
	t.Helper()
	const writers, writes, paths = 16, 24, 3
	s := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{NoLimits: true, MaxVersions: 10_000})
	url, over := reach(s)
	c := newTestClient(t, url, over, retries(3), func(cfg *scaivault.ClientConfig) { cfg.Token = scaivault.StaticToken(s.IssueToken("sa:x")) })
	var mu sync.Mutex
	fates := map[string]error{} // by the data
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(w)))
			for i := range writes {
				if random.IntN(2) == 0 {
					f := faultsOfAWrite[random.IntN(len(faultsOfAWrite))]
					f.Method, f.Count = http.MethodPut, 1
					s.Inject(f)
				}
				id := fmt.Sprintf("%d of %d", i, w)
				_, err := c.Put(t.Context(), fmt.Sprintf("a/%d", random.IntN(paths)), map[string]any{"id": id}, &scaivault.PutOptions{Metadata: meta})
				mu.Lock()
				fates[id] = err
				mu.Unlock()
			}
		})
	}
	group.Wait()
	counts := historyOf(t, s, c, paths)
	acknowledged, lost := 0, 0
	for id, err := range fates {
		switch {
		case err == nil:
			acknowledged++
			assert.Equal(t, 1, counts[id], "acknowledged")
		case errors.Is(err, scaivault.ErrUncertain):
			lost++
			assert.LessOrEqual(t, counts[id], 1, "uncertain")
		default:
			assert.Zero(t, counts[id], "%v", err)
		}
	}
	assert.Greater(t, acknowledged, writers*writes/2)
	assert.Positive(t, lost)
}

// historyOf counts the versions by what they hold.
func historyOf(t *testing.T, s *scaivaulttest.Server, c *scaivault.Client, paths int) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for p := range paths {
		path := fmt.Sprintf("a/%d", p)
		for version := 1; version <= s.SecretVersion(path); version++ {
			secret, err := c.GetVersion(t.Context(), path, version)
			require.NoError(t, err)
			id, _ := secret.Field("id")
			counts[id]++
		}
	}
	return counts
}
