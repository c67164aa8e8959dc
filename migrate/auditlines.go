// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// maxAuditLine bounds one line of an audit log.
const maxAuditLine = 16 << 20

// auditLines reads lines of a log of which parts may be compressed. Where a
// line would begin, the magic number of gzip says that such a part does.
type auditLines struct {
	from *failing
	raw  *bufio.Reader // on from
	part *bufio.Reader // the compressed part under way; nil in plain text
	line []byte
	// unfinished says that the line has no end, as nothing follows it: Vault
	// may be writing it just now.
	unfinished bool
}

func newAuditLines(r io.Reader) *auditLines {
	from := &failing{r: r}
	return &auditLines{from: from, raw: bufio.NewReaderSize(from, 1<<16)}
}

// next returns one line without its end, which is good until the next call,
// and whether it is whole, which is not too long. The error is io.EOF after the
// last line. A compressed part that is damaged ends with a line that is not
// whole.
func (a *auditLines) next() (line []byte, whole bool, err error) {
	for {
		if a.part == nil {
			if err := a.open(); err != nil {
				return nil, false, err
			}
		}
		from := a.part
		if from == nil {
			from = a.raw
		}
		line, whole, err := a.read(from)
		if a.part != nil && err != nil {
			a.part = nil
			if errors.Is(err, io.EOF) {
				continue
			}
			if a.damaged(err) {
				return nil, false, nil
			}
		}
		return line, whole, err
	}
}

// open begins a compressed part if one is here.
func (a *auditLines) open() error {
	magic, err := a.raw.Peek(2)
	if err != nil || !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return nil //nolint:nilerr // the error comes again where the line is read
	}
	unzipped, err := gzip.NewReader(a.raw)
	if a.damaged(err) {
		return nil // what follows is read as plain text, and counted as broken
	}
	if err != nil {
		return err
	}
	unzipped.Multistream(false) // plain text may follow
	a.part = bufio.NewReaderSize(unzipped, 1<<16)
	return nil
}

// damaged tells whether an error is about what was read, not about reading it.
func (a *auditLines) damaged(err error) bool {
	return err != nil && a.from.err == nil
}

// A failing reader remembers the error of the reader below, which a
// decompressor does not tell apart from its own.
type failing struct {
	r   io.Reader
	err error // never io.EOF, which is no failure
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// read reads one line. Empty lines count as whole.
func (a *auditLines) read(from *bufio.Reader) (line []byte, whole bool, err error) {
	a.line, a.unfinished = a.line[:0], false
	tooLong := false
	for {
		piece, err := from.ReadSlice('\n')
		if len(a.line)+len(piece) > maxAuditLine {
			tooLong = true
		}
		if !tooLong {
			a.line = append(a.line, piece...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && (len(a.line) > 0 || tooLong):
			a.unfinished = true
			return a.line, !tooLong, nil
		case err != nil:
			return nil, false, err
		}
		return bytes.TrimRight(a.line, "\r\n"), !tooLong, nil
	}
}
