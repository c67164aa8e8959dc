// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// A PolicyDecision is whether an identity may do something, and why.
type PolicyDecision struct {
	// Allowed is the decision.
	Allowed bool
	// Reason is the service's own text. May be empty.
	Reason string
	// Explanation is the whole answer, which names the policies that were
	// looked at. Its form is the service's own.
	Explanation json.RawMessage
}

// TestPolicy asks whether an identity may do something, and changes nothing, by
// POST /v1/policies/test. The service does not document the answer: one that
// does not clearly say yes or no is [ErrUnavailable].
func (c *Client) TestPolicy(ctx context.Context, identityID, path string, permission Permission) (*PolicyDecision, error) {
	const op = "test policy"
	switch rule := brokenPathRule(path); {
	case identityID == "":
		return nil, c.invalid(op, path, "the identity is empty; give one such as sa:billing-prod")
	case rule != "":
		return nil, c.invalid(op, path, rule)
	case permission == "":
		return nil, c.invalid(op, path, fmt.Sprintf("the permission is empty; give one such as %q", PermissionRead))
	}
	body, err := wire.Marshal(map[string]any{"identity_id": identityID, "path": path, "permission": permission})
	if err != nil {
		return nil, c.invalid(op, path, "the question cannot be written as JSON")
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: op, path: path, method: http.MethodPost, apiPath: apiPolicyTest, body: body, reads: true, category: CategoryPolicyTest}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, plain(err)
	}
	d, ok := parseDecision(ans.body)
	if !ok {
		return nil, ans.malformed(r, "the answer does not say whether it is allowed")
	}
	return d, nil
}

// parseDecision reads the answer to a test, whose form the service does not
// document. It reports false where the answer does not decide, or says both.
func parseDecision(raw json.RawMessage) (*PolicyDecision, bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return nil, false
	}
	d := PolicyDecision{Explanation: bytes.Clone(raw)}
	told := false
	for _, name := range []string{"allowed", "allow", "decision", "result", "effect"} {
		var value any
		if json.Unmarshal(fields[name], &value) != nil {
			continue
		}
		allowed, ok := decisionOf(value)
		if !ok {
			continue
		}
		if told && allowed != d.Allowed {
			return nil, false
		}
		d.Allowed, told = allowed, true
	}
	for _, name := range []string{"message", "reason"} {
		var text string
		if json.Unmarshal(fields[name], &text) == nil {
			d.Reason = text
		}
	}
	return &d, told
}

func decisionOf(value any) (allowed, ok bool) {
	switch v := value.(type) {
	case bool:
		return v, true
	case string:
		switch strings.ToLower(v) {
		case "allow", "allowed", "permit", "permitted", "granted":
			return true, true
		case "deny", "denied", "refuse", "refused", "forbidden":
			return false, true
		}
	}
	return false, false
}
