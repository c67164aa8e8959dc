// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The API's own headers, in the canonical form, which need not be made for each use.
const (
	requestIDHeader = "X-Request-Id"
	tenantIDHeader  = "X-Tenant-Id"
)

// A serverCall is one request on its way through the server.
type serverCall struct {
	server    *Server
	w         http.ResponseWriter // for its header; the answer goes through reply
	r         *http.Request
	began     time.Time
	requestID string
	grant     grant  // after authentication
	tenant    string // as the URL asked for; empty: the token's
	partner   bool   // the path is in the partner's namespace
	path      string // of the secret
	id        string // of a member of a collection
	partID    string // of something below that member
	action    string // to be audited; empty: nothing
	extra     map[string]any
	status    int
	body      []byte
}

// An endpoint is one method of one resource.
type endpoint struct {
	open     bool   // no token needed
	scope    string // empty: any token
	category Category
	action   string // in the audit log; empty: none, or entered by serve itself
	serve    func(*serverCall) *refusal
	// resolve, if set, chooses the endpoint that really answers, once the caller is known.
	resolve func(*serverCall) *endpoint
}

// A resource has an endpoint for each of its methods.
type resource map[string]*endpoint

// answer is the handler of the whole API.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	w, end := s.compressed(w, r)
	defer end()
	c := &serverCall{server: s, w: w, r: r, began: time.Now(), requestID: s.nextRequestID()}
	w.Header().Set(requestIDHeader, c.requestID)
	refusal := c.carryOut()
	// Entered before the answer leaves: who has seen the answer finds it in the log.
	c.audit(refusal)
	switch {
	case refusal == nil && c.body == nil:
		w.WriteHeader(c.status)
	case refusal == nil:
		writeRaw(w, c.status, c.body)
	case refusal.code == "not_found" && s.quirks.UnknownRoute == UnknownRoutePlain:
		http.Error(w, "404 page not found", http.StatusNotFound)
	default:
		s.writeRefusal(w, refusal)
	}
}

// reply keeps the answer; a nil body is none.
func (c *serverCall) reply(status int, body []byte) { c.status, c.body = status, body }

func (c *serverCall) replyJSON(status int, v any) {
	body, err := encodeJSON(v)
	if err != nil { // cannot be: v is made of this package's own types
		body, status = []byte(`{}`), http.StatusInternalServerError
	}
	c.reply(status, body)
}

// carryOut finds the endpoint and passes every gate on the way to it.
func (c *serverCall) carryOut() *refusal {
	res, ok := c.route()
	if !ok {
		return c.unknownRoute()
	}
	ep := res[c.r.Method]
	if ep == nil {
		methods := make([]string, 0, len(res))
		for method := range res {
			methods = append(methods, method)
		}
		slices.Sort(methods)
		c.w.Header().Set("Allow", strings.Join(methods, ", "))
		return refuse(http.StatusMethodNotAllowed, "method_not_allowed", "the resource has no method %.20q", c.r.Method)
	}
	if ep.open {
		return ep.serve(c)
	}
	var refusal *refusal
	if c.grant, refusal = c.server.tokens.authenticate(c.r); refusal != nil {
		return refusal
	}
	if ep.resolve != nil {
		ep = ep.resolve(c)
	}
	c.action = ep.action
	c.showQuota(ep.category)
	if refusal = c.checkTenant(); refusal != nil {
		return refusal
	}
	if refusal = c.grant.allow(ep.scope); refusal != nil {
		return refusal
	}
	if refusal = c.limit(ep.category, 1); refusal != nil {
		return refusal
	}
	return ep.serve(c)
}

// checkTenant refuses every tenant but the server's own.
func (c *serverCall) checkTenant() *refusal {
	own := c.server.opts.TenantID
	if c.tenant != "" && c.r.Header.Get(tenantIDHeader) != "" && c.server.quirks.TenantBoth == TenantBothRefused {
		return refuse(http.StatusBadRequest, "invalid_request", "the tenant is named both in the path and in X-Tenant-ID")
	}
	for _, tenant := range [...]string{c.tenant, c.r.Header.Get(tenantIDHeader)} {
		if tenant != "" && tenant != own {
			return refuse(http.StatusNotFound, "tenant_not_found", "no tenant of that id")
		}
	}
	return nil
}

// audit enters a call that has an action.
func (c *serverCall) audit(refusal *refusal) {
	if c.action == "" {
		return
	}
	c.enterTrail(c.trailCall(c.action, c.extra), c.path, refusal == nil)
}

// trailCall is what the entries for this call will have in common.
func (c *serverCall) trailCall(action string, extra map[string]any) *trailCall {
	ip, _, err := net.SplitHostPort(c.r.RemoteAddr)
	if err != nil {
		ip = c.r.RemoteAddr
	}
	if c.partner {
		extra = maps.Clone(extra)
		if extra == nil {
			extra = map[string]any{}
		}
		extra["partner"] = true
	}
	return &trailCall{
		action: action, identityID: c.grant.identityID, sourceIP: ip, userAgent: c.r.UserAgent(), requestID: c.requestID, extra: extra,
	}
}

// enterTrail makes an entry for this call.
func (c *serverCall) enterTrail(call *trailCall, path string, success bool) {
	if !success && c.server.quirks.AuditDenied == AuditDeniedLeftOut {
		return
	}
	now := time.Now()
	c.server.trail.enter(trailEntry{at: now, path: path, success: success, took: now.Sub(c.began), trailCall: call})
}
