// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"encoding/json"
	"net/http"
)

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
