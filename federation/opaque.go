// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/scailabs/scaivault-go/scaivault"
)

// An Opaque is one JSON value that this version of the package does not
// understand, kept as it is. The zero Opaque holds nothing. It is immutable and safe
// for concurrent use.
//
// Nobody knows what is in it, so it is printed, encoded and logged without its
// values; [Opaque.JSON] and [Opaque.Decode] show them.
type Opaque struct {
	// reveal is a func because fmt prints fields where no method is called.
	reveal func() json.RawMessage
}

// NewOpaque encodes v as JSON. The error matches [scaivault.ErrInvalid] where v
// cannot be encoded, and never quotes v.
func NewOpaque(v any) (Opaque, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return Opaque{}, &scaivault.Error{Kind: scaivault.ErrInvalid, Op: "encode setting", Reason: "the value cannot be written as JSON"}
	}
	return newOpaque(raw), nil
}

// newOpaque takes raw as it is: JSON that nobody else will change.
func newOpaque(raw json.RawMessage) Opaque {
	return Opaque{reveal: func() json.RawMessage { return raw }}
}

// IsZero tells whether it holds nothing. JSON's null is something.
func (o Opaque) IsZero() bool { return o.reveal == nil }

// JSON returns a copy of the value, in clear; nil for the zero Opaque.
func (o Opaque) JSON() json.RawMessage { return bytes.Clone(o.raw()) }

// Decode writes the value into dst, in clear, as json.Unmarshal does. The error
// matches [scaivault.ErrInvalid] where the value does not fit or there is none, and
// never quotes it.
func (o Opaque) Decode(dst any) error {
	if o.IsZero() {
		return &scaivault.Error{Kind: scaivault.ErrInvalid, Op: "decode setting", Reason: "there is none"}
	}
	if json.Unmarshal(o.raw(), dst) != nil { // the cause can quote the value
		return &scaivault.Error{Kind: scaivault.ErrInvalid, Op: "decode setting", Reason: fmt.Sprintf("the value does not fit into a %T", dst)}
	}
	return nil
}

// Names returns the names of the fields, sorted; nil where the value is no object.
func (o Opaque) Names() []string {
	obj, ok := o.object()
	if !ok || len(obj) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(obj))
}

// String returns the names of the fields and none of their values.
func (o Opaque) String() string {
	switch names := o.Names(); {
	case o.IsZero():
		return "nothing"
	case names == nil:
		return redacted
	default:
		return strings.Join(names, ", ") + ": " + redacted
	}
}

// GoString is String: %#v shows no value either.
func (o Opaque) GoString() string { return o.String() }

// Format prints String under every verb and flag.
func (o Opaque) Format(f fmt.State, _ rune) {
	// A printer that cannot print has nobody to tell.
	_, _ = f.Write([]byte(o.String()))
}

// LogValue is the text of String.
func (o Opaque) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalJSON writes the text of String; the value itself is what [Opaque.JSON]
// is for.
func (o Opaque) MarshalJSON() ([]byte, error) { return json.Marshal(o.String()) }

// MarshalText is the text of String, for encoders of text.
func (o Opaque) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

const redacted = "REDACTED"

func (o Opaque) raw() json.RawMessage {
	if o.reveal == nil {
		return nil
	}
	return o.reveal()
}

// object returns the fields where the value is an object.
func (o Opaque) object() (fields, bool) {
	var obj fields
	if o.IsZero() || json.Unmarshal(o.raw(), &obj) != nil || obj == nil {
		return nil, false
	}
	return obj, true
}
