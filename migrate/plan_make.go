// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"slices"
	"time"

	"github.com/scailabs/scaivault-go/internal/disksort"
	"github.com/scailabs/scaivault-go/scaivault"
)

// PlanOptions are the optional parts of [NewPlan]. A nil pointer means the
// zero value.
type PlanOptions struct {
	// Prefixes are the subtrees to plan for, by the names of the side that is
	// read: "kv/data/apps". "/**" at the end is understood. If nil, all that
	// the mapping's rules name and that is not proxied.
	Prefixes []string
	// Include and Exclude are patterns of names, as [CopyOptions] has them. A
	// secret that they leave out is an [ActionLeftOut].
	Include, Exclude []string
	// Workers is how many secrets are under way at once, at most 10,000. If
	// zero, 32.
	Workers int
	// PerSecond is how many secrets at most are begun in a second. If zero,
	// no limit.
	PerSecond float64
	// Overwrite plans to write over what somebody else has written. Such an
	// item is an [ActionUpdate] whose reason says so. If false, it is an
	// [ActionConflict].
	Overwrite bool
	// Cluster plans only for the rules of this cluster. If empty, for those
	// that name none.
	Cluster string
	// Instances is how many instances of services will read these secrets,
	// and TTL how long each keeps one in its cache. If both are set, the plan
	// says what that makes in a minute, against the read limit.
	Instances int
	TTL       time.Duration
	// WritesPerMinute and ReadsPerMinute are the destination's limits for one
	// identity. If zero, those of ScaiVault's managed service, 100 and 1,000;
	// for a plan to Vault no limit of writes.
	WritesPerMinute int
	ReadsPerMinute  int
	// FingerprintKey is a random key of at least 32 bytes that stays with the
	// operator, apart from the plan. With it the plan holds, for each secret of
	// KV v1 that is to be written, the HMAC-SHA256 of its data, from which
	// CopyPlan sees that it was changed since: KV v1 has no versions that would
	// show it. Whoever has both the plan and the key can test guesses of a
	// value; with the plan alone nobody can. The key is needed again for
	// CopyPlan: see [Plan.UseFingerprintKey]. If nil, there are no fingerprints,
	// and the reason of each such item says so. KV v2 needs none.
	FingerprintKey []byte
	// Each is told every item, in no order and never concurrently. Its error
	// stops the run and is returned. May be nil.
	Each func(PlanItem) error
	// Progress is told after every secret, never concurrently with itself or
	// Each. May be nil.
	Progress func(Progress)
	// TempDir is where the items are sorted. If empty, the system's directory
	// for temporary files.
	TempDir string
}

func (o *PlanOptions) check() error {
	switch {
	case o.Instances < 0:
		return invalid("plan", "Instances is negative")
	case o.TTL < 0:
		return invalid("plan", "TTL is negative")
	case (o.Instances > 0) != (o.TTL > 0):
		return invalid("plan", "Instances and TTL belong together; set both or neither")
	case o.WritesPerMinute < 0 || o.ReadsPerMinute < 0:
		return invalid("plan", "a limit is negative; 0 means that of the managed service")
	}
	return nil
}

// NewPlan looks at both sides as [Copy] does and says what a Copy would do,
// secret by secret, without writing anything. It takes the requests of a Copy
// that is a dry run.
//
// The error is not nil if the run could not start, if ctx ended, if Each
// returned an error or if there is no room on the disk; there is no plan then.
// What of single secrets needs attention is in the plan alone: see [Plan.Err].
//
// A KV v1 secret has no version, so of such a secret CopyPlan sees whether it was
// changed after the plan was made only by [PlanOptions.FingerprintKey]; without
// one it copies what it finds.
func NewPlan(ctx context.Context, from From, to To, m *scaivault.Mapping, opts *PlanOptions) (*Plan, error) {
	if opts == nil {
		opts = &PlanOptions{}
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	prints, err := newFingerprinter("plan", opts.FingerprintKey)
	if err != nil {
		return nil, err
	}
	if err := checkEndpoints("plan", from, to, m); err != nil {
		return nil, err
	}
	r, err := newRoute("plan", m, opts.Cluster, from.Side())
	if err != nil {
		return nil, err
	}
	prefixes, err := cleanPrefixes("plan", opts.Prefixes, from.Side())
	if err != nil {
		return nil, err
	}
	chosen, err := newSelection("plan", opts.Include, opts.Exclude, Shard{})
	if err != nil {
		return nil, err
	}
	p := &planner{
		opts: *opts, prints: prints, route: r, selection: chosen, toSide: to.Side(), tops: newTerritory(prefixes), met: map[string]bool{},
		items: &disksort.Sorter{Dir: opts.TempDir}, counts: map[Action]int{},
	}
	report, err := Copy(ctx, from, to, m, &CopyOptions{
		Prefixes: opts.Prefixes, Include: opts.Include, Exclude: opts.Exclude, Workers: opts.Workers, PerSecond: opts.PerSecond, Cluster: opts.Cluster,
		DryRun: true, Each: p.take, Progress: opts.Progress, prints: prints,
	})
	if err == nil {
		err = p.missing()
	}
	if err != nil {
		return nil, errors.Join(err, p.items.Close())
	}
	plan := &Plan{items: p.items, mapping: m, prints: prints, cause: report.Err(), Header: PlanHeader{
		Format: planFormat, FormatVersion: planVersion, Made: time.Now().UTC().Truncate(time.Second),
		From: planSide(from), To: planSide(to), Cluster: opts.Cluster, Prefixes: slices.Sorted(slices.Values(prefixes)),
		Overwrite: opts.Overwrite, FingerprintKeyID: prints.id(), Counts: p.counts,
	}}
	if err := plan.close(opts); err != nil {
		return nil, errors.Join(err, plan.Close())
	}
	return plan, nil
}

// close fills in what is known when all items are in.
func (p *Plan) close(opts *PlanOptions) error {
	var err error
	if p.Header.Mapping, err = mappingDigest(p.mapping); err != nil {
		return err
	}
	toScaiVault := p.Header.To.Side == scaivault.SideScaiVault.String()
	writes := p.Count(ActionCreate, ActionUpdate)
	p.Header.Sums = opts.sums(writes, writes+p.Count(ActionUnchanged, ActionConflict), toScaiVault)
	p.Header.Digest, err = p.digest()
	return err
}

// digest is of the header without it, and of all further lines.
func (p *Plan) digest() (string, error) {
	h, err := p.Header.hash()
	if err != nil {
		return "", err
	}
	for record, err := range p.lines() {
		if err != nil {
			return "", err
		}
		h.Write(record.Value)
		h.Write([]byte{'\n'})
	}
	return digestText(h), nil
}

// hash begins the digest of a plan.
func (h PlanHeader) hash() (hash.Hash, error) {
	h.Digest = ""
	head, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	sum.Write(head)
	sum.Write([]byte{'\n'})
	return sum, nil
}

func digestText(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// A planner makes plan items of what a dry run tells.
type planner struct {
	opts      PlanOptions
	prints    *fingerprinter
	route     *route
	selection *selection
	toSide    scaivault.Side
	tops      territory       // the prefixes that were given
	met       map[string]bool // those of them in which there is something
	items     *disksort.Sorter
	counts    map[Action]int
}

// take takes one item of the dry run.
func (p *planner) take(i Item) error {
	p.noteTop(i.From)
	item := PlanItem{
		Action: p.actionOf(i),
		From:   i.From, To: i.To, FromVersion: i.FromVersion, ToVersion: i.ToVersion,
		FromTime: i.seen.fromTime, ToWriteID: i.seen.toWriteID, FromFingerprint: i.seen.fromFingerprint, Reason: i.why(),
	}
	if item.Action == ActionConflict && p.opts.Overwrite && item.ToVersion > 0 {
		item.Action, item.Reason = ActionUpdate, "overwrites what somebody else wrote, as Overwrite is set"
	}
	if item.Action.Writes() && item.FromVersion == 0 && p.prints == nil && item.Reason == "" {
		item.Reason = unseen
	}
	return p.add(item)
}

func (p *planner) add(item PlanItem) error {
	record, err := item.record()
	if err != nil {
		return err
	}
	if err := p.items.Add(record); err != nil {
		return err
	}
	p.counts[item.Action]++
	if p.opts.Each != nil {
		return p.opts.Each(item)
	}
	return nil
}

// noteTop remembers that there is something in a prefix that was given.
func (p *planner) noteTop(name string) {
	for top := range p.tops {
		if !p.met[top] && (name == top || coveredBy(top, name)) {
			p.met[top] = true
		}
	}
}

func coveredBy(prefix, name string) bool {
	_, ok := below(prefix, name)
	return ok
}

// missing tells of prefixes in which there is nothing, as their names may be
// misspelt.
func (p *planner) missing() error {
	for _, top := range p.tops.sorted() {
		if p.met[top] {
			continue
		}
		reason := "nothing is there: the subtree does not exist, is empty, or the token may not list it; check the name"
		if err := p.add(PlanItem{Action: ActionFailed, From: top, Reason: reason}); err != nil {
			return err
		}
	}
	return nil
}
