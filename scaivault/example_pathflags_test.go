// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"

	"github.com/scailabs/scaivault-go/scaivault"
)

func ExamplePathFlags() {
	flag := scaivault.PathFlags{
		{Pattern: "environments/production/billing/**", Flag: scaivault.StageCutover},
		{Pattern: "environments/test/**", Flag: scaivault.StageScaiVault},
		{Pattern: "**", Flag: scaivault.StageVault},
	}
	for _, path := range []string{"environments/production/billing/db", "environments/production/orders/db", "environments/test/orders/db"} {
		fmt.Println(path, flag.Stage(context.Background(), path))
	}
	// Output:
	// environments/production/billing/db cutover
	// environments/production/orders/db vault
	// environments/test/orders/db scaivault
}
