// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
)

// ErrTooLarge says that a body has more bytes than the limit.
var ErrTooLarge = errors.New("the body is too large")

// A Sink takes a body as it comes and keeps some of it or all.
type Sink interface {
	io.Writer
	// Bytes is what it keeps. Of JSON whose end is missing, that has no end
	// either.
	Bytes() []byte
}

// ReadBody reads a body up to a limit and tells when it stops too early. One that
// is larger is [ErrTooLarge]. What
// follows an answer 101 is none, and no ctx would end the reading of it.
func ReadBody(resp *http.Response, limit int64) ([]byte, error) {
	var w whole
	if length := resp.ContentLength; length > 0 && length <= limit {
		w = make(whole, 0, min(length, 1<<20)+1) // one more, to see the end without growing
	}
	if err := ReadBodyTo(&w, resp, limit); err != nil {
		return nil, err
	}
	return w, nil
}

// whole keeps all of a body.
type whole []byte

func (w *whole) Bytes() []byte { return *w }

func (w *whole) Write(part []byte) (int, error) {
	*w = append(*w, part...)
	return len(part), nil
}

// ReadFrom reads to the end without a buffer of its own, which io.Copy would
// make.
func (w *whole) ReadFrom(r io.Reader) (int64, error) {
	before := len(*w)
	for {
		if len(*w) == cap(*w) {
			*w = slices.Grow(*w, bytes.MinRead)
		}
		n, err := r.Read((*w)[len(*w):cap(*w)])
		*w = (*w)[:len(*w)+n]
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return int64(len(*w) - before), err
		}
	}
}

// ReadBodyTo is ReadBody for one who need not keep the whole body.
func ReadBodyTo(to Sink, resp *http.Response, limit int64) error {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	if resp.ContentLength > limit {
		return ErrTooLarge
	}
	read := int64(0)
	rest := io.LimitedReader{R: resp.Body}
	if length := resp.ContentLength; length > 0 {
		rest.N = length - 1
		n, err := io.Copy(to, &rest)
		if err != nil {
			return err
		}
		if resp.ProtoMajor == 1 && isCutOff(to.Bytes()) {
			return nil
		}
		read = n
	}
	rest.N = min(limit, math.MaxInt64-1) + 1 - read
	n, err := io.Copy(to, &rest)
	if err == nil && read+n > limit {
		err = ErrTooLarge
	}
	return err
}

// isCutOff tells of a body but for its last byte whether it is JSON that one
// byte more can't end. Then the length that was promised is too short, and what
// follows can be the rest of a secret. Package net/http would write that to the
// standard logger, as an unsolicited response, once the whole body is read on a
// connection of HTTP/1; who closes the body before closes the connection. A cut
// right behind one of the outermost members can't be told from the end.
func isCutOff(body []byte) bool {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' && body[0] != '[' {
		return false
	}
	depth, hasValue := 0, body[0] == '['
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case c == '"':
			if i = endOfText(body, i+1); i < 0 {
				return true
			}
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case depth == 1 && c == ':':
			hasValue = true
		case depth == 1 && c == ',':
			hasValue = body[0] == '['
		}
	}
	last := body[len(body)-1]
	ends := last != ':' && last != ',' && (hasValue || len(body) == 1)
	return depth > 1 || depth == 1 && !ends
}

// endOfText returns the quote that ends the text that begins at i, or -1.
func endOfText(body []byte, i int) int {
	for begin := i; ; i++ {
		quote := bytes.IndexByte(body[i:], '"')
		if quote < 0 {
			return -1
		}
		i += quote
		text := body[begin:i]
		if (len(text)-len(bytes.TrimRight(text, `\`)))%2 == 0 {
			return i
		}
	}
}
