// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"fmt"
	"strings"

	"github.com/scailabs/scaivault-go/scaivault"
)

func ExampleNewMapping() {
	mapping, err := scaivault.NewMapping(
		// An exact rule stands before the wildcard that covers it.
		scaivault.Rule{Vault: "kv/data/apps/billing/db", ScaiVault: "environments/production/billing/database"},
		scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(mapping.ToVault("environments/production/billing/database"))
	fmt.Println(mapping.ToVault("environments/production/billing/stripe"))
	fmt.Println(mapping.ToScaiVault("kv/data/apps/mail/smtp"))
	_, mapped := mapping.ToVault("shared/mail/smtp")
	fmt.Println(mapped)

	// Output:
	// kv/data/apps/billing/db true
	// kv/data/apps/billing/stripe true
	// environments/production/mail/smtp true
	// false
}

func ExampleParseMapping() {
	file := `
rules:
  - vault: kv/data/apps/billing/db
    scaivault: environments/production/billing/database
  - vault: kv/data/apps/**
    scaivault: environments/production/**
  - vault: kv/data/**
    scaivault: external/hashicorp/**
    proxied: true
`
	mapping, err := scaivault.ParseMapping(strings.NewReader(file))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, rule := range mapping.Rules() {
		fmt.Println(rule)
	}

	_, err = scaivault.ParseMapping(strings.NewReader("rules: [{vualt: kv/data/apps/db, scaivault: apps/db}]"))
	fmt.Println(err)

	// Output:
	// kv/data/apps/billing/db → environments/production/billing/database
	// kv/data/apps/** → environments/production/**
	// kv/data/** → external/hashicorp/**
	// read mapping: invalid: line 1: rule 1: unknown key "vualt"; a rule has vault, scaivault, cluster, proxied
}
