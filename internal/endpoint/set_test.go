// SPDX-License-Identifier: Apache-2.0

package endpoint_test

import (
	"context"
	"errors"
	"net/http/httptrace"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/endpoint"
)

const pause = 5 * time.Second

func newSet(hosts ...string) endpoint.Set {
	urls := make([]*url.URL, 0, len(hosts))
	for _, host := range hosts {
		urls = append(urls, &url.URL{Scheme: "https", Host: host})
	}
	return endpoint.NewSet(urls, pause)
}

// pick is the host that an attempt of a read goes to first, and says f of it.
func pick(t *testing.T, s endpoint.Set, f endpoint.Fault) string {
	t.Helper()
	c, ok := s.Pick(0, false)
	require.True(t, ok)
	c.Report(f)
	return c.URL.Host
}

func TestFirstOfThoseThatWorkIsPreferred(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSet("a", "b")
		require.Equal(t, "a", pick(t, s, endpoint.FaultHard), "one that cannot be reached is left alone at once")
		require.Equal(t, "b", pick(t, s, endpoint.FaultSoft))
		require.Equal(t, "b", pick(t, s, endpoint.FaultNone), "a soft fault is not enough")
		require.Equal(t, "open", s[0].State())
		require.True(t, s.Works())
		time.Sleep(pause + 1)
		probe, ok := s.Pick(0, false)
		require.True(t, ok)
		require.Equal(t, "a", probe.URL.Host)
		require.Equal(t, "b", pick(t, s, endpoint.FaultNone), "there is one probe at a time")
		w, ok := s.Pick(0, true)
		require.True(t, ok)
		require.Equal(t, "b", w.URL.Host, "a write is no probe")
		w.Report(endpoint.FaultOpen)
		probe.Report(endpoint.FaultNone)
		require.Equal(t, "a", pick(t, s, endpoint.FaultNone))
		require.EqualValues(t, 1, s[0].Failures.Load())
	})
}

func TestAnyoneIsAskedWhenNoneIsThoughtToWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSet("a", "b")
		pick(t, s, endpoint.FaultHard)
		for range 3 {
			pick(t, s, endpoint.FaultSoft)
		}
		_, ok := s.Pick(0, false)
		require.False(t, ok)
		require.False(t, s.Works())
		c, ok := s.Anyone(0)
		require.True(t, ok)
		require.Equal(t, "b", c.URL.Host, "rather one that could be reached")
		c.Report(endpoint.FaultNone)
		require.Equal(t, "b", pick(t, s, endpoint.FaultNone), "it has come back before its pause was over")
		_, ok = s.Anyone(0b11)
		require.False(t, ok, "all were tried")
	})
}

func TestAttemptsShareTheTimeOfTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSet("a", "b", "c")
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		c, _ := s.Pick(0, false)
		defer c.Report(endpoint.FaultOpen)
		require.Equal(t, 3*time.Second, s.Timeout(ctx, c, 0b001, time.Minute))
		require.Equal(t, time.Second, s.Timeout(ctx, c, 0b001, time.Second))
		require.Equal(t, time.Minute, s.Timeout(ctx, c, 0b111, time.Minute), "the last has all that is left")
	})
}

func TestPossibleNeedsAConnection(t *testing.T) {
	t.Parallel()
	s := newSet("a")
	for name, c := range map[string]struct {
		hooks func(*httptrace.ClientTrace)
		cause error
		want  bool
	}{
		"no hook was called": {func(*httptrace.ClientTrace) {}, errors.New("x"), true},
		"no connection":      {func(h *httptrace.ClientTrace) { h.GetConn("a") }, errors.New("x"), false},
		"a connection":       {func(h *httptrace.ClientTrace) { h.GetConn("a"); h.GotConn(httptrace.GotConnInfo{}) }, errors.New("x"), true},
		"given back, unseen": {func(h *httptrace.ClientTrace) { h.GetConn("a"); h.GotConn(httptrace.GotConnInfo{}) }, &url.Error{Err: errors.New(goAway)}, false},
		"three at once gave up": {func(h *httptrace.ClientTrace) {
			for range 3 {
				h.GetConn("a")
				h.GotConn(httptrace.GotConnInfo{})
			}
		}, errors.New("x"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := endpoint.Watch(s[0])
			c.hooks(sent.Hooks(func() {}))
			require.Equal(t, c.want, sent.Possible(c.cause))
			require.False(t, sent.GaveUp())
		})
	}
}

const goAway = "http2: Transport: cannot retry err [http2: Transport received Server's graceful shutdown GOAWAY] after Request.Body was written; define Request.GetBody to avoid this error"
