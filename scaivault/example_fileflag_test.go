// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/scailabs/scaivault-go/scaivault"
)

func ExampleFileFlag() {
	dir, err := os.MkdirTemp("", "stages")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "stages") // such as /etc/billing/stages
	table := `# first match decides
environments/production/billing/**: canary
environments/production/**: {from: vault, to: shadow, percent: 25}
**: vault
`
	if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	flag, err := scaivault.FileFlag(path) // StoreConfig{Flag: flag, …}; it follows the file from now on
	if err != nil {
		fmt.Println(err)
		return
	}
	defer flag.Close()
	for _, path := range []string{"environments/production/billing/db", "environments/production/mail/smtp", "environments/test/orders/db"} {
		fmt.Println(path, flag.Stage(context.Background(), path))
	}
	// Output:
	// environments/production/billing/db canary
	// environments/production/mail/smtp vault
	// environments/test/orders/db vault
}

func ExampleFileFlag_oneStage() {
	dir, err := os.MkdirTemp("", "stages")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "stage")
	if err := os.WriteFile(path, []byte("canary\n"), 0o600); err != nil { // echo canary > stage
		fmt.Println(err)
		return
	}
	flag, err := scaivault.FileFlag(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer flag.Close()
	fmt.Println(flag.Stage(context.Background(), "environments/production/billing/db"))
	// Output: canary
}
