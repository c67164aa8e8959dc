// SPDX-License-Identifier: Apache-2.0

package scaivault

// epochOf returns a number that stands still for as long as no answer of f can
// change, if f can tell. A flag of flags can where all of its parts can; those
// that never change stand still.
//
// The parts are asked one after the other. That is enough: whoever sees the same
// number twice has seen each part's epoch twice, and an answer that was asked for
// in between is of that time.
func epochOf(f Flag) (epoch func() uint64, ok bool) {
	moving, ok := epochsOf(nil, f)
	switch {
	case !ok:
		return nil, false
	case len(moving) == 0:
		return func() uint64 { return 0 }, true
	case len(moving) == 1:
		return moving[0], true
	}
	return func() uint64 {
		// A plain sum would not see one epoch go up and another one go down.
		var sum uint64
		for i, part := range moving {
			sum += scramble(part() + uint64(i)*0x9e3779b97f4a7c15)
		}
		return sum
	}, true
}

// epochsOf appends the epochs of the parts of f that can change.
func epochsOf(moving []func() uint64, f Flag) (epochs []func() uint64, ok bool) {
	switch f := f.(type) {
	case nil, Stage:
		return moving, true
	case Rollout:
		if moving, ok = epochsOf(moving, f.From); !ok {
			return nil, false
		}
		return epochsOf(moving, f.To)
	case PathFlags:
		for _, line := range f {
			if moving, ok = epochsOf(moving, line.Flag); !ok {
				return nil, false
			}
		}
		return moving, true
	case interface{ Epoch() uint64 }:
		return append(moving, f.Epoch), true
	default:
		return nil, false
	}
}

// scramble makes numbers that are alike differ in all bits. No two become the same.
func scramble(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
