// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/scailabs/scaivault-go/internal/disksort"
	"github.com/scailabs/scaivault-go/scaivault"
)

// ProposalOptions are the optional parts of [ProposeMapping]. A nil pointer
// means the zero value.
type ProposalOptions struct {
	// Exact writes a rule for every secret and leaves out the wildcards of
	// the mapping, so that what comes into being later has no name. If false,
	// only secrets whose names are not allowed get a rule, and the rules of
	// the mapping follow.
	Exact bool
	// Exclude are patterns of names in Vault, as [CopyOptions] has them, of
	// secrets that are not to be moved: they get no rule, and collide with
	// nothing. Exclude them from the plan too. If nil, none.
	Exclude []string
	// Cluster is the cluster of this Vault in the mapping. May be empty.
	Cluster string
	// TempDir is where the names are sorted. If empty, the system's directory
	// for temporary files.
	TempDir string
}

// ProposeMapping lists all secrets of a Vault that m maps and proposes a name,
// by [Sanitize], for those whose names ScaiVault does not allow. Names that
// collide are found over the whole estate and never settled silently: see
// [Proposal.Err]. It lists and never reads a secret.
//
// What [Proposal.WriteTo] writes is a mapping file for services and for Copy
// alike, so that a service finds the secret by its new name at every stage.
//
// The error is not nil if the run could not start, if ctx ended or if there is
// no room on the disk.
func ProposeMapping(ctx context.Context, vault From, m *scaivault.Mapping, opts *ProposalOptions) (*Proposal, error) {
	const op = "propose mapping"
	if opts == nil {
		opts = &ProposalOptions{}
	}
	switch {
	case vault == nil:
		return nil, invalid(op, "a Vault is needed")
	case vault.Side() != scaivault.SideVault:
		return nil, invalid(op, fmt.Sprintf("%s is on the %s side of the mapping; names are proposed for those of Vault", vault.Name(), vault.Side()))
	case m == nil || len(m.Rules()) == 0:
		return nil, invalid(op, "a mapping with at least one rule is needed, as in kv/data/apps/** → environments/production/**")
	}
	r, err := newRoute(op, m, opts.Cluster, scaivault.SideVault)
	if err != nil {
		return nil, err
	}
	chosen, err := newSelection(op, nil, opts.Exclude, Shard{})
	if err != nil {
		return nil, err
	}
	p := &Proposal{
		Vault: vault.Name(), exact: opts.Exact, chosen: chosen, rules: m.Rules(), cluster: opts.Cluster,
		names: &disksort.Sorter{Dir: opts.TempDir},
	}
	err = p.list(ctx, vault, r)
	if err == nil {
		err = p.count()
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// list takes in all names, those that exact rules give first.
func (p *Proposal) list(ctx context.Context, vault From, r *route) error {
	for _, rule := range r.rules {
		if _, tail := splitPattern(rule.Vault); tail {
			continue
		}
		if err := p.claim(rule.ScaiVault, claim{Vault: rule.Vault, Ruled: true}); err != nil {
			return err
		}
	}
	pace := newPacer(0)
	for _, prefix := range r.nearTerritory(nil).sorted() {
		for entry, err := range pace.listing(ctx, vault, prefix) {
			if err != nil {
				p.fail(err)
				continue
			}
			if err := p.name(r, entry.Path); err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("propose mapping: cut short: %w", context.Cause(ctx))
	}
	return nil
}

func (p *Proposal) fail(err error) {
	if len(p.listing) < maxProblems {
		p.listing = append(p.listing, err)
	}
}

// name takes in one secret of the Vault.
func (p *Proposal) name(r *route, path string) error {
	p.Secrets++
	if _, ok := r.exact[path]; ok {
		return nil
	}
	if p.chosen.leftOut(path) != "" {
		p.LeftOut++
		return nil
	}
	to, ok := r.there(path)
	if !ok {
		p.unmapped(path)
		return nil
	}
	c := claim{Vault: path}
	if scaivault.ValidatePath(to) != nil {
		to, c.Renamed = Sanitize(to), true
		c.Held = r.isHeld(to)
	}
	if c.Renamed || p.exact {
		if _, err := scaivault.NewMapping(scaivault.Rule{Vault: path, ScaiVault: to}); err != nil {
			p.unmapped(path)
			return nil
		}
	}
	return p.claim(to, c)
}

func (p *Proposal) unmapped(path string) {
	p.Unmapped++
	if len(p.UnmappedNames) < maxProblems {
		p.UnmappedNames = append(p.UnmappedNames, path)
	}
}

func (p *Proposal) claim(path string, c claim) error {
	value, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return p.names.Add(disksort.Record{Key: []byte(path), Value: value})
}

// isHeld tells whether a ScaiVault path is federated, or belongs to a secret of
// another Vault.
func (r *route) isHeld(path string) bool {
	if _, ok := r.mapping.ToVault(path); !ok {
		return false
	}
	_, ours := r.toVault(path)
	return !ours
}

// count goes through all names once.
func (p *Proposal) count() error {
	for c, err := range p.groups() {
		switch {
		case err != nil:
			return err
		case c.collide():
			p.Collisions++
		case c.first.Renamed:
			p.Renamed++
		}
	}
	for rule, err := range p.Rules() {
		if err != nil {
			return err
		}
		line, err := json.Marshal(rule)
		if err != nil {
			return err
		}
		p.size += int64(len(line)) + 2
	}
	return nil
}

// maxMappingBytes is what scaivault.ParseMapping reads.
const maxMappingBytes = 64 << 20

// WriteTo writes the proposed mapping as JSON, as [scaivault.ParseMapping]
// reads it, one rule in a line. Where Err is not nil it writes nothing and
// returns that. Otherwise the error is w's, or that of the temporary file.
func (p *Proposal) WriteTo(w io.Writer) (int64, error) {
	if err := p.Err(); err != nil {
		return 0, err
	}
	if p.size > maxMappingBytes-100 {
		return 0, invalid("propose mapping", fmt.Sprintf("the mapping file would have %d MiB, and services read %d MiB; rename subtrees by wildcards first", p.size>>20, maxMappingBytes>>20))
	}
	out := &countingWriter{w: w}
	buffered := bufio.NewWriterSize(out, 64<<10)
	err := p.writeRules(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return out.n, fmt.Errorf("write mapping: %w", err)
	}
	return out.n, nil
}

func (p *Proposal) writeRules(w *bufio.Writer) error {
	separator := "{\"rules\":[\n"
	for rule, err := range p.Rules() {
		if err != nil {
			return err
		}
		line, err := json.Marshal(rule)
		if err != nil {
			return err
		}
		if _, err := w.WriteString(separator + string(line)); err != nil {
			return err
		}
		separator = ",\n"
	}
	_, err := w.WriteString("\n]}\n")
	return err
}
