// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"encoding/json"
	"fmt"
	"iter"

	"github.com/scailabs/scaivault-go/internal/disksort"
)

// An ItemLog keeps all items of a run, for a report that shows more than
// counts and the first problems: give its Add to the run as Each, and its All to
// [Report.WriteHTML] and its kin. What does not fit into memory goes to a
// temporary file of mode 0600; it holds names and never values. The zero
// ItemLog is ready; Close it in the end. It is not safe for concurrent use.
type ItemLog struct {
	sorter disksort.Sorter
}

// Add takes one item. Its error says that there is no room on the disk.
func (l *ItemLog) Add(i Item) error {
	value, err := json.Marshal(i)
	if err != nil {
		return err
	}
	name := i.From
	if name == "" {
		name = i.To
	}
	return l.sorter.Add(disksort.Record{Key: []byte(name), Value: value})
}

// All yields the items, sorted by name; of their errors only the texts are
// left. A pair with an error is the last one.
func (l *ItemLog) All() iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for record, err := range l.sorter.All() {
			var item Item
			if err == nil {
				err = json.Unmarshal(record.Value, &item)
			}
			if err != nil {
				yield(Item{}, fmt.Errorf("read items: %w", err))
				return
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

// Close removes the temporary file.
func (l *ItemLog) Close() error { return l.sorter.Close() }
