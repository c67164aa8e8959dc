// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// vaultFields reads a request's fields as weakly as Vault does: numbers may be strings, lists may be comma-separated. The first field that cannot be
// read is kept as the refusal, so that a handler reads all its fields and looks once.
type vaultFields struct {
	data    map[string]any
	prefix  string // Vault names the step that failed on paths without an existence check
	refusal *vaultRefusal
}

// fields reads the call's data; strictly adds the prefix that most paths have.
func (c *vaultCall) fields() *vaultFields { return &vaultFields{data: c.data} }

func (c *vaultCall) validatedFields() *vaultFields {
	return &vaultFields{data: c.data, prefix: "Field validation failed: "}
}

func (f *vaultFields) fail(name string, err error) {
	if f.refusal == nil {
		f.refusal = invalid("%serror converting input for field %q: %s", f.prefix, name, err)
		if f.prefix == "" {
			f.refusal.cause = "invalid request"
		}
	}
}

func (f *vaultFields) integer(name string) (n int, ok bool) {
	raw, ok := f.data[name]
	if !ok {
		return 0, false
	}
	n, err := weakInt(raw, "")
	if err != nil {
		f.fail(name, err)
	}
	return n, true
}

func (f *vaultFields) boolean(name string) (b, ok bool) {
	raw, ok := f.data[name]
	if !ok {
		return false, false
	}
	b, err := weakBool(raw)
	if err != nil {
		f.fail(name, err)
	}
	return b, true
}

func (f *vaultFields) text(name string) string {
	raw, ok := f.data[name]
	if !ok {
		return ""
	}
	s, err := weakString(raw, "")
	if err != nil {
		f.fail(name, err)
	}
	return s
}

// duration reads seconds. With signed, it may be negative.
func (f *vaultFields) duration(name string, signed bool) (d time.Duration, ok bool) {
	raw, ok := f.data[name]
	if !ok || raw == nil {
		return 0, false
	}
	d, err := weakDuration(raw)
	if d = d.Truncate(time.Second); err == nil && d < 0 && !signed {
		err = fmt.Errorf("cannot provide negative value '%d'", int64(d.Seconds()))
	}
	if err != nil {
		f.fail(name, err)
	}
	return d, true
}

func (f *vaultFields) object(name string) (m map[string]any, ok bool) {
	raw, ok := f.data[name]
	if !ok {
		return nil, false
	}
	m, err := weakMap(raw, "")
	if err != nil {
		f.fail(name, err)
	}
	return m, true
}

// list reads strings; commas tells whether one string is split at its commas.
func (f *vaultFields) list(name string, commas bool) (items []string, ok bool) {
	raw, ok := f.data[name]
	if !ok || raw == nil {
		return nil, ok
	}
	if n, isNumber := raw.(json.Number); isNumber {
		raw = n.String()
	}
	if s, isString := raw.(string); isString {
		switch {
		case s == "":
			return []string{}, true
		case commas:
			return trimmed(strings.Split(s, ",")), true
		}
		return trimmed([]string{s}), true
	}
	elements, isList := raw.([]any)
	if !isList {
		elements = []any{raw}
	}
	items = make([]string, 0, len(elements))
	for i, element := range elements {
		s, err := weakString(element, fmt.Sprintf("[%d]", i))
		if err != nil {
			f.fail(name, fmt.Errorf("1 error(s) decoding:\n\n* %w", err))
		}
		items = append(items, s)
	}
	return trimmed(items), true
}

// integers reads version numbers.
func (f *vaultFields) integers(name string) []int {
	raw := f.data[name]
	if n, ok := raw.(json.Number); ok {
		raw = n.String()
	}
	var elements []any
	switch v := raw.(type) {
	case nil:
		return nil
	case string:
		if v == "" {
			return nil
		}
		for _, part := range strings.Split(v, ",") {
			elements = append(elements, part)
		}
	case []any:
		elements = v
	case map[string]any:
		if len(v) == 0 {
			return nil
		}
		elements = []any{v}
	default:
		elements = []any{v}
	}
	numbers := make([]int, 0, len(elements))
	for i, element := range elements {
		n, err := weakInt(element, fmt.Sprintf("[%d]", i))
		if err != nil {
			f.fail(name, fmt.Errorf("1 error(s) decoding:\n\n* %w", err))
			return nil
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// pairs reads an object of strings, or a list of key=value.
func (f *vaultFields) pairs(name string) map[string]string {
	raw, ok := f.data[name]
	if !ok || raw == nil {
		return nil
	}
	pairs := map[string]string{}
	if m, err := weakMap(raw, ""); err == nil {
		for k, v := range m {
			s, err := weakString(v, "")
			if err != nil {
				f.fail(name, err)
			}
			pairs[k] = s
		}
		return pairs
	}
	items, _ := f.list(name, false)
	for _, item := range items {
		k, v, ok := strings.Cut(item, "=")
		if !ok || k == "" {
			f.fail(name, fmt.Errorf("invalid key pair %q", item))
			return nil
		}
		pairs[k] = v
	}
	return pairs
}

func trimmed(items []string) []string {
	for i, item := range items {
		items[i] = strings.TrimSpace(item)
	}
	return items
}

func unconvertible(at, want string, raw any) error {
	return fmt.Errorf("'%s' expected type '%s', got unconvertible type '%T', value: '%v'", at, want, raw, raw)
}

func weakInt(raw any, at string) (int, error) {
	switch v := raw.(type) {
	case nil:
		return 0, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case json.Number:
		return parseWeakInt(v.String(), at)
	case string:
		return parseWeakInt(v, at)
	}
	return 0, unconvertible(at, "int", raw)
}

func parseWeakInt(s, at string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 0, strconv.IntSize)
	if err != nil {
		return 0, fmt.Errorf("cannot parse '%s' as int: %w", at, err)
	}
	return int(n), nil
}

func weakBool(raw any) (bool, error) {
	switch v := raw.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case json.Number:
		return parseWeakBool(v.String())
	case string:
		return parseWeakBool(v)
	}
	return false, unconvertible("", "bool", raw)
}

func parseWeakBool(s string) (bool, error) {
	if s == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("cannot parse '' as bool: %w", err)
	}
	return b, nil
}

func weakString(raw any, at string) (string, error) {
	switch v := raw.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		if v {
			return "1", nil
		}
		return "0", nil
	}
	return "", unconvertible(at, "string", raw)
}

func weakMap(raw any, at string) (map[string]any, error) {
	switch v := raw.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	case []any: // a list of objects is merged
		merged := map[string]any{}
		for i, element := range v {
			m, err := weakMap(element, fmt.Sprintf("[%d]", i))
			if err != nil {
				return nil, err
			}
			for k, value := range m {
				merged[k] = value
			}
		}
		return merged, nil
	case json.Number:
		return nil, fmt.Errorf("'%s' expected a map, got 'string'", at)
	}
	return nil, fmt.Errorf("'%s' expected a map, got '%T'", at, raw)
}

func weakDuration(raw any) (time.Duration, error) {
	if n, ok := raw.(json.Number); ok {
		raw = n.String()
	}
	s, ok := raw.(string)
	if !ok {
		return 0, errors.New("could not parse duration from input")
	}
	if s == "" {
		return 0, nil
	}
	unit := time.Second
	digits := s
	if rest, ok := strings.CutSuffix(s, "d"); ok {
		unit, digits = 24*time.Hour, rest
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err == nil && (n > math.MaxInt64/int64(unit) || n < math.MinInt64/int64(unit)):
		return 0, errors.New("duration overflow")
	case err == nil:
		return time.Duration(n) * unit, nil
	case unit != time.Second:
		return 0, err
	}
	return time.ParseDuration(s)
}
