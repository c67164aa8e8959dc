// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"iter"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/spool"
)

// names are the names in a folder. A folder can hold a million of them.
type names struct{ spool spool.Spool }

// all yields the names in order. A pair with an error is the last one. There
// are none in a nil *names.
func (n *names) all() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if n == nil {
			return
		}
		for name, err := range n.spool.All() {
			if !yield(jsonvalue.String(name), err) {
				return
			}
		}
	}
}

// discard forgets the names and their file.
func (n *names) discard() {
	if n != nil {
		_ = n.spool.Close() // it was read, and nothing is lost
	}
}

// A namesReader takes the names out of an answer to a listing as it comes, so
// that only the rest of it is kept: an envelope whose data.keys is empty. It
// takes out names that are JSON strings between commas and nothing else; at the
// first other thing it stops, so that who reads the rest meets the mistake.
type namesReader struct {
	names names
	rest  []byte

	depth     int     // how many objects and arrays are open
	objects   [3]bool // whether the outermost two are objects
	members   [3][]byte
	text      []byte // the last string, quotes and all, of those that matter
	inString  bool
	escaped   bool
	awaits    bool // a member's name and colon came, and its value did not
	place     namesPlace
	untouched bool // everything is kept from here on
}

// A namesPlace says where in the list of names the reader is.
type namesPlace uint8

const (
	outside     namesPlace = iota
	atStart                // behind the bracket
	behindName             // a comma or a bracket is to come
	behindComma            // a name is to come
)

// Bytes is all but the names.
func (r *namesReader) Bytes() []byte { return r.rest }

// Write takes the next part in.
func (r *namesReader) Write(part []byte) (int, error) {
	for _, c := range part {
		switch {
		case r.untouched:
			r.rest = append(r.rest, c)
		case r.inString:
			r.inText(c)
		case r.place != outside:
			r.inList(c)
		default:
			r.rest = append(r.rest, c)
			r.inEnvelope(c)
		}
	}
	return len(part), nil
}

// inText takes a byte of a string.
func (r *namesReader) inText(c byte) {
	r.text = append(r.text, c)
	if r.place == outside {
		r.rest = append(r.rest, c)
	}
	switch {
	case r.escaped:
		r.escaped = false
	case c == '\\':
		r.escaped = true
	case c == '"':
		r.inString = false
		if r.place != outside {
			r.endName()
		}
	}
}

// endName keeps a name that has come to its end.
func (r *namesReader) endName() {
	if !jsonvalue.EachElement(append(append([]byte{'['}, r.text...), ']'), func([]byte) {}) {
		r.leave(string(r.text))
		return
	}
	r.names.spool.Add(r.text)
	r.place = behindName
}

// inList takes a byte between the names.
func (r *namesReader) inList(c byte) {
	switch {
	case c == ' ' || c == '\n' || c == '\t' || c == '\r':
	case c == '"' && r.place != behindName:
		r.text, r.inString = append(r.text[:0], c), true
	case c == ',' && r.place == behindName:
		r.place = behindComma
	case c == ']' && r.place != behindComma:
		r.rest = append(r.rest, c)
		r.place = outside
		r.depth--
	default:
		r.leave(string(c))
	}
}

// leave stops taking names out, at something that is none.
func (r *namesReader) leave(what string) {
	switch r.place {
	case behindName:
		r.rest = append(r.rest, `""`...)
	case behindComma:
		r.rest = append(r.rest, `"",`...)
	}
	r.rest = append(r.rest, what...)
	r.untouched = true
}

// inEnvelope takes a byte of all that is not the list of names.
func (r *namesReader) inEnvelope(c byte) {
	awaited := r.awaits
	switch c {
	case ' ', '\n', '\t', '\r':
		return
	case '"':
		r.text, r.inString = append(r.text[:0], c), true
	case '{', '[':
		if c == '[' && awaited && r.depth == 2 && r.isMember(1, "data") && r.isMember(2, "keys") {
			r.names.discard() // where it stands twice, the last one counts
			r.place = atStart
		}
		if r.depth++; r.depth < len(r.objects) {
			r.objects[r.depth], r.members[r.depth] = c == '{', r.members[r.depth][:0]
		}
	case '}', ']':
		r.depth--
		r.untouched = r.depth <= 0 // the end, or no JSON at all
	case ':':
		if r.depth > 0 && r.depth < len(r.members) {
			r.members[r.depth] = append(r.members[r.depth][:0], r.text...)
		}
	}
	r.awaits = c == ':'
}

// isMember tells whether the value that is read is in a member of that name.
func (r *namesReader) isMember(depth int, name string) bool {
	return r.objects[depth] && jsonvalue.String(r.members[depth]) == name
}
