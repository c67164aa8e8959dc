// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The names in an issuer's answer. access_token is documented for client
// credentials; the rest is inferred: expires_in from OAuth (RFC 6749 section
// 5.1), on which the exchange of tokens (RFC 8693 section 2.2.1) builds, and
// the others from what secret stores call such fields.
var (
	namesOfToken     = []string{"access_token", "token", "id_token"}
	namesOfExpiresIn = []string{"expires_in"}
	namesOfExpiresAt = []string{"expires_at"}
)

// maxTokenLife is what a life is cut to, so that no number overflows.
const maxTokenLife = 365 * 24 * time.Hour

// readIssued reads the token of a successful answer to a request that began at
// start. If there is none, wrong says why.
func readIssued(header http.Header, body []byte, start time.Time) (_ issuedToken, wrong string) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return issuedToken{}, "the answer is not a JSON object"
	}
	token := ""
	for _, name := range namesOfToken {
		if json.Unmarshal(fields[name], &token) == nil && token != "" {
			break
		}
		token = ""
	}
	if token == "" {
		return issuedToken{}, "the answer holds no token"
	}
	if checkToken(token) != "" {
		return issuedToken{}, "what the answer calls a token can't stand in a header"
	}
	t := issuedToken{reveal: func() string { return token }}
	if life := lifeOf(fields, token, issuerTime(header, start)); life != 0 {
		t.expires = start.Add(life) // on our own monotonic clock
	}
	return t, ""
}

// issuerTime is the issuer's clock, against which its points in time are read:
// ours may be wrong.
func issuerTime(header http.Header, ours time.Time) time.Time {
	if t, err := http.ParseTime(header.Get("Date")); err == nil {
		return t
	}
	return ours
}

// lifeOf tells how long a token lives: what the answer says, or what the token
// says of itself if that is less. It is negative if that has passed, and 0 if
// neither says anything.
func lifeOf(fields map[string]json.RawMessage, token string, now time.Time) time.Duration {
	life := time.Duration(0)
	for _, name := range namesOfExpiresIn {
		life = defaultTo(life, readLife(fields[name]))
	}
	for _, name := range namesOfExpiresAt {
		if at := readPoint(fields[name]); life == 0 && !at.IsZero() {
			life = until(at, now)
		}
	}
	if at := expiryOfJWT(token); !at.IsZero() {
		if own := until(at, now); life == 0 || own < life {
			life = own
		}
	}
	return life
}

// until is never zero, which stands for unknown.
func until(at, now time.Time) time.Duration {
	return min(defaultTo(at.Sub(now), -1), maxTokenLife)
}

// readLife reads a positive number of seconds, also in quotes, or a duration
// such as "1h" or "7d". It is 0 for all else.
func readLife(raw json.RawMessage) time.Duration {
	text := unquotedText(raw)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return secondsToLife(seconds)
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil {
			return secondsToLife(n * 24 * 60 * 60)
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return min(d, maxTokenLife)
	}
	return 0
}

func secondsToLife(seconds float64) time.Duration {
	switch {
	case seconds >= maxTokenLife.Seconds():
		return maxTokenLife
	case seconds > 0:
		return time.Duration(seconds * float64(time.Second))
	}
	return 0 // not a number, too
}

// readPoint reads a time of RFC 3339, or seconds or milliseconds since 1970,
// also in quotes. It is the zero time for all else.
func readPoint(raw json.RawMessage) time.Time {
	text := unquotedText(raw)
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at
	}
	const lastSecond = 1e11 // of the year 5138; in milliseconds, of 1973
	switch n, err := strconv.ParseFloat(text, 64); {
	case err != nil || n <= 0 || n >= 1e15:
		return time.Time{}
	case n < lastSecond:
		return time.UnixMilli(int64(n * 1000))
	case n >= lastSecond:
		return time.UnixMilli(int64(n))
	}
	return time.Time{} // not a number
}

func unquotedText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return strings.TrimSpace(text)
	}
	return string(raw)
}

// expiryOfJWT reads when a token says that it expires. Its signature is not
// looked at: this is good for planning the next request, and for nothing else.
func expiryOfJWT(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var claims struct {
		Expires json.RawMessage `json:"exp"`
	}
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return time.Time{}
	}
	return readPoint(claims.Expires)
}
