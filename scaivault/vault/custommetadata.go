// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/wire"

	"github.com/scailabs/scaivault-go/scaivault"
)

// The limits of KV v2 for custom metadata, in bytes, and the keys that are
// fields of scaivault.Metadata.
const (
	maxMetadataKeys  = 64
	maxMetadataKey   = 128
	maxMetadataValue = 512

	keyDescription = "description"
	keyTags        = "tags"
	keyOwner       = "owner"
)

// readCustomMetadata makes Metadata of custom metadata, whose values are
// strings. It survives what it does not expect.
func readCustomMetadata(raw json.RawMessage) scaivault.Metadata {
	var m scaivault.Metadata
	whole := jsonvalue.EachMember(raw, func(name, value []byte) { takeCustom(&m, name, value) })
	if !whole {
		return scaivault.Metadata{}
	}
	return m
}

// takeCustom takes one key. Where it stands twice, the last one counts.
func takeCustom(m *scaivault.Metadata, key, value []byte) {
	text, isText := jsonvalue.String(value), value[0] == '"'
	if len(m.Values) > 0 {
		delete(m.Values, string(key))
	}
	switch string(key) {
	case keyDescription:
		m.Description = text
	case keyOwner:
		m.Owner = text
	case keyTags:
		m.Tags = splitTags(text)
		isText = isText && m.Tags != nil
	default:
		isText = false
	}
	if isText {
		return
	}
	if m.Values == nil {
		m.Values = map[string]any{}
	}
	m.Values[string(key)] = anyOf(text, value)
}

// anyOf is what encoding/json makes of a value whose text, if it is one, is
// known.
func anyOf(text string, value []byte) any {
	if value[0] == '"' {
		return text
	}
	var v any
	if json.Unmarshal(value, &v) != nil {
		return nil // as 1e400, which no float64 holds
	}
	return v
}

// splitTags returns nil for a text that joined tags cannot have made, which
// then stays as it is.
func splitTags(text string) []string {
	tags := strings.Split(text, ",")
	if slices.Contains(tags, "") {
		return nil
	}
	return tags
}

// customMetadata makes custom metadata of Metadata, or says what KV v2 cannot
// hold.
func customMetadata(m scaivault.Metadata) (map[string]string, string) {
	out := make(map[string]string, len(m.Values)+3)
	// In order, so that of several mistakes always the same is told.
	for _, key := range slices.Sorted(maps.Keys(m.Values)) {
		text, ok := m.Values[key].(string)
		if !ok {
			return nil, fmt.Sprintf("metadata %s is a %T; KV v2 holds strings only", wire.Printable(key), m.Values[key])
		}
		out[key] = text
	}
	for _, tag := range m.Tags {
		if tag == "" || strings.Contains(tag, ",") {
			return nil, "metadata tags: a tag is empty or has a comma, and KV v2 holds tags as one text, separated by commas"
		}
	}
	for key, text := range map[string]string{keyDescription: m.Description, keyTags: strings.Join(m.Tags, ","), keyOwner: m.Owner} {
		if text == "" {
			continue
		}
		if _, twice := out[key]; twice {
			return nil, fmt.Sprintf("metadata %s is set twice, as a field of Metadata and in Values; set the field alone", key)
		}
		out[key] = text
	}
	if len(out) > maxMetadataKeys {
		return nil, fmt.Sprintf("metadata has %d keys; KV v2 holds %d", len(out), maxMetadataKeys)
	}
	for _, key := range slices.Sorted(maps.Keys(out)) {
		if wrong := metadataProblem(key, out[key]); wrong != "" {
			return nil, wrong
		}
	}
	return out, ""
}

func metadataProblem(key, value string) string {
	unprintable := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
	}
	switch {
	case key == "" || len(key) > maxMetadataKey:
		return fmt.Sprintf("metadata key %q has %d bytes; KV v2 takes 1 to %d", wire.Printable(key), len(key), maxMetadataKey)
	case unprintable(key):
		return fmt.Sprintf("metadata key %s has an unprintable character, which KV v2 refuses", wire.Printable(key))
	case value == "" || len(value) > maxMetadataValue:
		return fmt.Sprintf("metadata %s has %d bytes; KV v2 takes 1 to %d", wire.Printable(key), len(value), maxMetadataValue)
	case unprintable(value):
		return fmt.Sprintf("metadata %s has an unprintable character, which KV v2 refuses", wire.Printable(key))
	default:
		return ""
	}
}
