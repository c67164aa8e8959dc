// SPDX-License-Identifier: Apache-2.0

package disksort

import (
	"bytes"
	"iter"
)

// Without yields the records of all whose keys are not in others, each key
// once, in order. A pair with an error is the last one.
func Without(all, others *Sorter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		next, stop := iter.Pull2(others.All())
		defer stop()
		other, err, more := next()
		var last []byte
		for r, e := range all.All() {
			if e != nil {
				yield(Record{}, e)
				return
			}
			for more && err == nil && bytes.Compare(other.Key, r.Key) < 0 {
				other, err, more = next()
			}
			if more && err != nil {
				yield(Record{}, err)
				return
			}
			if last != nil && bytes.Equal(last, r.Key) || more && bytes.Equal(other.Key, r.Key) {
				continue
			}
			last = append(last[:0:0], r.Key...)
			if !yield(r, nil) {
				return
			}
		}
	}
}
