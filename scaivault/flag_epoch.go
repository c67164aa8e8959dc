// SPDX-License-Identifier: Apache-2.0

package scaivault

func epochOf(f Flag) (func() uint64, bool) {
	if _, ok := f.(Stage); ok {
		return func() uint64 { return 0 }, true
	}
	if e, ok := f.(interface{ Epoch() uint64 }); ok {
		return e.Epoch, true
	}
	return nil, false
}
