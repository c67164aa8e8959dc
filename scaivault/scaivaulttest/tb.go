// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

// A TB is the part of testing.TB that this package needs. *testing.T, *testing.B
// and *testing.F are TBs. It is declared here so that a program that runs one of
// the servers does not link package testing.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}
