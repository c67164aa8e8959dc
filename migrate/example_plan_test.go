// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// Plan, look at the plan, and carry out what was looked at.
func ExampleNewPlan() {
	ctx := context.Background()
	source, client, stop := exampleServices()
	defer stop()
	mapping, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	if err != nil {
		log.Fatal(err)
	}
	plan, err := migrate.NewPlan(ctx, source, client, mapping, &migrate.PlanOptions{Instances: 100, TTL: 5 * time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = plan.Close() }() // the file is what is kept
	fmt.Print(plan)

	var file bytes.Buffer // in the repository, beside the mapping
	if _, err := plan.WriteTo(&file); err != nil {
		log.Fatal(err)
	}
	reviewed, err := migrate.ReadPlan(&file, mapping)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = reviewed.Close() }() // it was only read
	for item, err := range reviewed.Items() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(item)
	}
	report, err := migrate.CopyPlan(ctx, source, client, reviewed, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("created:", report.Count(migrate.Created), "problems:", report.Err())
	// Output:
	// plan vault → scaivault: 2 secrets
	// 2 create
	// 2 writes ÷ 100 a minute = 2s at least
	// 100 instances × 2 secrets ÷ a TTL of 5m0s = 40 reads a minute; the limit is 1000: it is kept
	// + kv/data/apps/billing/db → environments/production/billing/db: create
	// + kv/data/apps/billing/stripe → environments/production/billing/stripe: create
	// created: 2 problems: <nil>
}

// Give a name that ScaiVault allows to every secret, in a mapping file that
// services load.
func ExampleProposeMapping() {
	ctx := context.Background()
	source, _, stop := exampleServices()
	defer stop()
	if _, err := source.Put(ctx, "kv/data/apps/Billing.Team/API Key", map[string]any{"key": "example"}, nil); err != nil {
		log.Fatal(err)
	}
	rules, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	if err != nil {
		log.Fatal(err)
	}
	proposal, err := migrate.ProposeMapping(ctx, source, rules, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = proposal.Close() }() // the file is what is kept
	if _, err := proposal.WriteTo(os.Stdout); err != nil {
		log.Fatal(err) // two secrets would have one name, for instance
	}
	// Output:
	// {"rules":[
	// {"vault":"kv/data/apps/Billing.Team/API Key","scaivault":"environments/production/billing-team/api-key"},
	// {"vault":"kv/data/apps/**","scaivault":"environments/production/**"}
	// ]}
}
