// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// pathProblem says what is wrong with a Vault API path before any I/O. Vault
// itself refuses unprintable characters, and cleans away dots and doubled
// slashes, so that another secret would be meant.
func pathProblem(path string) string {
	switch {
	case path == "":
		return "the path is empty; name a secret, as in kv/data/apps/db"
	case !utf8.ValidString(path):
		return "the path is not valid UTF-8"
	case strings.HasPrefix(path, "/"):
		return "a path has no leading slash; remove it"
	case strings.HasSuffix(path, "/"):
		return "a path has no trailing slash; remove it"
	case strings.Contains(path, "//"):
		return "a path has no empty segment; replace // by /"
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return fmt.Sprintf("%q is not a name", segment)
		}
	}
	for i, r := range path {
		if !unicode.IsPrint(r) {
			return fmt.Sprintf("unprintable character %q at byte %d, which Vault refuses", r, i+1)
		}
	}
	return ""
}

// The parts of a KV v2 mount.
const (
	partData     = "data"
	partMetadata = "metadata"
	partDelete   = "delete"
)

// A place is a secret in a mount, or a folder of it.
type place struct {
	mount *mount
	name  string // below the mount, without data/; empty for the mount's top folder
}

// api is the path of the place in one part of the mount. KV v1 has no parts.
func (p place) api(part string) string {
	if p.mount.version == 1 {
		return strings.TrimSuffix(p.mount.prefix+p.name, "/")
	}
	return strings.TrimSuffix(p.mount.prefix+part+"/"+p.name, "/")
}

// secret finds the place of a secret in this mount, or says what is wrong.
func (m *mount) secret(path string) (place, string) {
	inner, ok := strings.CutPrefix(path, m.prefix)
	if !ok { // the mount itself, which is its prefix without the slash
		inner = ""
	}
	if m.version == 1 {
		if inner == "" {
			return place{}, fmt.Sprintf("%s is a mount; name a secret below it", m)
		}
		if strings.Contains(inner, "..") {
			return place{}, fmt.Sprintf("%s is KV v1, which holds no name with two dots in a row", m)
		}
		return place{mount: m, name: inner}, ""
	}
	part, name, _ := strings.Cut(inner, "/")
	switch {
	case part == partData && name != "":
		return place{mount: m, name: name}, ""
	case inner == "" || name == "" && (part == partData || part == partMetadata):
		return place{}, fmt.Sprintf("%s is a KV v2 mount; name a secret, as in %sdata/apps/db", m, wire.Printable(m.prefix))
	case name != "" && isPart(part):
		return place{}, fmt.Sprintf("%s is KV v2: use %s", m, wire.Printable(m.prefix+"data/"+name))
	default:
		return place{}, fmt.Sprintf("%s is KV v2: use %s", m, wire.Printable(m.prefix+"data/"+inner))
	}
}

func isPart(name string) bool {
	switch name {
	case partMetadata, partDelete, "undelete", "destroy", "subkeys":
		return true
	default:
		return false
	}
}

// folder finds the place of a folder in this mount, or says what is wrong.
func (m *mount) folder(path string) (place, string) {
	inner, ok := strings.CutPrefix(path, m.prefix)
	if !ok {
		inner = ""
	}
	if m.version == 1 {
		return place{mount: m, name: inner}, ""
	}
	part, name, _ := strings.Cut(inner, "/")
	switch {
	case part == partData:
		return place{mount: m, name: name}, ""
	case isPart(part):
		return place{}, fmt.Sprintf("%s is KV v2: use %s", m, wire.Printable(strings.TrimSuffix(m.prefix+"data/"+name, "/")))
	default:
		return place{}, fmt.Sprintf("%s is KV v2: use %s", m, wire.Printable(strings.TrimSuffix(m.prefix+"data/"+inner, "/")))
	}
}

// splitData parts a path at its first segment "data" that has something before
// and behind it, as KV v2 paths have.
func splitData(path string) (prefix string, ok bool) {
	i := strings.Index(path, "/data/")
	if i < 1 {
		return "", false
	}
	return path[:i+1], true
}
