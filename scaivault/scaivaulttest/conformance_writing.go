// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/scaivault"
)

func writingChecks() []sourceCheck {
	return []sourceCheck{
		{"a write is seen at once", checkSeenAtOnce},
		{"a write replaces the whole and appends a version", checkSecondPut},
		{"a write reaches no other path", checkNeighbours},
		{"Put neither keeps nor changes what it is given", checkPutKeepsInput},
		{"data that cannot be written is ErrInvalid before any I/O", checkInvalidData},
		{"options that cannot be are ErrInvalid before any I/O", checkInvalidOptions},
		{"metadata are held whole or refused", checkMetadata},
		{"a type is held or left out", checkType},
	}
}

func checkSeenAtOnce(s *subject) {
	path := s.path("a")
	for _, opts := range []*scaivault.PutOptions{nil, {}} {
		written := s.put(path, map[string]any{"k": "v", "opts": opts != nil}, opts)
		secret := s.get(path)
		if field, ok := secret.Field("k"); !ok || field != "v" {
			s.Fatalf("Get after Put: the field is not there")
		}
		if written.Version != 0 && written.Version != secret.Version() {
			s.Fatalf("Put wrote version %d, and Get read version %d", written.Version, secret.Version())
		}
	}
	s.mustHold(path, `{"k":"v","opts":true}`)
}

func checkSecondPut(s *subject) {
	path := s.path("a")
	s.put(path, map[string]any{"old": "1", "both": "1", "map": map[string]any{"x": "1", "y": "1"}}, nil)
	first := s.get(path)
	s.put(path, map[string]any{"new": "2", "both": "2", "map": map[string]any{"x": "2"}}, nil)
	second := s.mustHold(path, `{"new":"2","both":"2","map":{"x":"2"}}`)
	if first.Version() == 0 && second.Version() != 0 || first.Version() != 0 && second.Version() != first.Version()+1 {
		s.Fatalf("version %d, and after another write version %d", first.Version(), second.Version())
	}
}

func checkNeighbours(s *subject) {
	paths := []string{"a", "a/b", "a/b/c", "ab", "a-b", "a_b"}
	for _, path := range paths {
		s.put(s.path(path), map[string]any{"path": path}, nil)
	}
	for _, path := range paths {
		s.mustHold(s.path(path), `{"path":"`+path+`"}`)
	}
}

func checkPutKeepsInput(s *subject) {
	path := s.path("a")
	raw, list, inner := json.RawMessage(`"r"`), []any{"a"}, map[string]any{"x": "y"}
	data := map[string]any{"k": "v", "list": list, "map": inner, "raw": raw}
	opts := &scaivault.PutOptions{Type: scaivault.TypeKV, Metadata: scaivault.Metadata{Tags: []string{"t"}, Values: map[string]any{"x": "y"}}}
	before := fmt.Sprint(data, *opts)
	_, err := s.source.Put(s.ctx, path, data, opts)
	if errors.Is(err, scaivault.ErrInvalid) { // a service without metadata
		err = nil
		s.put(path, data, nil)
	}
	if err != nil {
		s.Fatalf("Put: %v", err)
	}
	if fmt.Sprint(data, *opts) != before {
		s.Fatalf("Put changed the data or the options that it was given")
	}
	copy(raw, `"9"`)
	list[0] = "changed"
	clear(inner)
	clear(data)
	s.mustHold(path, `{"k":"v","list":["a"],"map":{"x":"y"},"raw":"r"}`)
}

// checkInvalidData uses a context that has ended: with I/O the error would be another.
func checkInvalidData(s *subject) {
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	for what, data := range map[string]map[string]any{
		"no data":             nil,
		"a channel":           {"k": make(chan int)},
		"a func":              {"k": func() {}},
		"not a number":        {"k": math.NaN()},
		"an infinite number":  {"k": math.Inf(1)},
		"no JSON number":      {"k": json.Number("one")},
		"no JSON":             {"k": json.RawMessage(`{`)},
		"no UTF-8":            {"k": "a\xff"},
		"a key of no UTF-8":   {"a\xff": "v"},
		"no UTF-8 far inside": {"k": []any{map[string]any{"x": []any{"\xff"}}}},
	} {
		written, err := s.source.Put(ended, s.path("a"), data, nil)
		s.mustRefuse("Put of "+what, written != nil, err, scaivault.ErrInvalid)
	}
	s.mustBeAbsent(s.path("a"))
}

func checkInvalidOptions(s *subject) {
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	for what, opts := range map[string]*scaivault.PutOptions{
		"a negative MaxVersions":   {MaxVersions: -1},
		"a negative ExpiresIn":     {ExpiresIn: -time.Second},
		"an ExpiresIn too fine":    {ExpiresIn: time.Second + time.Nanosecond},
		"metadata that is no JSON": {Metadata: scaivault.Metadata{Values: map[string]any{"k": func() {}}}},
		"metadata set twice":       {Metadata: scaivault.Metadata{Owner: "a", Values: map[string]any{"owner": "b"}}},
	} {
		written, err := s.source.Put(ended, s.path("a"), map[string]any{"k": "v"}, opts)
		s.mustRefuse("Put with "+what, written != nil, err, scaivault.ErrInvalid)
	}
	s.mustBeAbsent(s.path("a"))
}

func checkMetadata(s *subject) {
	path := s.path("a")
	want := scaivault.Metadata{
		Description: "for the tests, with <marks> & ünicode", Tags: []string{"b", "a"}, Owner: "team:billing",
		Values: map[string]any{"key": "value", "other key": "007"},
	}
	written, err := s.source.Put(s.ctx, path, map[string]any{"k": "v"}, &scaivault.PutOptions{Metadata: want})
	if err != nil {
		s.mustRefuse("Put with metadata", written != nil, err, scaivault.ErrInvalid)
		s.mustBeAbsent(path)
		return
	}
	got := s.mustHold(path, `{"k":"v"}`).Info().Metadata
	if got.Description != want.Description || got.Owner != want.Owner || !slices.Equal(got.Tags, want.Tags) || !sameMeaning(got.Values, want.Values) {
		s.Fatalf("the metadata are %+v, and were written as %+v", got, want)
	}
}

func sameMeaning(a, b any) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && jsonvalue.Equal(x, y)
}

func checkType(s *subject) {
	path := s.path("a")
	s.put(path, map[string]any{"k": "v"}, &scaivault.PutOptions{Type: scaivault.TypeAPIKey})
	if got := s.mustHold(path, `{"k":"v"}`).Info().Type; got != "" && got != scaivault.TypeAPIKey {
		s.Fatalf("the type is %q, and was written as %q", got, scaivault.TypeAPIKey)
	}
}
