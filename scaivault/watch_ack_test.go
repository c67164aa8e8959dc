// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWatchGivesUpIDsThatAreRefused: the same ones will not do, and what comes
// afterwards is acknowledged. The subscription is still there.
func TestWatchGivesUpIDsThatAreRefused(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]string{400: "invalid_request", 404: "event_not_found", 409: "version_conflict"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHub()
			h.forgetful = true
			h.fault = func(q hubRequest) (*http.Response, error) {
				if q.kind == "ack" && q.n == 1 {
					return reply(status, refusal(code)), nil
				}
				return nil, nil
			}
			ctx, cancel := context.WithCancel(t.Context())
			w := watching(ctx, h.client(t), nil)
			for range 2 {
				synctest.Wait()
				h.emit(1)
				time.Sleep(5 * time.Minute)
			}
			w.requireAll(t, 2)
			acks := h.of("ack")
			require.Len(t, acks, 2, code)
			require.Equal(t, []string{"evt_0001"}, acks[0].acks)
			require.Equal(t, []string{"evt_0002"}, acks[1].acks)
			require.Len(t, h.of("create"), 1)
			cancel()
			<-w.ended
		})
	}
}

// TestWatchAcknowledgesNothingOfALostSubscription at the new one.
func TestWatchAcknowledgesNothingOfALostSubscription(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.fault = func(q hubRequest) (*http.Response, error) {
			if q.kind == "ack" && q.n == 1 {
				go h.restart()
				return reply(503, refusal("service_unavailable")), nil
			}
			return nil, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		w := watching(ctx, h.client(t), nil)
		synctest.Wait()
		h.emit(1)
		time.Sleep(5 * time.Minute)
		h.emit(1)
		time.Sleep(5 * time.Minute)
		acks := h.of("ack")
		require.Len(t, acks, 2)
		require.Equal(t, []string{"evt_0002"}, acks[1].acks)
		require.Len(t, h.of("create"), 2)
		cancel()
		<-w.ended
	})
}
