// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/disksort"
	"github.com/scailabs/scaivault-go/scaivault"
)

// A Plan says for every secret what [Copy] would do, and what it saw. It is
// made by [NewPlan] or [ReadPlan], written by [Plan.WriteTo] and carried out by
// [CopyPlan]. It holds names and versions, never a value, and no hash of one but
// under a key that stays with the operator: see [PlanOptions.FingerprintKey].
//
// Its items are kept sorted in a temporary file of mode 0600, so memory does
// not grow with them. Close it in the end. Methods must not be called
// concurrently.
type Plan struct {
	// Header is the first line of the plan's file.
	Header PlanHeader

	items   *disksort.Sorter // by name; the value is the line
	mapping *scaivault.Mapping
	prints  *fingerprinter // nil: the plan has no fingerprints, or its key is not known
	cause   error          // the categories of what went wrong, where they are known
}

// planFormat and planVersion tell a plan from other files and other plans.
const (
	planFormat  = "scaivault-migration-plan"
	planVersion = 1
)

// A PlanHeader says what a plan is about.
type PlanHeader struct {
	// Format is "scaivault-migration-plan", and FormatVersion the version of
	// the format: 1.
	Format        string `json:"format"`
	FormatVersion int    `json:"format_version"`
	// Made is when the plan was made.
	Made time.Time `json:"made"`
	// From and To are the two services, by their names and sides.
	From PlanSide `json:"from"`
	To   PlanSide `json:"to"`
	// Cluster is the cluster of the mapping's rules. May be empty.
	Cluster string `json:"cluster,omitempty"`
	// Prefixes are the subtrees that were looked at; empty for all.
	Prefixes []string `json:"prefixes,omitempty"`
	// Overwrite says that the plan also writes over other people's work. The
	// reason of each such item says so.
	Overwrite bool `json:"overwrite,omitempty"`
	// FingerprintKeyID tells the key of the items' fingerprints from other
	// keys; it does not tell the key. Empty if there was none.
	FingerprintKeyID string `json:"fingerprint_key_id,omitempty"`
	// Mapping is the digest of the mapping's rules.
	Mapping string `json:"mapping"`
	// Counts has the number of items by action; actions that did not occur
	// are not in it.
	Counts map[Action]int `json:"counts"`
	// Sums say how long the plan takes, and what reading will cost.
	Sums PlanSums `json:"sums"`
	// Digest is the digest of everything else: of this header and all further
	// lines.
	Digest string `json:"digest"`
}

// A PlanSide is one of the two services of a plan.
type PlanSide struct {
	// Name is what the service calls itself.
	Name string `json:"name"`
	// Side is "vault" or "scaivault".
	Side string `json:"side"`
}

func planSide(e endpoint) PlanSide { return PlanSide{Name: e.Name(), Side: e.Side().String()} }

// A PlanItem is what a plan says of one secret.
type PlanItem struct {
	// Action says what is to be done.
	Action Action `json:"action"`
	// From is the secret's name where it is read. For a listing that failed
	// it is the prefix that was listed.
	From string `json:"from"`
	// To is its name in the destination; empty where the mapping has none.
	To string `json:"to,omitempty"`
	// FromVersion and ToVersion are the versions that the plan saw; 0 where
	// there is none, or the service has no versions.
	FromVersion int `json:"from_version,omitempty"`
	ToVersion   int `json:"to_version,omitempty"`
	// FromTime is when that version was written in Vault, and ToWriteID the id
	// of the write of ours that made ToVersion, for an item that is to be
	// written: so a secret that was removed and made anew since is told from
	// what the plan saw. Zero where it is not known.
	FromTime  time.Time `json:"from_time,omitzero"`
	ToWriteID string    `json:"to_write_id,omitempty"`
	// FromFingerprint stands for the data of a secret without versions that is
	// to be written: its HMAC under [PlanOptions.FingerprintKey]. Empty without
	// a key.
	FromFingerprint string `json:"from_fingerprint,omitempty"`
	// Reason says in words what there is to know. May be empty.
	Reason string `json:"reason,omitempty"`
}

// String is one line: the sign, both names, the action and why.
func (i PlanItem) String() string {
	return i.Action.Sign() + " " + Item{From: i.From, To: i.To}.names() + ": " + i.why()
}

// record is the item as it is sorted and as it stands in a file.
func (i PlanItem) record() (disksort.Record, error) {
	line, err := json.Marshal(i)
	if err != nil {
		return disksort.Record{}, err
	}
	return disksort.Record{Key: []byte(i.From + "\x00" + i.To), Value: line}, nil
}

// Items yields the items, sorted by their names in the source. A pair with an
// error is the last one.
func (p *Plan) Items() iter.Seq2[PlanItem, error] {
	return func(yield func(PlanItem, error) bool) {
		for record, err := range p.lines() {
			var item PlanItem
			if err == nil {
				err = json.Unmarshal(record.Value, &item)
			}
			if err != nil {
				yield(PlanItem{}, fmt.Errorf("plan: %w", err))
				return
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

func (p *Plan) lines() iter.Seq2[disksort.Record, error] {
	if p.items == nil {
		return func(yield func(disksort.Record, error) bool) {
			yield(disksort.Record{}, invalid("plan", "it is closed, or was not made by NewPlan or ReadPlan"))
		}
	}
	return p.items.All()
}

// Count returns how many items have one of these actions.
func (p *Plan) Count(of ...Action) int {
	n := 0
	for _, a := range of {
		n += p.Header.Counts[a]
	}
	return n
}

// Total returns the number of items.
func (p *Plan) Total() int {
	n := 0
	for _, count := range p.Header.Counts {
		n += count
	}
	return n
}

// Close removes the plan's temporary file. What was written by WriteTo stays.
func (p *Plan) Close() error {
	if p.items == nil {
		return nil
	}
	err := p.items.Close()
	p.items = nil
	return err
}

// Err returns nil if carrying out the plan would leave nothing behind: there
// is no conflict, every name is allowed, everything could be read, and at least
// one secret was found that is there, mapped and not left out. Otherwise it says
// how much that is and names the first.
func (p *Plan) Err() error {
	bad := 0
	for action, n := range p.Header.Counts {
		if action.Bad() {
			bad += n
		}
	}
	head := fmt.Sprintf("plan %s → %s: ", p.Header.From.Name, p.Header.To.Name)
	total := p.Total()
	switch {
	case bad > 0:
		text := fmt.Sprintf("%s%d of %d need attention (%s)", head, bad, total, p.countsText(true))
		if first, ok := p.firstBad(); ok {
			text += "; first: " + first.String()
		}
		return p.problem(text, scaivault.ErrConflict)
	case total == 0:
		return p.problem(head+"no secret was found; check the mapping, the prefixes, and what the token may list", scaivault.ErrNotFound)
	case total == p.Count(ActionNotMapped):
		return p.problem(fmt.Sprintf("%sthe mapping knows none of the %d secrets that were found", head, total), scaivault.ErrNotFound)
	case total == p.Count(ActionNotMapped, ActionAbsent, ActionLeftOut):
		return p.problem(fmt.Sprintf("%sno secret was found but what is not there, not mapped or left out, %d in all; check the mapping, the patterns, and what the token may list", head, total), scaivault.ErrNotFound)
	}
	return nil
}

// problem is an error with the plan's own text. Its categories are those of
// what was met when the plan was made; where that is not known, those that the
// actions stand for.
func (p *Plan) problem(text string, kind error) error {
	if p.cause != nil {
		return &planError{text: text, causes: []error{p.cause}}
	}
	if !errors.Is(kind, scaivault.ErrConflict) {
		return &planError{text: text, causes: []error{kind}}
	}
	var causes []error
	if p.Count(ActionConflict) > 0 {
		causes = append(causes, scaivault.ErrConflict)
	}
	if p.Count(ActionNotAllowed) > 0 {
		causes = append(causes, scaivault.ErrInvalid)
	}
	return &planError{text: text, causes: causes}
}

// A planError says why a plan would leave something behind.
type planError struct {
	text   string
	causes []error
}

func (e *planError) Error() string   { return e.text }
func (e *planError) Unwrap() []error { return e.causes }

func (p *Plan) firstBad() (PlanItem, bool) {
	for item, err := range p.Items() {
		if err != nil {
			break
		}
		if item.Action.Bad() {
			return item, true
		}
	}
	return PlanItem{}, false
}

// String is a summary for people: the counts, and the sums aloud.
func (p *Plan) String() string {
	h := p.Header
	var b strings.Builder
	fmt.Fprintf(&b, "plan %s → %s: %d secrets\n", h.From.Name, h.To.Name, p.Total())
	if text := p.countsText(false); text != "" {
		b.WriteString(text + "\n")
	}
	b.WriteString(h.Sums.String())
	return b.String()
}

// countsText is "3 create, 1 conflict".
func (p *Plan) countsText(badOnly bool) string {
	var parts []string
	for _, k := range actions {
		if n := p.Header.Counts[k.action]; n > 0 && (k.bad || !badOnly) {
			parts = append(parts, fmt.Sprintf("%d %s", n, k.name))
		}
	}
	return strings.Join(parts, ", ")
}

// mappingDigest tells one list of rules from another. It is of names alone.
func mappingDigest(m *scaivault.Mapping) (string, error) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, rule := range m.Rules() {
		if err := enc.Encode(rule); err != nil {
			return "", err
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
