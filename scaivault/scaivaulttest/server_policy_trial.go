// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"slices"
	"strings"
)

// A policyTrial is what one policy says of a question.
type policyTrial struct {
	PolicyID    string     `json:"policy_id"`
	PolicyName  string     `json:"policy_name"`
	Allowed     bool       `json:"allowed"`
	MatchedRule *grantRule `json:"matched_rule"`
}

// testPolicies answers POST /v1/policies/test, whose answer is inferred. Conditions
// are taken as met; the rule in the answer shows them.
func (c *serverCall) testPolicies() *refusal {
	var body struct {
		IdentityID string `json:"identity_id"`
		Path       string `json:"path"`
		Permission string `json:"permission"`
	}
	if refusal := readBody(c.r, c.server.opts.MaxBodyBytes, &body); refusal != nil {
		return refusal
	}
	switch {
	case body.IdentityID == "":
		return wrongField("identity_id", "is required")
	case !slices.Contains(permissions[:], body.Permission):
		return wrongField("permission", "must be one of %s", strings.Join(permissions[:], ", "))
	}
	if refusal := checkPath(body.Path); refusal != nil {
		return refusal
	}
	allowed := false
	evaluated := []policyTrial{}
	for _, p := range c.server.book.bound(body.IdentityID) {
		trial := policyTrial{PolicyID: p.id, PolicyName: p.Name}
		for i := range p.Rules {
			if p.Rules[i].allows(body.Path, body.Permission) {
				trial.Allowed, trial.MatchedRule = true, &p.Rules[i]
				break
			}
		}
		allowed = allowed || trial.Allowed
		evaluated = append(evaluated, trial)
	}
	allowed = allowed && !c.server.policies.denied(body.IdentityID, body.Path)
	c.replyJSON(http.StatusOK, map[string]any{"allowed": allowed, "evaluated": evaluated})
	return nil
}
