// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// lenient reads a T and stays zero where it can't.
type lenient[T any] struct{ value T }

func (l *lenient[T]) UnmarshalJSON(b []byte) error {
	var v T
	if json.Unmarshal(b, &v) == nil {
		l.value = v
	}
	return nil
}

// wireInt reads a non-negative whole number, also in quotes.
type wireInt int

func (i *wireInt) UnmarshalJSON(b []byte) error {
	if n, err := strconv.Atoi(strings.Trim(string(b), `"`)); err == nil && n >= 0 {
		*i = wireInt(n)
	}
	return nil
}

// wireTime reads an RFC 3339 time, with or without fractions.
type wireTime struct{ time.Time }

func (t *wireTime) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		if parsed, err := time.Parse(time.RFC3339Nano, text); err == nil {
			t.Time = parsed
		}
	}
	return nil
}

// putBody builds the documented body of a write, and the data alone.
func putBody(data map[string]any, opts *PutOptions) (body []byte, raw json.RawMessage, reason string) {
	raw, reason = wire.EncodeData(data)
	if reason != "" {
		return nil, nil, reason
	}
	expires, ok := wireDuration(opts.ExpiresIn)
	switch {
	case !ok:
		return nil, nil, fmt.Sprintf("PutOptions.ExpiresIn is %v; give a positive number of whole seconds", opts.ExpiresIn)
	case opts.MaxVersions < 0:
		return nil, nil, fmt.Sprintf("PutOptions.MaxVersions is %d; give a positive number, or 0 for the service's default", opts.MaxVersions)
	}
	body = append(append(make([]byte, 0, len(raw)+512), `{"data":`...), raw...)
	body = wire.AppendString(append(body, `,"secret_type":`...), string(defaultTo(opts.Type, TypeJSON)))
	if !opts.Metadata.IsZero() {
		var err error
		if body, err = opts.Metadata.appendJSON(append(body, `,"metadata":`...)); err != nil {
			return nil, nil, "PutOptions.Metadata cannot be written as JSON; use strings, numbers, booleans, slices and maps"
		}
	}
	if options := putOptions(opts, expires); len(options) > 0 {
		body, _ = wire.AppendObject(append(body, `,"options":`...), options) // numbers and strings have no error
	}
	return append(body, '}'), raw, ""
}

// putOptions are the options that are set.
func putOptions(opts *PutOptions, expires string) []wire.Member {
	options := make([]wire.Member, 0, 3)
	if opts.MaxVersions > 0 {
		options = append(options, wire.Member{Name: "max_versions", Value: opts.MaxVersions})
	}
	if expires != "" {
		options = append(options, wire.Member{Name: "expires_in", Value: expires})
	}
	if opts.RotationPolicyID != "" {
		options = append(options, wire.Member{Name: "rotation_policy_id", Value: opts.RotationPolicyID})
	}
	return options
}

// wireDuration writes a duration as the service does, in the largest whole
// unit. Zero is no duration.
func wireDuration(d time.Duration) (string, bool) {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return "", true
	case d < 0 || d%time.Second != 0:
		return "", false
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d", true
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h", true
	case d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m", true
	default:
		return strconv.FormatInt(int64(d/time.Second), 10) + "s", true
	}
}
