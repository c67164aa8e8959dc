// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

func TestWaitHealthyGoesOnUntilTheBackendIsHealthy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript().on(status, ok(`{"status":"connecting"}`), failure(503, "service_unavailable"), reply{status: 502, body: "<html>"},
			reply{status: 404, body: "<html>not the service's"}, ok(`{}`), ok(`{"status":"healthy"}`))
		require.NoError(t, newClient(t, s).WaitHealthy(t.Context(), "fed_abc"))
		assert.Len(t, s.seen(), 6)
	})
}

func TestWaitHealthyAsksWellBelowTheRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript().on(status, ok(`{"status":"connecting"}`))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := newClient(t, s).WaitHealthy(ctx, "fed_abc")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.LessOrEqual(t, len(s.seen()), 10)
		assert.GreaterOrEqual(t, len(s.seen()), 4)
	})
}

func TestWaitHealthySaysTheLastStatusWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		answers []reply
		want    []string
		also    error
	}{
		{"a status", []reply{ok(`{"status":"degraded","connection":{"status":"auth_failed"}}`)}, []string{"status degraded, connection auth_failed"}, nil},
		{"a status in many words", []reply{ok(`{"status":"password hunter2 refused"}`)}, []string{"status strange"}, nil},
		{"none", []reply{failure(503, "service_unavailable")}, []string{"no status was read", "service_unavailable"}, scaivault.ErrUnavailable},
		{"first one, then none", []reply{ok(`{"status":"degraded"}`), failure(429, "rate_limited")}, []string{"status degraded", "rate_limited"}, scaivault.ErrRateLimited},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				start := time.Now()
				err := newClient(t, newScript().on(status, tc.answers...)).WaitHealthy(ctx, "fed_abc")
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, 10*time.Minute, time.Since(start))
				if tc.also != nil {
					require.ErrorIs(t, err, tc.also)
				}
				for _, want := range append(tc.want, "fed_abc") {
					assert.Contains(t, err.Error(), want)
				}
				assert.NotContains(t, err.Error(), "hunter2")
			})
		})
	}
}

func TestWaitHealthyEndsAtOnceWhenItsContextIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newClient(t, newScript().on(status, ok(`{"status":"degraded"}`)))
		done := make(chan error)
		go func() { done <- c.WaitHealthy(ctx, "fed_abc") }()
		synctest.Wait()
		cancel()
		err := <-done
		require.ErrorIs(t, err, context.Canceled)
		assert.Contains(t, err.Error(), "status degraded")
	})
}

func TestWaitHealthyEndsWithWhatWillNotPass(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		answer reply
		want   error
	}{
		{failure(http.StatusNotFound, "backend_not_found"), scaivault.ErrNotFound},
		{failure(http.StatusForbidden, "insufficient_scope"), scaivault.ErrPermission},
		{failure(http.StatusUnauthorized, "token_expired"), scaivault.ErrUnauthenticated},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript().on(status, ok(`{"status":"degraded"}`), tc.answer)
			err := newClient(t, s).WaitHealthy(t.Context(), "fed_abc")
			require.ErrorIs(t, err, tc.want)
			assert.Len(t, s.seen(), 2)
		})
	}
}

func TestWaitHealthyObeysRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limited := failure(429, "rate_limited")
		limited.header = map[string]string{"Retry-After": "300"}
		s := newScript().on(status, limited, ok(`{"status":"degraded"}`), ok(`{"status":"healthy"}`))
		start := time.Now()
		require.NoError(t, newClient(t, s).WaitHealthy(t.Context(), "fed_abc"))
		took := time.Since(start)
		assert.GreaterOrEqual(t, took, 300*time.Second)
		assert.Less(t, took, 330*time.Second, "only as long as it was asked for")
	})
}
