// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// maxMappingBytes bounds a mapping file; 200,000 rules take about a tenth.
const maxMappingBytes = 256 << 20

// ParseMapping reads a mapping file, JSON or YAML:
//
//	rules:
//	  - vault: kv/data/apps/billing/db
//	    scaivault: environments/production/billing/database
//	  - vault: kv/data/apps/**
//	    scaivault: environments/production/**
//
// A rule may also have cluster and proxied, as [Rule] has. A key that is none
// of these is an error, as it may be a misspelt one. The rules are checked as
// [NewMapping] does; the error matches [ErrInvalid], or is what r returned.
func ParseMapping(r io.Reader) (*Mapping, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxMappingBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	if len(text) > maxMappingBytes {
		return nil, &Error{Kind: ErrInvalid, Op: "read mapping", Reason: fmt.Sprintf("the file is larger than %d MiB", maxMappingBytes>>20)}
	}
	var file struct {
		Rules []Rule `json:"rules" yaml:"rules"`
	}
	if err := decodeMapping(text, &file); err != nil {
		return nil, &Error{Kind: ErrInvalid, Op: "read mapping", Err: err}
	}
	if len(file.Rules) == 0 {
		return nil, &Error{Kind: ErrInvalid, Op: "read mapping", Reason: `there are no rules; the file is an object with a list "rules" of {vault, scaivault}`}
	}
	return NewMapping(file.Rules...)
}

func decodeMapping(text []byte, into any) error {
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	if !bytes.HasPrefix(trimmed, []byte("{")) {
		dec := yaml.NewDecoder(bytes.NewReader(text))
		dec.KnownFields(true)
		if err := dec.Decode(into); err != nil && !errors.Is(err, io.EOF) {
			return oneLine(err)
		}
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("near byte %d: %w", dec.InputOffset(), err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more behind the object")
	}
	return nil
}

// oneLine joins the lines of a YAML error.
func oneLine(err error) error {
	return errors.New(string(bytes.Join(bytes.Fields([]byte(err.Error())), []byte(" "))))
}
