// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"

	"github.com/scailabs/scaivault-go/scaivault"
)

func ExampleRollout() {
	flag := scaivault.PathFlags{
		{Pattern: "environments/production/**", Flag: scaivault.Rollout{From: scaivault.StageVault, To: scaivault.StageCanary, Percent: 50}},
		{Pattern: "**", Flag: scaivault.StageCutover},
	}
	ctx := context.Background()
	for _, path := range []string{
		"environments/production/billing/database",
		"environments/production/billing/stripe",
		"environments/production/mail/smtp",
		"environments/staging/billing/database",
	} {
		fmt.Println(path, flag.Stage(ctx, path))
	}

	// Output:
	// environments/production/billing/database vault
	// environments/production/billing/stripe canary
	// environments/production/mail/smtp vault
	// environments/staging/billing/database cutover
}
