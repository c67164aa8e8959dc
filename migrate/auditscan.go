// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

// maxReaders bounds how many pairs of a path and a reader are kept.
const maxReaders = 200_000

// maxFiltered is up to how many patterns a line is searched for them before it
// is parsed; beyond, parsing is as fast.
const maxFiltered = 16

// An auditScan is one FindReaders under way.
type auditScan struct {
	out       Readers
	patterns  *patterns // nil: all paths
	needles   [][]byte  // a line without any of them is about something else
	exclude   map[string]bool
	namespace string
	used      map[usage]*tally
	unread    []byte // the last line that was not parsed, for its time
}

// A usage is one reader of one path.
type usage struct{ path, name, role, entity string }

// A tally counts the lines of one usage. Of a request there are two, one for
// itself and one for its answer, so the larger number is that of the requests,
// even if some lines are missing at either end of the log.
type tally struct {
	requests, answers               map[string]int // by operation
	refusedRequests, refusedAnswers int
	first, last                     time.Time
}

// An auditEntry is the part of a line that counts.
type auditEntry struct {
	Time  time.Time `json:"time"`
	Type  string    `json:"type"`
	Error string    `json:"error"`
	Auth  struct {
		DisplayName string            `json:"display_name"`
		EntityID    string            `json:"entity_id"`
		Accessor    string            `json:"accessor"`
		Metadata    map[string]string `json:"metadata"`
	} `json:"auth"`
	Request struct {
		Operation string `json:"operation"`
		Path      string `json:"path"`
		Namespace struct {
			Path string `json:"path"`
		} `json:"namespace"`
	} `json:"request"`
}

func newAuditScan(opts *ReadersOptions) (*auditScan, error) {
	s := &auditScan{exclude: map[string]bool{}, used: map[usage]*tally{}, namespace: strings.Trim(opts.Namespace, "/")}
	paths := slices.Clone(opts.Paths)
	for i, p := range paths {
		if p == "" || strings.Contains(strings.TrimSuffix(p, "**"), "*") || strings.HasPrefix(p, "/") {
			return nil, invalid("find readers", "a path is exact or ends in /**, as in kv/data/apps/**; "+printable(p)+" is neither")
		}
		paths[i] = strings.TrimSuffix(p, "/")
	}
	if len(paths) > 0 {
		s.patterns = newPatterns(paths)
		s.needles = s.patterns.needles()
	}
	for _, name := range opts.Exclude {
		s.exclude[name] = true
	}
	if opts.Mapping != nil {
		var err error
		if s.out.route, err = newRoute("find readers", opts.Mapping, opts.Cluster, scaivault.SideVault); err != nil {
			return nil, err
		}
	}
	s.out.Paths, s.out.Since, s.out.Excluded = paths, opts.Since, slices.Sorted(slices.Values(opts.Exclude))
	return s, nil
}

// line takes in one line. One that is unfinished counts only if it can be read.
func (s *auditScan) line(line []byte, whole, unfinished bool) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 && whole || unfinished && !json.Valid(line) {
		return
	}
	s.out.Lines++
	if !whole || line[0] != '{' || line[len(line)-1] != '}' {
		s.out.Broken++
		return
	}
	if !s.out.LogStart.IsZero() && !s.promising(line) {
		s.unread = append(s.unread[:0], line...)
		return
	}
	var e auditEntry
	if json.Unmarshal(line, &e) != nil || e.Time.IsZero() {
		s.out.Broken++
		return
	}
	s.seen(e.Time)
	s.entry(&e)
}

// promising tells whether a line can be about one of the paths.
func (s *auditScan) promising(line []byte) bool {
	if len(s.needles) == 0 {
		return true
	}
	return slices.ContainsFunc(s.needles, func(n []byte) bool { return bytes.Contains(line, n) })
}

// seen widens the time that the log covers.
func (s *auditScan) seen(at time.Time) {
	if s.out.LogStart.IsZero() || at.Before(s.out.LogStart) {
		s.out.LogStart = at
	}
	if at.After(s.out.LogEnd) {
		s.out.LogEnd = at
	}
}

// entry counts one line that is about one of the paths.
func (s *auditScan) entry(e *auditEntry) {
	path := e.Request.Path
	if path == "" || e.Time.Before(s.out.Since) || s.patterns != nil && !s.patterns.match(path) {
		return
	}
	if s.namespace != "" && strings.Trim(e.Request.Namespace.Path, "/") != s.namespace {
		return
	}
	if s.out.route != nil {
		if _, ok := s.out.route.there(path); !ok {
			return
		}
	}
	role := cmp.Or(e.Auth.Metadata["role_name"], e.Auth.Metadata["role"])
	for _, id := range []string{e.Auth.DisplayName, role, e.Auth.EntityID, e.Auth.Accessor} {
		if id != "" && s.exclude[id] {
			return
		}
	}
	u := usage{
		path: path, role: role, entity: e.Auth.EntityID,
		name: cmp.Or(e.Auth.DisplayName, e.Auth.EntityID, role, e.Auth.Accessor, "unknown"),
	}
	t := s.used[u]
	if t == nil {
		if len(s.used) >= maxReaders {
			s.out.Omitted++
			return
		}
		t = &tally{requests: map[string]int{}, answers: map[string]int{}}
		s.used[u] = t
	}
	t.count(e)
}

func (t *tally) count(e *auditEntry) {
	operation := cmp.Or(e.Request.Operation, "unknown")
	refused := 0
	if e.Error != "" {
		refused = 1
	}
	if e.Type == "response" {
		t.answers[operation]++
		t.refusedAnswers += refused
	} else {
		t.requests[operation]++
		t.refusedRequests += refused
	}
	if t.first.IsZero() || e.Time.Before(t.first) {
		t.first = e.Time
	}
	if e.Time.After(t.last) {
		t.last = e.Time
	}
}

// reader is the tally as the result shows it.
func (t *tally) reader(u usage) Reader {
	r := Reader{
		Name: u.name, Role: u.role, Entity: u.entity, Operations: t.requests, First: t.first, Last: t.last,
		Refused: max(t.refusedRequests, t.refusedAnswers),
	}
	for operation, n := range t.answers {
		r.Operations[operation] = max(r.Operations[operation], n)
	}
	for _, n := range r.Operations {
		r.Count += n
	}
	return r
}

// result puts what was counted in order.
func (s *auditScan) result() *Readers {
	var last auditEntry
	if json.Unmarshal(s.unread, &last) == nil && !last.Time.IsZero() {
		s.seen(last.Time)
	}
	byPath := map[string][]Reader{}
	for u, t := range s.used {
		byPath[u.path] = append(byPath[u.path], t.reader(u))
	}
	s.out.Secrets = make([]PathReaders, 0, len(byPath))
	for path, readers := range byPath {
		slices.SortFunc(readers, func(a, b Reader) int {
			return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Role, b.Role), cmp.Compare(a.Entity, b.Entity))
		})
		p := PathReaders{Path: path, Readers: readers}
		if s.out.route != nil {
			p.ScaiVault, _ = s.out.route.there(path)
		}
		s.out.Secrets = append(s.out.Secrets, p)
	}
	slices.SortFunc(s.out.Secrets, func(a, b PathReaders) int { return cmp.Compare(a.Path, b.Path) })
	return &s.out
}
