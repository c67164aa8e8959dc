// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"

	"github.com/scailabs/scaivault-go/scaivault"
)

func ExampleClient_UpdatePolicy() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	created, err := client.CreatePolicy(ctx, &scaivault.Policy{
		Name: "billing reads its secrets",
		Rules: []scaivault.PolicyRule{{
			PathPattern: "environments/production/billing/**",
			Permissions: []scaivault.Permission{scaivault.PermissionRead},
			Conditions:  &scaivault.PolicyConditions{IPRanges: []string{"10.0.0.0/8"}},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.BindPolicy(ctx, created.ID, scaivault.PolicyBinding{IdentityType: "service_account", IdentityID: "sa:billing"})
	if err != nil {
		fmt.Println(err)
		return
	}

	policy, err := client.GetPolicy(ctx, created.ID) // with conditions that this version does not know
	if err != nil {
		fmt.Println(err)
		return
	}
	policy.Rules[0].Permissions = append(policy.Rules[0].Permissions, scaivault.PermissionList)
	if _, err := client.UpdatePolicy(ctx, policy); err != nil {
		fmt.Println(err)
		return
	}
	for _, permission := range []scaivault.Permission{scaivault.PermissionList, scaivault.PermissionWrite} {
		decision, err := client.TestPolicy(ctx, "sa:billing", "environments/production/billing/db", permission)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(permission, decision.Allowed)
	}
	// Output:
	// list true
	// write false
}

func ExampleClient_Live() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	if err := client.Live(ctx); err != nil {
		fmt.Println(err)
		return
	}
	ready, err := client.Ready(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ready.Status, ready.Checks["database"])
	// Output: ready ok
}
