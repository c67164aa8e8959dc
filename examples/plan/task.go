// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// A task is one run of the program.
type task struct {
	services
	mapping   *scaivault.Mapping // nil for an inventory without one
	out, in   string
	exclude   []string
	key       []byte // of the plan's fingerprints; nil for none
	instances int
	ttl       time.Duration
	versions  bool
	stdout    io.Writer
}

func (t *task) inventory(ctx context.Context) error {
	inventory, err := migrate.TakeInventory(ctx, t.vault, &migrate.InventoryOptions{Mapping: t.mapping, Versions: t.versions})
	if err != nil {
		return err
	}
	return errors.Join(t.say(inventory), attention(inventory.Err()))
}

func (t *task) names(ctx context.Context) error {
	proposal, err := migrate.ProposeMapping(ctx, t.vault, t.mapping, &migrate.ProposalOptions{Exclude: t.exclude})
	if err != nil {
		return err
	}
	defer func() { _ = proposal.Close() }() // what is wanted of it is written
	if err := t.say(proposal); err != nil {
		return err
	}
	if err := proposal.Err(); err != nil {
		return attention(err)
	}
	return replaceFile(t.out, proposal.WriteTo)
}

func (t *task) plan(ctx context.Context) error {
	plan, err := migrate.NewPlan(ctx, t.vault, t.scaiVault, t.mapping, &migrate.PlanOptions{
		Instances: t.instances, TTL: t.ttl, FingerprintKey: t.key, Exclude: t.exclude,
	})
	if err != nil {
		return err
	}
	defer func() { _ = plan.Close() }() // what is wanted of it is written
	if err := t.say(plan); err != nil {
		return err
	}
	if err := replaceFile(t.out, plan.WriteTo); err != nil {
		return err
	}
	return attention(plan.Err())
}

func (t *task) apply(ctx context.Context) error {
	file, err := os.Open(t.in)
	if err != nil {
		return fmt.Errorf("-in: %w", err)
	}
	plan, err := migrate.ReadPlan(file, t.mapping)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	defer func() { _ = plan.Close() }() // it was only read
	if plan.Header.FingerprintKeyID != "" && t.key == nil {
		return errors.New("-fingerprint-key is missing: the plan was made with one")
	}
	if t.key != nil {
		if err := plan.UseFingerprintKey(t.key); err != nil {
			return err
		}
	}
	report, err := migrate.CopyPlan(ctx, t.vault, t.scaiVault, plan, nil)
	if report == nil {
		return err
	}
	if err = errors.Join(err, t.say(report)); err != nil {
		return err
	}
	return attention(report.Err())
}

// say prints something for people.
func (t *task) say(what any) error {
	_, err := fmt.Fprint(t.stdout, what)
	return err
}

func attention(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errAttention, err)
}

// replaceFile writes a file beside the old one and puts it in its place when it
// is whole and on the disk. What is no file, such as /dev/stdout, is written to.
func replaceFile(name string, write func(io.Writer) (int64, error)) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = write(f)
		return errors.Join(err, f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".plan-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already, if all went well
	if _, err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.Rename(f.Name(), name)
}
