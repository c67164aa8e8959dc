// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"slices"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/wire"
)

// A PolicyQuery chooses policies. The zero value, and a nil pointer, choose all
// active ones that the service lists by itself.
type PolicyQuery struct {
	// Scope is "tenant" or "partner". If empty, the service's choice.
	Scope string
	// IncludeInactive lists inactive policies, too.
	IncludeInactive bool
	// PageSize is how many policies to ask for in one request. If zero, the
	// service's default.
	PageSize int
}

// Policies lists policies, by GET /v1/policies, page by page as the caller goes
// on. It tells how many rules and bindings a policy has, and not which:
// [Client.GetPolicy] does. If something fails, the last pair holds the error.
func (c *Client) Policies(ctx context.Context, query *PolicyQuery) iter.Seq2[Policy, error] {
	if query == nil {
		query = &PolicyQuery{}
	}
	of := collection{op: "list policies", apiPath: apiPolicies, key: "policies", item: "policy", query: map[string]string{}, limit: query.PageSize, category: CategoryPolicy}
	if query.PageSize < 0 {
		return failing[Policy](c.invalid(of.op, "", "PolicyQuery.PageSize is negative; 0 means the service's default"))
	}
	if query.Scope != "" {
		of.query["scope"] = query.Scope
	}
	if query.IncludeInactive {
		of.query["include_inactive"] = "true"
	}
	return listed(ctx, c, of, parsePolicy)
}

// GetPolicy reads one policy with its rules and bindings, by
// GET /v1/policies/{id}. One that does not exist is [ErrNotFound].
func (c *Client) GetPolicy(ctx context.Context, id string) (*Policy, error) {
	const op = "get policy"
	if reason := brokenID(id); reason != "" {
		return nil, c.invalid(op, id, reason)
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: op, path: id, method: http.MethodGet, apiPath: apiPolicy(id), reads: true, category: CategoryPolicy}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, plain(err)
	}
	p, ok := parsePolicy(ans.body)
	if !ok {
		return nil, ans.malformed(r, "the answer holds no policy that this version can read")
	}
	return p, nil
}

// CreatePolicy makes a policy of the name, description, scope, rules and other
// fields of p, by POST /v1/policies, and returns it as the service has it, as
// far as it tells. A policy that can't be sent is [ErrInvalid], before any I/O.
//
// It is sent at most once, but for a rate limit. If no answer comes the error
// matches [ErrUncertain]; look for the name in [Client.Policies].
func (c *Client) CreatePolicy(ctx context.Context, p *Policy) (*Policy, error) {
	const op, advice = "create policy", "so the policy may exist; look for its name before you create it again"
	r := request{op: op, method: http.MethodPost, apiPath: apiPolicies, category: CategoryPolicy}
	if err := c.policyBody(&r, p); err != nil {
		return nil, err
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	ans, err := c.exchange(ctx, r)
	var sent sentError
	switch {
	case errors.As(err, &sent):
		return nil, uncertain(sent.cause, advice)
	case err != nil:
		return nil, err
	}
	created, ok := parsePolicy(ans.body)
	if !ok {
		return nil, uncertain(ans.malformed(r, ""), advice)
	}
	return created.fill(p), nil
}

// fill adds what the service does not repeat in its answer.
func (p *Policy) fill(sent *Policy) *Policy {
	p.Name, p.Description = defaultTo(p.Name, sent.Name), defaultTo(p.Description, sent.Description)
	p.Scope = defaultTo(p.Scope, sent.Scope)
	if len(p.Rules) == 0 {
		p.Rules, p.RuleCount = slices.Clone(sent.Rules), len(sent.Rules)
		p.Inactive = p.Inactive || sent.Inactive
	}
	return p
}

// policyBody checks a policy and makes it the body of r.
func (c *Client) policyBody(r *request, p *Policy) error {
	if p == nil {
		return c.invalid(r.op, r.path, "the policy is nil")
	}
	if wrong := p.wrong(); wrong != "" {
		return c.invalid(r.op, r.path, wrong)
	}
	body, err := wire.Marshal(p.body())
	if err != nil {
		return c.invalid(r.op, r.path, "the policy cannot be written as JSON; look at the fields named Other")
	}
	r.body = body
	return nil
}

// UpdatePolicy replaces the policy whose ID p has, by PUT /v1/policies/{id}, and
// keeps its bindings. To change one, read it by [Client.GetPolicy] first: what
// this version does not know is then sent back as it was. Whoever changed it in
// between is overwritten; the service documents no condition.
//
// It is sent at most once, but for a rate limit. If no answer comes it reads
// the policy back; if that does not show the change, the error matches
// [ErrUncertain].
func (c *Client) UpdatePolicy(ctx context.Context, p *Policy) (*Policy, error) {
	const op = "update policy"
	if p == nil {
		return nil, c.invalid(op, "", "the policy is nil")
	}
	if reason := brokenID(p.ID); reason != "" {
		return nil, c.invalid(op, p.ID, "Policy.ID: "+reason)
	}
	r := request{op: op, path: p.ID, method: http.MethodPut, apiPath: apiPolicy(p.ID), category: CategoryPolicy}
	if err := c.policyBody(&r, p); err != nil {
		return nil, err
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	ans, err := c.exchange(ctx, r)
	var sent sentError
	switch {
	case errors.As(err, &sent):
		return c.lookForPolicy(ctx, r, sent.cause)
	case err != nil:
		return nil, err
	}
	if updated, ok := parsePolicy(ans.body); ok && updated.ID == p.ID && len(updated.Rules) > 0 {
		return updated, nil
	}
	if cause := ans.checkAccepted(r); cause != nil {
		return c.lookForPolicy(ctx, r, cause)
	}
	if now, err := c.GetPolicy(ctx, p.ID); err == nil {
		return now, nil
	}
	return (&Policy{ID: p.ID}).fill(p), nil
}

// lookForPolicy reads a policy back, after a replacement whose answer was lost
// or does not tell the whole.
func (c *Client) lookForPolicy(ctx context.Context, r request, cause *Error) (*Policy, error) {
	look, stop := c.lookUp(ctx)
	defer stop()
	now, err := c.GetPolicy(look, r.path)
	if err != nil {
		return nil, uncertain(cause, "and reading the policy back failed too; read it before you write again")
	}
	body, err := wire.Marshal(now.body())
	if err != nil || !holdsAll(body, r.body) {
		return nil, uncertain(cause, "and the policy is not so yet; read it before you write again")
	}
	return now, nil
}

// holdsAll tells whether a policy is as it was sent. What the service has
// besides, such as a scope by default, does not count.
func holdsAll(now, sent json.RawMessage) bool {
	var fields map[string]json.RawMessage
	different, err := jsonvalue.DifferentFields(now, sent)
	if err != nil || json.Unmarshal(sent, &fields) != nil {
		return false
	}
	return !slices.ContainsFunc(different, func(name string) bool {
		_, was := fields[name]
		return was || name == policyDescription
	})
}

// DeletePolicyOptions are the optional parts of a policy's deletion. A nil
// pointer means the zero value.
type DeletePolicyOptions struct {
	// Force deletes a policy that is bound, and so takes from those that it is
	// bound to what it allows. If false, that is ErrConflict.
	Force bool
}

// DeletePolicy deletes a policy, by DELETE /v1/policies/{id}. One that does not
// exist is [ErrNotFound], and one that is still bound [ErrConflict]. If no
// answer comes it looks whether the policy is gone; if that can't be known
// either, the error matches [ErrUncertain].
func (c *Client) DeletePolicy(ctx context.Context, id string, opts *DeletePolicyOptions) error {
	const op = "delete policy"
	if reason := brokenID(id); reason != "" {
		return c.invalid(op, id, reason)
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: op, path: id, method: http.MethodDelete, apiPath: apiPolicy(id), category: CategoryPolicy}
	if opts != nil && opts.Force {
		r.query = queryForce()
	}
	return c.deleteOrLook(ctx, r, func(ctx context.Context) error {
		_, err := c.GetPolicy(ctx, id)
		return err
	})
}
