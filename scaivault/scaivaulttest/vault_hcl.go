// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An hclItem is one entry of a policy text: keys, then a value. In HCL it is `path "kv/*" { … }` or `capabilities = […]`; in JSON a member of an object.
type hclItem struct {
	keys     []string
	value    hclValue
	assigned int // the line of the equals sign; zero for a block
	line     int
	column   int
}

// An hclValue is a literal, a list or an object.
type hclValue struct {
	text     string
	literal  bool
	list     []hclValue
	isList   bool
	items    []hclItem
	isObject bool
	line     int
	column   int
}

// A policyError has the words that Vault has for it.
type policyError string

func (e policyError) Error() string { return string(e) }

// parseHCL reads a policy in either of its two forms.
func parseHCL(text string) ([]hclItem, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return parseHCLFromJSON(text)
	}
	p := hclParser{text: text, line: 1, column: 1}
	return p.items(false, 0)
}

// maxHCLDepth keeps hostile text from exhausting the stack.
const maxHCLDepth = 100

type hclParser struct {
	text         string
	pos          int
	line, column int
}

func (p *hclParser) errorf(format string, args ...any) error {
	column := p.column
	if p.pos >= len(p.text) {
		column++ // Vault counts the end as a character
	}
	return policyError(fmt.Sprintf("At %d:%d: %s", p.line, column, fmt.Sprintf(format, args...)))
}

func (p *hclParser) peek() rune {
	if p.pos >= len(p.text) {
		return -1
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.pos:])
	return r
}

func (p *hclParser) next() rune {
	r, size := utf8.DecodeRuneInString(p.text[p.pos:])
	p.pos += size
	p.column++
	if r == '\n' {
		p.line, p.column = p.line+1, 1
	}
	return r
}

// skip passes over white space and comments.
func (p *hclParser) skip() error {
	for {
		rest := p.text[p.pos:]
		switch r := p.peek(); {
		case r >= 0 && unicode.IsSpace(r):
			p.next()
		case r == '#' || strings.HasPrefix(rest, "//"):
			for p.peek() >= 0 && p.peek() != '\n' {
				p.next()
			}
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return p.errorf("comment not terminated")
			}
			for range utf8.RuneCountInString(rest[:end+4]) {
				p.next()
			}
		default:
			return nil
		}
	}
}

// items reads entries up to the end, or to the closing brace when nested.
func (p *hclParser) items(nested bool, depth int) ([]hclItem, error) {
	if depth > maxHCLDepth {
		return nil, p.errorf("objects are nested too deep")
	}
	var items []hclItem
	assigned := map[string]bool{}
	for {
		if err := p.skip(); err != nil {
			return nil, err
		}
		switch r := p.peek(); {
		case r < 0 && nested:
			return nil, p.errorf("object expected closing RBRACE got: EOF")
		case r < 0:
			return items, nil
		case r == '}' && nested:
			p.next()
			return items, nil
		}
		item, err := p.item(depth)
		if err != nil {
			return nil, err
		}
		if item.assigned > 0 {
			if assigned[item.keys[0]] {
				return nil, policyError(fmt.Sprintf("The argument %q at %d:%d was already set. Each argument can only be defined once",
					item.keys[0], item.line, item.column))
			}
			assigned[item.keys[0]] = true
		}
		items = append(items, item)
		if err := p.skip(); err != nil {
			return nil, err
		}
		if p.peek() == ',' && nested {
			p.next()
		}
	}
}

func (p *hclParser) item(depth int) (hclItem, error) {
	item := hclItem{line: p.line, column: p.column}
	for {
		if err := p.skip(); err != nil {
			return item, err
		}
		switch r := p.peek(); {
		case r == '=' && len(item.keys) == 1:
			item.assigned = p.line
			p.next()
			value, err := p.value(depth)
			item.value = value
			return item, err
		case r == '{' && len(item.keys) > 0:
			value, err := p.value(depth)
			item.value = value
			return item, err
		case r == '"':
			key, err := p.quoted()
			if err != nil {
				return item, err
			}
			item.keys = append(item.keys, key)
		case isIdentifier(r, true):
			item.keys = append(item.keys, p.identifier())
		case len(item.keys) > 0:
			return item, p.errorf("key '%s' expected start of object ('{') or assignment ('=')", strings.Join(item.keys, " "))
		default:
			return item, p.errorf("illegal char")
		}
	}
}

func (p *hclParser) value(depth int) (hclValue, error) {
	if err := p.skip(); err != nil {
		return hclValue{}, err
	}
	value := hclValue{line: p.line, column: p.column}
	var err error
	switch r := p.peek(); {
	case r == '{':
		p.next()
		value.isObject = true
		value.items, err = p.items(true, depth+1)
	case r == '[':
		p.next()
		value.isList = true
		value.list, err = p.list(depth + 1)
	case r == '"':
		value.literal = true
		value.text, err = p.quoted()
	case isIdentifier(r, false):
		value.literal = true
		value.text = p.identifier()
	default:
		err = p.errorf("expected a value")
	}
	return value, err
}

func (p *hclParser) list(depth int) ([]hclValue, error) {
	if depth > maxHCLDepth {
		return nil, p.errorf("lists are nested too deep")
	}
	var list []hclValue
	for {
		if err := p.skip(); err != nil {
			return nil, err
		}
		if p.peek() == ']' {
			p.next()
			return list, nil
		}
		value, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
		if err := p.skip(); err != nil {
			return nil, err
		}
		switch p.peek() {
		case ',':
			p.next()
		case ']':
		default:
			return nil, p.errorf("error parsing list, expected comma or list end")
		}
	}
}

func (p *hclParser) quoted() (string, error) {
	start := p.pos
	p.next()
	for {
		switch p.peek() {
		case -1, '\n':
			return "", p.errorf("literal not terminated")
		case '"':
			p.next()
			text, err := strconv.Unquote(p.text[start:p.pos])
			if err != nil {
				return "", p.errorf("illegal escape in a string")
			}
			return text, nil
		case '\\':
			p.next()
			if p.peek() < 0 {
				continue
			}
		}
		p.next()
	}
}

func (p *hclParser) identifier() string {
	start := p.pos
	for isIdentifier(p.peek(), false) {
		p.next()
	}
	return p.text[start:p.pos]
}

// isIdentifier takes numbers for identifiers too, except as keys: no policy calculates.
func isIdentifier(r rune, start bool) bool {
	switch {
	case r < 0 || r == utf8.RuneError:
		return false
	case unicode.IsLetter(r) || r == '_':
		return true
	}
	return !start && (unicode.IsDigit(r) || r == '-' || r == '.')
}

// parseHCLFromJSON reads an object, in order.
func parseHCLFromJSON(text string) ([]hclItem, error) {
	if err := checkJSON([]byte(text)); err != nil {
		return nil, fmt.Errorf("error parsing JSON: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	value, err := jsonValue(dec)
	if err == nil {
		_, err = dec.Token()
		if errors.Is(err, io.EOF) {
			return flatten(value.items), nil
		}
	}
	return nil, fmt.Errorf("error parsing JSON: invalid policy object")
}

func jsonValue(dec *json.Decoder) (hclValue, error) {
	value := hclValue{line: 1, column: int(dec.InputOffset()) + 1}
	token, err := dec.Token()
	if err != nil {
		return value, err
	}
	switch token {
	case json.Delim('{'):
		value.isObject = true
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return value, err
			}
			member, err := jsonValue(dec)
			if err != nil {
				return value, err
			}
			name, _ := key.(string) // an object's key is a string, or the decoder has failed before
			value.items = append(value.items, hclItem{keys: []string{name}, value: member, assigned: 1})
		}
	case json.Delim('['):
		value.isList = true
		for dec.More() {
			element, err := jsonValue(dec)
			if err != nil {
				return value, err
			}
			value.list = append(value.list, element)
		}
	default:
		value.literal = true
		value.text = fmt.Sprint(token)
		return value, nil
	}
	_, err = dec.Token() // the end of the object or list
	return value, err
}

// flatten makes the two blocks of {"path": {"a": {…}, "b": {…}}}. What does not look like blocks stays as it is, and is found faulty later.
func flatten(items []hclItem) []hclItem {
	var flat []hclItem
	for _, item := range items {
		objects := []hclValue{item.value}
		if item.value.isList {
			objects = item.value.list
		}
		for _, object := range objects {
			if !object.hasOnlyObjects() {
				flat = append(flat, hclItem{keys: item.keys, value: object, assigned: item.assigned})
				continue
			}
			for _, member := range object.items {
				flat = append(flat, hclItem{keys: append([]string{item.keys[0]}, member.keys...), value: member.value})
			}
		}
	}
	return flat
}

func (v hclValue) hasOnlyObjects() bool {
	if !v.isObject {
		return false
	}
	for _, item := range v.items {
		if !item.value.isObject {
			return false
		}
	}
	return true
}
