// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package scaivault

// openAtOnce is nothing where files are no pipes.
const openAtOnce = 0
