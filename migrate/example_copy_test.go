// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"fmt"
	"log"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// Copy the last three versions of one half of an estate, and leave what is
// temporary out. Another process copies the other half, with Index 1.
func ExampleCopyOptions() {
	source, client, stop := exampleServices()
	defer stop()
	mapping, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	if err != nil {
		log.Fatal(err)
	}
	var last migrate.Progress
	report, err := migrate.Copy(context.Background(), source, client, mapping, &migrate.CopyOptions{
		Exclude:  []string{"**/tmp/**"},
		Shard:    migrate.Shard{Index: 0, Count: 2},
		History:  3,
		Progress: func(p migrate.Progress) { last = p },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(last.Done, "of", last.Total, "and", report.Elsewhere, "elsewhere; problems:", report.Err())
	// Output:
	// 1 of 1 and 1 elsewhere; problems: <nil>
}
