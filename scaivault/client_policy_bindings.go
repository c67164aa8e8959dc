// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// A PolicyBinding binds a policy to an identity.
type PolicyBinding struct {
	// ID is given by the service.
	ID string
	// IdentityType is "user", "service_account" or "group". Required.
	IdentityType string
	// IdentityID is such as "sa:billing-prod". Required.
	IdentityID string
	// ExpiresAt ends the binding. If zero, it does not end.
	ExpiresAt time.Time
}

// BindPolicy binds a policy to an identity, by POST /v1/policies/{id}/bindings.
// The binding's ID is the service's to give.
//
// It is sent at most once, but for a rate limit. If no answer comes it looks
// for the same binding; if that is not there, the error matches [ErrUncertain].
func (c *Client) BindPolicy(ctx context.Context, policyID string, b PolicyBinding) (*PolicyBinding, error) {
	const op = "bind policy"
	reason := brokenID(policyID)
	switch {
	case reason != "":
	case b.IdentityType == "":
		reason = `PolicyBinding.IdentityType is empty; give "user", "service_account" or "group"`
	case b.IdentityID == "":
		reason = "PolicyBinding.IdentityID is empty"
	case b.ID != "":
		reason = "PolicyBinding.ID is given by the service; leave it empty"
	}
	if reason != "" {
		return nil, c.invalid(op, policyID, reason)
	}
	w := map[string]any{"identity_type": b.IdentityType, "identity_id": b.IdentityID}
	if !b.ExpiresAt.IsZero() {
		w["expires_at"] = b.ExpiresAt.UTC()
	}
	body, err := wire.Marshal(w)
	if err != nil {
		return nil, c.invalid(op, policyID, "the binding cannot be written as JSON")
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: op, path: policyID, method: http.MethodPost, apiPath: apiPolicyBindings(policyID), body: body, category: CategoryPolicy}
	ans, err := c.exchange(ctx, r)
	var sent sentError
	switch {
	case errors.As(err, &sent):
		return c.lookForBinding(ctx, r, &b, sent.cause)
	case err != nil:
		return nil, err
	}
	if bound, ok := parseBinding(ans.body); ok && bound.same(&b) {
		return bound, nil
	}
	if cause := ans.checkAccepted(r); cause != nil {
		return c.lookForBinding(ctx, r, &b, cause)
	}
	if bound, err := c.lookForBinding(ctx, r, &b, &Error{}); err == nil {
		return bound, nil
	}
	return &b, nil
}

func (b *PolicyBinding) same(other *PolicyBinding) bool {
	return b.IdentityID == other.IdentityID && (b.IdentityType == other.IdentityType || b.IdentityType == "") &&
		b.ExpiresAt.Unix() == other.ExpiresAt.Unix()
}

func (c *Client) lookForBinding(ctx context.Context, r request, b *PolicyBinding, cause *Error) (*PolicyBinding, error) {
	look, stop := c.lookUp(ctx)
	defer stop()
	for bound, err := range c.PolicyBindings(look, r.path) {
		if err != nil {
			return nil, uncertain(cause, "and looking for the binding failed too; look for it before you bind again")
		}
		if bound.same(b) {
			return &bound, nil
		}
	}
	return nil, uncertain(cause, "and the binding is not there yet; look for it before you bind again")
}

// PolicyBindings lists whom a policy is bound to, by
// GET /v1/policies/{id}/bindings, page by page as the caller goes on. If
// something fails, the last pair holds the error.
func (c *Client) PolicyBindings(ctx context.Context, policyID string) iter.Seq2[PolicyBinding, error] {
	of := collection{op: "list policy bindings", path: policyID, apiPath: apiPolicyBindings(policyID), key: "bindings", item: "binding", category: CategoryPolicy}
	if reason := brokenID(policyID); reason != "" {
		return failing[PolicyBinding](c.invalid(of.op, policyID, reason))
	}
	return listed(ctx, c, of, parseBinding)
}

// UnbindPolicy takes a binding away, by
// DELETE /v1/policies/{id}/bindings/{binding_id}; bindingID is the ID of a
// [PolicyBinding]. A policy or a binding that does not exist is [ErrNotFound].
// If no answer comes it looks whether the binding is gone; if that can't be
// known either, the error matches [ErrUncertain].
//
// That URL is not documented: it is inferred from that of the bindings. If the
// service does not have it, the error matches [ErrInvalid] and
// [errors.ErrUnsupported].
func (c *Client) UnbindPolicy(ctx context.Context, policyID, bindingID string) error {
	const op = "unbind policy"
	if reason := brokenID(policyID); reason != "" {
		return c.invalid(op, policyID, "the policy's id: "+reason)
	}
	if reason := brokenID(bindingID); reason != "" {
		return c.invalid(op, policyID, "the binding's id: "+reason)
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: op, path: policyID, method: http.MethodDelete, apiPath: apiPolicyBinding(policyID, bindingID), category: CategoryPolicy}
	err := c.deleteOrLook(ctx, r, func(ctx context.Context) error {
		for bound, err := range c.PolicyBindings(ctx, policyID) {
			if err != nil || bound.ID == bindingID {
				return err
			}
		}
		return ErrNotFound
	})
	if notOffered(err) {
		return unsupported(op, policyID, "the end of a binding; delete the policy with DeletePolicyOptions.Force, or let bindings expire by ExpiresAt", err)
	}
	return err
}

// parseBinding reads a binding, alone or under its own name. It reports false
// for what does not say whom it binds.
func parseBinding(raw json.RawMessage) (*PolicyBinding, bool) {
	var w struct {
		ID           lenient[string]  `json:"id"`
		BindingID    lenient[string]  `json:"binding_id"`
		IdentityType lenient[string]  `json:"identity_type"`
		IdentityID   lenient[string]  `json:"identity_id"`
		ExpiresAt    wireTime         `json:"expires_at"`
		Binding      *json.RawMessage `json:"binding"`
	}
	if json.Unmarshal(raw, &w) != nil {
		return nil, false
	}
	if w.IdentityID.value == "" && w.Binding != nil {
		inner := *w.Binding
		w.Binding = nil
		if json.Unmarshal(inner, &w) != nil {
			return nil, false
		}
	}
	if w.IdentityID.value == "" {
		return nil, false
	}
	return &PolicyBinding{
		ID: defaultTo(w.ID.value, w.BindingID.value), IdentityType: w.IdentityType.value,
		IdentityID: w.IdentityID.value, ExpiresAt: w.ExpiresAt.Time,
	}, true
}
