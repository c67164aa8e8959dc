// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a server can ask for.
const maxRetryAfter = 24 * time.Hour

// RetryAfter reads the header Retry-After, in seconds or as an HTTP date. It is
// 0 where there is none, or one that can't be read.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(first(header, "Retry-After"))
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(min(max(0, seconds), int64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}

// RequestID reads the header X-Request-ID. It is "" where there is none, or one
// that is no id.
func RequestID(header http.Header) string { return Identifier(first(header, "X-Request-Id")) }

// A Quota is what a service says about a rate limit.
type Quota struct {
	Limit     int       // units; 0 where it was not told
	Remaining int       // units that are left
	Reset     time.Time // when all are there again; zero where it was not told
}

// quotaNames are the usual spellings of the three headers, in the canonical
// form of package http.
var quotaNames = [...]struct{ limit, remaining, reset string }{
	{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"},
	{"X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"},
	{"Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset"},
}

// RateLimit reads the headers about a rate limit, in any of their usual
// spellings. It reports false where none says how much is left.
func RateLimit(header http.Header, now time.Time) (Quota, bool) {
	for _, names := range quotaNames {
		left, ok := leadingNumber(first(header, names.remaining))
		if !ok {
			continue
		}
		q := Quota{Remaining: left, Reset: resetTime(first(header, names.reset), now)}
		q.Limit, _ = leadingNumber(first(header, names.limit))
		return q, true
	}
	return Quota{}, false
}

func first(header http.Header, canonical string) string {
	if values := header[canonical]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// leadingNumber reads a number that may be followed by parameters, as in
// "100;w=60" or "100, 100;w=60".
func leadingNumber(text string) (int, bool) {
	if text = strings.TrimSpace(text); text == "" {
		return 0, false
	}
	if end := strings.IndexAny(text, ",; "); end >= 0 {
		text = text[:end]
	}
	n, err := strconv.ParseInt(text, 10, 32)
	return int(max(0, n)), err == nil
}

// Numbers above these are points in time, in seconds and in milliseconds.
const (
	firstUnixSecond = 100_000_000
	firstUnixMilli  = 100_000_000_000
)

// resetTime reads a time as Unix seconds or milliseconds, as seconds from now,
// or as an HTTP date. What it can't read is the zero Time.
func resetTime(text string, now time.Time) time.Time {
	if text = strings.TrimSpace(text); text == "" {
		return time.Time{}
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		switch {
		case !(n >= 0) || n > 1e15:
			return time.Time{}
		case n >= firstUnixMilli:
			return time.UnixMilli(int64(n))
		case n >= firstUnixSecond:
			return time.UnixMilli(int64(n * 1000))
		default:
			return now.Add(min(time.Duration(n*float64(time.Second)), maxRetryAfter))
		}
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return time.Time{}
	}
	return at
}
