// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"flag"
	"os"
	"testing"
)

// TestMain has the random sequences be the same ones in every run, so that a change
// is judged by what it changes. Others are tried with -rapid.seed=0.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.seed" })
	if !chosen {
		if err := flag.Set("rapid.seed", "20261128"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
