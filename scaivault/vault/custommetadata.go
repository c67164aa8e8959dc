// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

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
	var all map[string]any
	if len(raw) == 0 || json.Unmarshal(raw, &all) != nil {
		return scaivault.Metadata{}
	}
	var m scaivault.Metadata
	for key, value := range all {
		text, isText := value.(string)
		switch {
		case key == keyDescription && isText:
			m.Description = text
		case key == keyOwner && isText:
			m.Owner = text
		case key == keyTags && isText && splitTags(text) != nil:
			m.Tags = splitTags(text)
		default:
			if m.Values == nil {
				m.Values = map[string]any{}
			}
			m.Values[key] = value
		}
	}
	return m
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
