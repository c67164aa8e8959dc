// SPDX-License-Identifier: Apache-2.0

// Package spool keeps texts in their order, also more of them than fit into
// memory.
package spool

import (
	"bufio"
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
	// defaultMemory is how many bytes are in memory at most.
	defaultMemory = 512 << 10
	// readBuffer is for reading the file.
	readBuffer = 64 << 10
)

// A Spool takes texts and gives them back in the same order, as often as
// wanted. What does not fit into memory goes to a temporary file; where no file
// can be made or the disk is full, it stays in memory all the same. It is not
// safe for concurrent use. The zero value is ready; Close it in the end.
type Spool struct {
	// Dir is where the file is. If empty, the system's directory for such
	// files.
	Dir string
	// Memory is how many bytes may be in memory before they go to the file.
	// If zero, 512 KiB.
	Memory int

	pending []byte   // each text with its length before it
	waiting int      // how many those are
	file    *os.File // nil until something goes there
	end     int64    // of the file
	filed   int      // how many texts are in it
	full    bool     // the disk takes no more
}

// Add takes a copy of a text in.
func (s *Spool) Add(text []byte) {
	limit := s.Memory
	if limit == 0 {
		limit = defaultMemory
	}
	if len(s.pending) > 0 && len(s.pending)+len(text) > limit && !s.full {
		s.full = s.spill() != nil
	}
	s.pending = binary.AppendUvarint(s.pending, uint64(len(text)))
	s.pending = append(s.pending, text...)
	s.waiting++
}

// spill writes what is in memory to the file. If that fails, it stays in
// memory, and what was written of it does not count.
func (s *Spool) spill() error {
	if s.file == nil {
		file, err := tempfile.Create(s.Dir)
		if err != nil {
			return err
		}
		s.file = file
	}
	if _, err := s.file.WriteAt(s.pending, s.end); err != nil {
		return err
	}
	s.end += int64(len(s.pending))
	s.filed += s.waiting
	s.pending, s.waiting = s.pending[:0], 0
	return nil
}

// All yields the texts in order. The slice is good until the next one. A pair
// with an error is the last one. No text may be added while it is read.
func (s *Spool) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		file := bufio.NewReaderSize(io.NewSectionReader(s.file, 0, s.end), min(readBuffer, 16+int(s.end)))
		var text []byte
		for range s.filed {
			var err error
			if text, err = s.read(file, text); err != nil {
				yield(nil, fmt.Errorf("read the temporary file: %w", err))
				return
			}
			if !yield(text, nil) {
				return
			}
		}
		for rest := s.pending; len(rest) > 0; {
			size, head := binary.Uvarint(rest)
			text := rest[head : head+int(size)] //nolint:gosec // as Add has written it
			if rest = rest[head+int(size):]; !yield(text, nil) {
				return
			}
		}
	}
}

// read reads one text from the file, into the room of the one before.
func (s *Spool) read(file *bufio.Reader, text []byte) ([]byte, error) {
	size, err := binary.ReadUvarint(file)
	switch {
	case err != nil:
		return nil, errors.Join(io.ErrUnexpectedEOF, err)
	case size > uint64(s.end): //nolint:gosec // not negative
		return nil, errors.New("it was changed")
	}
	text = slices.Grow(text[:0], int(size))[:size] //nolint:gosec // no longer than the file
	_, err = io.ReadFull(file, text)
	return text, err
}

// Close removes the file and forgets all texts. It may be called again.
func (s *Spool) Close() error {
	file := s.file
	*s = Spool{Dir: s.Dir, Memory: s.Memory}
	if file == nil {
		return nil
	}
	return tempfile.Discard(file)
}
