// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"encoding/json"
	"net/http"
)

// Live asks whether the service's process runs, by GET /v1/health. It says
// nothing of what the process needs; [Client.Ready] does. Like all of health it
// sends no token, so it works while the token source does not. If there is no
// answer, or not one of the service's, the error matches [ErrUnavailable].
func (c *Client) Live(ctx context.Context) error {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: "live", method: http.MethodGet, apiPath: apiHealth, reads: true, open: true}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return plain(err)
	}
	var w struct {
		Status lenient[string] `json:"status"`
	}
	if err := ans.decode(r, &w); err != nil {
		return err
	}
	if w.Status.value == "" {
		return ans.malformed(r, "the answer holds no status")
	}
	return nil
}

// Version asks for the version of the service, by GET /v1/version. It sends no
// token. The form of the text is the service's own.
func (c *Client) Version(ctx context.Context) (string, error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: "version", method: http.MethodGet, apiPath: apiVersion, reads: true, open: true}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return "", plain(err)
	}
	var w struct {
		Version lenient[string] `json:"version"`
	}
	if err := ans.decode(r, &w); err != nil {
		return "", err
	}
	if w.Version.value == "" {
		return "", ans.malformed(r, "the answer holds no version")
	}
	return w.Version.value, nil
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
