// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
)

// CopyPlan carries a plan out: it is [Copy] for the secrets that the plan
// creates or updates. Before each write it looks whether source and destination
// still are what the plan saw, and leaves the secret alone otherwise: that is
// [SourceChanged], [DestinationChanged] or [SourceGone]. A destination that
// holds the source's data already is [Unchanged], so a run that was interrupted
// is simply started again.
//
// Secrets for which the plan writes nothing are not looked at; they stand in
// the report as the plan has them, so that [Report.Err] is not nil while a
// conflict is left.
//
// from and to must be those of the plan. Of opts, Prefixes must be nil, and
// Overwrite and Cluster are the plan's. The plan must not be closed meanwhile.
func CopyPlan(ctx context.Context, from From, to To, plan *Plan, opts *CopyOptions) (*Report, error) {
	const op = "copy plan"
	o := CopyOptions{}
	if opts != nil {
		o = *opts
	}
	if plan == nil || plan.items == nil {
		return nil, invalid(op, "a plan is needed, and this one is nil or closed")
	}
	if plan.mapping == nil {
		return nil, invalid(op, "the plan was read without its mapping; give ReadPlan the mapping that it was made with")
	}
	if plan.Header.FingerprintKeyID != "" && plan.prints == nil {
		return nil, invalid(op, "the plan has fingerprints, and its key is not known; give it to Plan.UseFingerprintKey")
	}
	if err := checkEndpoints(op, from, to, plan.mapping); err != nil {
		return nil, err
	}
	h := plan.Header
	switch {
	case planSide(from) != h.From || planSide(to) != h.To:
		return nil, invalid(op, fmt.Sprintf("the plan is about %s → %s, and these are %s → %s", h.From.Name, h.To.Name, from.Name(), to.Name()))
	case len(o.Prefixes) > 0:
		return nil, invalid(op, "Prefixes are the plan's; make a plan with these prefixes")
	case o.Cluster != "" && o.Cluster != h.Cluster:
		return nil, invalid(op, fmt.Sprintf("the plan is about the cluster %q", h.Cluster))
	}
	o.Cluster, o.Overwrite, o.plan = h.Cluster, h.Overwrite, plan
	return Copy(ctx, from, to, plan.mapping, &o)
}

// A seen is what, beside its version, tells a secret from another of the same
// name: one that was removed and made anew begins at version 1 again.
type seen struct {
	fromTime  time.Time // when Vault's version was written; zero elsewhere
	toWriteID string    // of our mark in the destination; empty without one

	fromFingerprint string // of a source without versions, where there is a key
}

func seenIn(item Item, s sides, from scaivault.Side, prints *fingerprinter) seen {
	is := seen{fromFingerprint: prints.of(item.From, s.src)}
	if from == scaivault.SideVault {
		is.fromTime = s.src.Info().UpdatedAt
	}
	if s.dst != nil {
		m, _ := mark.Parse(s.dst.Info().Metadata.Values)
		is.toWriteID = m.WriteID
	}
	return is
}

// A planned is what a plan saw of a secret. A nil pointer stands for no plan.
type planned struct {
	seen
	prints                 *fingerprinter
	fromVersion, toVersion int
}

// outdated tells whether the plan saw something else than what is there right
// before the write.
func (p *planned) outdated(item Item, s sides, from scaivault.Side) (Item, bool) {
	if p == nil {
		return item, false
	}
	now, there := seenIn(item, s, from, p.prints), 0
	if s.dst != nil {
		there = s.dst.Version()
	}
	switch {
	case s.src.Version() != p.fromVersion:
		item.Outcome = SourceChanged
		item.Reason = fmt.Sprintf("the plan saw version %d of the source, and it is at %d; make a new plan", p.fromVersion, s.src.Version())
	case !now.fromTime.Equal(p.fromTime):
		item.Outcome = SourceChanged
		item.Reason = fmt.Sprintf("the source was removed and made anew since the plan, as its version %d is of another time; make a new plan", p.fromVersion)
	case now.fromFingerprint != p.fromFingerprint:
		item.Outcome = SourceChanged
		item.Reason = "the source has no versions, and holds other data than the plan saw; make a new plan"
	case p.toVersion == 0 && s.dst != nil && there == 0:
		item.Outcome = DestinationChanged
		item.Reason = "the plan saw nothing in the destination, and there is a secret now; make a new plan"
	case there != p.toVersion:
		item.Outcome = DestinationChanged
		item.Reason = fmt.Sprintf("the plan saw %s in the destination, and there is %s; make a new plan", versionText(p.toVersion), versionText(there))
	case now.toWriteID != p.toWriteID:
		item.Outcome = DestinationChanged
		item.Reason = fmt.Sprintf("the destination's version %d was not made by the write that the plan saw; make a new plan", there)
	default:
		return item, false
	}
	return item, true
}

func versionText(version int) string {
	if version == 0 {
		return "nothing"
	}
	return fmt.Sprintf("version %d", version)
}

// gone says of a secret that the plan saw that it is no longer there.
func (p *planned) gone(res result) result {
	if p == nil || res.item.Outcome != Skipped {
		return res
	}
	res.item.Outcome = SourceGone
	res.item.Reason = "the plan saw it, and it is no longer in the source; make a new plan"
	return res
}

// walkPlan finds the jobs of a plan.
func (r *run) walkPlan(p *Plan, emit func(job) bool) {
	for item, err := range p.Items() {
		j := r.plannedJob(item, p.prints)
		if err != nil {
			j = job{decided: &Item{From: item.From, Outcome: Failed, Reason: "the rest of the plan could not be read from its temporary file", Err: err}}
		}
		if !emit(j) {
			return
		}
	}
}

// plannedJob makes a job of a plan's item.
func (r *run) plannedJob(item PlanItem, prints *fingerprinter) job {
	if !item.Action.Writes() {
		j := job{from: item.From, to: item.To, unmapped: item.Action == ActionNotMapped, decided: &Item{
			From: item.From, To: item.To, FromVersion: item.FromVersion, ToVersion: item.ToVersion,
			Outcome: item.Action.outcome(), Reason: "by the plan: " + item.why(),
		}}
		if item.Action == ActionNotAllowed {
			j.decided.Err = scaivault.ErrInvalid
		}
		return j
	}
	j := r.newJob(item.From, listed)
	if j.to != item.To {
		j.decided = &Item{From: item.From, To: item.To, Outcome: Failed, Reason: "the mapping gives it another name than the plan", Err: scaivault.ErrInvalid}
	}
	j.planned = &planned{
		seen:   seen{fromTime: item.FromTime, toWriteID: item.ToWriteID, fromFingerprint: item.FromFingerprint},
		prints: prints, fromVersion: item.FromVersion, toVersion: item.ToVersion,
	}
	return j
}

// why is the action and its reason, which may begin with the same words.
func (i PlanItem) why() string {
	action := i.Action.String()
	switch {
	case i.Reason == "":
		return action
	case strings.HasPrefix(i.Reason, action):
		return i.Reason
	default:
		return action + ": " + i.Reason
	}
}
