// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A stageService stands for a company's feature-flag service.
type stageService map[string]scaivault.Stage

func (s stageService) StageOf(path string) scaivault.Stage { return s[path] }

func ExampleFlagFunc() {
	flags := stageService{"environments/production/billing/database": scaivault.StageCanary}
	flag := scaivault.FlagFunc(func(ctx context.Context, path string) scaivault.Stage {
		return flags.StageOf(path) // your feature-flag service; StageUnknown keeps the last known stage
	})
	fmt.Println(flag.Stage(context.Background(), "environments/production/billing/database"))
	fmt.Println(flag.Stage(context.Background(), "environments/production/orders/database"))
	// Output:
	// canary
	// unknown
}
