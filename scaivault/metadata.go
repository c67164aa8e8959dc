// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/wire"
)

// A Type is a hint for the consumers of a secret. ScaiVault refuses a type
// that it does not know.
type Type string

// The types that ScaiVault documents.
const (
	TypeKV          Type = "kv"
	TypeJSON        Type = "json"
	TypeCertificate Type = "certificate"
	TypeSSHKey      Type = "ssh_key"
	TypeAPIKey      Type = "api_key"
)

// Metadata describes a secret. It is not confidential: ScaiVault indexes it
// and shows it to those who may list. Never put a secret's value into it.
type Metadata struct {
	// Description is for people. May be empty.
	Description string
	// Tags are for searching. May be nil.
	Tags []string
	// Owner says whose secret this is. May be empty.
	Owner string
	// Values are all further keys. Numbers are json.Number when they come
	// from a service. May be nil; the keys "description", "tags" and
	// "owner" belong to the fields above and may not be set twice.
	Values map[string]any
}

const (
	metadataDescription = "description"
	metadataTags        = "tags"
	metadataOwner       = "owner"
)

// IsZero tells whether there is no metadata at all.
func (m Metadata) IsZero() bool {
	return m.Description == "" && m.Tags == nil && m.Owner == "" && len(m.Values) == 0
}

// Clone returns a copy that shares no slice and no map with m. In Values, it
// copies what JSON can decode to, however deep, and []string and
// map[string]string.
func (m Metadata) Clone() Metadata {
	m.Tags = slices.Clone(m.Tags)
	if m.Values != nil {
		m.Values, _ = cloneValue(m.Values).(map[string]any)
	}
	return m
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, e := range v {
			c[k] = cloneValue(e)
		}
		return c
	case []any:
		c := slices.Clone(v)
		for i, e := range c {
			c[i] = cloneValue(e)
		}
		return c
	case []string:
		return slices.Clone(v)
	case map[string]string:
		return maps.Clone(v)
	default:
		return v
	}
}

// MarshalJSON writes the metadata as one flat object, as ScaiVault keeps it.
func (m Metadata) MarshalJSON() ([]byte, error) { return m.appendJSON(nil) }

func (m Metadata) appendJSON(b []byte) ([]byte, error) {
	out := wire.Members(m.Values, 3)
	for _, v := range out {
		if m.fieldSet(v.Name) {
			return nil, fmt.Errorf("metadata key %q is set twice, as a field of Metadata and in Values: set the field alone", v.Name)
		}
	}
	if m.Description != "" {
		out = append(out, wire.Member{Name: metadataDescription, Value: m.Description})
	}
	if m.Tags != nil {
		out = append(out, wire.Member{Name: metadataTags, Value: m.Tags})
	}
	if m.Owner != "" {
		out = append(out, wire.Member{Name: metadataOwner, Value: m.Owner})
	}
	return wire.AppendObject(b, out)
}

func (m Metadata) fieldSet(key string) bool {
	switch key {
	case metadataDescription:
		return m.Description != ""
	case metadataTags:
		return m.Tags != nil
	case metadataOwner:
		return m.Owner != ""
	default:
		return false
	}
}

// UnmarshalJSON reads a flat object. It survives what it does not expect: a
// field of another type goes to Values, anything but an object is no metadata.
func (m *Metadata) UnmarshalJSON(b []byte) error {
	*m = Metadata{}
	whole := jsonvalue.EachMember(b, func(name, value []byte) { m.set(string(name), readValue(value)) })
	if !whole { // metadata of another shape must not hide a secret's value
		*m = Metadata{}
	}
	return nil
}

// readValue reads a value of JSON that was checked.
func readValue(raw []byte) any {
	if raw[0] == '"' { // as most are
		return jsonvalue.String(raw)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	_ = dec.Decode(&v) // a number of any size is a json.Number
	return v
}

// set sets a key, in place of what it was set to before.
func (m *Metadata) set(key string, v any) {
	delete(m.Values, key)
	switch key {
	case metadataDescription:
		if s, ok := v.(string); ok || v == nil {
			m.Description = s
			return
		}
		m.Description = ""
	case metadataOwner:
		if s, ok := v.(string); ok || v == nil {
			m.Owner = s
			return
		}
		m.Owner = ""
	case metadataTags:
		if tags, ok := stringsOf(v); ok {
			m.Tags = tags
			return
		}
		m.Tags = nil
	}
	if m.Values == nil {
		m.Values = map[string]any{}
	}
	m.Values[key] = v
}

func stringsOf(v any) ([]string, bool) {
	if v == nil {
		return nil, true
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}
