// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A Vault is a small HashiCorp Vault in memory. It answers like Vault 1.21.4, status
// by status and text by text, as far as a migration meets it: KV v1 and v2, mounts,
// tokens, AppRole, Kubernetes logins, ACL policies, file audit devices, namespaces,
// sealing and standbys. Secrets engines of other types can be mounted, and are listed,
// but keep nothing.
//
// It starts as a fresh Vault does: unsealed, with a root token, and without any
// secrets engine but Vault's own. It is safe for concurrent use by multiple
// goroutines. A Vault comes from NewVault or StartVault; the zero Vault is not one.
//
// What it does not know, it refuses: policies with parameter constraints or wrapping
// times, CIDR bounds, response wrapping. A namespace springs up when it is
// first named in X-Vault-Namespace, with policies, mounts and tokens of its own.
type Vault struct {
	*host
	core *vaultCore
	node *vaultNode
}

// VaultOptions says how a Vault is to start. A nil *VaultOptions stands for the zero one.
type VaultOptions struct {
	// RootToken is the token that may do everything. If empty, a random one.
	RootToken string

	// AuditLog receives Vault's audit log as JSON lines, two for each request, from
	// the first on. Values and tokens in it are keyed hashes. Writes come one at a time.
	// If nil, only the devices enabled at sys/audit log.
	AuditLog io.Writer

	// IgnoreNamespaces makes the Vault do as the community edition, which has none: it
	// takes no notice of X-Vault-Namespace.
	IgnoreNamespaces bool
}

// NewVault starts a Vault that is closed at the end of the test. It opens no socket
// before URL is called. NewVault(t) starts one with the zero VaultOptions, and so does a
// nil; more than one fails the test.
func NewVault(tb TB, opts ...*VaultOptions) *Vault {
	tb.Helper()
	v, err := StartVault(one(tb, "NewVault", opts))
	if err != nil {
		tb.Fatalf("scaivaulttest: start a vault: %v", err)
		return nil
	}
	v.bind(tb)
	return v
}

// StartVault starts a Vault for a program, which calls Close in the end. The error is
// for what later versions may need; there is none today.
func StartVault(opts *VaultOptions) (*Vault, error) {
	if opts == nil {
		opts = &VaultOptions{}
	}
	core := newVaultCore(*opts)
	node := core.cluster.add()
	v := &Vault{host: node.host, core: core, node: node}
	v.atClose(core.audit.close)
	return v, nil
}

// RootToken returns the token that may do everything, also in every namespace.
func (v *Vault) RootToken() string { return v.core.rootToken }

// Mount enables a KV secrets engine, version 1 or 2, at a path such as "kv", with or
// without a slash at its end. The same engine may be mounted again: nothing changes.
// If it cannot be mounted the test fails; in a program nothing happens.
func (v *Vault) Mount(path string, kvVersion int) {
	if kvVersion != 1 && kvVersion != 2 {
		v.test().Helper()
		v.fail("scaivaulttest: mount %s: KV has versions 1 and 2, not %d", path, kvVersion)
		return
	}
	version := strconv.Itoa(kvVersion)
	root := v.core.namespace("")
	path = strings.Trim(path, "/") + "/"
	if existing := root.mountAt(path); existing != nil && existing.kind == "kv" && existing.kvVersion() == kvVersion {
		return
	}
	mount := &vaultMount{path: path, kind: "kv", options: map[string]string{"version": version}}
	if refusal := v.core.mountEngine(root, mount); refusal != nil {
		v.test().Helper()
		v.fail("scaivaulttest: mount %s: %v", path, refusal)
	}
}

// Seed writes a secret as Vault keeps it, without audit: apiPath is "kv/data/apps/db"
// on KV v2 and "secret/apps/db" on KV v1. It returns the version written, and 0 on
// KV v1, which has none. If there is no KV mount at the path, or data has no JSON, the
// test fails; in a program nothing is written and the version is -1.
func (v *Vault) Seed(apiPath string, data map[string]any) (version int) {
	mount, key, err := v.secretAt(apiPath)
	if err != nil {
		v.test().Helper()
		v.fail("scaivaulttest: seed: %v", err)
		return -1
	}
	switch backend := mount.backend.(type) {
	case *kv1Backend:
		err = backend.seed(key, data)
	case *kv2Backend:
		version, err = backend.seed(key, data)
	}
	if err != nil {
		v.test().Helper()
		v.fail("scaivaulttest: seed %s: the data have no JSON form: %T", apiPath, err)
		return -1
	}
	return version
}

// Value returns what the latest version at apiPath holds, as Vault would return it,
// and false if there is nothing, or if it was deleted.
func (v *Vault) Value(apiPath string) (json.RawMessage, bool) {
	mount, key, err := v.secretAt(apiPath)
	if err != nil {
		return nil, false
	}
	switch backend := mount.backend.(type) {
	case *kv1Backend:
		return backend.get(key)
	case *kv2Backend:
		return backend.latest(key)
	}
	return nil, false
}

// secretAt finds the KV mount and the key in it.
func (v *Vault) secretAt(apiPath string) (*vaultMount, string, error) {
	path := strings.TrimPrefix(apiPath, "/")
	mount, key := v.core.namespace("").route(path)
	if mount == nil || key == "" || strings.HasSuffix(key, "/") {
		return nil, "", fmt.Errorf("no KV secret can be at %q: mount an engine there first", apiPath)
	}
	switch mount.backend.(type) {
	case *kv1Backend:
		return mount, key, nil
	case *kv2Backend:
		if rest, ok := strings.CutPrefix(key, "data/"); ok && rest != "" {
			return mount, rest, nil
		}
		return nil, "", fmt.Errorf("%q lies in a KV v2 mount: name it %q", apiPath, mount.path+"data/"+key)
	}
	return nil, "", fmt.Errorf("the mount of %q is of type %s, not kv", apiPath, mount.kind)
}

// Seal makes every request but those for health and seal status fail with 503, as a
// sealed Vault does. Nothing is forgotten. PUT sys/seal does the same. It seals this node
// of a cluster alone.
func (v *Vault) Seal() { v.node.sealed.Store(true) }

// Unseal takes Seal back. There is no key, and so no way to do it from outside.
func (v *Vault) Unseal() { v.node.sealed.Store(false) }
