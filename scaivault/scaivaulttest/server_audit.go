// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A trailEntry is one line of the audit log. It names secrets and holds none.
type trailEntry struct {
	number  int
	at      time.Time
	path    string
	success bool
	took    time.Duration
	*trailCall
}

// A trailCall is what all entries of one request have in common. It does not change.
type trailCall struct {
	action     string
	identityID string
	sourceIP   string
	userAgent  string
	requestID  string
	extra      map[string]any
}

// An auditTrail holds the latest entries.
type auditTrail struct {
	mu      sync.RWMutex // guards all below
	entries ring[trailEntry]
}

func newAuditTrail(most int) *auditTrail {
	return &auditTrail{entries: ring[trailEntry]{most: max(most, 1)}}
}

func (t *auditTrail) enter(e trailEntry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.number = t.entries.count + 1
	t.entries.add(e)
}

// search returns the entries before the given number that match, the newest first.
// Zero is the end of the log.
func (t *auditTrail) search(before, limit int, match func(*trailEntry) bool) (found []trailEntry, more bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if before <= 0 || before > t.entries.count+1 {
		before = t.entries.count + 1
	}
	// The numbers of the entries count from one, those of the ring from zero.
	for place := before - 2; place >= t.entries.oldest(); place-- {
		e := t.entries.at(place)
		if !match(e) {
			continue
		}
		if len(found) == limit {
			return found, true
		}
		found = append(found, *e)
	}
	return found, false
}

type trailBody struct {
	ID           string         `json:"id"`
	Timestamp    *string        `json:"timestamp"`
	Action       string         `json:"action"`
	IdentityType string         `json:"identity_type"`
	IdentityID   string         `json:"identity_id"`
	SecretPath   string         `json:"secret_path"`
	SourceIP     string         `json:"source_ip"`
	UserAgent    string         `json:"user_agent"`
	Success      bool           `json:"success"`
	DurationMS   int64          `json:"duration_ms"`
	RequestID    string         `json:"request_id"`
	ExtraData    map[string]any `json:"extra_data"`
}

// auditLogs answers GET /v1/audit/logs, the newest entry first.
func (c *serverCall) auditLogs() *refusal {
	limit, refusal := c.pageLimit(1000)
	if refusal != nil {
		return refusal
	}
	before := 0
	if text := c.r.URL.Query().Get("cursor"); text != "" {
		if _, before, refusal = parseCursor(text); refusal != nil {
			return refusal
		}
	}
	match, refusal := c.trailFilter()
	if refusal != nil {
		return refusal
	}
	found, more := c.server.trail.search(before, limit, match)
	logs := make([]trailBody, len(found))
	for i := range found {
		logs[i] = found[i].body()
	}
	var cursor *string
	if more {
		next := makeCursor("", found[len(found)-1].number)
		cursor = &next
	}
	c.replyJSON(http.StatusOK, map[string]any{"logs": logs, "cursor": cursor, "has_more": more})
	return nil
}

func (e *trailEntry) body() trailBody {
	extra := e.extra
	if extra == nil {
		extra = map[string]any{}
	}
	return trailBody{
		ID: fmt.Sprintf("aud_%010d", e.number), Timestamp: timestamp(e.at), Action: e.action,
		IdentityType: identityType(e.identityID), IdentityID: e.identityID, SecretPath: e.path,
		SourceIP: e.sourceIP, UserAgent: e.userAgent, Success: e.success,
		DurationMS: e.took.Milliseconds(), RequestID: e.requestID, ExtraData: extra,
	}
}

// trailFilter reads the filters of a query.
func (c *serverCall) trailFilter() (func(*trailEntry) bool, *refusal) {
	query := c.r.URL.Query()
	from, refusal := parseMoment("from", query.Get("from"))
	if refusal != nil {
		return nil, refusal
	}
	to, refusal := parseMoment("to", query.Get("to"))
	if refusal != nil {
		return nil, refusal
	}
	var actions []string
	if text := query.Get("action"); text != "" {
		actions = strings.Split(text, ",")
	}
	var success *bool
	if text := query.Get("success"); text != "" {
		wanted, err := strconv.ParseBool(text)
		if err != nil {
			return nil, wrongField("success", "must be true or false")
		}
		success = &wanted
	}
	visible := time.Now().Add(-c.server.quirks.AuditDelay)
	identity, kind := query.Get("identity_id"), query.Get("identity_type")
	ip, request, prefix := query.Get("source_ip"), query.Get("request_id"), query.Get("path_prefix")
	return func(e *trailEntry) bool {
		return !e.at.After(visible) && (from.IsZero() || !e.at.Before(from)) && (to.IsZero() || !e.at.After(to)) &&
			(actions == nil || slices.Contains(actions, e.action)) &&
			(success == nil || *success == e.success) &&
			(identity == "" || identity == e.identityID) &&
			(kind == "" || kind == identityType(e.identityID)) &&
			(ip == "" || ip == e.sourceIP) &&
			(request == "" || request == e.requestID) &&
			strings.HasPrefix(e.path, prefix)
	}, nil
}

// parseMoment reads a time of ISO 8601, in UTC where it names no zone, a date, or a relative time such as "1 hour
// ago". A plus sign and a space stand for each other: query strings confuse them.
func parseMoment(name, text string) (time.Time, *refusal) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, strings.ReplaceAll(text, " ", "+")); err == nil {
			return t, nil
		}
	}
	words := strings.Fields(strings.ReplaceAll(text, "+", " "))
	now := time.Now()
	if len(words) == 1 && words[0] == "now" {
		return now, nil
	}
	if len(words) == 3 && words[2] == "ago" {
		n, err := strconv.ParseUint(words[0], 10, 16)
		unit, ok := momentUnit(words[1])
		if err == nil && ok && n <= 10_000 { // weeks of it still fit a Duration
			return now.Add(-time.Duration(n) * unit), nil
		}
	}
	return time.Time{}, refuse(http.StatusBadRequest, "invalid_request",
		`%s: must be a time of ISO 8601, or relative like "1 hour ago"`, name)
}

func momentUnit(word string) (time.Duration, bool) {
	switch strings.TrimSuffix(word, "s") {
	case "second":
		return time.Second, true
	case "minute":
		return time.Minute, true
	case "hour":
		return time.Hour, true
	case "day":
		return 24 * time.Hour, true
	case "week":
		return 7 * 24 * time.Hour, true
	}
	return 0, false
}
