// SPDX-License-Identifier: Apache-2.0

package vaultchecks

import (
	"testing"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// conformanceChecks hold the Source to what every Source promises.
func conformanceChecks() map[string]func(*lab) {
	conform := func(version int, opts ...*scaivaulttest.SourceTestOptions) func(*lab) {
		return func(l *lab) {
			l.mount("kv", version)
			scaivaulttest.TestSource(l.T, func(*testing.T) scaivault.Source { return l.src }, opts...)
		}
	}
	return map[string]func(*lab){
		"Source conforms on KV v1":                conform(1),
		"Source conforms on KV v1, by its prefix": conform(1, &scaivaulttest.SourceTestOptions{Prefix: "kv/apps/"}),
		"Source conforms on KV v2":                conform(2),
	}
}
