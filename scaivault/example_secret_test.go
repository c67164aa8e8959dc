// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"encoding/json"
	"fmt"

	"github.com/scailabs/scaivault-go/scaivault"
)

func ExampleSecret_Decode() {
	// A Store or a Source gives secrets; this stands for one.
	secret, err := scaivault.NewSecret(scaivault.SecretInfo{Path: "environments/production/billing/database", Version: 3},
		json.RawMessage(`{"user": "billing", "password": "not-a-real-one", "port": 5432}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var config struct {
		User     string `json:"user"`
		Password string `json:"password"`
		Port     int    `json:"port"`
	}
	if err := secret.Decode(&config); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(config.User, config.Port, len(config.Password))
	fmt.Println(secret) // no printer shows the data

	// Output:
	// billing 5432 14
	// secret environments/production/billing/database v3 REDACTED
}
