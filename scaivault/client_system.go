// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// An Identity is who a token belongs to. Only ID, Type, TenantID, PartnerID and
// Scopes are always told.
type Identity struct {
	ID             string    `json:"identity_id"`
	Type           string    `json:"identity_type"`
	DisplayName    string    `json:"display_name"`
	TenantID       string    `json:"tenant_id"`
	PartnerID      string    `json:"partner_id"`
	Scopes         []string  `json:"scopes"`
	Groups         []string  `json:"groups"`
	Roles          []string  `json:"roles"`
	TokenExpiresAt time.Time `json:"-"`
}

// WhoAmI tells whose token this client uses, by GET /v1/auth/whoami.
func (c *Client) WhoAmI(ctx context.Context) (*Identity, error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: "who am I", method: http.MethodGet, apiPath: apiWhoAmI, reads: true, category: CategoryIdentity}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, plain(err)
	}
	var w wireIdentity
	if err := ans.decode(r, &w); err != nil {
		return nil, err
	}
	if w.ID == "" {
		return nil, ans.malformed(r, "the answer names no identity")
	}
	return &Identity{
		ID: w.ID, Type: w.Type.value, DisplayName: w.DisplayName.value, TenantID: w.TenantID.value, PartnerID: w.PartnerID.value,
		Scopes: w.Scopes.value, Groups: w.Groups.value, Roles: w.Roles.value, TokenExpiresAt: w.Expires.Time,
	}, nil
}

type wireIdentity struct {
	ID          string            `json:"identity_id"`
	Type        lenient[string]   `json:"identity_type"`
	DisplayName lenient[string]   `json:"display_name"`
	TenantID    lenient[string]   `json:"tenant_id"`
	PartnerID   lenient[string]   `json:"partner_id"`
	Scopes      lenient[[]string] `json:"scopes"`
	Groups      lenient[[]string] `json:"groups"`
	Roles       lenient[[]string] `json:"roles"`
	Expires     wireTime          `json:"token_expires_at"`
}

// statusNotReady is the documented opposite of "ready".
const statusNotReady = "not_ready"

// Readiness is what the service says of itself.
type Readiness struct {
	// Status is "ready" or "not_ready".
	Status string
	// Checks are the parts, such as "database", and how they are.
	Checks map[string]string
	// Errors say of a part what is wrong with it.
	Errors map[string]string
}

// Ready asks whether the service can work, by GET /v1/health/ready. If it says
// no, the error matches [ErrUnavailable] and the Readiness tells why; if it
// says nothing, the Readiness is nil.
func (c *Client) Ready(ctx context.Context) (*Readiness, error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: "ready", method: http.MethodGet, apiPath: apiHealthReady, reads: true, open: true, anyStatus: true}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, plain(err)
	}
	var w struct {
		Status string                              `json:"status"`
		Checks lenient[map[string]json.RawMessage] `json:"checks"`
		Errors lenient[map[string]json.RawMessage] `json:"errors"`
	}
	if json.Unmarshal(ans.body, &w) != nil || w.Status == "" {
		e := answerError(r.op, "", ans.status, ans.header, ans.body)
		ans.scrub(e)
		return nil, e
	}
	ready := &Readiness{Status: w.Status, Checks: texts(w.Checks.value), Errors: texts(w.Errors.value)}
	if ans.status/100 != 2 || w.Status == statusNotReady {
		return ready, ans.malformed(r, "the service is not ready")
	}
	return ready, nil
}

// texts reads strings as they are and anything else as JSON.
func texts(in map[string]json.RawMessage) map[string]string {
	out := make(map[string]string, len(in))
	for k, raw := range in {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			s = string(raw)
		}
		out[k] = s
	}
	return out
}

// Do makes any call of the API, for what this package has no method for.
// apiPath starts with /v1/ and may have a query. Unless in is nil it is sent
// as JSON; unless out is nil the answer is decoded into it, with numbers in
// interfaces as json.Number. An empty answer leaves out as it is.
//
// GET and HEAD are repeated as [ClientConfig.Retry] says. Other methods are
// sent at most once, but for a rate limit; if it stays open whether they were
// done, the error matches [ErrUncertain].
func (c *Client) Do(ctx context.Context, method, apiPath string, in, out any) error {
	r, err := c.doRequest(method, apiPath, in)
	if err != nil {
		return err
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	ans, err := c.exchange(ctx, r)
	var sent sentError
	if errors.As(err, &sent) {
		return uncertain(sent.cause, "so it may have been done; look before you repeat it")
	}
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(ans.body)) == 0 {
		return nil
	}
	if out == nil {
		out = new(json.RawMessage) // an answer that is no JSON is not the service's
	}
	if err := ans.decode(r, out); err != nil {
		if r.reads {
			return err
		}
		return uncertain(err, "so it may have been done; look before you repeat it")
	}
	return nil
}

func (c *Client) doRequest(method, apiPath string, in any) (request, error) {
	path, rawQuery, _ := strings.Cut(apiPath, "?")
	r := request{
		op: strings.ToLower(method) + " " + wire.Printable(path), method: method, apiPath: path,
		reads: method == http.MethodGet || method == http.MethodHead,
	}
	query, err := url.ParseQuery(rawQuery)
	unescaped, pathErr := url.PathUnescape(path)
	switch {
	case method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		r.op = "call"
		return r, c.invalid(r.op, path, "the method is not one of HTTP in capitals, such as GET")
	case !strings.HasPrefix(path, apiPrefix):
		return r, c.invalid(r.op, "", "an API path starts with "+apiPrefix)
	case err != nil || pathErr != nil || strings.ContainsAny(path, "#\\") || strings.Contains("/"+unescaped+"/", "/../"):
		return r, c.invalid(r.op, "", "the API path or its query is malformed")
	}
	r.query = query
	if in == nil {
		return r, nil
	}
	if r.body, err = wire.Marshal(in); err != nil {
		return r, c.invalid(r.op, "", "the body cannot be written as JSON")
	}
	return r, nil
}
