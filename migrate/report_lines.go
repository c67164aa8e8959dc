// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
)

// itemsOr returns items, or where it is nil the problems that the report keeps.
func (r *Report) itemsOr(items iter.Seq2[Item, error]) iter.Seq2[Item, error] {
	if items != nil {
		return items
	}
	return func(yield func(Item, error) bool) {
		for _, item := range r.Problems {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// writing gives write a buffer and tells where a report could not be written
// whole: because of w, or of the items.
func writing(w io.Writer, format string, write func(*bufio.Writer) error) error {
	buffered := bufio.NewWriterSize(w, 64<<10)
	err := write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return fmt.Errorf("write the report as %s: %w", format, err)
	}
	return nil
}

// WriteText writes the report for people: the table of String, and a line for
// each item. If items is nil, it is the table alone. The error is w's, or that
// of items; what was written then is cut off.
func (r *Report) WriteText(w io.Writer, items iter.Seq2[Item, error]) error {
	return writing(w, "text", func(b *bufio.Writer) error {
		if _, err := b.WriteString(r.String()); err != nil || items == nil {
			return err
		}
		for item, err := range items {
			if err != nil {
				return err
			}
			if _, err := b.WriteString(item.String() + "\n"); err != nil {
				return err
			}
		}
		return nil
	})
}

// WriteLines writes the report as lines of JSON: the report without its
// problems, then the items. If items is nil, these are the problems that the
// report keeps. The error is w's, or that of items; what was written then is cut
// off.
func (r *Report) WriteLines(w io.Writer, items iter.Seq2[Item, error]) error {
	head := *r
	head.Problems, head.Omitted = nil, 0
	if items == nil {
		head.Omitted = r.Omitted
	}
	return writing(w, "lines of JSON", func(b *bufio.Writer) error {
		enc := json.NewEncoder(b)
		if err := enc.Encode(&head); err != nil {
			return err
		}
		for item, err := range r.itemsOr(items) {
			if err != nil {
				return err
			}
			if err := enc.Encode(item); err != nil {
				return err
			}
		}
		return nil
	})
}
