// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestWatchEndsWithItsContext in each state, and soon.
func TestWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	hang := func(q hubRequest) (*http.Response, error) {
		time.Sleep(9 * time.Second)
		return nil, errors.New("too late")
	}
	for name, kind := range map[string]string{"creating": "create", "polling": "none", "polling a hung service": "poll", "acknowledging": "ack", "deleting": "delete"} {
		for _, after := range []time.Duration{0, time.Second, 10 * time.Second, 40 * time.Second} {
			t.Run(fmt.Sprint(name, after), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					h := newHub()
					h.fault = func(q hubRequest) (*http.Response, error) {
						if q.kind == kind {
							return hang(q)
						}
						return nil, nil
					}
					ctx, cancel := context.WithTimeout(t.Context(), after)
					defer cancel()
					w := watching(ctx, h.client(t), nil)
					time.Sleep(500 * time.Millisecond)
					h.emit(3)
					start := time.Now()
					<-w.ended
					// A transport that ignores its context holds one request.
					require.LessOrEqual(t, time.Since(start), after+20*time.Second)
					errs := w.errors()
					require.NotEmpty(t, errs)
					requireMatches(t, errs[len(errs)-1], scaivault.ErrUnavailable, context.DeadlineExceeded)
				})
			})
		}
	}
}

// TestWatchLeavesNothingBehindWhenItEndsWhileCreating.
func TestWatchLeavesNothingBehindWhenItEndsWhileCreating(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		ctx, cancel := context.WithCancel(t.Context())
		h.cut = func(q hubRequest) bool {
			if q.kind == "create" {
				cancel()
			}
			return q.kind == "create"
		}
		w := watching(ctx, h.client(t), nil)
		<-w.ended
		require.Len(t, h.of("create"), 1)
		require.Zero(t, h.alive())
	})
}

// TestWatchEndsWithABreak and with its Client.
func TestWatchEndsWithABreak(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		w := watching(t.Context(), h.client(t), func(e scaivault.Event) bool { return e.ID != "evt_0002" })
		synctest.Wait()
		h.emit(5)
		<-w.ended
		w.requireAll(t, 2)
		require.Empty(t, w.errors())
		require.Zero(t, h.alive())
		require.Empty(t, h.of("ack"), "a break says nothing of the event")

		c := h.client(t)
		w = watching(t.Context(), c, nil)
		synctest.Wait()
		require.NoError(t, c.Close())
		<-w.ended
		requireMatches(t, w.errors()[0], scaivault.ErrClosed)
		require.Len(t, w.errors(), 1)
	})
}

// TestWatchBreakAtAnError ends it, too.
func TestWatchBreakAtAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.fault = func(q hubRequest) (*http.Response, error) {
			if q.kind == "poll" {
				h.restart()
			}
			return nil, nil
		}
		n := 0
		for _, err := range h.client(t).Watch(t.Context(), "**") {
			require.Error(t, err)
			n++
			break
		}
		require.Equal(t, 1, n)
		require.Zero(t, h.alive())
	})
}

// TestWatchRefusesBadGlobs before any I/O, and ends.
func TestWatchRefusesBadGlobs(t *testing.T) {
	t.Parallel()
	for _, globs := range [][]string{nil, {""}, {"a", ""}, {"/a"}, {"a/"}, {"a//b"}, {"A/**"}, {"a b"}, {"a/../b"}, {"a\n"}, {strings.Repeat("a", 513)}, {"**/"}, {strings.Repeat("a/", 10) + "b"}} {
		rt := &script{}
		n := 0
		for e, err := range newTestClient(t, "https://s.test", through(rt)).Watch(t.Context(), globs...) {
			requireMatches(t, err, scaivault.ErrInvalid)
			require.Equal(t, scaivault.Event{}, e)
			n++
		}
		require.Equal(t, 1, n, "%q", globs)
		require.Zero(t, rt.requests.Load())
	}
	for _, glob := range []string{"**", "*", "a", "a/**", "a/*/b", "a/b?", "**/db", "a-*/x_?", strings.Repeat("a/", 9) + "b/**"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range newTestClient(t, "https://s.test", through(&script{})).Watch(ctx, glob) {
			requireMatches(t, err, context.Canceled)
		}
	}
}
