// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/wire"
)

var headerNow = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "3": 3 * time.Second, " 3 ": 3 * time.Second, "-3": 0, "3.5": 0, "soon": 0, "1e9": 0,
		"99999999999999999999": 0, "9223372036854775807": 24 * time.Hour, "100000": 24 * time.Hour,
		"Wed, 02 Jan 2030 03:04:15 GMT":     10 * time.Second,
		"Wednesday, 02-Jan-30 03:04:15 GMT": 10 * time.Second,
		"Wed, 02 Jan 2030 03:04:05 GMT":     0,
		"Wed, 02 Jan 2020 03:04:05 GMT":     0,
		"Wed, 02 Jan 2090 03:04:05 GMT":     24 * time.Hour,
	} {
		require.Equal(t, want, wire.RetryAfter(http.Header{"Retry-After": {text}}, headerNow), text)
	}
	require.Zero(t, wire.RetryAfter(http.Header{}, headerNow))
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) time.Time { return headerNow.Add(d) }
	for text, want := range map[string]time.Time{
		"": {}, "soon": {}, "NaN": {}, "+Inf": {}, "-Inf": {}, "-1": {}, "1e16": {},
		"0": headerNow, "60": at(time.Minute), "1.5": at(1500 * time.Millisecond), "99999999": at(24 * time.Hour),
		"1893553505": at(time.Minute), "1893553505.5": at(time.Minute + 500*time.Millisecond), "1893553505000": at(time.Minute),
		"Wed, 02 Jan 2030 03:05:05 GMT": at(time.Minute),
	} {
		q, ok := wire.RateLimit(http.Header{"Ratelimit-Remaining": {"7"}, "Ratelimit-Reset": {text}}, headerNow)
		require.True(t, ok)
		require.True(t, want.Equal(q.Reset), "%s: %v", text, q.Reset)
	}
	for text, want := range map[string]int{"7": 7, "0": 0, "-7": 0, " 7;w=60": 7, "7, 9": 7, "99999999999": -1, "many": -1, "": -1} {
		q, ok := wire.RateLimit(http.Header{"Ratelimit-Remaining": {text}, "Ratelimit-Limit": {"-5"}}, headerNow)
		require.Equal(t, want >= 0, ok, text)
		require.Equal(t, wire.Quota{Remaining: max(0, want)}, q, text)
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		got := wire.RetryAfter(http.Header{"Retry-After": {text}}, headerNow)
		require.GreaterOrEqual(t, got, time.Duration(0))
		require.LessOrEqual(t, got, 24*time.Hour)
	})
}

func FuzzRateLimit(f *testing.F) {
	f.Fuzz(func(t *testing.T, limit, remaining, reset string) {
		header := http.Header{"X-Ratelimit-Limit": {limit}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset}}
		q, ok := wire.RateLimit(header, headerNow)
		if !ok {
			require.Zero(t, q)
		}
		require.GreaterOrEqual(t, q.Limit, 0)
		require.GreaterOrEqual(t, q.Remaining, 0)
		require.Less(t, q.Reset.Year(), 40_000)
	})
}
