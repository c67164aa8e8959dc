// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"github.com/scailabs/scaivault-go/internal/disksort"
	"github.com/scailabs/scaivault-go/scaivault"
)

// A Proposal is a mapping in the making: new names for the secrets whose names
// ScaiVault does not allow. It is made by [ProposeMapping]. It holds names
// alone, in a temporary file of mode 0600; Close it in the end. Methods must
// not be called concurrently.
type Proposal struct {
	// Vault is the name of the Vault.
	Vault string
	// Secrets is how many secrets there are.
	Secrets int
	// Renamed is how many of them get a rule of their own, as their names are
	// not allowed.
	Renamed int
	// Collisions is how many ScaiVault paths more than one secret would have.
	// As long as there are any, nothing is settled and WriteTo refuses.
	Collisions int
	// LeftOut is how many secrets are left out by [ProposalOptions.Exclude].
	LeftOut int
	// Unmapped is how many secrets have no name: an earlier rule gave it to
	// another secret, or no rule can name them, as their own name holds "*", a
	// level "." or a control character. UnmappedNames are the first 1,000.
	Unmapped      int
	UnmappedNames []string

	exact   bool
	chosen  *selection
	rules   []scaivault.Rule // of the mapping, which follow
	cluster string
	size    int64            // of the file in bytes
	names   *disksort.Sorter // by ScaiVault path; the value is a claim
	listing []error          // what could not be listed
}

// A Collision is one ScaiVault path for several secrets.
type Collision struct {
	// ScaiVault is the path that all of them would have.
	ScaiVault string `json:"scaivault"`
	// Vault are the Vault paths of the secrets, sorted; the first 100 of them.
	// One alone collides with a rule of the mapping.
	Vault []string `json:"vault"`
	// Count is how many there are.
	Count int `json:"count"`
}

// String is one line.
func (c Collision) String() string {
	names := make([]string, len(c.Vault))
	for i, name := range c.Vault {
		names[i] = printable(name)
	}
	text := strings.Join(names, ", ")
	if more := c.Count - len(c.Vault); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if c.Count == 1 {
		return fmt.Sprintf("%s would be called %s, which a rule of the mapping holds already", text, c.ScaiVault)
	}
	return fmt.Sprintf("%s would all be called %s", text, c.ScaiVault)
}

// maxColliding is how many names of one collision are kept.
const maxColliding = 100

// A claim is one secret's wish for a ScaiVault path.
type claim struct {
	// Vault is its Vault path.
	Vault string `json:"v"`
	// Renamed says that the mapping itself gives another name.
	Renamed bool `json:"r,omitempty"`
	// Held says that a rule gives the path to another secret.
	Held bool `json:"h,omitempty"`
	// Ruled says that an exact rule of the mapping gives the path.
	Ruled bool `json:"e,omitempty"`
}

// A claims is a path with everybody who wishes for it.
type claims struct {
	path  string
	first claim
	all   Collision
}

func (c *claims) collide() bool { return c.all.Count > 1 || c.first.Held }

// groups yields the paths, sorted, each once.
func (p *Proposal) groups() iter.Seq2[*claims, error] {
	return func(yield func(*claims, error) bool) {
		if p.names == nil {
			yield(nil, invalid("propose mapping", "the proposal is closed"))
			return
		}
		var now *claims
		for record, err := range p.names.All() {
			var c claim
			if err == nil {
				err = json.Unmarshal(record.Value, &c)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			path := string(record.Key)
			if now != nil && now.path != path {
				if !yield(now, nil) {
					return
				}
				now = nil
			}
			if now == nil {
				now = &claims{path: path, first: c, all: Collision{ScaiVault: path}}
			}
			now.take(c)
		}
		if now != nil {
			yield(now, nil)
		}
	}
}

// take counts one claim. A secret that is named by a rule and listed, too,
// claims its path twice.
func (c *claims) take(next claim) {
	if n := len(c.all.Vault); n > 0 && c.all.Vault[n-1] == next.Vault {
		c.first.Ruled = c.first.Ruled || next.Ruled
		return
	}
	c.all.Count++
	if len(c.all.Vault) < maxColliding {
		c.all.Vault = append(c.all.Vault, next.Vault)
	}
}

// Colliding yields the collisions, sorted by ScaiVault path. A pair with an
// error is the last one.
func (p *Proposal) Colliding() iter.Seq2[Collision, error] {
	return func(yield func(Collision, error) bool) {
		for c, err := range p.groups() {
			if err != nil {
				yield(Collision{}, err)
				return
			}
			if c.collide() && !yield(c.all, nil) {
				return
			}
		}
	}
}

// Rules yields the rules of the proposed mapping in their order: an exact one
// for each secret that needs it, then those of the mapping that was given. A
// pair with an error is the last one.
func (p *Proposal) Rules() iter.Seq2[scaivault.Rule, error] {
	return func(yield func(scaivault.Rule, error) bool) {
		for c, err := range p.groups() {
			if err != nil {
				yield(scaivault.Rule{}, err)
				return
			}
			if !p.needsRule(c) {
				continue
			}
			if !yield(scaivault.Rule{Vault: c.first.Vault, ScaiVault: c.path, Cluster: p.cluster}, nil) {
				return
			}
		}
		for _, rule := range p.rules {
			if _, tail := splitPattern(rule.Vault); p.exact && tail && !rule.Proxied && rule.Cluster == p.cluster {
				continue
			}
			if !yield(rule, nil) {
				return
			}
		}
	}
}

func (p *Proposal) needsRule(c *claims) bool {
	return !c.collide() && !c.first.Ruled && (c.first.Renamed || p.exact)
}

// Err returns nil if every secret has a name of its own. Otherwise it names
// the first that has none, and says what to do.
func (p *Proposal) Err() error {
	switch {
	case len(p.listing) > 0:
		return fmt.Errorf("propose mapping: not all secrets could be listed: %w", p.listing[0])
	case p.Collisions > 0:
		reason := fmt.Sprintf("%d ScaiVault paths would belong to several secrets", p.Collisions)
		for c, err := range p.Colliding() {
			if err == nil {
				reason += "; first: " + c.String()
			}
			break
		}
		reason += "; put an exact rule for all but one of them into the mapping, and propose again"
		if p.Unmapped > 0 {
			reason += "; also, " + p.unmappedReason()
		}
		return &scaivault.Error{Kind: scaivault.ErrConflict, Op: "propose mapping", Reason: reason}
	case p.Unmapped > 0:
		return invalid("propose mapping", p.unmappedReason())
	case p.Secrets == 0:
		return &scaivault.Error{Kind: scaivault.ErrNotFound, Op: "propose mapping", Reason: "no secret was found; check the mapping, the prefixes, and what the token may list"}
	}
	return nil
}

func (p *Proposal) unmappedReason() string {
	return fmt.Sprintf("%d secrets have no name; first: %s; give each one by an exact rule, or, where its name holds what no rule can name, rename it in Vault or leave it out by Exclude",
		p.Unmapped, printable(p.UnmappedNames[0]))
}

// String is a summary for people, with the first collisions.
func (p *Proposal) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d secrets, renamed: %d, collisions: %d, without a name: %d, left out: %d\n", p.Vault, p.Secrets, p.Renamed, p.Collisions, p.Unmapped, p.LeftOut)
	shown := 0
	for c, err := range p.Colliding() {
		if err != nil || shown == maxProblems {
			break
		}
		b.WriteString("collision: " + c.String() + "\n")
		shown++
	}
	for _, name := range p.UnmappedNames {
		b.WriteString("without a name: " + printable(name) + "\n")
	}
	for _, err := range p.listing {
		b.WriteString("not listed: " + oneLine(err.Error()) + "\n")
	}
	return b.String()
}

// Close removes the temporary file. What was written by WriteTo stays.
func (p *Proposal) Close() error {
	if p.names == nil {
		return nil
	}
	err := p.names.Close()
	p.names = nil
	return err
}
