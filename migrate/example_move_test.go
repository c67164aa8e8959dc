// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"fmt"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// A copy and its proof, with both kinds of errors.
func Example() {
	source, client, stop := exampleServices()
	defer stop()
	mapping, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(move(context.Background(), source, client, mapping))
	// Output: <nil>
}

func move(ctx context.Context, source *vault.Source, client *scaivault.Client, mapping *scaivault.Mapping) error {
	report, err := migrate.Copy(ctx, source, client, mapping, nil)
	if err != nil {
		return err // the run could not start, or was cut short
	}
	if err := report.Err(); err != nil {
		return err // not every secret is there; the report says which
	}
	report, err = migrate.Diff(ctx, source, client, mapping, nil)
	if err != nil {
		return err
	}
	return report.Err() // nil only if both sides are the same
}
