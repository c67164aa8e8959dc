// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/scailabs/scaivault-go/scaivault"
)

// An estate is what is to be moved: many services' secrets in one KV v2 mount,
// with names that are not all kept.
type estate struct {
	mount   string // in Vault
	prefix  string // in ScaiVault, empty or with a slash at its end
	names   []name
	mapping *scaivault.Mapping
	key     []byte // makes the values
}

// A name is one secret's two names.
type name struct{ vault, scaiVault string }

// What every service has. The first is called otherwise in ScaiVault.
var kinds = []string{"db", "cache", "queue", "smtp", "stripe", "oauth", "webhook", "storage", "search", "signing"}

const secretsPerService = 10

var services = []string{"billing", "accounts", "orders", "shipping", "catalog", "search", "reports", "mailer", "identity", "pricing"}

func newEstate(mount, prefix string, secrets int) (*estate, error) {
	e := &estate{mount: mount, prefix: prefix, key: make([]byte, 32)}
	if _, err := rand.Read(e.key); err != nil {
		return nil, err
	}
	var rules []scaivault.Rule
	for i := range secrets {
		service := serviceName(i / secretsPerService)
		n := name{
			vault:     e.vaultPath("apps/" + service + "/" + kinds[i%len(kinds)]),
			scaiVault: e.newPath("environments/production/" + service + "/" + kinds[i%len(kinds)]),
		}
		if kinds[i%len(kinds)] == "db" {
			n.scaiVault = e.newPath("environments/production/" + service + "/database")
			rules = append(rules, scaivault.Rule{Vault: n.vault, ScaiVault: n.scaiVault})
		}
		e.names = append(e.names, n)
	}
	rules = append(rules,
		scaivault.Rule{Vault: e.vaultPath("apps/**"), ScaiVault: e.newPath("environments/production/**")},
		scaivault.Rule{Vault: e.vaultPath("**"), ScaiVault: e.newPath("external/hashicorp/**"), Proxied: true})
	var err error
	e.mapping, err = scaivault.NewMapping(rules...)
	return e, err
}

func serviceName(i int) string {
	if i < len(services) {
		return services[i]
	}
	return services[i%len(services)] + "-" + strconv.Itoa(i/len(services)+1)
}

func (e *estate) vaultPath(rest string) string { return e.mount + "/data/" + rest }
func (e *estate) newPath(rest string) string   { return e.prefix + rest }

// value is the n-th value of a secret: as good as random, and known to whoever
// compares.
func (e *estate) value(n name, sequence int64) map[string]any {
	mac := hmac.New(sha256.New, e.key)
	fmt.Fprintf(mac, "%s %d", n.scaiVault, sequence)
	return map[string]any{
		"username": "app",
		"password": hex.EncodeToString(mac.Sum(nil)),
		"sequence": sequence,
	}
}
