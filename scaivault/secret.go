// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
)

// SecretInfo is what is known of a secret beside its data. Nothing of it is
// confidential.
type SecretInfo struct {
	// Path is the secret's name, as it was asked of the Store or Source.
	Path string
	// Version counts the writes; 0 where the service has no versions (KV v1).
	Version int
	// Type is a hint for consumers; empty where the service has no types.
	Type Type
	// Metadata came with the secret. It is zero where there is none.
	Metadata Metadata
	// CreatedAt and UpdatedAt are zero where the service does not tell.
	CreatedAt, UpdatedAt time.Time
	// ExpiresAt is zero for a secret that does not expire.
	ExpiresAt time.Time
	// LastAccessedAt is zero where the service does not tell, which is the
	// rule: ScaiVault documents it in words only.
	LastAccessedAt time.Time
	// RotationPolicyID and SecretPolicyID link the secret to policies of
	// ScaiVault. Empty for none, and where the service does not tell.
	RotationPolicyID, SecretPolicyID string
	// Source is the name of the source that answered: "scaivault" or "vault".
	Source string
}

// A Secret is one version of a secret. It is immutable, so it may be shared
// and is safe for concurrent use.
//
// No printer, encoder or logger shows its data, also not when it sits inside
// another value: see the package documentation on redaction. What shows a
// value says so: [Secret.Field], [Secret.Data], [Secret.JSON], [Secret.Decode].
type Secret struct {
	info SecretInfo
	// reveal returns the data. It is a func because fmt and reflection print
	// fields where no method of Secret is called, and a func is printed as an
	// address.
	reveal   func() secretBody
	failover bool
	stale    time.Duration
}

// NewSecret makes a Secret out of one JSON object, for those who write a
// [Source]. It copies data. If data is not one JSON object the error matches
// [ErrInvalid]; it never quotes the data.
func NewSecret(info SecretInfo, data json.RawMessage) (*Secret, error) {
	if !jsonvalue.EachMember(data, func(_, _ []byte) {}) {
		return nil, &Error{
			Kind: ErrInvalid, Op: "read secret", Source: info.Source, Path: wire.Printable(info.Path),
			Reason: "the data is not a JSON object",
		}
	}
	return newSecret(info, bytes.Clone(data)), nil
}

// newSecret takes raw as it is: a JSON object that nobody else will change.
func newSecret(info SecretInfo, raw json.RawMessage) *Secret {
	info.Metadata = info.Metadata.Clone()
	return &Secret{info: info, reveal: func() secretBody { return secretBody{data: raw} }}
}

// answered returns a copy of s as the answer to a question for path.
func (s *Secret) answered(path, source string, failover bool) *Secret {
	c := *s
	c.info.Path = path
	if c.info.Source == "" {
		c.info.Source = source
	}
	c.failover = failover
	return &c
}

// Path returns the secret's name, as it was asked of the Store or Source.
func (s *Secret) Path() string { return s.info.Path }

// Version returns the secret's version at the source that answered, or 0 where
// that has no versions. The two sides count differently.
func (s *Secret) Version() int { return s.info.Version }

// Info returns what is known of the secret beside its data. It is a copy.
func (s *Secret) Info() SecretInfo {
	info := s.info
	info.Metadata = s.metadata()
	return info
}

// metadata is a copy. It is read only when it is asked for, as most who read a
// secret do not.
func (s *Secret) metadata() Metadata {
	if s.reveal != nil {
		if raw := s.reveal().metadata; raw != nil {
			return readMetadata(raw)
		}
	}
	return s.info.Metadata.Clone()
}

// Extra returns what ScaiVault tells of the secret beside what [SecretInfo]
// and the data hold, in clear and as it is written, by name: members that this
// version of the package does not know. It is a copy, and nil where there are
// none. Nothing of it is printed, as it may be confidential.
func (s *Secret) Extra() map[string]json.RawMessage {
	if s == nil || s.reveal == nil {
		return nil
	}
	kept := s.reveal()
	return kept.extra()
}

// Source returns the name of the source that answered: "scaivault" or "vault".
func (s *Secret) Source() string { return s.info.Source }

// Failover tells whether the other source answered in place of the first.
func (s *Secret) Failover() bool { return s.failover }

// Stale returns how long the value is past its time to live; zero when fresh.
func (s *Secret) Stale() time.Duration { return s.stale }

// Field returns one value in clear: a string as it is, a number or a boolean
// as JSON writes it, an object or an array as compact JSON. It reports false
// for a field that is absent or null.
func (s *Secret) Field(name string) (string, bool) {
	var raw []byte
	jsonvalue.EachMember(s.raw(), func(member, value []byte) {
		if string(member) == name { // the last one counts, as in encoding/json
			raw = value
		}
	})
	switch {
	case raw == nil || string(raw) == "null":
		return "", false
	case raw[0] == '"':
		return jsonvalue.String(raw), true
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return "", false
	}
	return compact.String(), true
}

// Data returns all values in clear. It is a deep copy that the caller may
// change; numbers are [json.Number], with every digit.
func (s *Secret) Data() map[string]any {
	data, err := jsonvalue.Object(s.raw())
	if err != nil {
		return map[string]any{} // only the zero Secret
	}
	return data
}

// JSON returns all values in clear, as the source wrote them. It is a copy.
func (s *Secret) JSON() json.RawMessage { return bytes.Clone(s.raw()) }

// Decode reads the values, in clear, into dst: a pointer to a struct with
// `json` tags, or to a map. Numbers that go into an interface become
// [json.Number]. An error matches [ErrInvalid] and names the field and the Go
// type that do not fit; it never quotes a value.
func (s *Secret) Decode(dst any) error {
	dec := json.NewDecoder(bytes.NewReader(s.raw()))
	dec.UseNumber()
	err := dec.Decode(dst)
	if err == nil {
		return nil
	}
	return &Error{Kind: ErrInvalid, Op: "decode", Source: s.info.Source, Path: wire.Printable(s.info.Path), Reason: s.decodeReason(err, dst)}
}

// decodeReason tells why Decode failed. It does not wrap or quote the cause,
// whose text can hold a value.
func (s *Secret) decodeReason(err error, dst any) string {
	var bad *json.InvalidUnmarshalError
	if errors.As(err, &bad) {
		return "the destination is not a pointer to something; pass &v"
	}
	mismatch, ok := err.(*json.UnmarshalTypeError) //nolint:errorlint // one that a custom decoder wraps is not about our field
	if ok && mismatch.Field != "" {
		return fmt.Sprintf("field %q does not fit into a Go %s", mismatch.Field, mismatch.Type)
	}
	name := s.refusedField(dst)
	switch {
	case ok && name != "":
		return fmt.Sprintf("field %q does not fit into a Go %s", cut(name, 64), mismatch.Type)
	case ok:
		return fmt.Sprintf("the fields do not fit into a Go %s", mismatch.Type)
	case name != "":
		return fmt.Sprintf("field %q was refused by the decoder of its own Go type", cut(name, 64))
	default:
		return "the decoder of a Go type's own refused the value"
	}
}

// refusedField finds the first field that alone does not go into a value like
// dst. It finds none where dst decodes itself, as that may need all fields.
func (s *Secret) refusedField(dst any) string {
	if _, own := dst.(json.Unmarshaler); own {
		return ""
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(s.raw(), &fields); err != nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		alone, err := json.Marshal(map[string]json.RawMessage{name: fields[name]})
		if err != nil {
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(alone))
		dec.UseNumber()
		if dec.Decode(reflect.New(reflect.TypeOf(dst).Elem()).Interface()) != nil {
			return name
		}
	}
	return ""
}

// Equal tells whether two secrets hold the same data, by meaning: the order of
// keys does not count, numbers compare by value, everything else must be the
// same. Versions, types and metadata do not count. It takes the same time
// wherever a difference is. A nil Secret equals nothing.
func (s *Secret) Equal(t *Secret) bool {
	if s == nil || t == nil {
		return false
	}
	return jsonvalue.Equal(s.raw(), t.raw())
}

// differentFields names the fields that differ, never their values.
func (s *Secret) differentFields(t *Secret) []string {
	names, err := jsonvalue.DifferentFields(s.raw(), t.raw())
	if err != nil {
		return nil // both are objects, by construction
	}
	return names
}

// raw is the data, which the caller must not change.
func (s *Secret) raw() json.RawMessage {
	if s == nil || s.reveal == nil {
		return json.RawMessage("{}")
	}
	return s.reveal().data
}
