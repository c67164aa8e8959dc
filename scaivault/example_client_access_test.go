// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func ExampleClient_WhoAmI() {
	client, stop := exampleClient()
	defer stop()
	identity, err := client.WhoAmI(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(identity.ID, identity.Type, identity.TenantID)
	// Output: sa:billing service_account tnt_test
}

func ExampleClient_PartnerSecrets() {
	server := exampleServer()
	defer server.Close()
	client := exampleClientOf(server, scaivault.ClientConfig{
		Token:    scaivault.StaticToken(server.IssueToken("user:ops", "secrets:read", "secrets:write", scaivaulttest.ScopePartnerAdmin)),
		TenantID: "tnt_test", // of the partner's tenants
	})
	defer client.Close()
	ctx := context.Background()
	shared := client.PartnerSecrets()
	if _, err := shared.Put(ctx, "mail/relay", map[string]any{"password": "not-a-real-one"}, nil); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(shared.Get(ctx, "mail/relay"))
	_, err := client.Get(ctx, "mail/relay") // the tenant has no such secret of its own
	fmt.Println(errors.Is(err, scaivault.ErrNotFound))
	// Output:
	// secret mail/relay v1 REDACTED <nil>
	// true
}

func ExampleClient_AuditLogs() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	_, _ = client.Get(ctx, "environments/test/billing/db")
	_, _ = client.Get(ctx, "environments/test/billing/queue") // there is none

	failed := false
	for entry, err := range client.AuditLogs(ctx, &scaivault.AuditQuery{Actions: []string{"read"}, Success: &failed}) {
		if err != nil {
			fmt.Println(err) // always the last pair
			return
		}
		fmt.Println(entry.IdentityID, entry.Action, entry.Path)
	}
	// Output: sa:billing read environments/test/billing/queue
}

// A policy is made, bound, tried, and goes again.
func ExampleClient_CreatePolicy() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	policy, err := client.CreatePolicy(ctx, &scaivault.Policy{
		Name: "billing reads its own",
		Rules: []scaivault.PolicyRule{
			{PathPattern: "environments/test/billing/**", Permissions: []scaivault.Permission{scaivault.PermissionRead}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	binding, err := client.BindPolicy(ctx, policy.ID, scaivault.PolicyBinding{IdentityType: "service_account", IdentityID: "sa:billing"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, permission := range []scaivault.Permission{scaivault.PermissionRead, scaivault.PermissionWrite} {
		decision, err := client.TestPolicy(ctx, "sa:billing", "environments/test/billing/db", permission)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(permission, decision.Allowed)
	}
	fmt.Println(errors.Is(client.DeletePolicy(ctx, policy.ID, nil), scaivault.ErrConflict)) // it is bound
	fmt.Println(client.UnbindPolicy(ctx, policy.ID, binding.ID), client.DeletePolicy(ctx, policy.ID, nil))
	// Output:
	// read true
	// write false
	// true
	// <nil> <nil>
}

// To change a policy, read it first: what this version of the package does not
// know is then sent back as it was.
func ExampleClient_UpdatePolicy() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	made, err := client.CreatePolicy(ctx, &scaivault.Policy{
		Name:  "billing reads its own",
		Rules: []scaivault.PolicyRule{{PathPattern: "environments/test/billing/**", Permissions: []scaivault.Permission{scaivault.PermissionRead}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := client.GetPolicy(ctx, made.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	policy.Inactive = true
	if _, err := client.UpdatePolicy(ctx, policy); err != nil {
		fmt.Println(err)
		return
	}
	for p, err := range client.Policies(ctx, &scaivault.PolicyQuery{IncludeInactive: true}) {
		if err != nil {
			fmt.Println(err) // always the last pair
			return
		}
		fmt.Println(p.Name, p.Inactive, p.RuleCount)
	}
	// Output: billing reads its own true 1
}
