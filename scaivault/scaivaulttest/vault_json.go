// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Vault's limits on request bodies. A body that breaks one is answered 500, not 400.
const (
	maxVaultBody    = 32 << 20
	maxJSONDepth    = 300
	maxJSONString   = 1 << 20
	maxJSONMembers  = 10_000
	maxJSONElements = 10_000
	maxJSONTokens   = 500_000
)

// decodeVaultBody reads an object and keeps its numbers as they were written. An empty body gives a nil map. A form is taken for what does not begin like JSON.
func decodeVaultBody(body []byte, contentType string) (map[string]any, error) {
	start := bytes.TrimLeft(body, " \t\r\n")
	if strings.HasPrefix(contentType, "application/x-www-form-urlencoded") && len(start) > 0 && start[0] != '{' && start[0] != '[' {
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, errors.New("error parsing form data")
		}
		data := make(map[string]any, len(values))
		for name, given := range values {
			data[name] = strings.Join(given, ",")
		}
		return data, nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var data map[string]any
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	if err := dec.Decode(&data); err != nil {
		return nil, fmt.Errorf("error parsing JSON: failed to parse JSON input: %w", err)
	}
	return data, nil
}

// checkJSON looks at a body before it is decoded, as Vault does: it finds what the decoder would let pass (a key that stands twice, numbers that no
// float64 holds, halves of surrogate pairs, too much of anything). What is neither an object nor an array is left to the decoder.
func checkJSON(body []byte) error {
	c := jsonChecker{rest: bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))}
	c.skipSpace()
	if len(c.rest) == 0 || (c.rest[0] != '{' && c.rest[0] != '[') {
		return nil
	}
	for len(c.rest) > 0 {
		if c.begun && len(c.open) == 0 {
			return fmt.Errorf("invalid character '%c' after top-level value", c.rest[0])
		}
		if c.tokens++; c.tokens > maxJSONTokens {
			return errors.New("JSON payload exceeds allowed token count")
		}
		if err := c.token(); err != nil {
			return err
		}
		c.skipSpace()
	}
	if len(c.open) > 0 {
		return errors.New("malformed JSON, unclosed containers")
	}
	return nil
}

type jsonChecker struct {
	rest   []byte
	open   []jsonContainer
	tokens int
	begun  bool
	comma  bool // the last token was a comma
}

type jsonContainer struct {
	object bool
	value  bool // in an object: a value comes next
	count  int
	keys   map[string]struct{}
}

func (c *jsonChecker) skipSpace() {
	c.rest = bytes.TrimLeft(c.rest, " \t\r\n\x1f")
}

func (c *jsonChecker) token() error {
	first := c.rest[0]
	afterComma := c.comma
	c.comma = first == ','
	switch first {
	case '{', '[':
		return c.enter(first == '{')
	case '}', ']':
		return c.leave(first, afterComma)
	case '"':
		text, err := c.text()
		if err != nil {
			return err
		}
		return c.place(&text)
	case 't', 'f', 'n':
		c.cut(bytes.IndexAny(c.rest, " \t\r\n\x1f,}]"))
		return c.place(nil)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return c.number()
	case ',', ':':
		c.rest = c.rest[1:]
		if top := c.top(); top != nil && first == ',' {
			top.value = false
		}
		return nil
	}
	return fmt.Errorf("invalid character '%c' looking for beginning of value", first)
}

func (c *jsonChecker) top() *jsonContainer {
	if len(c.open) == 0 {
		return nil
	}
	return &c.open[len(c.open)-1]
}

// cut drops the first n bytes, or all of them when n is negative.
func (c *jsonChecker) cut(n int) []byte {
	if n < 0 {
		n = len(c.rest)
	}
	taken := c.rest[:n]
	c.rest = c.rest[n:]
	return taken
}

func (c *jsonChecker) enter(object bool) error {
	c.rest = c.rest[1:]
	if err := c.place(nil); err != nil {
		return err
	}
	if len(c.open) == maxJSONDepth {
		return errors.New("JSON input exceeds allowed nesting depth")
	}
	c.begun = true
	next := jsonContainer{object: object}
	if object {
		next.keys = map[string]struct{}{}
	}
	c.open = append(c.open, next)
	return nil
}

func (c *jsonChecker) leave(closing byte, afterComma bool) error {
	top := c.top()
	switch {
	case afterComma && closing == '}':
		return errors.New("invalid character '}' after object key-value pair")
	case afterComma:
		return errors.New("invalid character ']' after array element")
	case top.object && top.value:
		return errors.New("invalid character '}' after object key")
	case top.object != (closing == '}'):
		return fmt.Errorf("malformed JSON: mismatched closing delimiter '%c'", closing)
	}
	c.rest = c.rest[1:]
	c.open = c.open[:len(c.open)-1]
	return nil
}

// place counts one value, or one key when text is given where a key belongs.
func (c *jsonChecker) place(text *string) error {
	top := c.top()
	switch {
	case top == nil:
		return nil
	case !top.object:
		if top.count++; top.count > maxJSONElements {
			return errors.New("JSON array exceeds allowed element count")
		}
	case top.value || text == nil:
		top.value = false
	default:
		if _, ok := top.keys[*text]; ok {
			return fmt.Errorf("duplicate key '%s' in object", *text)
		}
		top.keys[*text] = struct{}{}
		if top.count++; top.count > maxJSONMembers {
			return errors.New("JSON object exceeds allowed entry count")
		}
		top.value = true
	}
	return nil
}

func (c *jsonChecker) number() error {
	n := 0
	for n < len(c.rest) && strings.IndexByte("0123456789.eE+-", c.rest[n]) >= 0 {
		n++
	}
	if n > 1 && c.rest[0] == '0' && c.rest[1] >= '0' && c.rest[1] <= '9' {
		return fmt.Errorf("invalid character '%c' after top-level value", c.rest[1])
	}
	if n > maxJSONString {
		return errors.New("JSON number value exceeds allowed length")
	}
	digits := string(c.cut(n))
	if _, err := strconv.ParseFloat(digits, 64); err != nil {
		return fmt.Errorf("malformed JSON, invalid number syntax for '%s'", digits)
	}
	return c.place(nil)
}

// text takes a string and gives its meaning.
func (c *jsonChecker) text() (string, error) {
	end := 1
	for end < len(c.rest) && c.rest[end] != '"' {
		if c.rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(c.rest) {
		return "", errors.New("malformed JSON, unclosed string")
	}
	raw := c.cut(end + 1)
	if len(raw)-2 > maxJSONString {
		return "", errors.New("JSON string value exceeds allowed length")
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), nil
	}
	if endsInHighSurrogate(inner) {
		return "", errors.New("malformed JSON, unterminated surrogate pair in string")
	}
	var text string
	if err := json.Unmarshal(raw, &text); err == nil {
		return text, nil
	} else if strings.Contains(err.Error(), "escape") {
		return "", errors.New(strings.Replace(err.Error(), `in \u hexadecimal character escape`, "in string escape code", 1))
	}
	return string(inner), nil // a control character: the decoder says so, with another status
}

// endsInHighSurrogate tells whether a string's last escape is the first half of a surrogate pair.
func endsInHighSurrogate(inner []byte) bool {
	at := len(inner) - 6
	if at < 0 || inner[at] != '\\' || inner[at+1] != 'u' {
		return false
	}
	slashes := len(inner[:at+1]) - len(bytes.TrimRight(inner[:at+1], `\`))
	if slashes%2 == 0 {
		return false // the backslash is itself escaped
	}
	code, err := strconv.ParseUint(string(inner[at+2:]), 16, 32)
	return err == nil && code >= 0xD800 && code <= 0xDBFF
}
