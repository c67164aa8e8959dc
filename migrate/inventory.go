// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A VaultReader is a Vault to take stock of. *vault.Source is one.
type VaultReader interface {
	// Name says who this is: "vault".
	Name() string
	// Mounts returns the secrets engines that the token may see.
	Mounts(ctx context.Context) ([]scaivault.Mount, error)
	// List lists everything below prefix, at any depth. A pair with an error
	// says that a part is missing; the listing may go on after it.
	List(ctx context.Context, prefix string, opts *scaivault.ListOptions) iter.Seq2[scaivault.Entry, error]
}

// InventoryOptions are the optional parts of [TakeInventory]. A nil pointer
// means the zero value.
type InventoryOptions struct {
	// Mounts are the paths of the mounts to look at, such as "kv". If nil,
	// all of them.
	Mounts []string
	// Mapping says what the secrets will be called, so that the names are
	// checked which they will have, and those are counted that no rule maps.
	// If nil, the names below the mounts are checked as they are.
	Mapping *scaivault.Mapping
	// Cluster is the cluster of this Vault in Mapping. May be empty.
	Cluster string
	// Versions also counts the versions that KV v2 keeps. It costs one read of
	// metadata for each secret, and the right to read metadata/; no value is
	// read. If false, versions are not counted.
	Versions bool
	// Sizes also finds the largest value. It costs one read of each secret,
	// with its value, which stands in Vault's audit log as any read does. If
	// false, no value is read.
	Sizes bool
	// Workers is how many of these reads are under way at once, at most 10,000.
	// If zero, 32.
	Workers int
	// Each is told the path of every secret that was found, never
	// concurrently. Its error stops the run and is returned. May be nil.
	Each func(path string) error
}

// A versionLister counts versions; *vault.Source is one.
type versionLister interface {
	Versions(ctx context.Context, path string) ([]scaivault.VersionInfo, error)
}

// A valueReader reads values; *vault.Source is one.
type valueReader interface {
	Get(ctx context.Context, path string) (*scaivault.Secret, error)
}

// check looks for what can't work, before any I/O.
func (o *InventoryOptions) check(vault VaultReader) error {
	_, counts := vault.(versionLister)
	_, reads := vault.(valueReader)
	if err := checkWorkers("inventory", o.Workers); err != nil {
		return err
	}
	switch {
	case o.Versions && !counts:
		return invalid("inventory", vault.Name()+" can't tell versions; leave Versions out")
	case o.Sizes && !reads:
		return invalid("inventory", vault.Name()+" can't read values; leave Sizes out")
	}
	return nil
}

// An Inventory says what a Vault holds and what to do with it. It holds names
// and counts, never a value.
type Inventory struct {
	// Vault is the name of the Vault.
	Vault string `json:"vault"`
	// Taken is when it was taken.
	Taken time.Time `json:"taken"`
	// Mounts are the secrets engines, sorted by path.
	Mounts []MountInventory `json:"mounts"`
}

// A MountInventory is one secrets engine of an [Inventory].
type MountInventory struct {
	scaivault.Mount
	// Secrets is how many secrets were listed; 0 for what is not KV. Deleted
	// secrets of KV v2 are among them as long as Vault lists them.
	Secrets int `json:"secrets"`
	// Versions is how many versions there are of them, deleted ones that
	// Vault still keeps included; on KV v1 one for each secret. 0 unless
	// [InventoryOptions.Versions] is set.
	Versions int `json:"versions,omitempty"`
	// LargestBytes is the size of the largest value, as JSON, and Largest is
	// its path; zero unless [InventoryOptions.Sizes] is set.
	LargestBytes int    `json:"largest_bytes,omitempty"`
	Largest      string `json:"largest,omitempty"`
	// Depth is the number of levels below the mount of the deepest secret,
	// and Deepest is its path.
	Depth   int    `json:"depth,omitempty"`
	Deepest string `json:"deepest,omitempty"`
	// NotAllowed is how many names ScaiVault does not allow, and
	// NotAllowedNames are the first 1,000 of them, by their Vault paths.
	NotAllowed      int      `json:"not_allowed,omitempty"`
	NotAllowedNames []string `json:"not_allowed_names,omitempty"`
	// Unmapped is how many no rule maps; 0 without a mapping.
	Unmapped int `json:"unmapped,omitempty"`
	// Advice says what to do with this kind of engine.
	Advice string `json:"advice"`
	// Errors say what could not be listed or read, at most 1,000 of them; if
	// there are any, the counts are too low.
	Errors []string `json:"errors,omitempty"`

	err error
}

// TakeInventory says what a Vault holds: its secrets engines, what to do with
// each kind of them, and for KV how many secrets, how deep, and which of their
// names ScaiVault does not allow; see [ProposeMapping] for other names. It lists,
// and reads a secret only if [InventoryOptions.Sizes] asks for that. Memory does
// not grow with the number of secrets.
//
// A token that may not read sys/mounts sees the mounts in which it may do
// anything, as Vault tells them to its user interface.
//
// The error is not nil if the mounts could not be read, if ctx ended or if Each
// returned an error; in the last two cases there is an inventory of what was
// seen nevertheless. See [Inventory.Err] for parts that could not be listed.
func TakeInventory(ctx context.Context, vault VaultReader, opts *InventoryOptions) (*Inventory, error) {
	if opts == nil {
		opts = &InventoryOptions{}
	}
	if vault == nil {
		return nil, invalid("inventory", "a Vault is needed")
	}
	if err := opts.check(vault); err != nil {
		return nil, err
	}
	t := &stocktaking{vault: vault, opts: *opts, pace: newPacer(0)}
	if opts.Mapping != nil {
		var err error
		if t.route, err = newRoute("inventory", opts.Mapping, opts.Cluster, scaivault.SideVault); err != nil {
			return nil, err
		}
	}
	mounts, err := vault.Mounts(ctx)
	if err != nil {
		return nil, fmt.Errorf("inventory: read the mounts: %w", err)
	}
	inv := &Inventory{Vault: vault.Name(), Taken: time.Now()}
	for _, wanted := range opts.Mounts {
		if !slices.ContainsFunc(mounts, func(m scaivault.Mount) bool { return m.Path == strings.Trim(wanted, "/") }) {
			return nil, invalid("inventory", fmt.Sprintf("there is no mount %q, or the token may not see it", wanted))
		}
	}
	slices.SortFunc(mounts, func(a, b scaivault.Mount) int { return strings.Compare(a.Path, b.Path) })
	for _, m := range mounts {
		if !t.wanted(m) {
			continue
		}
		seen, err := t.mount(ctx, m)
		inv.Mounts = append(inv.Mounts, seen)
		if err != nil {
			return inv, err
		}
	}
	return inv, nil
}

// Err returns nil if everything could be listed. Otherwise it names the first
// mount that could not, and unwraps to why.
func (i *Inventory) Err() error {
	for _, m := range i.Mounts {
		if len(m.Errors) > 0 {
			cause := m.err
			if cause == nil {
				cause = errors.New(m.Errors[0])
			}
			return fmt.Errorf("inventory: mount %s could not be looked at wholly: %w", printable(m.Path), cause)
		}
	}
	return nil
}

// Secrets returns how many secrets there are in all mounts.
func (i *Inventory) Secrets() int {
	n := 0
	for _, m := range i.Mounts {
		n += m.Secrets
	}
	return n
}

// String is a table for people.
func (i *Inventory) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	// A strings.Builder takes every write.
	_, _ = fmt.Fprintln(w, "MOUNT\tTYPE\tSECRETS\tVERSIONS\tDEPTH\tLARGEST\tNOT ALLOWED\tUNMAPPED\tWHAT TO DO")
	for _, m := range i.Mounts {
		kind := printable(m.Type)
		if m.KVVersion > 0 {
			kind = fmt.Sprintf("%s v%d", kind, m.KVVersion)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\t%d\t%d\t%s\n", printable(m.Path), kind,
			m.Secrets, orDash(m.Versions, ""), m.Depth, orDash(m.LargestBytes, " B"), m.NotAllowed, m.Unmapped, m.Advice)
	}
	_ = w.Flush()
	n := i.Secrets()
	fmt.Fprintf(&b, "%d secrets ÷ %d writes a minute, as ScaiVault's managed service allows = %s at least to copy them\n",
		n, writesPerMinute, minutes(n, writesPerMinute))
	for _, m := range i.Mounts {
		if m.Deepest != "" {
			fmt.Fprintf(&b, "deepest: %s\n", printable(m.Deepest))
		}
		if m.Largest != "" {
			fmt.Fprintf(&b, "largest: %s, %d bytes\n", printable(m.Largest), m.LargestBytes)
		}
		for _, name := range m.NotAllowedNames {
			fmt.Fprintf(&b, "name not allowed: %s\n", printable(name))
		}
		if more := m.NotAllowed - len(m.NotAllowedNames); more > 0 {
			fmt.Fprintf(&b, "and %d more names in %s\n", more, printable(m.Path))
		}
		for _, text := range m.Errors {
			fmt.Fprintf(&b, "not seen: %s: %s\n", printable(m.Path), text)
		}
	}
	return b.String()
}

// orDash is a number that was counted, or "-".
func orDash(n int, unit string) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n) + unit
}
