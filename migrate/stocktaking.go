// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A stocktaking is one TakeInventory under way.
type stocktaking struct {
	vault VaultReader
	opts  InventoryOptions
	route *route // nil without a mapping
	pace  *pacer
}

func (t *stocktaking) wanted(m scaivault.Mount) bool {
	if len(t.opts.Mounts) == 0 {
		return true
	}
	return slices.ContainsFunc(t.opts.Mounts, func(path string) bool { return strings.Trim(path, "/") == m.Path })
}

// mount lists one secrets engine. Its error is that of ctx or of Each.
func (t *stocktaking) mount(ctx context.Context, m scaivault.Mount) (MountInventory, error) {
	inv := MountInventory{Mount: m, Advice: adviceFor(m)}
	if m.KVVersion == 0 {
		return inv, nil
	}
	root := m.Path
	if m.KVVersion == 2 {
		root += "/data"
	}
	for entry, err := range t.pace.listing(ctx, t.vault, root) {
		if err != nil {
			inv.fail(err)
			continue
		}
		t.secret(&inv, root, entry.Path)
		if t.opts.Each != nil {
			if err := t.opts.Each(entry.Path); err != nil {
				return inv, err
			}
		}
	}
	if ctx.Err() != nil {
		return inv, fmt.Errorf("inventory: cut short: %w", context.Cause(ctx))
	}
	return inv, nil
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

// adviceFor says what to do with a kind of secrets engine.
func adviceFor(m scaivault.Mount) string {
	switch m.Type {
	case "kv", "generic":
		return "federate it or copy it"
	case "pki":
		return "re-create its CAs and roles in ScaiVault and let its certificates expire; don't issue them again"
	case "database":
		return "re-create its engines in ScaiVault's dynamic secrets and point consumers there; leases run out by themselves"
	case "aws", "azure", "gcp":
		return "re-create the engine in ScaiVault's dynamic secrets, update consumers, let the leases drain"
	case "transit":
		return "ScaiVault has no such API: keep Vault for it, or move to the crypto of a KMS"
	case "system", "identity", "cubbyhole", "ns_system", "ns_identity", "ns_cubbyhole", "token", "ns_token":
		return "Vault's own; nothing to move"
	default:
		return "ScaiVault's guide does not cover it; look at who uses it"
	}
}
