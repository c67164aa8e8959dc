// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"

	"github.com/scailabs/scaivault-go/internal/disksort"
	"github.com/scailabs/scaivault-go/scaivault"
)

// WriteTo writes the plan as lines of JSON: the header, then the items, sorted
// by their names in the source, so that two plans can be compared line by line.
// The error is w's, or that of the temporary file; then what was written is no
// plan, and ReadPlan says so.
func (p *Plan) WriteTo(w io.Writer) (int64, error) {
	out := &countingWriter{w: w}
	buffered := bufio.NewWriterSize(out, 64<<10)
	err := p.writeLines(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return out.n, fmt.Errorf("write plan: %w", err)
	}
	return out.n, nil
}

func (p *Plan) writeLines(w *bufio.Writer) error {
	head, err := json.Marshal(p.Header)
	if err != nil {
		return err
	}
	if _, err := w.Write(append(head, '\n')); err != nil {
		return err
	}
	for record, err := range p.lines() {
		if err != nil {
			return err
		}
		if _, err := w.Write(record.Value); err != nil {
			return err
		}
		if err := w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

// A countingWriter counts what it hands on.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// maxPlanLine bounds one line of a plan.
const maxPlanLine = 1 << 20

// ReadPlan reads a plan that [Plan.WriteTo] wrote. m is the mapping that the
// plan was made with; a plan made with another one is refused. If m is nil, the
// plan can be looked at and not be carried out.
//
// A plan is reviewed as a whole: one of another version, one that was edited
// and one that is cut off match [scaivault.ErrInvalid]. To leave secrets out,
// make the plan anew, with [PlanOptions.Exclude]: it is sorted, so the two
// differ in nothing else. Line ends of Windows are taken.
func ReadPlan(r io.Reader, m *scaivault.Mapping) (*Plan, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxPlanLine)
	header, err := readPlanHeader(lines)
	if err != nil {
		return nil, err
	}
	if m != nil {
		digest, err := mappingDigest(m)
		if err != nil {
			return nil, err
		}
		if digest != header.Mapping {
			return nil, invalid("read plan", "it was made with another mapping, or the mapping was changed since; make a new plan")
		}
	}
	sum, err := header.hash()
	if err != nil {
		return nil, err
	}
	p := &planReader{header: header, items: &disksort.Sorter{}, counts: map[Action]int{}, hash: sum}
	for lines.Scan() {
		if err := p.line(bytes.TrimSuffix(lines.Bytes(), []byte{'\r'})); err != nil {
			return nil, errors.Join(err, p.items.Close())
		}
	}
	err = scanError(lines.Err())
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return nil, errors.Join(err, p.items.Close())
	}
	return &Plan{Header: header, items: p.items, mapping: m}, nil
}

func scanError(err error) error {
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return invalid("read plan", fmt.Sprintf("a line is longer than %d bytes; is it a plan?", maxPlanLine))
	case err != nil:
		return fmt.Errorf("read plan: %w", err)
	}
	return nil
}

// readPlanHeader reads the first line.
func readPlanHeader(lines *bufio.Scanner) (PlanHeader, error) {
	if !lines.Scan() {
		if err := scanError(lines.Err()); err != nil {
			return PlanHeader{}, err
		}
		return PlanHeader{}, invalid("read plan", "the file is empty")
	}
	var kind struct {
		Format        string `json:"format"`
		FormatVersion int    `json:"format_version"`
	}
	first := lines.Bytes()
	if json.Unmarshal(first, &kind) != nil || kind.Format != planFormat {
		return PlanHeader{}, invalid("read plan", "its first line is not the header of a plan; is it a file that NewPlan made?")
	}
	if kind.FormatVersion != planVersion {
		return PlanHeader{}, invalid("read plan", fmt.Sprintf("it is a plan of version %d, and this program reads version %d; make a new plan with this program", kind.FormatVersion, planVersion))
	}
	var h PlanHeader
	if err := strictly(first, &h); err != nil {
		return PlanHeader{}, edited("its header cannot be read")
	}
	return h, nil
}

// edited is a plan that is not as it was made.
func edited(how string) error {
	return invalid("read plan", "it was edited or cut off: "+how+"; make a new plan, and leave secrets out by Exclude")
}

// strictly decodes one JSON value, all of whose keys must be known.
func strictly(line []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more")
	}
	return nil
}

// A planReader checks the lines of a plan and keeps them.
type planReader struct {
	header   PlanHeader
	items    *disksort.Sorter
	counts   map[Action]int
	hash     hash.Hash
	previous []byte
	number   int
}

func (p *planReader) line(line []byte) error {
	p.number++
	var item PlanItem
	if err := strictly(line, &item); err != nil {
		return edited(fmt.Sprintf("line %d cannot be read", p.number+1))
	}
	p.hash.Write(line)
	p.hash.Write([]byte{'\n'})
	key := []byte(item.From + "\x00" + item.To)
	if bytes.Compare(key, p.previous) < 0 {
		return edited(fmt.Sprintf("line %d is not in its order", p.number+1))
	}
	p.previous = key
	p.counts[item.Action]++
	return p.items.Add(disksort.Record{Key: key, Value: bytes.Clone(line)})
}

// check looks whether these are the lines of the header.
func (p *planReader) check() error {
	want := 0
	for _, n := range p.header.Counts {
		want += n
	}
	switch {
	case p.number != want:
		return edited(fmt.Sprintf("its header speaks of %d secrets, and there are %d", want, p.number))
	case !maps.Equal(p.counts, p.header.Counts):
		return edited("its header counts other actions than there are")
	case digestText(p.hash) != p.header.Digest:
		return edited("its header or a line is not as it was made")
	}
	return nil
}
