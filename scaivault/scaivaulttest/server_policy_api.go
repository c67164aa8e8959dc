// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// policyEndpoint is one of those that share the category of policies.
func policyEndpoint(scope, action string, serve func(*serverCall) *refusal) *endpoint {
	return &endpoint{scope: scope, category: CategoryPolicy, action: action, serve: serve}
}

func policyRoutes() map[string]resource {
	return map[string]resource{
		"policies": {
			http.MethodGet:  policyEndpoint("policies:read", "", (*serverCall).listPolicies),
			http.MethodPost: policyEndpoint("policies:write", "policy_create", (*serverCall).createPolicy),
		},
		"policies/test": {
			http.MethodPost: {scope: "policies:read", category: CategoryPolicyTest, serve: (*serverCall).testPolicies},
		},
	}
}

// policyMembers are the resources of one policy. That a binding has a path of its own
// is inferred.
func policyMembers() collection {
	const read, write = "policies:read", "policies:write"
	return collection{
		"": {
			http.MethodGet:    policyEndpoint(read, "", (*serverCall).getPolicy),
			http.MethodPut:    policyEndpoint(write, "policy_update", (*serverCall).putPolicy),
			http.MethodPatch:  policyEndpoint(write, "policy_update", (*serverCall).patchPolicy),
			http.MethodDelete: policyEndpoint(write, "policy_delete", (*serverCall).deletePolicy),
		},
		"bindings": {
			http.MethodGet:  policyEndpoint(read, "", (*serverCall).listBindings),
			http.MethodPost: policyEndpoint(write, "policy_bind", (*serverCall).createBinding),
		},
		"bindings/*": {
			http.MethodDelete: policyEndpoint(write, "policy_unbind", (*serverCall).deleteBinding),
		},
	}
}

// queryBool reads a query parameter that is true or false; absent is false.
func (c *serverCall) queryBool(name string) (bool, *refusal) {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, wrongField(name, "must be true or false")
	}
	return value, nil
}

// listPolicies answers GET /v1/policies.
func (c *serverCall) listPolicies() *refusal {
	limit, refusal := c.pageLimit(1000)
	if refusal != nil {
		return refusal
	}
	inactive, refusal := c.queryBool("include_inactive")
	if refusal != nil {
		return refusal
	}
	query := c.r.URL.Query()
	scope := query.Get("scope")
	if scope != "" && scope != policyOfTenant && scope != policyOfPartner {
		return wrongField("scope", "must be tenant or partner")
	}
	after := 0
	if text := query.Get("cursor"); text != "" {
		if _, after, refusal = parseCursor(text); refusal != nil {
			return refusal
		}
	}
	found := c.server.book.list(after, func(p *policy) bool {
		return (scope == "" || p.Scope == scope) && (inactive || p.Active)
	})
	var cursor *string
	more := len(found) > limit
	if more {
		found = found[:limit]
		next := makeCursor("", found[limit-1].number)
		cursor = &next
	}
	items := make([]map[string]any, 0, len(found))
	for _, p := range found {
		_, bindings, _ := c.server.book.find(p.id)
		items = append(items, p.item(len(bindings)))
	}
	c.replyJSON(http.StatusOK, map[string]any{"policies": items, "cursor": cursor, "has_more": more})
	return nil
}

// notePolicy has the audit log name the policy.
func (c *serverCall) notePolicy(id string) { c.extra = map[string]any{"policy_id": id} }

// createPolicy answers POST /v1/policies.
func (c *serverCall) createPolicy() *refusal {
	var body policyBody
	if refusal := readBody(c.r, c.server.opts.MaxBodyBytes, &body); refusal != nil {
		return refusal
	}
	p := policy{Scope: policyOfTenant, Active: true}.merged(&body)
	if refusal := p.check(); refusal != nil {
		return refusal
	}
	c.server.book.add(p)
	c.notePolicy(p.id)
	c.replyJSON(http.StatusCreated, p.body(nil))
	return nil
}

// getPolicy answers GET /v1/policies/{id}.
func (c *serverCall) getPolicy() *refusal {
	p, bindings, refusal := c.server.book.find(c.id)
	if refusal != nil {
		return refusal
	}
	c.replyJSON(http.StatusOK, p.body(bindings))
	return nil
}

// putPolicy answers PUT /v1/policies/{id}, which keeps the bindings.
func (c *serverCall) putPolicy() *refusal {
	return c.changePolicy(func(old *policy) policy {
		return policy{number: old.number, id: old.id, created: old.created, Scope: policyOfTenant, Active: true}
	})
}

// patchPolicy answers PATCH /v1/policies/{id}.
func (c *serverCall) patchPolicy() *refusal {
	return c.changePolicy(func(old *policy) policy { return *old })
}

// changePolicy puts the body over what base makes of the policy.
func (c *serverCall) changePolicy(base func(*policy) policy) *refusal {
	c.notePolicy(c.id)
	var body policyBody
	if refusal := readBody(c.r, c.server.opts.MaxBodyBytes, &body); refusal != nil {
		return refusal
	}
	p, bindings, refusal := c.server.book.change(c.id, func(old *policy) (*policy, *refusal) {
		p := base(old).merged(&body)
		return p, p.check()
	})
	if refusal != nil {
		return refusal
	}
	c.replyJSON(http.StatusOK, p.body(bindings))
	return nil
}

// deletePolicy answers DELETE /v1/policies/{id}.
func (c *serverCall) deletePolicy() *refusal {
	c.notePolicy(c.id)
	force, refusal := c.queryBool("force")
	if refusal != nil {
		return refusal
	}
	if refusal = c.server.book.remove(c.id, force); refusal != nil {
		return refusal
	}
	c.reply(http.StatusNoContent, nil)
	return nil
}

// listBindings answers GET /v1/policies/{id}/bindings.
func (c *serverCall) listBindings() *refusal {
	_, bindings, refusal := c.server.book.find(c.id)
	if refusal != nil {
		return refusal
	}
	c.replyJSON(http.StatusOK, map[string]any{"bindings": append([]policyBinding{}, bindings...)})
	return nil
}

// identityTypes is the documented vocabulary.
var identityTypes = [...]string{"user", "service_account", "group"}

// createBinding answers POST /v1/policies/{id}/bindings.
func (c *serverCall) createBinding() *refusal {
	c.notePolicy(c.id)
	var body struct {
		IdentityType string     `json:"identity_type"`
		IdentityID   string     `json:"identity_id"`
		ExpiresAt    *time.Time `json:"expires_at"`
	}
	if refusal := readBody(c.r, c.server.opts.MaxBodyBytes, &body); refusal != nil {
		return refusal
	}
	binding := policyBinding{IdentityType: body.IdentityType, IdentityID: body.IdentityID}
	switch {
	case !slices.Contains(identityTypes[:], body.IdentityType):
		return wrongField("identity_type", "must be one of %q", identityTypes)
	case body.IdentityID == "":
		return wrongField("identity_id", "is required")
	case body.ExpiresAt != nil && !time.Now().Before(*body.ExpiresAt):
		return wrongField("expires_at", "must be in the future")
	case body.ExpiresAt != nil:
		binding.expires, binding.ExpiresAt = *body.ExpiresAt, timestamp(*body.ExpiresAt)
	}
	if refusal := c.server.book.bind(c.id, &binding); refusal != nil {
		return refusal
	}
	c.replyJSON(http.StatusCreated, &binding)
	return nil
}

// deleteBinding answers DELETE /v1/policies/{id}/bindings/{binding_id}.
func (c *serverCall) deleteBinding() *refusal {
	c.notePolicy(c.id)
	if refusal := c.server.book.unbind(c.id, c.partID); refusal != nil {
		return refusal
	}
	c.reply(http.StatusNoContent, nil)
	return nil
}
