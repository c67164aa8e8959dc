// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"errors"

	"github.com/scailabs/scaivault-go/scaivault"
)

func conditionChecks() []sourceCheck {
	return []sourceCheck{
		{"IfAbsent writes only where nothing is", checkIfAbsent},
		{"IfVersion writes only on that version", checkIfVersion},
		{"IfUnchanged writes only on the same data", checkIfUnchanged},
	}
}

// mustConflict writes what a condition forbids, and looks that nothing was written.
func (s *subject) mustConflict(what, path string, opts *scaivault.PutOptions, stays string) {
	s.Helper()
	written, err := s.source.Put(s.ctx, path, map[string]any{"k": "forbidden"}, opts)
	s.mustRefuse(what, written != nil, err, scaivault.ErrConflict)
	if stays == "" {
		s.mustBeAbsent(path)
		return
	}
	s.mustHold(path, stays)
}

func checkIfAbsent(s *subject) {
	path := s.path("a")
	s.put(path, map[string]any{"k": "1"}, &scaivault.PutOptions{IfAbsent: true})
	s.mustHold(path, `{"k":"1"}`)
	s.mustConflict("IfAbsent over a secret", path, &scaivault.PutOptions{IfAbsent: true}, `{"k":"1"}`)
}

func checkIfVersion(s *subject) {
	path := s.path("a")
	is := func(version int) *scaivault.PutOptions { return &scaivault.PutOptions{IfVersion: &version} }
	s.put(path, map[string]any{"k": "1"}, is(0))
	s.mustConflict("IfVersion 0 over a secret", path, is(0), `{"k":"1"}`)
	version := s.get(path).Version()
	if version == 0 {
		written, err := s.source.Put(s.ctx, path, map[string]any{"k": "forbidden"}, is(1))
		if !errors.Is(err, scaivault.ErrConflict) {
			s.mustRefuse("IfVersion 1 where there are no versions", written != nil, err, scaivault.ErrInvalid)
		}
		s.mustHold(path, `{"k":"1"}`)
		return
	}
	s.mustConflict("IfVersion of a version to come", path, is(version+1), `{"k":"1"}`)
	s.mustConflict("IfVersion 1 where nothing is", s.path("other"), is(1), "")
	s.put(path, map[string]any{"k": "2"}, is(version))
	s.mustHold(path, `{"k":"2"}`)
	s.mustConflict("IfVersion of a version that passed", path, is(version), `{"k":"2"}`)
}

func checkIfUnchanged(s *subject) {
	path := s.path("a")
	s.put(path, map[string]any{"k": "1", "n": 10}, nil)
	first := s.get(path)
	s.mustConflict("IfUnchanged where nothing is", s.path("other"), &scaivault.PutOptions{IfUnchanged: first}, "")
	s.put(path, map[string]any{"k": "2"}, &scaivault.PutOptions{IfUnchanged: first})
	s.mustHold(path, `{"k":"2"}`)
	s.mustConflict("IfUnchanged over other data", path, &scaivault.PutOptions{IfUnchanged: first}, `{"k":"2"}`)
	same, err := scaivault.NewSecret(scaivault.SecretInfo{}, []byte(`{ "k" : "2" }`))
	if err != nil {
		s.Fatalf("NewSecret: %v", err)
	}
	s.put(path, map[string]any{"k": "3"}, &scaivault.PutOptions{IfUnchanged: same})
	s.mustHold(path, `{"k":"3"}`)
}
