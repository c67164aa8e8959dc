// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/mark"
)

// secretMembers are the documented members of a secret object as they are
// written, nil where there is none. Where a name stands twice, the last counts.
type secretMembers struct {
	path, secretType, version, data, metadata   []byte
	createdAt, updatedAt, expiresAt, accessedAt []byte
	rotationPolicyID, secretPolicyID            []byte
	known                                       int // how many of the above were there
}

// readMembers goes through a secret object once. It reports whether body is one
// JSON object and nothing else.
func readMembers(body []byte) (m secretMembers, ok bool) {
	ok = jsonvalue.EachMember(body, func(name, value []byte) {
		if member := m.named(name); member != nil {
			*member = value
			m.known++
		}
	})
	return m, ok
}

// named returns where the member of that name is kept, or nil for a name that
// is not documented.
func (m *secretMembers) named(name []byte) *[]byte {
	switch string(name) {
	case "path":
		return &m.path
	case "secret_type":
		return &m.secretType
	case "version":
		return &m.version
	case "data":
		return &m.data
	case "metadata":
		return &m.metadata
	case "created_at":
		return &m.createdAt
	case "updated_at":
		return &m.updatedAt
	case "expires_at":
		return &m.expiresAt
	case "last_accessed_at":
		return &m.accessedAt
	case "rotation_policy_id":
		return &m.rotationPolicyID
	case "secret_policy_id":
		return &m.secretPolicyID
	default:
		return nil
	}
}

// isObject tells whether a value, of JSON that was checked, is an object.
func isObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }

// info reads what it can: a member of another type than documented counts as
// absent. The metadata is left out.
func (m *secretMembers) info(path string) SecretInfo {
	return SecretInfo{
		Path: path, Version: readInt(m.version), Type: readType(m.secretType),
		CreatedAt: readTime(m.createdAt), UpdatedAt: readTime(m.updatedAt), ExpiresAt: readTime(m.expiresAt),
		LastAccessedAt: readTime(m.accessedAt), RotationPolicyID: jsonvalue.String(m.rotationPolicyID),
		SecretPolicyID: jsonvalue.String(m.secretPolicyID), Source: sourceScaiVault,
	}
}

// fullInfo is info with the metadata.
func (m *secretMembers) fullInfo(path string) SecretInfo {
	info := m.info(path)
	info.Metadata = readMetadata(m.metadata)
	return info
}

// secret makes a Secret of it, or reports that the data is no object. The
// Secret keeps body, whose parts these members are.
func (m *secretMembers) secret(path string, body []byte) (*Secret, bool) {
	if !isObject(m.data) {
		return nil, false
	}
	kept := secretBody{data: m.data, metadata: m.metadata, whole: body}
	return &Secret{info: m.info(path), reveal: func() secretBody { return kept }}, true
}

// A secretBody is what a Secret keeps behind a func.
type secretBody struct {
	data     json.RawMessage // one JSON object
	metadata []byte          // as it is written; nil where SecretInfo has it
	whole    []byte          // the secret object; nil where there was none
}

// extra returns copies of the members that are not documented.
func (b *secretBody) extra() map[string]json.RawMessage {
	var extra map[string]json.RawMessage
	var m secretMembers
	jsonvalue.EachMember(b.whole, func(name, value []byte) {
		if m.named(name) != nil {
			return
		}
		if extra == nil {
			extra = map[string]json.RawMessage{}
		}
		extra[string(name)] = bytes.Clone(value)
	})
	return extra
}

// readMetadata reads metadata as callers see it: without the id that Put adds.
func readMetadata(raw []byte) Metadata {
	var m Metadata
	if len(raw) > 0 {
		_ = m.UnmarshalJSON(raw) // what is no metadata is none
	}
	m.Values = mark.WithoutPutID(m.Values)
	return m
}

func readInt(raw []byte) int {
	var n wireInt
	_ = n.UnmarshalJSON(raw) // stays 0 for what is no number
	return int(n)
}

// readType does not copy the names of the documented types.
func readType(raw []byte) Type {
	if len(raw) > 2 && raw[0] == '"' {
		for _, known := range [...]Type{TypeKV, TypeJSON, TypeCertificate, TypeSSHKey, TypeAPIKey} {
			if string(raw[1:len(raw)-1]) == string(known) {
				return known
			}
		}
	}
	return Type(jsonvalue.String(raw))
}

// readTime reads the documented form without a copy.
func readTime(raw []byte) time.Time {
	if len(raw) < 2 || raw[0] != '"' {
		return time.Time{}
	}
	var t time.Time
	if t.UnmarshalText(raw[1:len(raw)-1]) == nil {
		return t
	}
	var loose wireTime
	_ = loose.UnmarshalJSON(raw) // stays zero for what is no time
	return loose.Time
}
