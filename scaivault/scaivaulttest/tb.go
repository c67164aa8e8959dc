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

// noTest is the TB of a program.
type noTest struct{}

func (noTest) Helper()               {}
func (noTest) Cleanup(func())        {}
func (noTest) Fatalf(string, ...any) {}

// one returns the options that a constructor of a test was given, or nil. They are
// variadic so that a test that needs none says none.
func one[O any](tb TB, constructor string, opts []*O) *O {
	tb.Helper()
	switch len(opts) {
	case 0:
		return nil
	case 1:
		return opts[0]
	default:
		tb.Fatalf("scaivaulttest: %s takes one set of options, and was given %d", constructor, len(opts))
		return nil
	}
}
