// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// An AuditQuery chooses entries of the audit log. The zero value, and a nil
// pointer, choose all that the service returns by itself.
type AuditQuery struct {
	// From and To bound the time. If zero, they do not.
	From, To time.Time
	// Actions are such as "read" and "write". If nil, all.
	Actions []string
	// IdentityID is exact, such as "sa:billing-prod". If empty, all.
	IdentityID string
	// IdentityType is "user", "service_account" or "group". If empty, all.
	IdentityType string
	// PathPrefix is the beginning of the secrets' paths. If empty, all.
	PathPrefix string
	// Success chooses what succeeded or what failed. If nil, both.
	Success *bool
	// SourceIP and RequestID are exact. If empty, all.
	SourceIP, RequestID string
	// PageSize is how many entries to ask for in one request, at most 1000.
	// If zero, the service's default, which is 100.
	PageSize int
}

func (q *AuditQuery) values(cursor string) url.Values {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	if !q.From.IsZero() {
		set("from", q.From.UTC().Format(time.RFC3339Nano))
	}
	if !q.To.IsZero() {
		set("to", q.To.UTC().Format(time.RFC3339Nano))
	}
	set("action", strings.Join(q.Actions, ","))
	set("identity_id", q.IdentityID)
	set("identity_type", q.IdentityType)
	set("path_prefix", q.PathPrefix)
	if q.Success != nil {
		set("success", strconv.FormatBool(*q.Success))
	}
	set("source_ip", q.SourceIP)
	set("request_id", q.RequestID)
	if q.PageSize > 0 {
		set("limit", strconv.Itoa(q.PageSize))
	}
	set("cursor", cursor)
	return v
}

// An AuditEntry is one line of the audit log. Only what the service tells is
// set; everything may be zero.
type AuditEntry struct {
	// ID names the entry.
	ID string
	// Time is when it happened.
	Time time.Time
	// Action is such as "read" or "write". The vocabulary is open.
	Action string
	// IdentityID is who did it, such as "sa:billing-prod"; IdentityType is
	// "user", "service_account" or "group".
	IdentityID, IdentityType string
	// Path is the secret's path; empty where it was about something else.
	Path string
	// SourceIP and UserAgent are those of the request.
	SourceIP, UserAgent string
	// Success is false where it was refused or failed.
	Success bool
	// Duration is how long the service took.
	Duration time.Duration
	// RequestID is the request that did it, as in [Error.RequestID].
	RequestID string
	// Extra is what else the service tells, as a JSON object whose members
	// depend on Action. May be nil.
	Extra json.RawMessage
}

// wireAudit is strict about who did what, and lenient about the rest: a log
// that is read wrongly would hide a reader.
type wireAudit struct {
	ID           lenient[string] `json:"id"`
	Timestamp    wireTime        `json:"timestamp"`
	Action       string          `json:"action"`
	IdentityID   string          `json:"identity_id"`
	IdentityType lenient[string] `json:"identity_type"`
	Path         string          `json:"secret_path"`
	SourceIP     lenient[string] `json:"source_ip"`
	UserAgent    lenient[string] `json:"user_agent"`
	Success      bool            `json:"success"`
	DurationMS   wireInt         `json:"duration_ms"`
	RequestID    lenient[string] `json:"request_id"`
	Extra        json.RawMessage `json:"extra_data"`
}

// AuditLogs reads the audit log, by GET /v1/audit/logs, page by page as the
// caller goes on. It needs the scope audit:read. If something fails, the last
// pair holds the error and a zero AuditEntry; an answer that is not of the
// documented form is [ErrUnavailable], as what is read wrongly would hide
// somebody. Each page is a call of its own with regard to
// [ClientConfig.Timeout]. How soon an action is in the log is not documented.
func (c *Client) AuditLogs(ctx context.Context, query *AuditQuery) iter.Seq2[AuditEntry, error] {
	return func(yield func(AuditEntry, error) bool) {
		if query == nil {
			query = &AuditQuery{}
		}
		if query.PageSize < 0 || query.PageSize > 1000 {
			yield(AuditEntry{}, c.invalid("audit logs", "", fmt.Sprintf("AuditQuery.PageSize is %d; give 1 to 1000, or 0 for the default", query.PageSize)))
			return
		}
		cursor, seen := "", cursorGuard{}
		for {
			entries, next, err := c.auditPage(ctx, query, cursor, &seen)
			if err != nil {
				yield(AuditEntry{}, err)
				return
			}
			for _, e := range entries {
				if !yield(e.entry(), nil) {
					return
				}
			}
			if next == "" {
				return
			}
			cursor = next
		}
	}
}

func (c *Client) auditPage(ctx context.Context, query *AuditQuery, cursor string, seen *cursorGuard) (_ []wireAudit, next string, _ error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: "audit logs", method: http.MethodGet, apiPath: apiAuditLogs, query: query.values(cursor), reads: true, category: CategoryAudit}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, "", plain(err)
	}
	var w struct {
		Logs json.RawMessage `json:"logs"`
	}
	var tail pageTail
	if err := ans.decode(r, &w); err != nil {
		return nil, "", err
	}
	var entries []wireAudit
	switch {
	case w.Logs == nil:
		return nil, "", ans.malformed(r, "the answer holds no logs")
	case json.Unmarshal(w.Logs, &entries) != nil:
		return nil, "", ans.malformed(r, "an entry is not of the documented form")
	case tail.readTail(ans.body) != nil:
		return nil, "", ans.malformed(r, "the answer does not tell whether there is more")
	}
	if wrong := tail.wrong(seen); wrong != "" {
		return nil, "", ans.malformed(r, wrong)
	}
	return entries, tail.next, nil
}

// extra is nil for what is no object.
func (w wireAudit) extra() json.RawMessage {
	if !bytes.HasPrefix(w.Extra, []byte("{")) {
		return nil
	}
	return w.Extra
}

func (w wireAudit) entry() AuditEntry {
	return AuditEntry{
		ID: w.ID.value, Time: w.Timestamp.Time, Action: w.Action, IdentityID: w.IdentityID, IdentityType: w.IdentityType.value,
		Path: w.Path, SourceIP: w.SourceIP.value, UserAgent: w.UserAgent.value, Success: w.Success,
		Duration: time.Duration(w.DurationMS) * time.Millisecond, RequestID: w.RequestID.value, Extra: w.extra(),
	}
}
