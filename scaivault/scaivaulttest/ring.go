// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

// ringBlock is how many entries a block of a ring holds.
const ringBlock = 128

// A ring keeps the latest entries of a log. It grows by whole blocks, so that what is
// entered stays where it is: a log under load is never copied. It is not safe for
// concurrent use.
type ring[T any] struct {
	most   int // how many it keeps, at least one
	blocks [][]T
	count  int // how many entries there ever were
}

// add enters e and returns its number, which counts from zero.
func (r *ring[T]) add(e T) int {
	number := r.count
	if number < r.most && number%ringBlock == 0 {
		r.blocks = append(r.blocks, make([]T, ringBlock))
	}
	r.count++
	*r.at(number) = e
	return number
}

// oldest is the number of the oldest entry that is kept.
func (r *ring[T]) oldest() int { return max(0, r.count-r.most) }

// at is the entry of a number from oldest on and below count.
func (r *ring[T]) at(number int) *T {
	place := number % r.most
	return &r.blocks[place/ringBlock][place%ringBlock]
}
