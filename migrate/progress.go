// SPDX-License-Identifier: Apache-2.0

package migrate

// A Progress says how far a run has come.
type Progress struct {
	// Done is how many secrets are dealt with.
	Done int
	// Total is how many there are; 0 until all listings are read.
	Total int
}
