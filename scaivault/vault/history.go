// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
)

// A history is what KV v2 keeps of a secret beside its data.
type history struct {
	current        int // the number of the latest version
	versions       []versionMeta
	customMetadata []byte // as JSON
	strange        bool   // a version, or its number, is none of KV v2's

	hasCurrent, hasVersions, hasCAS bool // what tells a history from anything else
}

// usualVersions is how many versions KV v2 keeps unless it is told otherwise.
const usualVersions = 10

// versionMeta is what is kept of one version. Its times are read when they are
// asked for: of most versions nobody does.
type versionMeta struct {
	number            int
	created, deletion []byte // as JSON
	destroyed         bool
}

// gone tells whether the version can't be read any more. A time of deletion
// that is yet to come is when it expires.
func (v *versionMeta) gone() bool {
	deletion := readTime(v.deletion)
	return v.destroyed || !deletion.IsZero() && !deletion.After(time.Now())
}

// latest is the current version, or nil where there is none.
func (h *history) latest() *versionMeta {
	for i := range slices.Backward(h.versions) {
		if v := &h.versions[i]; v.number == h.current && h.current > 0 {
			return v
		}
	}
	return nil
}

// isHistory tells whether data is the metadata of a secret.
func isHistory(data json.RawMessage) bool {
	_, ok := readHistory(data)
	return ok
}

// readHistory goes through the data of an answer of kv/metadata/ once. It
// reports false for anything else.
func readHistory(data json.RawMessage) (*history, bool) {
	var h history
	var v versionMeta // the one that is read
	enter := func(depth int, name []byte) bool {
		switch {
		case depth == 1 && string(name) == "versions":
			h.versions, h.strange = make([]versionMeta, 0, usualVersions), false // where it stands twice, the last one counts
			return true
		case depth == 2:
			v = versionMeta{}
			return true
		default:
			return false
		}
	}
	whole := jsonvalue.EachMemberWithin(data, enter, func(depth int, name, value []byte) {
		switch depth {
		case 1:
			h.take(name, value)
		case 2:
			h.takeVersion(v, name, value)
		default:
			h.strange = !v.take(name, value) || h.strange
		}
	})
	return &h, whole && h.hasCurrent && h.hasVersions && h.hasCAS
}

func (h *history) take(name, value []byte) {
	switch string(name) {
	case "current_version":
		number, err := strconv.Atoi(string(value))
		h.current, h.hasCurrent = number, err == nil
	case "versions":
		h.hasVersions = value[0] == '{'
	case "cas_required":
		_, h.hasCAS = readBool(value)
	case "custom_metadata":
		h.customMetadata = value
	}
}

func (h *history) takeVersion(v versionMeta, name, value []byte) {
	number, err := strconv.Atoi(string(name))
	if err != nil || value[0] != '{' {
		h.strange = true
		return
	}
	v.number = number
	h.versions = append(h.versions, v)
}

// take reports false for what can't be of a version.
func (v *versionMeta) take(name, value []byte) bool {
	switch string(name) {
	case "created_time":
		v.created = value
	case "deletion_time":
		v.deletion = value
	case "destroyed":
		destroyed, ok := readBool(value)
		v.destroyed = destroyed
		return ok || string(value) == "null"
	}
	return true
}

// readBool reads a boolean. It reports false for anything else.
func readBool(value []byte) (yes, ok bool) {
	yes = string(value) == "true"
	return yes, yes || string(value) == "false"
}
