// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A stocktaking is one TakeInventory under way.
type stocktaking struct {
	vault VaultReader
	opts  InventoryOptions
	route *route // nil without a mapping
	pace  *pacer

	mu sync.Mutex // guards the MountInventory that is being filled
}

func (t *stocktaking) wanted(m scaivault.Mount) bool {
	if len(t.opts.Mounts) == 0 {
		return true
	}
	return slices.ContainsFunc(t.opts.Mounts, func(path string) bool { return strings.Trim(path, "/") == m.Path })
}

// mount looks at one secrets engine. Its error is that of ctx or of Each.
func (t *stocktaking) mount(ctx context.Context, m scaivault.Mount) (MountInventory, error) {
	inv := MountInventory{Mount: m, Advice: adviceFor(m)}
	if m.KVVersion == 0 {
		return inv, nil
	}
	var err error
	if t.opts.Versions || t.opts.Sizes {
		err = t.measure(ctx, &inv)
	} else {
		err = t.list(ctx, &inv, func(string) bool { return true })
	}
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("inventory: cut short: %w", context.Cause(ctx))
	}
	return inv, err
}

// list counts the secrets of a mount and hands on their paths. Its error is
// that of Each.
func (t *stocktaking) list(ctx context.Context, inv *MountInventory, emit func(path string) bool) error {
	root := inv.Path
	if inv.KVVersion == 2 {
		root += "/data"
	}
	for entry, err := range t.pace.listing(ctx, t.vault, root) {
		t.mu.Lock()
		if err != nil {
			inv.fail(err)
		} else {
			t.secret(inv, root, entry.Path)
		}
		t.mu.Unlock()
		if err != nil {
			continue
		}
		if t.opts.Each != nil {
			if err := t.opts.Each(entry.Path); err != nil {
				return err
			}
		}
		if !emit(entry.Path) {
			return nil
		}
	}
	return nil
}

// measure lists the secrets of a mount and reads what was asked for of each.
func (t *stocktaking) measure(ctx context.Context, inv *MountInventory) error {
	workers := t.opts.Workers
	if workers == 0 {
		workers = defaultWorkers
	}
	var stopped error
	walk := func(ctx context.Context, emit func(job) bool) {
		stopped = t.list(ctx, inv, func(path string) bool { return emit(job{from: path}) })
	}
	work := func(ctx context.Context, j job) result {
		size, versions, errs := t.ask(ctx, inv.KVVersion, j.from)
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, err := range errs {
			if err != nil && ctx.Err() == nil {
				inv.fail(err)
			}
		}
		inv.Versions += versions
		if size > inv.LargestBytes || size == inv.LargestBytes && size > 0 && j.from < inv.Largest {
			inv.LargestBytes, inv.Largest = size, j.from
		}
		return result{silent: true}
	}
	for range stream(ctx, workers, walk, steps{work: work}) { //nolint:revive // the work is all there is
	}
	return stopped
}

// ask reads what was asked for of one secret. One whose latest version was
// deleted has no size. Each of the errors may be nil.
func (t *stocktaking) ask(ctx context.Context, kvVersion int, path string) (size, versions int, errs []error) {
	if t.opts.Versions {
		versions = 1
		if lister, ok := t.vault.(versionLister); ok && kvVersion == 2 {
			errs = append(errs, t.patiently(ctx, func() error {
				all, err := lister.Versions(ctx, path)
				versions = len(all)
				return err
			}))
		}
	}
	if reader, ok := t.vault.(valueReader); ok && t.opts.Sizes {
		errs = append(errs, t.patiently(ctx, func() error {
			s, err := reader.Get(ctx, path)
			if err == nil {
				size = len(s.JSON())
			}
			return err
		}))
	}
	return size, versions, errs
}

// patiently asks again as long as Vault says to ask later. That there is
// nothing is no error.
func (t *stocktaking) patiently(ctx context.Context, ask func() error) error {
	for try := 1; ; try++ {
		if err := t.pace.calm(ctx); err != nil {
			return err
		}
		err := ask()
		switch {
		case errors.Is(err, scaivault.ErrNotFound):
			return nil
		case err != nil && t.pace.again(ctx, err, try):
			continue
		default:
			return err
		}
	}
}

func (t *stocktaking) secret(inv *MountInventory, root, path string) {
	inv.Secrets++
	name, ok := strings.CutPrefix(path, root+"/")
	if !ok {
		name = path
	}
	if depth := strings.Count(name, "/") + 1; depth > inv.Depth {
		inv.Depth, inv.Deepest = depth, path
	}
	if t.route != nil {
		if name, ok = t.route.there(path); !ok {
			inv.Unmapped++
			return
		}
	}
	if scaivault.ValidatePath(name) == nil {
		return
	}
	inv.NotAllowed++
	if len(inv.NotAllowedNames) < maxProblems {
		inv.NotAllowedNames = append(inv.NotAllowedNames, path)
	}
}

func (m *MountInventory) fail(err error) {
	if m.err == nil {
		m.err = err
	}
	if len(m.Errors) < maxProblems {
		m.Errors = append(m.Errors, oneLine(err.Error()))
	}
}

// advice says what to do with a kind of secrets engine, as the guide has it.
var advice = map[string]string{
	"kv":       "federate it or copy it",
	"generic":  "federate it or copy it",
	"pki":      "re-create its CAs and roles in ScaiVault and let its certificates expire; don't issue them again",
	"database": "re-create its engines in ScaiVault's dynamic secrets and point consumers there; leases run out by themselves",
	"aws":      adviceCloud, "azure": adviceCloud, "gcp": adviceCloud, "alicloud": adviceCloud, "gcpkms": adviceTransit,
	"transit": adviceTransit, "transform": adviceTransit, "kmip": adviceTransit, "keymgmt": adviceTransit,
	"system": adviceOwn, "identity": adviceOwn, "cubbyhole": adviceOwn, "token": adviceOwn,
	"ns_system": adviceOwn, "ns_identity": adviceOwn, "ns_cubbyhole": adviceOwn, "ns_token": adviceOwn,
	"ssh": adviceIssuer, "totp": adviceIssuer, "consul": adviceIssuer, "nomad": adviceIssuer, "rabbitmq": adviceIssuer,
	"ldap": adviceIssuer, "openldap": adviceIssuer, "ad": adviceIssuer, "kubernetes": adviceIssuer, "terraform": adviceIssuer, "mongodbatlas": adviceIssuer,
}

const (
	adviceCloud   = "re-create the engine in ScaiVault's dynamic secrets, update consumers, let the leases drain"
	adviceTransit = "ScaiVault has no such API: keep Vault for it, or move to the crypto of a KMS"
	adviceIssuer  = "ScaiVault's guide does not cover it, and there is nothing to copy: keep Vault for it, or see whether ScaiVault's dynamic secrets can issue the same"
	adviceOwn     = "Vault's own; nothing to move"
	adviceOther   = "ScaiVault's guide does not cover it; look at who uses it"
)

func adviceFor(m scaivault.Mount) string {
	if text, ok := advice[m.Type]; ok {
		return text
	}
	return adviceOther
}
