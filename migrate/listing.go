// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"iter"

	"github.com/scailabs/scaivault-go/scaivault"
)

// listing lists a subtree. A pair with an error says that a part is missing;
// more may follow. A subtree that does not exist is empty, and when ctx ends
// the listing ends without a word.
//
// A listing that is refused because of a rate limit is begun again, unless it
// has given something already: then that is a part that is missing.
func (p *pacer) listing(ctx context.Context, l lister, prefix string) iter.Seq2[scaivault.Entry, error] {
	return func(yield func(scaivault.Entry, error) bool) {
		given := false
		for try := 1; p.calm(ctx) == nil; try++ {
			again := false
			for entry, err := range l.List(ctx, prefix, nil) {
				switch {
				case err != nil && ctx.Err() != nil:
					return
				case errors.Is(err, scaivault.ErrNotFound):
					continue
				case err != nil && !given:
					again = p.again(ctx, err, try)
				}
				if again {
					break
				}
				given = true
				if !yield(entry, err) {
					return
				}
			}
			if !again {
				return
			}
		}
	}
}
