// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

// ReadersOptions are the optional parts of [FindReaders]. A nil pointer means
// the zero value.
type ReadersOptions struct {
	// Paths are the Vault paths to look for, exact or with "/**" at the end.
	// If nil, those that the Mapping maps, or without one all paths.
	Paths []string
	// Mapping, if not nil, leaves out the paths that it does not map, and
	// tells the new name of the others.
	Mapping *scaivault.Mapping
	// Cluster is the cluster in Mapping of the Vault that wrote the log. May
	// be empty.
	Cluster string
	// Since leaves out what happened before. If zero, nothing.
	Since time.Time
	// Exclude are readers that don't count, by display name, role, entity id
	// or accessor: who migrates, and ScaiVault's federation.
	Exclude []string
	// Namespace leaves out the requests of all other Vault namespaces:
	// "acme/finance". If empty, all namespaces count.
	Namespace string
}

// Readers says who has used which secrets, by a Vault audit log.
type Readers struct {
	// Paths are the patterns that were looked for; empty if there were none.
	Paths []string `json:"paths,omitempty"`
	// Since is [ReadersOptions.Since].
	Since time.Time `json:"since,omitzero"`
	// Excluded are the readers that were left out.
	Excluded []string `json:"excluded,omitempty"`
	// LogStart and LogEnd are the times of the first and the last line of the
	// log, whatever they are about; zero for an empty log.
	LogStart time.Time `json:"log_start,omitzero"`
	LogEnd   time.Time `json:"log_end,omitzero"`
	// Lines is how many lines the log has, and Broken how many of them could
	// not be read: cut, too long, or no JSON. A last line without an end is
	// left out, as Vault may just be writing it.
	Lines  int `json:"lines"`
	Broken int `json:"broken"`
	// Secrets are the paths that were used, sorted.
	Secrets []PathReaders `json:"secrets"`
	// Omitted is how many further lines were about more readers than the
	// 200,000 that are kept. If it is not 0, look for fewer Paths at once.
	Omitted int `json:"omitted,omitempty"`

	route *route // nil without a mapping
}

// PathReaders are the readers of one secret.
type PathReaders struct {
	// Path is the Vault path, as it stands in the log.
	Path string `json:"path"`
	// ScaiVault is the new name, where a mapping was given.
	ScaiVault string `json:"scaivault,omitempty"`
	// Readers are sorted by their last use, the latest first.
	Readers []Reader `json:"readers"`
}

// A Reader is somebody who has used a secret. Who shares a display name, such
// as all users of AppRole, is told apart by role and entity.
type Reader struct {
	// Name is the display name of the token; where it has none the entity id,
	// the role or, in the end, the accessor as Vault hashes it; "unknown"
	// for requests with a token that Vault does not know.
	Name string `json:"name"`
	// Role is the role that the token was issued for. May be empty.
	Role string `json:"role,omitempty"`
	// Entity is the id of Vault's entity. May be empty.
	Entity string `json:"entity,omitempty"`
	// Operations counts the requests by operation: "read", "update".
	Operations map[string]int `json:"operations"`
	// Count is how many requests there were, each counted once.
	Count int `json:"count"`
	// Refused is how many of them Vault answered with an error.
	Refused int `json:"refused,omitempty"`
	// First and Last are the times of the first and the last request.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// FindReaders reads a Vault audit log, lines of JSON as the file device writes
// them, and says who has used which secrets. It streams; parts of the log that
// are compressed with gzip are recognised, so rotated files can be joined by
// io.MultiReader in any order. A line may have 16 MiB. Broken lines are counted
// and do not stop it.
//
// Vault writes a line for the request and one for the answer; a request is
// counted once, also when one of the two is missing.
//
// The error is what r returned, that of ctx, or [scaivault.ErrInvalid] for
// options that can't be; ctx is looked at between lines.
func FindReaders(ctx context.Context, r io.Reader, opts *ReadersOptions) (*Readers, error) {
	if opts == nil {
		opts = &ReadersOptions{}
	}
	if r == nil {
		return nil, invalid("find readers", "an audit log is needed")
	}
	s, err := newAuditScan(opts)
	if err != nil {
		return nil, err
	}
	lines := newAuditLines(r)
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("find readers: cut short: %w", context.Cause(ctx))
		}
		line, whole, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("find readers: read the audit log: %w", err)
		}
		s.line(line, whole, lines.unfinished)
	}
	return s.result(), nil
}

// Of returns the readers of one Vault path; nil if there are none.
func (r *Readers) Of(path string) []Reader {
	i, ok := slices.BinarySearchFunc(r.Secrets, path, func(p PathReaders, path string) int { return cmp.Compare(p.Path, path) })
	if !ok {
		return nil
	}
	return r.Secrets[i].Readers
}

// covers tells whether the log was searched for a path.
func (r *Readers) covers(path string) bool {
	if len(r.Paths) > 0 && !newPatterns(r.Paths).match(path) {
		return false
	}
	if r.route == nil {
		return true
	}
	_, ok := r.route.there(path)
	return ok
}

// usedSince returns the reader that used a path last, if that was after since.
func (r *Readers) usedSince(path string, since time.Time) (Reader, bool) {
	readers := r.Of(path)
	if len(readers) == 0 || readers[0].Last.Before(since) {
		return Reader{}, false
	}
	return readers[0], true
}

// who is the reader's name for people.
func (r Reader) who() string {
	if r.Role != "" && r.Role != r.Name {
		return printable(r.Name) + " (" + printable(r.Role) + ")"
	}
	return printable(r.Name)
}

// String is a table for people.
func (r *Readers) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d secrets used, by an audit log of %d lines", len(r.Secrets), r.Lines)
	if !r.LogStart.IsZero() {
		fmt.Fprintf(&b, " from %s to %s", r.LogStart.Format(time.RFC3339), r.LogEnd.Format(time.RFC3339))
	}
	b.WriteByte('\n')
	if r.Broken > 0 {
		fmt.Fprintf(&b, "%d lines could not be read\n", r.Broken)
	}
	if r.Omitted > 0 {
		fmt.Fprintf(&b, "%d lines are about more readers than are kept; look for fewer paths at once\n", r.Omitted)
	}
	if len(r.Secrets) == 0 {
		return b.String()
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	// A strings.Builder takes every write.
	_, _ = fmt.Fprintln(w, "PATH\tREADER\tREQUESTS\tREFUSED\tOPERATIONS\tLAST")
	for _, s := range r.Secrets {
		for _, reader := range s.Readers {
			ops := strings.Join(slices.Sorted(maps.Keys(reader.Operations)), " ")
			_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\n", printable(s.Path), reader.who(), reader.Count, reader.Refused, ops, reader.Last.Format(time.RFC3339))
		}
	}
	_ = w.Flush()
	return b.String()
}
