// SPDX-License-Identifier: Apache-2.0

package jsonvalue

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// exactObject parses one JSON object as Object does, but loses nothing:
// encoding/json turns bytes that are no UTF-8, and halves of surrogate pairs,
// all into U+FFFD, so that different strings would compare as the same. Here
// such bytes stay as they are, and a half becomes the three bytes that UTF-8
// would give it. So its strings are for comparing only.
func exactObject(raw []byte) (map[string]any, error) {
	if !json.Valid(raw) {
		return nil, ErrNotObject
	}
	p := exactParser{rest: raw}
	obj, ok := p.value().(map[string]any)
	if !ok {
		return nil, ErrNotObject
	}
	return obj, nil
}

// An exactParser reads what json.Valid has let through, so it checks nothing
// again; json.Valid also bounds the depth of the recursion.
type exactParser struct{ rest []byte }

// next skips white space and returns the byte that follows.
func (p *exactParser) next() byte {
	p.rest = bytes.TrimLeft(p.rest, " \t\r\n")
	return p.rest[0]
}

func (p *exactParser) value() any {
	switch p.next() {
	case '{':
		return p.object()
	case '[':
		return p.array()
	case '"':
		return p.text()
	case 't':
		p.rest = p.rest[len("true"):]
		return true
	case 'f':
		p.rest = p.rest[len("false"):]
		return false
	case 'n':
		p.rest = p.rest[len("null"):]
		return nil
	default:
		return p.number()
	}
}

func (p *exactParser) object() map[string]any {
	obj := map[string]any{}
	p.rest = p.rest[1:]
	for p.next() != '}' {
		key := p.text()
		p.next()
		p.rest = p.rest[1:] // the colon
		obj[key] = p.value()
		if p.next() == ',' {
			p.rest = p.rest[1:]
			p.next()
		}
	}
	p.rest = p.rest[1:]
	return obj
}

func (p *exactParser) array() []any {
	list := []any{}
	p.rest = p.rest[1:]
	for p.next() != ']' {
		list = append(list, p.value())
		if p.next() == ',' {
			p.rest = p.rest[1:]
		}
	}
	p.rest = p.rest[1:]
	return list
}

func (p *exactParser) number() json.Number {
	end := bytes.IndexAny(p.rest, " \t\r\n,]}")
	if end < 0 {
		end = len(p.rest)
	}
	n := json.Number(p.rest[:end])
	p.rest = p.rest[end:]
	return n
}

func (p *exactParser) text() string {
	p.rest = p.rest[1:]
	var out []byte
	for {
		i := bytes.IndexAny(p.rest, `"\`)
		plain, stop := p.rest[:i], p.rest[i]
		p.rest = p.rest[i+1:]
		if stop == '"' {
			if out == nil {
				return string(plain)
			}
			return string(append(out, plain...))
		}
		out = p.escape(append(out, plain...))
	}
}

// escape reads what follows a backslash.
func (p *exactParser) escape(out []byte) []byte {
	c := p.rest[0]
	if c != 'u' {
		p.rest = p.rest[1:]
		return append(out, unescaped(c))
	}
	first := p.unit()
	if !utf16.IsSurrogate(first) {
		return utf8.AppendRune(out, first)
	}
	if len(p.rest) > 1 && p.rest[0] == '\\' && p.rest[1] == 'u' {
		before := p.rest
		p.rest = p.rest[1:]
		if r := utf16.DecodeRune(first, p.unit()); r != utf8.RuneError {
			return utf8.AppendRune(out, r)
		}
		p.rest = before // another half, which may have its own partner
	}
	return append(out, 0xe0|byte(first>>12), 0x80|byte(first>>6)&0x3f, 0x80|byte(first)&0x3f)
}

// unit reads the "uXXXX" of an escape: one unit of UTF-16.
func (p *exactParser) unit() rune {
	n, _ := strconv.ParseUint(string(p.rest[1:5]), 16, 16) // four hexadecimal digits, by json.Valid
	p.rest = p.rest[5:]
	return rune(n)
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default:
		return c // a quote, a slash or a backslash
	}
}
