// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxMappingBytes bounds a mapping file; 200,000 rules take about a third.
const maxMappingBytes = 64 << 20

// ParseMapping reads a mapping file, JSON or YAML:
//
//	rules:
//	  - vault: kv/data/apps/billing/db
//	    scaivault: environments/production/billing/database
//	  - vault: kv/data/apps/**
//	    scaivault: environments/production/**
//
// A rule may also have cluster and proxied, as [Rule] has. A key that is none
// of these is an error, as it may be a misspelt one; so are a key that stands
// twice and anything behind the one document. The rules are checked as
// [NewMapping] does; the error matches [ErrInvalid], or is what r returned.
func ParseMapping(r io.Reader) (*Mapping, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxMappingBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	if len(text) > maxMappingBytes {
		return nil, &Error{
			Kind: ErrInvalid, Op: "read mapping",
			Reason: fmt.Sprintf("the file is larger than %d MiB; is it a mapping?", maxMappingBytes>>20),
		}
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF")) // a byte order mark, as some editors write
	decode := decodeYAMLMapping
	if bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) {
		decode = decodeJSONMapping
	}
	rules, err := decode(text)
	if err != nil {
		return nil, &Error{Kind: ErrInvalid, Op: "read mapping", Err: err}
	}
	if len(rules) == 0 {
		return nil, &Error{Kind: ErrInvalid, Op: "read mapping", Reason: `there are no rules; the file is an object with a list "rules" of {vault, scaivault}`}
	}
	return NewMapping(rules...)
}

// The keys of a mapping file. Nothing else of the file is quoted in an error:
// it may be the wrong file, and hold secrets.
const keyRules = "rules"

var ruleKeys = []string{"vault", "scaivault", "cluster", "proxied"}

// A ruleReader takes in one rule, key by key.
type ruleReader struct {
	rule Rule
	seen []string
}

// set takes the value of a key: a string, a bool, nil for null, or anything
// else for a value of another kind.
func (f *ruleReader) set(key string, value any) error {
	if !slices.Contains(ruleKeys, key) {
		return fmt.Errorf("unknown key %s; a rule has %s", quotedKey(key), strings.Join(ruleKeys, ", "))
	}
	if slices.Contains(f.seen, key) {
		return fmt.Errorf("%s stands twice; remove one", key)
	}
	f.seen = append(f.seen, key)
	if value == nil {
		return nil // as good as left out
	}
	if key == "proxied" {
		truth, ok := value.(bool)
		if !ok {
			return errors.New("proxied is not a boolean; write true or false")
		}
		f.rule.Proxied = truth
		return nil
	}
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("%s is not a string; write it in quotes", key)
	}
	switch key {
	case "vault":
		f.rule.Vault = text
	case "scaivault":
		f.rule.ScaiVault = text
	default:
		f.rule.Cluster = text
	}
	return nil
}

// checkFileKey refuses what is not the one key of the file.
func checkFileKey(key string, seen bool) error {
	switch {
	case key != keyRules:
		return fmt.Errorf("unknown key %s; the file is an object with a list %q", quotedKey(key), keyRules)
	case seen:
		return fmt.Errorf("%s stands twice; join the lists", keyRules)
	default:
		return nil
	}
}

// quotedKey shows a key that is not ours, on one line.
func quotedKey(key string) string { return fmt.Sprintf("%q", cut(key, 64)) }

// decodeJSONMapping reads token by token, as encoding/json itself takes the
// last of two keys without a word, and does not tell upper case from lower.
func decodeJSONMapping(text []byte) ([]Rule, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("the file is not UTF-8; save it as such")
	}
	d := jsonMapping{json.NewDecoder(bytes.NewReader(text))}
	rules, err := d.file()
	if err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("line %d: this is not JSON, though the file begins as if it were", lineAt(text, d.dec.InputOffset()))
		}
		return nil, fmt.Errorf("line %d: %w", lineAt(text, d.dec.InputOffset()), err)
	}
	return rules, nil
}

func lineAt(text []byte, offset int64) int {
	return bytes.Count(text[:min(int64(len(text)), offset)], []byte("\n")) + 1
}

type jsonMapping struct{ dec *json.Decoder }

func (d jsonMapping) file() (rules []Rule, err error) {
	seen := false
	err = d.object(func(key string) error {
		if err := checkFileKey(key, seen); err != nil {
			return err
		}
		seen = true
		rules, err = d.list()
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := d.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more behind the object; remove it")
	}
	return rules, nil
}

func (d jsonMapping) list() ([]Rule, error) {
	start, err := d.dec.Token()
	if err != nil || start == nil {
		return nil, err
	}
	if start != json.Delim('[') {
		return nil, fmt.Errorf("%s is not a list", keyRules)
	}
	var rules []Rule
	for d.dec.More() {
		rule, err := d.rule()
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", len(rules)+1, err)
		}
		rules = append(rules, rule)
	}
	_, err = d.dec.Token()
	return rules, err
}

func (d jsonMapping) rule() (Rule, error) {
	var f ruleReader
	err := d.object(func(key string) error {
		value, err := d.dec.Token()
		if err != nil {
			return err
		}
		return f.set(key, value)
	})
	return f.rule, err
}

// object calls each for every key; each reads the value.
func (d jsonMapping) object(each func(key string) error) error {
	start, err := d.dec.Token()
	if err != nil {
		return err
	}
	if start != json.Delim('{') {
		return errors.New("this is not an object with keys and values")
	}
	for d.dec.More() {
		key, err := d.dec.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string) // a key is nothing else
		if err := each(name); err != nil {
			return err
		}
	}
	_, err = d.dec.Token()
	return err
}
