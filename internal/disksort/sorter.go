// SPDX-License-Identifier: Apache-2.0

// Package disksort sorts more records than fit into memory: what does not fit
// is kept in one temporary file, which nobody else may read and which is gone
// when the Sorter is closed.
package disksort

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/scailabs/scaivault-go/internal/tempfile"
)

const (
	// defaultMemory is how many bytes of records are in memory at most.
	defaultMemory = 4 << 20
	// overhead is about what a record takes beside its bytes.
	overhead = 64
	// readBuffer is for each part of the file that is merged.
	readBuffer = 16 << 10
	// maxRecord bounds what is read back, so that a broken file is an error.
	maxRecord = 64 << 20
)

// A Record is what is sorted: by Key, and records of equal keys by Value.
type Record struct {
	Key, Value []byte
}

func compare(a, b Record) int {
	return cmp.Or(bytes.Compare(a.Key, b.Key), bytes.Compare(a.Value, b.Value))
}

// A Sorter takes records in any order and gives them back sorted, as often as
// wanted. It is not safe for concurrent use. The zero value is ready; Close it
// in the end.
type Sorter struct {
	// Dir is where the temporary file is. If empty, the system's directory
	// for such files.
	Dir string
	// Memory is how many bytes may be in memory before they go to the file.
	// If zero, 4 MiB.
	Memory int

	pending []Record
	size    int // of pending
	count   int

	file *os.File // nil until something goes there
	runs []run
	end  int64 // of the file
}

// A run is a sorted part of the file.
type run struct{ start, length int64 }

// Add takes a record in. It copies nothing: the slices are the Sorter's from
// then on. An error means that the record is not in, as the disk is full or
// such.
func (s *Sorter) Add(r Record) error {
	limit := s.Memory
	if limit == 0 {
		limit = defaultMemory
	}
	if s.size >= limit {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.pending = append(s.pending, r)
	s.size += len(r.Key) + len(r.Value) + overhead
	s.count++
	return nil
}

// Len returns the number of records.
func (s *Sorter) Len() int { return s.count }

// spill writes what is in memory to the file, as one more run. If that fails,
// it stays in memory.
func (s *Sorter) spill() error {
	if s.file == nil {
		file, err := tempfile.Create(s.Dir)
		if err != nil {
			return fmt.Errorf("sort on disk: %w", err)
		}
		s.file = file
	}
	slices.SortFunc(s.pending, compare)
	at := io.NewOffsetWriter(s.file, s.end)
	w := bufio.NewWriterSize(at, readBuffer)
	var length int64
	for _, r := range s.pending {
		n, err := writeRecord(w, r)
		if err != nil {
			return fmt.Errorf("sort on disk: %w", err)
		}
		length += n
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sort on disk: %w", err)
	}
	s.runs = append(s.runs, run{s.end, length})
	s.end += length
	clear(s.pending)
	s.pending, s.size = s.pending[:0], 0
	return nil
}

func writeRecord(w *bufio.Writer, r Record) (int64, error) {
	var n int64
	for _, part := range [][]byte{r.Key, r.Value} {
		head := binary.AppendUvarint(nil, uint64(len(part)))
		for _, b := range [][]byte{head, part} {
			written, err := w.Write(b)
			if err != nil {
				return n, err
			}
			n += int64(written)
		}
	}
	return n, nil
}

// All yields the records in order. A pair with an error is the last one. No
// record may be added while it is read; the slices must not be changed.
func (s *Sorter) All() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		slices.SortFunc(s.pending, compare)
		m := &merge{}
		if len(s.pending) > 0 {
			m.parts = append(m.parts, &part{memory: s.pending})
		}
		for _, r := range s.runs {
			m.parts = append(m.parts, &part{file: bufio.NewReaderSize(io.NewSectionReader(s.file, r.start, r.length), readBuffer)})
		}
		if err := m.start(); err != nil {
			yield(Record{}, err)
			return
		}
		for m.Len() > 0 {
			r := m.parts[0].head
			if !yield(r, nil) {
				return
			}
			if err := m.advance(); err != nil {
				yield(Record{}, err)
				return
			}
		}
	}
}

// Close removes the file and forgets all records. It may be called again.
func (s *Sorter) Close() error {
	file := s.file
	*s = Sorter{Dir: s.Dir, Memory: s.Memory}
	if file == nil {
		return nil
	}
	return tempfile.Discard(file)
}

// A part is one sorted sequence of records: in memory, or a run of the file.
type part struct {
	memory []Record
	file   *bufio.Reader
	head   Record
}

// next moves on to the next record; io.EOF says that there is none.
func (p *part) next() error {
	if p.file == nil {
		if len(p.memory) == 0 {
			return io.EOF
		}
		p.head, p.memory = p.memory[0], p.memory[1:]
		return nil
	}
	key, err := readPart(p.file)
	if err != nil {
		return err
	}
	value, err := readPart(p.file)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	p.head = Record{Key: key, Value: value}
	return err
}

func readPart(r *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > maxRecord {
		return nil, errors.New("the temporary file was changed")
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return b, nil
}

// A merge is a heap of parts, the one with the smallest head on top.
type merge struct{ parts []*part }

// start reads the first record of every part.
func (m *merge) start() error {
	all := m.parts
	m.parts = nil
	for _, p := range all {
		switch err := p.next(); {
		case errors.Is(err, io.EOF):
		case err != nil:
			return fmt.Errorf("sort on disk: %w", err)
		default:
			m.parts = append(m.parts, p)
		}
	}
	heap.Init(m)
	return nil
}

// advance moves the part on top on.
func (m *merge) advance() error {
	switch err := m.parts[0].next(); {
	case errors.Is(err, io.EOF):
		heap.Pop(m)
	case err != nil:
		return fmt.Errorf("sort on disk: %w", err)
	default:
		heap.Fix(m, 0)
	}
	return nil
}

// Len is for container/heap.
func (m *merge) Len() int { return len(m.parts) }

// Less is for container/heap.
func (m *merge) Less(i, j int) bool { return compare(m.parts[i].head, m.parts[j].head) < 0 }

// Swap is for container/heap.
func (m *merge) Swap(i, j int) { m.parts[i], m.parts[j] = m.parts[j], m.parts[i] }

// Push is for container/heap.
func (m *merge) Push(p any) { m.parts = append(m.parts, p.(*part)) } //nolint:forcetypeassert // nothing else is in it

// Pop is for container/heap.
func (m *merge) Pop() any {
	last := m.parts[len(m.parts)-1]
	m.parts = m.parts[:len(m.parts)-1]
	return last
}
